// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// syncing is a Sync that is being answered.
type syncing struct {
	id       uint64
	epoch    model.Epoch
	asked    uint64 // the revision that the copy had then; 0: everything was asked for
	deadline time.Time
	next     uint64 // number of the chunk that comes next
	from     uint64
	revision uint64
	heads    []model.Head
	state    *model.State   // from records
	builder  *model.Builder // from a snapshot
}

// doubt begins a sync; one that follows upon another without success waits.
func (m *Machine) doubt(reason error, now time.Time) {
	m.reason = reason
	if m.want {
		return
	}
	m.want = true
	m.delaySync(now)
}

func (m *Machine) delaySync(now time.Time) {
	m.syncAt = now.Add(m.wait)
	m.wait = min(max(2*m.wait, backOffMin), backOffMax)
}

// trySync asks for what is missing, if that is wanted, possible and due.
func (m *Machine) trySync(now time.Time) {
	if !m.want || m.sync != nil || m.config.Observer || m.followed < 0 || !m.links[m.followed].greeted || now.Before(m.syncAt) {
		return
	}
	ask := &wire.Sync{ID: m.nextID()}
	if m.have && !m.whole {
		ask.Epoch, ask.Revision, ask.Digest = m.visibleEpoch, m.visible.Revision(), m.visible.Digest()
	}
	m.sync = &syncing{id: ask.ID, epoch: m.epoch, asked: ask.Revision, deadline: now.Add(SyncTimeout)}
	m.send(m.followed, ask)
}

// checkSync gives up a sync that gets no answer, and begins one when no marks come though the authority is there.
func (m *Machine) checkSync(now time.Time) {
	switch {
	case m.sync != nil && !now.Before(m.sync.deadline):
		m.failSync(errTimeout, now)
	case m.want || m.config.Observer || m.followed < 0 || m.away:
	case now.Sub(m.marked) >= m.patience():
		m.marked = now
		m.doubt(errSilence, now)
	}
}

func (m *Machine) failSync(reason error, now time.Time) {
	m.send(m.followed, &wire.Cancel{ID: m.sync.id})
	m.sync = nil
	m.reason = reason
	m.delaySync(now)
}

func (m *Machine) chunk(at int, c *wire.Chunk, bytes int, now time.Time) {
	if r := m.reads[c.ID]; r != nil {
		m.readChunk(at, r, c, bytes, now)
		return
	}
	s := m.sync
	if s == nil || c.ID != s.id || at != m.followed {
		return // of a sync that was given up
	}
	if c.Epoch != s.epoch {
		if c.Epoch.Compare(m.seen) > 0 {
			m.regreet(at, now)
		}
		return // of an earlier epoch: refused
	}
	if err := m.take(s, c, bytes); err != nil {
		m.whole = !errors.Is(err, errBackward)
		m.failSync(err, now)
		return
	}
	s.deadline = now.Add(SyncTimeout)
	if !c.Last {
		m.send(at, &wire.More{ID: s.id, Chunks: 1})
		return
	}
	state, err := m.endSync(s)
	if err != nil {
		m.whole = true
		m.failSync(err, now)
		return
	}
	m.sync, m.want, m.whole, m.reason = nil, false, false, nil
	m.show(state, s.epoch)
	m.hurry()
	m.prove(now)
	m.replay(now)
}

// take adds a chunk to what has come.
func (m *Machine) take(s *syncing, c *wire.Chunk, frameBytes int) error {
	if c.Number == 0 && s.next == 0 {
		if err := m.begin(s, c); err != nil {
			return err
		}
	}
	if c.Number != s.next || c.From != s.from || c.Revision != s.revision {
		return fmt.Errorf("%w: part %d of an answer, want %d", errGarbled, c.Number, s.next)
	}
	s.next++
	if s.builder != nil {
		for _, entry := range c.Entries {
			if len(entry.Value) < frameBytes/2 {
				entry.Value = bytes.Clone(entry.Value)
			}
			if err := s.builder.Add(entry); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range c.Records {
		detach(&c.Records[i], frameBytes)
	}
	after := s.state.Revision()
	if len(c.Records) > 0 && c.Records[0].Revision <= after {
		return fmt.Errorf("%w: revision %d after %d", errGarbled, c.Records[0].Revision, after)
	}
	m.records = m.records[:0]
	if err := m.gather(c.Records, after, s.revision); err != nil {
		return err
	}
	s.state = s.state.ApplyAll(m.records, m.holds)
	clear(m.records)
	return nil
}

func (m *Machine) begin(s *syncing, c *wire.Chunk) error {
	s.from, s.revision, s.heads = c.From, c.Revision, c.Heads
	// Only a primary of a later epoch takes a copy back, which has been told of it: a standby that looks for its primary may be of the
	// later epoch too, and lack what it had not caught up with.
	takesBack := m.visibleEpoch != s.epoch && s.asked != 0 && m.links[m.followed].welcome.Role == wire.RolePrimary
	if m.have && c.Revision < m.visible.Revision() && !takesBack {
		return fmt.Errorf("%w: at revision %d, not %d", errBackward, c.Revision, m.visible.Revision())
	}
	for _, head := range c.Heads {
		if !m.holds(head.Tree) {
			return fmt.Errorf("%w: tree %.80q is not held", errGarbled, head.Tree)
		}
	}
	if c.From == 0 {
		builder, err := model.NewBuilder(c.Revision, c.Heads)
		s.builder = builder
		return err
	}
	if c.From != s.asked || c.From != m.visible.Revision() || c.Revision < c.From {
		return fmt.Errorf("%w: records after revision %d, not %d", errGarbled, c.From, s.asked)
	}
	s.state = m.visible
	return nil
}

// endSync returns the state that an answer leads to, if it has the digests that were promised.
func (m *Machine) endSync(s *syncing) (*model.State, error) {
	if s.builder != nil {
		return s.builder.State()
	}
	state := s.state.At(s.revision)
	if !slices.Equal(s.heads, slices.Collect(state.Heads(""))) {
		return nil, fmt.Errorf("%w: at revision %d", errDiffers, s.revision)
	}
	return state, nil
}

// replay goes on with the marks that came during a sync.
func (m *Machine) replay(now time.Time) {
	marks := m.kept.marks
	m.kept.marks = nil
	for _, mark := range marks {
		m.kept.release(mark.bytes)
		if !m.want { // else what follows is older than the sync that is due now
			m.join(mark.Mark, now)
		}
	}
	m.applyJoined(now)
	m.kept.prune(m.visible)
}
