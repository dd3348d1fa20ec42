// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// Reasons for a sync.
var (
	errGarbled  = errors.New("config: a message that makes no sense")
	errEpoch    = errors.New("config: the authority has begun another epoch")
	errGap      = errors.New("config: changes were missed")
	errDiffers  = errors.New("config: the copy differs from the authority's")
	errSilence  = errors.New("config: no word of changes comes")
	errTimeout  = errors.New("config: the authority does not answer")
	errStandby  = errors.New("config: no authority is there but a standby")
	errEarlier  = errors.New("config: an authority of an epoch that is over is refused")
	errBackward = errors.New("config: the authority is behind this copy")
)

// kept is what was published and cannot be used yet: bodies until their mark comes, marks until a sync is done.
type kept struct {
	bodies map[string][]keptBody // by tree, in the order in which they came
	marks  []keptMark
	count  int
	bytes  int
}

type keptBody struct {
	*wire.Body
	bytes int
}

type keptMark struct {
	*wire.Mark
	bytes int
}

func newKept() kept { return kept{bodies: make(map[string][]keptBody)} }

func (k *kept) clear() {
	clear(k.bodies)
	k.marks, k.count, k.bytes = nil, 0, 0
}

// room makes room for a message. Without it all is dropped: a reader that far behind is faster with an answer to a sync.
func (k *kept) room(bytes int) {
	if k.count >= keptMax || k.bytes+bytes > keptBytesMax {
		k.clear()
	}
	k.count++
	k.bytes += bytes
}

// prune drops bodies that state has already.
func (k *kept) prune(state *model.State) {
	for tree, bodies := range k.bodies {
		own := state.Head(tree).Revision
		used := 0
		for used < len(bodies) && bodies[used].Head.Revision <= own {
			k.release(bodies[used].bytes)
			used++
		}
		if used == len(bodies) {
			delete(k.bodies, tree)
		} else {
			k.bodies[tree] = bodies[used:]
		}
	}
}

func (k *kept) release(bytes int) {
	k.count--
	k.bytes -= bytes
}

// current says whether something is of the epoch that is followed. Of an earlier one it is refused; a later one has to be greeted first.
func (m *Machine) current(epoch model.Epoch, now time.Time) bool {
	if epoch == m.epoch {
		return true
	}
	if l := &m.links[m.followed]; epoch.Compare(m.epoch) > 0 && now.Sub(l.said) >= backOffMin {
		m.regreet(m.followed, now)
	}
	return false
}

func (m *Machine) body(body *wire.Body, bytes int, now time.Time) {
	if !m.current(body.Epoch, now) || !m.holds(body.Head.Tree) {
		return
	}
	for i := range body.Records {
		detach(&body.Records[i], bytes)
	}
	m.kept.room(bytes)
	m.kept.bodies[body.Head.Tree] = append(m.kept.bodies[body.Head.Tree], keptBody{body, bytes})
}

// detach copies values out of a frame that they would keep in memory for little.
func detach(record *model.Record, frameBytes int) {
	for i := range record.Ops {
		if value := record.Ops[i].Value; len(value) < frameBytes/2 {
			record.Ops[i].Value = bytes.Clone(value)
		}
	}
}

func (m *Machine) mark(mark *wire.Mark, bytes int, now time.Time) {
	if !m.current(mark.Epoch, now) {
		return
	}
	m.marked = now
	if m.want {
		m.kept.room(bytes)
		m.kept.marks = append(m.kept.marks, keptMark{mark, bytes})
		return
	}
	m.apply(mark, now)
}

// apply makes a mark visible, or finds that something was missed.
func (m *Machine) apply(mark *wire.Mark, now time.Time) {
	if mark.Report {
		m.hurry()
	}
	next, err := m.advance(mark)
	if err != nil {
		m.doubt(err, now)
		return
	}
	m.wait, m.reason = 0, nil
	if next != m.visible {
		m.show(next, m.epoch)
	}
	if mark.Revision >= m.visible.Revision() {
		m.prove(now)
	}
}

// advance returns the state at a mark, which is the visible one if the mark leads to no later revision. The visible state is of the
// epoch that is followed, and equals the authority's at its revision; so does what is returned.
func (m *Machine) advance(mark *wire.Mark) (*model.State, error) {
	at := m.visible.Revision()
	if mark.Previous > mark.Revision {
		return nil, errGarbled
	}
	if mark.Previous > at {
		return nil, fmt.Errorf("%w: from revision %d to %d", errGap, at, mark.Previous)
	}
	state := m.visible
	for _, head := range mark.Heads {
		if !m.holds(head.Tree) {
			continue
		}
		own := m.visible.Head(head.Tree)
		switch {
		case own == head:
		case own.Revision > mark.Revision: // this copy is past the mark
		case head.Revision > own.Revision && head.Revision > at && head.Revision <= mark.Revision:
			next, err := m.grow(state, head)
			if err != nil {
				return nil, err
			}
			state = next
		default:
			return nil, fmt.Errorf("%w: tree %q at revision %d", errDiffers, head.Tree, own.Revision)
		}
	}
	if mark.Revision > at {
		state = state.At(mark.Revision)
	}
	return state, nil
}

// grow applies bodies of a tree, one after the other, until it has come to head.
func (m *Machine) grow(state *model.State, head model.Head) (*model.State, error) {
	for _, body := range m.kept.bodies[head.Tree] {
		own := state.Head(head.Tree).Revision
		if body.Head.Revision <= own {
			continue
		}
		if own == head.Revision || body.Head.Revision > head.Revision {
			break
		}
		if body.Previous > own {
			return nil, fmt.Errorf("%w: of tree %q, from revision %d to %d", errGap, head.Tree, own, body.Previous)
		}
		next, err := applyRecords(state, body.Records, own, body.Head.Revision, func(tree string) bool { return tree == head.Tree })
		if err != nil {
			return nil, err
		}
		if state = next; state.Head(head.Tree) != body.Head {
			return nil, fmt.Errorf("%w: tree %q after revision %d", errDiffers, head.Tree, body.Head.Revision)
		}
	}
	if own := state.Head(head.Tree); own != head {
		return nil, fmt.Errorf("%w: of tree %q, from revision %d to %d", errGap, head.Tree, own.Revision, head.Revision)
	}
	return state, nil
}

// applyRecords applies records after a revision, and up to another, in order.
func applyRecords(state *model.State, records []model.Record, after, last uint64, holds func(string) bool) (*model.State, error) {
	before, skipped := uint64(0), 0
	for i := range records {
		record := &records[i]
		if record.Revision <= before || record.Revision > last {
			return nil, fmt.Errorf("%w: revision %d is out of order", errGarbled, record.Revision)
		}
		before = record.Revision
		if record.Revision <= after {
			skipped++
			continue
		}
		for j := range record.Ops {
			if err := model.CheckKey(record.Ops[j].Key); err != nil {
				return nil, fmt.Errorf("%w: %w", errGarbled, err)
			}
		}
	}
	return state.ApplyAll(records[skipped:], holds), nil
}

// show makes a state visible. Within an epoch revisions only rise.
func (m *Machine) show(state *model.State, epoch model.Epoch) {
	m.visible, m.visibleEpoch, m.have = state, epoch, true
	m.kept.prune(state)
	m.out.Visible = true
}

// hurry makes the next report due soon.
func (m *Machine) hurry() {
	if due := m.reported.Add(reportEvery); m.reportAt.After(due) {
		m.reportAt = due
	}
}

func (m *Machine) prove(now time.Time) {
	m.proved = now
	if !m.synced {
		m.synced, m.out.Visible = true, true
	}
}
