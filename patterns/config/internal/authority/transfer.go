// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"fmt"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// transfer is an answer in chunks: records, or what stood at a revision. Both are kept as they were when it began.
type transfer struct {
	id      uint64
	from    uint64 // 0: a snapshot
	epoch   model.Epoch
	state   *model.State // of the trees that are wanted, at the end
	holds   func(tree string) bool
	prefix  string
	records []step
	next    string // snapshot: the first key that may come
	number  uint64
	credit  uint64
	touched time.Time
}

// sync answers with what a node lacks, from the history where that is sure to lead to the same, else with everything.
func (m *Machine) sync(s *session, sync *wire.Sync, now time.Time) {
	if !m.distributes() {
		m.refuse(s, sync.ID, wire.CodeNotPrimary, "this authority does not distribute")
		return
	}
	if sync.Epoch.Compare(m.epoch) > 0 {
		m.refuse(s, sync.ID, wire.CodeFenced, fmt.Sprintf("this authority is at epoch %v", m.epoch))
		return
	}
	committed := m.ledger.committed
	if sync.Revision > committed && m.ledger.has(sync.Revision) && s.digest(m.ledger.at(sync.Revision)) == sync.Digest {
		m.refuse(s, sync.ID, wire.CodeBusy, "this authority does not know yet that it is acknowledged") // a copy does not go back
		return
	}
	t := &transfer{id: sync.ID, holds: s.holds}
	known := sync.Revision != 0 && m.ledger.has(sync.Revision) && sync.Revision <= committed
	if known && s.digest(m.ledger.at(sync.Revision)) == sync.Digest {
		t.from = sync.Revision
		t.records = slices.Clone(m.ledger.after(sync.Revision, committed))
		t.state = m.ledger.state().Only(s.holds)
	} else {
		t.state = m.cutFor(s, now)
	}
	m.begin(s, t, now)
}

// read answers with what stood at a revision.
func (m *Machine) read(s *session, read *wire.Read, now time.Time) {
	revision := read.Revision
	if revision == 0 {
		revision = m.ledger.committed
	}
	switch {
	case !m.distributes():
		m.refuse(s, read.ID, wire.CodeNotPrimary, "this authority does not distribute")
	case revision > m.ledger.committed:
		m.refuse(s, read.ID, wire.CodeFuture, fmt.Sprintf("revision %d is not there yet, the last is %d", revision, m.ledger.committed))
	case revision < m.ledger.oldest():
		m.refuse(s, read.ID, wire.CodeCompacted, fmt.Sprintf("the history goes back to %d", m.ledger.oldest()))
	default:
		m.begin(s, &transfer{id: read.ID, state: m.ledger.at(revision), prefix: read.Prefix}, now)
	}
}

// Choked says that the queue to a client is full. To put together what it does not take would cost others time: for a while it gets
// no chunks.
func (m *Machine) Choked(session string, now time.Time) {
	if s := m.sessions[session]; s != nil {
		s.choked = now
	}
}

func (m *Machine) begin(s *session, t *transfer, now time.Time) {
	if now.Sub(s.choked) < chokedFor {
		m.refuse(s, t.id, wire.CodeBusy, "the queue to this client is full")
		return
	}
	if len(s.transfers) >= transfersMax { // whoever asked for the oldest has given it up, or would have taken it
		oldest := t
		for _, other := range s.transfers {
			if oldest == t || other.touched.Before(oldest.touched) {
				oldest = other
			}
		}
		delete(s.transfers, oldest.id)
	}
	t.epoch, t.credit, t.touched = m.epoch, wire.ChunksAhead, now
	s.transfers[t.id] = t
	m.flow(s, t, now)
}

func (m *Machine) more(s *session, more *wire.More, now time.Time) {
	if t := s.transfers[more.ID]; t != nil {
		t.credit = min(t.credit+min(more.Chunks, chunksGrantMax), chunksGrantMax)
		t.touched = now
		m.flow(s, t, now)
	}
}

// flow sends the chunks that there is credit for, but not much more at once than that many of the usual length: large values are not
// to fill a queue that then drops them.
func (m *Machine) flow(s *session, t *transfer, now time.Time) {
	if now.Sub(s.choked) < chokedFor {
		return // the next tick after it goes on
	}
	for bytes := 0; t.credit > 0 && bytes < wire.ChunksAhead*wire.ChunkBytes; t.credit-- {
		chunk, encoded, octets := m.chunk(t)
		if encoded != nil {
			m.send(s.id, wire.EncodedChunk{Chunk: chunk, Encoded: encoded})
		} else {
			m.send(s.id, chunk)
		}
		if chunk.Last {
			delete(s.transfers, t.id)
			return
		}
		bytes += octets
	}
	t.credit = 0 // each chunk that arrives brings more
}

