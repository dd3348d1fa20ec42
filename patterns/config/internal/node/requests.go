// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// request waits for its answer. A change is sent again under the same number, which the authority carries out once; a Read is sent
// again under another one, so that parts of two answers are not mixed.
type request struct {
	handle  uint64
	message wire.Message
	link    int       // Anywhere, or the one that is meant; then it is sent once
	open    int       // copies that were sent and have no answer
	at      time.Time // when to send it; zero: when the stream is a new one
	wait    time.Duration
	last    *wire.Result // why it was refused
	read    *reading
}

// reading is the answer to a Read so far.
type reading struct {
	id    uint64
	next  uint64
	first *wire.Chunk
	state *model.State
}

// Anywhere lets Ask choose the authority: the one that is followed.
const Anywhere = -1

// Ask sends a request, as soon as that is possible, until it is answered or forgotten. Its number is filled in here. A request for one
// link is sent there once. It returns the handle for Answer and Forget.
func (m *Machine) Ask(message wire.Message, link int, now time.Time) uint64 {
	r := &request{handle: m.nextID(), message: message, link: link, at: now}
	number(message, r.handle)
	if read, is := message.(*wire.Read); is {
		r.read = &reading{}
		r.message = read
	}
	m.requests[r.handle] = r
	if m.ready(r) {
		m.sendRequest(r, now)
	}
	m.duesAt(r.at)
	return r.handle
}

// Forget drops a request. open says that it may have been carried out, or may still be; last is why it was refused, if it was.
func (m *Machine) Forget(handle uint64) (open bool, last *wire.Result) {
	r := m.requests[handle]
	if r == nil {
		return false, nil
	}
	m.drop(r)
	switch r.message.(type) {
	case *wire.Wait:
		m.cancel(r.handle)
	case *wire.Read:
		m.cancel(r.read.id)
	}
	return r.open > 0, r.last
}

// Bye ends the session everywhere.
func (m *Machine) Bye() {
	for at := range m.links {
		if m.links[at].greeted {
			m.send(at, &wire.Bye{})
		}
	}
}

func (m *Machine) cancel(id uint64) {
	if id != 0 && m.followed >= 0 && m.links[m.followed].greeted {
		m.send(m.followed, &wire.Cancel{ID: id})
	}
}

func (m *Machine) drop(r *request) {
	delete(m.requests, r.handle)
	if r.read != nil {
		delete(m.reads, r.read.id)
	}
}

func number(message wire.Message, id uint64) {
	switch message := message.(type) {
	case *wire.Propose:
		message.Request = id
	case *wire.Rollback:
		message.Request = id
	case *wire.Log:
		message.Request = id
	case *wire.Status:
		message.Request = id
	case *wire.Promote:
		message.Request = id
	case *wire.Read:
		message.ID = id
	case *wire.Wait:
		message.ID = id
	}
}

func (m *Machine) target(r *request) int {
	if r.link == Anywhere {
		return m.followed
	}
	return r.link
}

func (m *Machine) ready(r *request) bool {
	at := m.target(r)
	return at >= 0 && m.links[at].greeted
}

// duesAt notes that a request is due.
func (m *Machine) duesAt(at time.Time) {
	if !at.IsZero() && (m.requestsAt.IsZero() || at.Before(m.requestsAt)) {
		m.requestsAt = at
	}
}

// sendRequests sends what is due, in the order in which it was asked for.
func (m *Machine) sendRequests(now time.Time) {
	if m.requestsAt.IsZero() || now.Before(m.requestsAt) {
		return
	}
	m.requestsAt = time.Time{}
	var due []*request
	for _, r := range m.requests {
		switch {
		case r.at.IsZero() || !m.ready(r): // a Welcome makes it due
		case now.Before(r.at):
			m.duesAt(r.at)
		default:
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *request) int { return int(a.handle) - int(b.handle) })
	for _, r := range due {
		m.sendRequest(r, now)
		m.duesAt(r.at)
	}
}

