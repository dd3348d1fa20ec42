// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// propose makes a record of a transaction, or answers at once.
func (m *Machine) propose(s *session, p *wire.Propose, now time.Time) {
	if m.refused(s, p.Request, p.Author) {
		return
	}
	t := &p.Transaction
	err := t.Check(m.cfg.ValueBytesMax)
	if err == nil {
		err = m.ledger.tip().Validate(t)
	}
	if err != nil {
		m.refuse(s, p.Request, codeOf(err), err.Error())
		return
	}
	m.record(&model.Record{Author: p.Author, Session: s.id, Request: p.Request, Ops: t.Ops}, now)
}

// refused answers what can be answered without looking at the change: it has been made before, or none can be made now.
func (m *Machine) refused(s *session, request uint64, author string) bool {
	revision, found := m.asked.revision(s.id, request)
	switch {
	case m.role == wire.RoleStandby:
		m.refuse(s, request, wire.CodeNotPrimary, "this is the standby")
	case found && revision <= m.ledger.committed:
		m.send(s.id, &wire.Result{Request: request, Code: wire.CodeDone, Revision: revision})
	case found: // the answer comes when it is committed
	case m.reason() != "":
		m.refuse(s, request, wire.CodeReadOnly, m.reason())
	case m.pending() >= pendingRecordsMax || m.ledger.octets(m.ledger.committed) >= pendingBytesMax:
		m.refuse(s, request, wire.CodeBusy, "too many changes wait for the disk")
	case len(author) > model.NameBytesMax:
		m.refuse(s, request, wire.CodeInvalid, "the author's name is too long")
	default:
		return false
	}
	return true
}

func (m *Machine) pending() uint64 { return m.ledger.tip().Revision() - m.ledger.committed }

// record appends a record whose operations have been validated against the tip.
func (m *Machine) record(r *model.Record, now time.Time) {
	r.Revision, r.Epoch, r.Time = m.ledger.tip().Revision()+1, m.epoch, m.cfg.WallClock()
	m.ledger.append(r, now)
	m.asked.add(r, now)
}

func codeOf(err error) wire.Code {
	var key *model.KeyError
	switch {
	case errors.Is(err, model.ErrNotFound):
		return wire.CodeNotFound
	case errors.Is(err, model.ErrConflict):
		return wire.CodeConflict
	case errors.Is(err, model.ErrTooLarge):
		return wire.CodeTooLarge
	case errors.Is(err, model.ErrTooManyTrees):
		return wire.CodeTooManyTrees
	case errors.As(err, &key):
		return wire.CodeInvalid
	}
	return wire.CodeInvalid
}

// rollback makes a record that brings trees back to what they were. Ephemeral keys belong to their owners and stay.
func (m *Machine) rollback(s *session, r *wire.Rollback, now time.Time) {
	if m.refused(s, r.Request, r.Author) {
		return
	}
	for _, revision := range [...]uint64{r.Revision, cmp.Or(r.Seen, r.Revision)} {
		switch {
		case revision > m.ledger.committed:
			m.refuse(s, r.Request, wire.CodeFuture, fmt.Sprintf("revision %d is not there yet, the last is %d", revision, m.ledger.committed))
			return
		case revision < m.ledger.oldest():
			m.refuse(s, r.Request, wire.CodeCompacted, fmt.Sprintf("the history goes back to %d", m.ledger.oldest()))
			return
		}
	}
	if key, changed := m.changedSince(r); changed {
		m.refuse(s, r.Request, wire.CodeConflict, fmt.Sprintf("%q has changed since revision %d", key, r.Seen))
		return
	}
	t := &model.Transaction{}
	for now, then := range model.Diff(m.ledger.tip(), m.ledger.at(r.Revision), "") {
		if op, differs := back(now, then); differs && (len(r.Trees) == 0 || slices.Contains(r.Trees, model.TreeOf(op.Key))) {
			t.Ops = append(t.Ops, op)
		}
	}
	if len(t.Ops) == 0 {
		m.send(s.id, &wire.Result{Request: r.Request, Code: wire.CodeDone, Revision: m.ledger.committed})
		return
	}
	if err := t.Check(max(m.cfg.ValueBytesMax, model.ValueBytesMax)); err != nil {
		m.refuse(s, r.Request, codeOf(err), err.Error())
		return
	}
	m.record(&model.Record{Author: r.Author, Session: s.id, Request: r.Request, Ops: t.Ops}, now)
}

