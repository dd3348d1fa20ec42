// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// fake is an authority for tests of the client: in memory, and as obedient as a test needs.
type fake struct {
	t        testing.TB
	endpoint string

	mu       sync.Mutex
	router   *socket.Router
	pub      *socket.Pub
	work     sync.WaitGroup
	epoch    model.Epoch
	role     wire.Role
	readOnly string
	mute     bool // answers no change
	silent   bool // publishes nothing
	states   []*model.State
	records  []model.Record
	done     map[uint64]uint64 // of all sessions: a test has one writer or does not care
	sessions map[string]*wire.Hello
	reports  map[string]*wire.Report // by session
	byes     []string
	syncs    int
}

const fakeInterval = 50 * time.Millisecond

func newFake(t testing.TB, role wire.Role) *fake {
	f := &fake{
		t: t, endpoint: "ipc://" + filepath.Join(t.TempDir(), "a"), role: role, states: []*model.State{{}},
		epoch: model.Epoch{Number: 1}, done: make(map[uint64]uint64), reports: make(map[string]*wire.Report),
	}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *fake) start() {
	f.t.Helper()
	options := &socket.Options{Linger: socket.LingerNone, MessageBytes: wire.FrameBytesMax + 1024}
	router, err := socket.NewRouter(options)
	if err != nil {
		f.t.Fatal(err)
	}
	pub, err := socket.NewPub(options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.router, f.pub, f.sessions = router, pub, make(map[string]*wire.Hello)
	if err := router.Bind(f.endpoint); err != nil {
		f.t.Fatal(err)
	}
	if err := pub.Bind(f.endpoint + "p"); err != nil {
		f.t.Fatal(err)
	}
	stopped := make(chan struct{})
	f.work.Go(func() {
		defer close(stopped)
		for m, err := range router.Messages(context.Background()) {
			if err != nil {
				return
			}
			m = m.Clone()
			f.serve(string(m.Frame(0)), m.Frame(m.Len()-1))
		}
	})
	f.work.Go(func() {
		ticker := time.NewTicker(fakeInterval)
		defer ticker.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-ticker.C:
				f.rest()
			}
		}
	})
}

func (f *fake) stop() {
	f.router.Close()
	f.pub.Close()
	f.work.Wait()
}

func (f *fake) last() *model.State { return f.states[len(f.states)-1] }

func (f *fake) rest() {
	f.mu.Lock()
	defer f.mu.Unlock()
	revision := f.last().Revision()
	f.publish(wire.MarkTopic, &wire.Mark{Epoch: f.epoch, Previous: revision, Revision: revision, Heads: slices.Collect(f.last().Heads(""))})
}

func (f *fake) publish(topic string, m wire.Message) {
	if !f.silent && f.role != wire.RoleStandby {
		f.pub.TrySend(socket.NewMessage([]byte(topic), wire.Encode(m)))
	}
}

func (f *fake) reply(to string, m wire.Message) {
	f.router.TrySend(socket.NewMessage([]byte(to), wire.Encode(m)))
}

func (f *fake) welcome(to string) {
	f.reply(to, &wire.Welcome{
		Version: wire.Version, Role: f.role, Epoch: f.epoch, Revision: f.last().Revision(), ReadOnly: f.readOnly,
		Changes: f.endpoint + "p", Interval: fakeInterval, ValueBytesMax: 1 << 20,
	})
}

// become changes what the authority is, and tells everybody.
func (f *fake) become(role wire.Role, epoch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.role, f.epoch = role, model.Epoch{Number: epoch}
	for id := range f.sessions {
		f.welcome(id)
	}
}

