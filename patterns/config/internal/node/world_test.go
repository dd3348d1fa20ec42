// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// world is a model of two authorities with one history, the network, and one node, all driven by a seed.
type world struct {
	random  *rand.Rand
	now     time.Time
	node    *Machine
	trees   []string
	centres [2]*centre
	// history is what is acknowledged: records[i] leads from states[i] to states[i+1].
	states  []*model.State
	records []model.Record
	epoch   model.Epoch
	truth   map[model.Epoch][]*model.State
	done    map[uint64]uint64 // revision by request of the node
	answers map[uint64]Answer
	asked   map[uint64]bool

	subscribed int // the authority whose marks the node hears; -1: none
	published  []Published
	calm       bool
	lastMark   uint64
}

// centre is an authority.
type centre struct {
	role      wire.Role
	epoch     model.Epoch
	states    []*model.State // that it knows; a deposed one stays behind
	records   []model.Record
	up        bool
	greeted   bool
	toNode    []wire.Message
	toCentre  []wire.Message
	chunks    []wire.Message // of the answer under way
	credit    int
	lastWords time.Time
}

const interval = 200 * time.Millisecond

func newWorld(seed uint64, trees []string) *world {
	w := &world{
		random: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1000, 0), trees: trees, subscribed: -1,
		states: []*model.State{{}}, truth: make(map[model.Epoch][]*model.State), done: make(map[uint64]uint64),
		answers: make(map[uint64]Answer), asked: make(map[uint64]bool),
	}
	w.node = New(Config{Session: "s", Name: "n", Trees: trees, Links: 2})
	for i := range w.centres {
		w.centres[i] = &centre{role: wire.RoleStandby}
	}
	w.takeOver(0, 0)
	return w
}

func (w *world) holds(tree string) bool { return holds(w.trees, tree) }

// takeOver begins an epoch at an authority; the last lost revisions are gone.
func (w *world) takeOver(at, lost int) {
	w.epoch = model.Epoch{Number: w.epoch.Number + 1, Authority: model.AuthorityID{byte(at + 1)}}
	length := max(len(w.records)-lost, 0)
	w.records, w.states = slices.Clone(w.records[:length]), slices.Clone(w.states[:length+1])
	for id, revision := range w.done {
		if revision > uint64(length) {
			delete(w.done, id)
		}
	}
	w.lastMark = uint64(length)
	c := w.centres[at]
	c.role, c.epoch = wire.RolePrimary, w.epoch
	c.chunks = nil
	w.sync(c)
	if c.greeted {
		c.toNode = append(c.toNode, w.welcome(c))
	}
	other := w.centres[1-at]
	if w.random.IntN(2) == 0 && other.up { // it learns of it; else it believes in its old epoch
		w.stepDown(other)
	}
}

func (w *world) stepDown(c *centre) {
	c.role, c.epoch = wire.RoleStandby, w.epoch
	if c.greeted {
		c.toNode = append(c.toNode, w.welcome(c))
	}
}

// sync gives the primary what is acknowledged.
func (w *world) sync(c *centre) {
	c.states, c.records = w.states, w.records
	w.truth[w.epoch] = w.states
}

func (w *world) welcome(c *centre) *wire.Welcome {
	return &wire.Welcome{
		Version: wire.Version, Role: c.role, Epoch: c.epoch, Interval: interval, Changes: fmt.Sprint(c.epoch),
	}
}

func (w *world) primary() *centre {
	for _, c := range w.centres {
		if c.role == wire.RolePrimary && c.epoch == w.epoch {
			return c
		}
	}
	return nil
}

// commit makes a record of random operations; a key is set to something else each time.
func (w *world) commit(request uint64) {
	state := w.states[len(w.states)-1]
	record := model.Record{Revision: state.Revision() + 1, Epoch: w.epoch, Request: request}
	keys := make(map[string]bool)
	for range 1 + w.random.IntN(3) {
		key := fmt.Sprintf("%c/k%d", 'a'+rune(w.random.IntN(3)), w.random.IntN(6))
		if keys[key] {
			continue
		}
		keys[key] = true
		_, found := state.Get(key)
		op := model.Op{Key: key, Value: fmt.Append(nil, w.random.Uint64())}
		if found && w.random.IntN(4) == 0 {
			op = model.Op{Key: key, Delete: true}
		}
		record.Ops = append(record.Ops, op)
	}
	w.records = append(w.records, record)
	w.states = append(w.states, state.Apply(&record, nil))
	w.sync(w.primary())
}

// publish sends bodies and the mark of what was committed since the last.
func (w *world) publish(at *centre) {
	previous, last := w.lastMark, uint64(len(w.records))
	w.lastMark = last
	mark := &wire.Mark{Epoch: w.epoch, Previous: previous, Revision: last}
	byTree := make(map[string][]model.Record)
	for _, record := range w.records[previous:last] {
		for tree, ops := range split(record.Ops) {
			part := record
			part.Ops = ops
			byTree[tree] = append(byTree[tree], part)
		}
	}
	for _, tree := range slices.Sorted(maps.Keys(byTree)) {
		records, before := byTree[tree], w.states[previous].Head(tree).Revision
		for len(records) > 0 {
			count := 1 + w.random.IntN(len(records))
			head := w.states[records[count-1].Revision].Head(tree)
			w.emit(at, &wire.Body{Epoch: w.epoch, Previous: before, Head: head, Records: records[:count]}, tree)
			records, before = records[count:], head.Revision
		}
		mark.Heads = append(mark.Heads, w.states[last].Head(tree))
	}
	w.emit(at, mark, "")
}