func (m *Machine) sendRequest(r *request, now time.Time) {
	at := m.target(r)
	r.open++
	r.at = now.Add(requestTimeout)
	switch message := r.message.(type) {
	case *wire.Read:
		if r.read.id != 0 {
			delete(m.reads, r.read.id)
			m.cancel(r.read.id)
			message = &wire.Read{ID: m.nextID(), Revision: message.Revision, Prefix: message.Prefix}
			r.message = message
		}
		r.read = &reading{id: message.ID, state: &model.State{}}
		m.reads[message.ID] = r
	case *wire.Wait:
		r.at = time.Time{}
	}
	if r.link != Anywhere {
		r.at = time.Time{}
	}
	m.send(at, r.message)
}

// resend makes all requests due that go to the authority that is followed: it is another one, or its stream is.
func (m *Machine) resend(now time.Time) {
	for _, r := range m.requests {
		if r.link == Anywhere {
			r.at, r.wait = now, 0
		}
	}
	m.requestsAt = now
}

func (m *Machine) resendRefused(now time.Time) {
	for _, r := range m.requests {
		if r.link == Anywhere && r.last != nil && r.open == 0 {
			r.at, r.wait = now, 0
			m.requestsAt = now
		}
	}
}

// passing says whether what a code tells may soon be otherwise, and that nothing was changed.
func passing(code wire.Code) bool {
	switch code {
	case wire.CodeReadOnly, wire.CodeNotPrimary, wire.CodeFenced, wire.CodeBusy, wire.CodeStranger:
		return true
	}
	return false
}

func (m *Machine) result(result *wire.Result, now time.Time) {
	if m.sync != nil && result.Request == m.sync.id {
		m.failSync(refusal(result), now)
		return
	}
	r := m.requests[result.Request]
	if r == nil {
		r = m.reads[result.Request]
	}
	if r == nil {
		return // of one that was forgotten
	}
	r.open = max(r.open-1, 0)
	if r.link != Anywhere || !passing(result.Code) || m.config.FailFast && result.Code != wire.CodeBusy {
		m.answer(r, Answer{Message: result})
		return
	}
	r.last = result
	r.wait = min(max(2*r.wait, refusedMin), refusedMax)
	r.at = now.Add(r.wait)
	m.duesAt(r.at)
}

func (m *Machine) answered(id uint64, message wire.Message) {
	if r := m.requests[id]; r != nil {
		m.answer(r, Answer{Message: message})
	}
}

func (m *Machine) answer(r *request, answer Answer) {
	m.drop(r)
	answer.Handle = r.handle
	m.out.Answers = append(m.out.Answers, answer)
}

// readChunk adds a part to what a Read has brought.
func (m *Machine) readChunk(at int, r *request, c *wire.Chunk, bytes int, now time.Time) {
	got := r.read
	if c.Number == 0 && got.first == nil {
		got.first = c
	}
	if c.Number != got.next || got.first == nil || c.Revision != got.first.Revision || c.Epoch != got.first.Epoch {
		r.at = now.Add(refusedMin)
		m.duesAt(r.at)
		return
	}
	got.next++
	prefix := r.message.(*wire.Read).Prefix
	for _, entry := range c.Entries {
		if model.CheckKey(entry.Key) != nil || !model.Covers(prefix, entry.Key) {
			r.at = now.Add(refusedMin)
			m.duesAt(r.at)
			return
		}
		got.state = got.state.Apply(recordOf(entry, bytes), nil)
	}
	if !c.Last {
		r.at = now.Add(requestTimeout)
		m.send(at, &wire.More{ID: c.ID, Chunks: 1})
		return
	}
	state := got.state.At(c.Revision)
	for _, head := range got.first.Heads {
		if model.Covers(prefix, head.Tree+"/") && state.Head(head.Tree).Digest != head.Digest {
			r.at = now.Add(refusedMin)
			m.duesAt(r.at)
			return
		}
	}
	m.answer(r, Answer{State: state})
}

// recordOf is the record that sets an entry.
func recordOf(entry *model.Entry, frameBytes int) *model.Record {
	record := &model.Record{
		Revision: entry.Revision, Session: entry.Owner,
		Ops: []model.Op{{Key: entry.Key, Value: entry.Value, TTL: entry.TTL}},
	}
	detach(record, frameBytes)
	return record
}

// Refused is a Result that is no success, as an error.
type Refused struct {
	Result wire.Result
}

// Error gives the reason in the authority's words.
func (r *Refused) Error() string { return "config: refused: " + r.Result.Text }

func refusal(result *wire.Result) error { return &Refused{*result} }
