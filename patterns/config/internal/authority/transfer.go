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
	t := &transfer{id: sync.ID, state: m.ledger.state().Only(s.holds), holds: s.holds}
	known := sync.Revision != 0 && m.ledger.has(sync.Revision) && sync.Revision <= committed
	if known && s.digest(m.ledger.at(sync.Revision)) == sync.Digest {
		t.from = sync.Revision
		t.records = slices.Clone(m.ledger.after(sync.Revision, committed))
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

func (m *Machine) begin(s *session, t *transfer, now time.Time) {
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
	m.flow(s, t)
}

func (m *Machine) more(s *session, more *wire.More, now time.Time) {
	if t := s.transfers[more.ID]; t != nil {
		t.credit = min(t.credit+min(more.Chunks, chunksGrantMax), chunksGrantMax)
		t.touched = now
		m.flow(s, t)
	}
}

// flow sends the chunks that there is credit for.
func (m *Machine) flow(s *session, t *transfer) {
	for t.credit > 0 {
		chunk := t.chunk()
		m.send(s.id, chunk)
		if chunk.Last {
			delete(s.transfers, t.id)
			return
		}
		t.credit--
	}
}

func (t *transfer) chunk() *wire.Chunk {
	c := &wire.Chunk{ID: t.id, Number: t.number, Epoch: t.epoch, From: t.from, Revision: t.state.Revision()}
	if t.number == 0 {
		for head := range t.state.Heads("") {
			if t.prefix == "" || t.prefix == head.Tree+"/" { // of a part of a tree there is no digest
				c.Heads = append(c.Heads, head)
			}
		}
	}
	t.number++
	if t.from != 0 {
		t.fillRecords(c)
	} else {
		c.Entries, t.next = entriesFrom(t.state, t.prefix, t.next)
		c.Last = t.next == ""
	}
	return c
}

func (t *transfer) fillRecords(c *wire.Chunk) {
	for bytes := 0; len(t.records) > 0 && bytes < wire.ChunkBytes; t.records = t.records[1:] {
		if record := only(t.records[0].record, t.holds); len(record.Ops) > 0 {
			c.Records = append(c.Records, record)
			bytes += wire.RecordBytes(&record)
		}
	}
	c.Last = len(t.records) == 0
}

// entriesFrom returns entries under a prefix, from a key on, that fill a chunk, and the key to go on from; empty: there are no more.
func entriesFrom(state *model.State, prefix, from string) (entries []*model.Entry, next string) {
	bytes := 0
	for entry := range state.ListFrom(prefix, from) {
		if bytes >= wire.ChunkBytes {
			return entries, entry.Key
		}
		entries = append(entries, entry)
		bytes += wire.EntryBytes(entry)
	}
	return entries, ""
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