func split(ops []model.Op) map[string][]model.Op {
	parts := make(map[string][]model.Op)
	for _, op := range ops {
		tree := model.TreeOf(op.Key)
		parts[tree] = append(parts[tree], op)
	}
	return parts
}

// rest sends the mark of an authority at rest, a deposed one as well.
func (w *world) rest(c *centre) {
	if c.role != wire.RolePrimary || len(c.states) == 0 || c.epoch == w.epoch && w.lastMark != uint64(len(w.records)) {
		return
	}
	state := c.states[len(c.states)-1]
	w.emit(c, &wire.Mark{Epoch: c.epoch, Previous: state.Revision(), Revision: state.Revision(), Heads: slices.Collect(state.Heads(""))}, "")
}

// emit puts a message on its way to the node through PUB and SUB: it may be lost, doubled or damaged, but is not overtaken.
func (w *world) emit(c *centre, message wire.Message, tree string) {
	if w.subscribed < 0 || w.centres[w.subscribed] != c || tree != "" && !w.holds(tree) || len(w.published) > 50 {
		return
	}
	fate := w.random.IntN(40)
	if w.calm {
		fate = 40
	}
	frame := wire.Encode(message)
	switch fate {
	case 0:
		return
	case 1:
		w.published = append(w.published, Published{nil, 1})
		return
	case 2, 3: // nothing proves a mark, but the stream's own checks
		if tree == "" {
			return
		}
		frame[w.random.IntN(len(frame))] ^= 1 << w.random.IntN(8)
	case 4:
		w.published = append(w.published, Published{message, len(frame)})
	}
	decoded, err := wire.Decode(frame)
	if err != nil {
		decoded = nil
	}
	w.published = append(w.published, Published{decoded, len(frame)})
}

// serve lets an authority read one message.
func (w *world) serve(c *centre) {
	message := c.toCentre[0]
	c.toCentre = c.toCentre[1:]
	if hello, is := message.(*wire.Hello); is {
		c.greeted = true
		if hello.Epoch.Compare(c.epoch) > 0 && c.role == wire.RolePrimary && c.epoch != w.epoch && w.random.IntN(2) == 0 {
			w.stepDown(c)
			return
		}
		c.toNode = append(c.toNode, w.welcome(c))
		return
	}
	if !c.greeted {
		return
	}
	switch message := message.(type) {
	case *wire.Sync:
		w.answerSync(c, message)
	case *wire.More:
		c.credit += int(message.Chunks)
	case *wire.Cancel:
		c.chunks = nil
	case *wire.Propose:
		w.propose(c, message)
	}
	for c.credit > 0 && len(c.chunks) > 0 {
		c.toNode, c.chunks = append(c.toNode, c.chunks[0]), c.chunks[1:]
		c.credit--
	}
}

func (w *world) propose(c *centre, propose *wire.Propose) {
	result := &wire.Result{Request: propose.Request, Code: wire.CodeDone}
	switch {
	case c.role != wire.RolePrimary || c.epoch != w.epoch:
		result.Code = wire.CodeNotPrimary
	case !w.calm && w.random.IntN(3) == 0:
		result.Code = wire.CodeBusy
	default:
		if w.done[propose.Request] == 0 {
			w.commit(propose.Request)
			w.done[propose.Request] = uint64(len(w.records))
		}
		result.Revision = w.done[propose.Request]
	}
	c.toNode = append(c.toNode, result)
}

func (w *world) answerSync(c *centre, ask *wire.Sync) {
	if c.role == wire.RoleStandby || len(c.states) == 0 || !w.calm && w.random.IntN(10) == 0 {
		c.toNode = append(c.toNode, &wire.Result{Request: ask.ID, Code: wire.CodeBusy})
		return
	}
	whole := c.states[len(c.states)-1]
	state := whole.Only(w.holds)
	chunk := wire.Chunk{ID: ask.ID, Epoch: c.epoch, Revision: state.Revision(), Heads: slices.Collect(state.Heads(""))}
	c.chunks, c.credit = nil, 2
	add := func() {
		part := chunk
		c.chunks = append(c.chunks, &part)
		chunk.Heads, chunk.Entries, chunk.Records = nil, nil, nil
		chunk.Number++
	}
	known := ask.Revision != 0 && ask.Revision < uint64(len(c.states)) &&
		c.states[ask.Revision].Only(w.holds).Digest() == ask.Digest && w.random.IntN(8) != 0
	if known {
		chunk.From = ask.Revision
		for _, record := range c.records[ask.Revision:] {
			record.Ops = slices.DeleteFunc(slices.Clone(record.Ops), func(op model.Op) bool { return !w.holds(model.TreeOf(op.Key)) })
			if len(record.Ops) == 0 {
				continue
			}
			chunk.Records = append(chunk.Records, record)
			if w.random.IntN(3) == 0 {
				add()
			}
		}
	} else {
		for entry := range state.List("") {
			same := *entry
			chunk.Entries = append(chunk.Entries, &same)
			if w.random.IntN(5) == 0 {
				add()
			}
		}
	}
	chunk.Last = true
	add()
}