// chunk returns the next chunk, its entries as they were encoded before if they were, and about how many octets it has.
func (m *Machine) chunk(t *transfer) (c *wire.Chunk, encoded []byte, octets int) {
	c = &wire.Chunk{ID: t.id, Number: t.number, Epoch: t.epoch, From: t.from, Revision: t.state.Revision()}
	if t.number == 0 {
		for head := range t.state.Heads("") {
			if model.Covers(t.prefix, head.Tree+"/") { // of a part of a tree there is no digest
				c.Heads = append(c.Heads, head)
			}
		}
	}
	switch {
	case t.from != 0:
		octets = t.fillRecords(c)
	case t.state == m.cut.state:
		p := m.cut.part(t.number)
		c.Entries, encoded, t.next, octets = p.entries, p.encoded, p.next, p.octets
	default:
		c.Entries, t.next, octets = entriesFrom(t.state, t.prefix, t.next)
	}
	t.number++
	c.Last = t.from == 0 && t.next == "" || t.from != 0 && len(t.records) == 0
	return c, encoded, octets
}

// cut is the state that was last asked for by somebody who joins, in parts that are encoded once for all who join at that time.
type cut struct {
	whole *model.State // that the ledger had
	trees []string
	state *model.State // those trees of it; nil: there is no cut
	parts []part
	kept  int // octets that are encoded
	used  time.Time
}

type part struct {
	entries []*model.Entry
	encoded []byte // nil: too much is kept already
	octets  int
	next    string // the key at which the next part begins; empty: this is the last
}

// cutFor returns the state for a session that joins, the same for all that hold the same.
func (m *Machine) cutFor(s *session, now time.Time) *model.State {
	if whole := m.ledger.state(); m.cut.whole != whole || !slices.Equal(m.cut.trees, s.trees) {
		m.cut = cut{whole: whole, trees: s.trees, state: whole.Only(s.holds)}
	}
	m.cut.used = now
	return m.cut.state
}

func (c *cut) part(number uint64) *part {
	for uint64(len(c.parts)) <= number {
		var p part
		from := ""
		if len(c.parts) > 0 {
			from = c.parts[len(c.parts)-1].next
		}
		p.entries, p.next, p.octets = entriesFrom(c.state, "", from)
		if c.kept+p.octets <= cutBytesMax {
			p.encoded = wire.AppendEntries(nil, p.entries)
			c.kept += len(p.encoded)
		}
		c.parts = append(c.parts, p)
	}
	return &c.parts[number]
}

func (t *transfer) fillRecords(c *wire.Chunk) (octets int) {
	for ; len(t.records) > 0 && octets < wire.ChunkBytes; t.records = t.records[1:] {
		if record := only(t.records[0].record, t.holds); len(record.Ops) > 0 {
			c.Records = append(c.Records, record)
			octets += wire.RecordBytes(&record)
		}
	}
	return octets
}

// entriesFrom returns entries under a prefix, from a key on, that fill a chunk, the key to go on from, empty if there are no more, and
// about how many octets they have.
func entriesFrom(state *model.State, prefix, from string) (entries []*model.Entry, next string, octets int) {
	for entry := range state.ListFrom(prefix, from) {
		if octets >= wire.ChunkBytes {
			return entries, entry.Key, octets
		}
		entries = append(entries, entry)
		octets += wire.EntryBytes(entry)
	}
	return entries, "", octets
}

func (m *Machine) cancel(s *session, id uint64) {
	delete(s.transfers, id)
	m.waits = slices.DeleteFunc(m.waits, func(w *wait) bool { return w.session == s.id && w.id == id })
}

// log answers with records of the history.
func (m *Machine) log(s *session, log *wire.Log) {
	from := log.From
	if from == 0 {
		from = 1
	}
	switch {
	case m.role == wire.RoleStandby:
		m.refuse(s, log.Request, wire.CodeNotPrimary, "this is the standby")
		return
	case from <= m.ledger.oldest() && log.From != 0:
		m.refuse(s, log.Request, wire.CodeCompacted, fmt.Sprintf("the history goes back to %d", m.ledger.oldest()+1))
		return
	}
	answer := &wire.Records{Request: log.Request, Oldest: m.ledger.oldest() + 1}
	most := min(log.Max, logRecordsMax)
	after := max(from-1, m.ledger.oldest())
	if log.From == 0 && m.ledger.committed-after > most {
		after = m.ledger.committed - most // the newest
	}
	bytes := 0
	for revision := after + 1; revision <= m.ledger.committed && uint64(len(answer.Records)) < most; revision++ {
		record := m.ledger.after(revision-1, revision)[0].record
		if bytes += wire.RecordBytes(record); bytes > logBytesMax && len(answer.Records) > 0 {
			break
		}
		answer.Records = append(answer.Records, *record)
	}
	m.send(s.id, answer)
}