// changedSince looks for a key of those trees that has changed since whoever asks for a rollback has looked. Ephemeral keys do not
// count: a rollback leaves them alone.
func (m *Machine) changedSince(r *wire.Rollback) (key string, changed bool) {
	if r.Seen == 0 {
		return "", false
	}
	for before, after := range model.Diff(m.ledger.at(r.Seen), m.ledger.tip(), "") {
		one := cmp.Or(after, before)
		if one.TTL == 0 && (len(r.Trees) == 0 || slices.Contains(r.Trees, model.TreeOf(one.Key))) {
			return one.Key, true
		}
	}
	return "", false
}

// back is the operation that makes an entry what it was.
func back(now, then *model.Entry) (op model.Op, differs bool) {
	switch {
	case now != nil && now.TTL != 0 || then != nil && then.TTL != 0 && now == nil:
		return op, false
	case then == nil || then.TTL != 0:
		return model.Op{Key: now.Key, Delete: true}, true
	}
	return model.Op{Key: then.Key, Value: then.Value}, now == nil || string(now.Value) != string(then.Value)
}

// dropUnwritten takes back what the disk did not take, and what was built on it.
func (m *Machine) dropUnwritten(err error) {
	for _, s := range m.ledger.after(m.ledger.disk, m.ledger.tip().Revision()) {
		if s.record.Request != 0 {
			m.send(s.record.Session, &wire.Result{Request: s.record.Request, Code: wire.CodeStore, Text: err.Error()})
		}
	}
	m.truncate(m.ledger.disk)
}

// advance commits what is on all disks that it has to be on.
func (m *Machine) advance(now time.Time) {
	if m.role != wire.RolePrimary {
		m.published = m.ledger.committed // what others have published is no concern of ours
	}
	if m.opening {
		return
	}
	to := m.ledger.committed
	switch {
	case m.role == wire.RolePrimary && m.solo:
		to = m.ledger.disk
	case m.role == wire.RolePrimary:
		to = min(m.ledger.disk, m.pair.standby.stored)
	case m.role == wire.RoleStandby:
		m.ledger.committed = max(to, min(m.ledger.disk, m.pair.committed))
		return
	}
	if to > m.ledger.committed {
		m.commit(to, now)
	}
	if m.role == wire.RolePrimary {
		m.publishDue(now)
	}
}

// commit answers those who wait for it.
func (m *Machine) commit(to uint64, now time.Time) {
	before := m.ledger.committed
	m.ledger.committed = to
	for _, s := range m.ledger.after(before, to) {
		m.leases.committed(s.record, now)
		if s.record.Request != 0 {
			m.send(s.record.Session, &wire.Result{Request: s.record.Request, Code: wire.CodeDone, Revision: s.record.Revision})
		}
	}
	m.waitsDue = true
}

// publishDue publishes what has been committed. A single change goes out at once; several, which come while many are made, gather with
// those that follow, for a while that grows with the nodes: each publication costs a system call and a wake-up for each of them.
func (m *Machine) publishDue(now time.Time) {
	m.gathering = time.Time{}
	if m.ledger.committed > m.published+1 {
		if due := m.marked.Add(m.gather()); now.Before(due) {
			m.gathering = due
			return
		}
	}
	m.publish(now)
}

func (m *Machine) gather() time.Duration {
	if gather := min(m.cfg.GatherEach*time.Duration(len(m.sessions)), gatherMax); gather >= gatherMin {
		return gather
	}
	return 0
}

// Leave publishes what gathers: the end is near.
func (m *Machine) Leave(now time.Time) {
	if m.role == wire.RolePrimary {
		m.publish(now)
	}
}