func (f *fake) serve(from string, frame []byte) {
	message, err := wire.Decode(frame)
	if err != nil {
		f.t.Errorf("the client sent %x: %v", frame, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if hello, is := message.(*wire.Hello); is {
		f.sessions[from] = hello
		f.welcome(from)
		return
	}
	hello := f.sessions[from]
	if hello == nil {
		return
	}
	switch m := message.(type) {
	case *wire.Sync:
		f.syncs++
		f.answerSync(from, m, hello.Trees)
	case *wire.Read:
		f.read(from, m)
	case *wire.Report:
		f.reports[hello.Session] = m
	case *wire.Propose:
		f.propose(from, m, hello.Session)
	case *wire.Rollback:
		f.reply(from, &wire.Result{Request: m.Request, Code: wire.CodeCompacted, Text: "from 7 on"})
	case *wire.Log:
		f.reply(from, &wire.Records{Request: m.Request, Oldest: 1, Records: f.records[min(m.From-1, uint64(len(f.records))):]})
	case *wire.Status:
		f.reply(from, &wire.Nodes{
			Request: m.Request, Role: f.role, Epoch: f.epoch, Revision: f.last().Revision(), Oldest: 1,
			Nodes: []wire.Node{{Session: hello.Session, Name: hello.Name, Lag: time.Second}},
		})
	case *wire.Wait:
		f.reply(from, &wire.Result{Request: m.ID, Code: wire.CodeDone, Revision: m.Revision})
	case *wire.Promote:
		f.role = wire.RolePrimary
		f.reply(from, &wire.Result{Request: m.Request, Code: wire.CodeDone})
		f.welcome(from)
	case *wire.Bye:
		f.byes = append(f.byes, hello.Session)
	}
}

func (f *fake) propose(from string, m *wire.Propose, session string) {
	result := &wire.Result{Request: m.Request, Code: wire.CodeDone}
	switch {
	case f.mute:
		return
	case f.readOnly != "" || f.role != wire.RolePrimary:
		result.Code, result.Text = wire.CodeReadOnly, f.readOnly
	case f.done[m.Request] != 0:
		result.Revision = f.done[m.Request]
	default:
		if err := f.last().Validate(&m.Transaction); err != nil {
			result.Code, result.Text = wire.CodeConflict, err.Error()
			break
		}
		result.Revision = f.commit(session, m.Ops...)
		f.done[m.Request] = result.Revision
	}
	f.reply(from, result)
}

// commit makes a record, and publishes it.
func (f *fake) commit(session string, ops ...model.Op) uint64 {
	before := f.last()
	record := model.Record{Revision: before.Revision() + 1, Epoch: f.epoch, Session: session, Ops: ops, Time: time.Now().UTC()}
	next := before.Apply(&record, nil)
	f.states, f.records = append(f.states, next), append(f.records, record)
	mark := &wire.Mark{Epoch: f.epoch, Previous: before.Revision(), Revision: next.Revision()}
	for head := range next.Heads("") {
		if head.Revision != next.Revision() {
			continue
		}
		mark.Heads = append(mark.Heads, head)
		part := record
		part.Ops = slices.DeleteFunc(slices.Clone(ops), func(op model.Op) bool { return model.TreeOf(op.Key) != head.Tree })
		f.publish(wire.TreeTopic(head.Tree), &wire.Body{
			Epoch: f.epoch, Previous: before.Head(head.Tree).Revision, Head: head, Records: []model.Record{part},
		})
	}
	f.publish(wire.MarkTopic, mark)
	return next.Revision()
}

// set commits by the authority's own hand.
func (f *fake) set(key, value string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commit("operator", model.Op{Key: key, Value: []byte(value)})
}

func (f *fake) answerSync(from string, m *wire.Sync, trees []string) {
	holds := func(tree string) bool { return trees == nil || slices.Contains(trees, tree) }
	state := f.last().Only(holds)
	f.reply(from, &wire.Chunk{
		ID: m.ID, Epoch: f.epoch, Revision: state.Revision(), Heads: slices.Collect(state.Heads("")), Last: true,
		Entries: slices.Collect(state.List("")),
	})
}

func (f *fake) read(from string, m *wire.Read) {
	if m.Revision >= uint64(len(f.states)) {
		f.reply(from, &wire.Result{Request: m.ID, Code: wire.CodeFuture})
		return
	}
	state := f.last()
	if m.Revision != 0 {
		state = f.states[m.Revision]
	}
	f.reply(from, &wire.Chunk{
		ID: m.ID, Epoch: f.epoch, Revision: state.Revision(), Heads: slices.Collect(state.Heads("")), Last: true,
		Entries: slices.Collect(state.List(m.Prefix)),
	})
}

// dial dials authorities with a limit of time, and closes the client with the test.
func dial(t testing.TB, options Options, fakes ...*fake) *Client {
	t.Helper()
	for _, f := range fakes {
		options.Authorities = append(options.Authorities, f.endpoint)
	}
	c, err := Dial(limit(t), &options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// limit is a context for what should take no time.
func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// until waits until a condition of what is visible holds.
func (c *Client) until(t testing.TB, condition func(s *Snapshot) bool) {
	t.Helper()
	ctx := limit(t)
	for {
		next := c.view.Load().next
		if condition(c.Snapshot()) {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			t.Fatalf("not in 5 s: at revision %d of %v, %+v", c.Snapshot().Revision(), c.Snapshot().Epoch(), c.machine.View())
		}
	}
}