// Gathering is when Take is due, because what gathers has to be published; zero: nothing does.
func (m *Machine) Gathering() time.Time { return m.gathering }

// publish tells the nodes of committed records: bodies for each tree, and then a mark.
func (m *Machine) publish(now time.Time) {
	if m.ledger.committed <= m.published {
		return
	}
	before, steps := m.ledger.at(m.published), m.ledger.after(m.published, m.ledger.committed)
	m.published = m.ledger.committed
	p := publication{m: m, before: before, open: map[string]*openBody{}, heads: map[string]model.Head{}}
	for _, s := range steps {
		p.add(&s)
	}
	last := steps[len(steps)-1].state
	for _, tree := range slices.Sorted(maps.Keys(p.open)) {
		p.end(tree, last)
	}
	mark := &wire.Mark{Epoch: m.epoch, Previous: before.Revision(), Revision: last.Revision()}
	for _, tree := range slices.Sorted(maps.Keys(p.heads)) {
		mark.Heads = append(mark.Heads, p.heads[tree])
	}
	m.mark(mark, now)
}

// publication gathers the bodies between two marks.
type publication struct {
	m      *Machine
	before *model.State
	open   map[string]*openBody
	heads  map[string]model.Head // of the trees that have had a body
}

type openBody struct {
	wire.Body
	bytes int
}

func (p *publication) add(s *step) {
	for tree, part := range byTree(s.record) {
		body := p.open[tree]
		if body == nil {
			previous, found := p.heads[tree]
			if !found {
				previous = p.before.Head(tree)
			}
			body = &openBody{Body: wire.Body{Epoch: p.m.epoch, Previous: previous.Revision}}
			p.open[tree] = body
		}
		body.Records = append(body.Records, part)
		if body.bytes += wire.RecordBytes(&part); body.bytes > wire.ChunkBytes {
			p.end(tree, s.state)
		}
	}
}

func (p *publication) end(tree string, state *model.State) {
	body := &p.open[tree].Body
	body.Head = state.Head(tree)
	p.heads[tree] = body.Head
	p.m.out.Publish = append(p.m.out.Publish, Publish{wire.TreeTopic(tree), body})
	delete(p.open, tree)
}

// byTree yields the parts of a record that concern one tree each.
func byTree(record *model.Record) iter.Seq2[string, model.Record] {
	return func(yield func(string, model.Record) bool) {
		var done []string
		for i := range record.Ops {
			tree := model.TreeOf(record.Ops[i].Key)
			if slices.Contains(done, tree) {
				continue
			}
			done = append(done, tree)
			if !yield(tree, only(record, func(other string) bool { return other == tree })) {
				return
			}
		}
	}
}

// only returns a record with the operations on some trees.
func only(record *model.Record, holds func(tree string) bool) model.Record {
	part := *record
	foreign := func(op model.Op) bool { return !holds(model.TreeOf(op.Key)) }
	if slices.ContainsFunc(part.Ops, foreign) {
		part.Ops = slices.DeleteFunc(slices.Clone(part.Ops), foreign)
	}
	return part
}

func (m *Machine) mark(mark *wire.Mark, now time.Time) {
	m.marked = now
	mark.Report = len(m.waits) > 0
	m.out.Publish = append(m.out.Publish, Publish{wire.MarkTopic, mark})
}

// markAtRest says what has been committed, in case that a mark or a body got lost. With many trees their heads take turns.
func (m *Machine) markAtRest(now time.Time) {
	if m.role == wire.RolePrimary && m.ledger.committed > m.published {
		m.publish(now)
		return
	}
	state := m.ledger.state()
	mark := &wire.Mark{Epoch: m.epoch, Previous: state.Revision(), Revision: state.Revision()}
	next := ""
	for head := range state.Heads(m.markNext) {
		if len(mark.Heads) == markHeadsMax {
			next = head.Tree
			break
		}
		mark.Heads = append(mark.Heads, head)
	}
	m.markNext = next
	m.mark(mark, now)
}
