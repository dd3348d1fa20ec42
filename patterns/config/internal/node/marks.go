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
	for _, bodies := range k.bodies {
		for _, b := range bodies {
			b.giveBack()
		}
	}
	clear(k.bodies)
	k.marks, k.count, k.bytes = nil, 0, 0
}

func (k *kept) fits(bytes int) bool { return k.count < keptMax && k.bytes+bytes <= keptBytesMax }

// room makes room for a message. Without it all is dropped: a reader that far behind is faster with an answer to a sync.
func (k *kept) room(bytes int) {
	if !k.fits(bytes) {
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
			bodies[used].giveBack()
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

// giveBack is for one that nobody uses any more. One that keeps more than a little in memory is left to the collector.
func (b keptBody) giveBack() {
	if b.bytes <= FrameReusedMax {
		b.Body.Release()
	}
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
	if !m.kept.fits(bytes) {
		m.applyJoined(now) // which makes use of what is kept
	}
	m.kept.room(bytes)
	m.kept.bodies[body.Head.Tree] = append(m.kept.bodies[body.Head.Tree], keptBody{body, bytes})
}

// detach copies values out of a frame that they would keep in memory for little, or that is used again.
func detach(record *model.Record, frameBytes int) {
	for i := range record.Ops {
		if value := record.Ops[i].Value; len(value) < frameBytes/2 || frameBytes <= FrameReusedMax {
			record.Ops[i].Value = bytes.Clone(value)
		}
	}
}

func (m *Machine) mark(mark *wire.Mark, bytes int, now time.Time) {
	if !m.current(mark.Epoch, now) {
		return
	}
	m.marked = now
	if mark.Report {
		m.hurry()
	}
	if m.want {
		m.kept.room(bytes)
		m.kept.marks = append(m.kept.marks, keptMark{mark, bytes})
		return
	}
	m.join(mark, now)
}

// join applies a mark together with those that came before it in the same batch, if they follow each other: what many marks lead to
// costs less than each of their revisions, and readers are shown fewer of them anyway when changes come fast.
func (m *Machine) join(mark *wire.Mark, now time.Time) {
	if m.joined != nil {
		if joined := joinMarks(m.joined, mark); joined != nil {
			m.joined = joined
			return
		}
		m.applyJoined(now)
		if m.want {
			return // what follows is older than the sync that is due now
		}
	}
	m.joined = mark
}

func (m *Machine) applyJoined(now time.Time) {
	if mark := m.joined; mark != nil {
		m.joined = nil
		m.apply(mark, now)
	}
}

// joinMarks returns the mark that an authority might have published instead of two; nil if they do not follow each other.
func joinMarks(first, second *wire.Mark) *wire.Mark {
	if first.Previous > first.Revision || second.Previous > first.Revision || second.Revision < first.Revision {
		return nil
	}
	heads, ok := joinHeads(first.Heads, second.Heads)
	if !ok {
		return nil
	}
	return &wire.Mark{Epoch: first.Epoch, Previous: first.Previous, Revision: second.Revision, Heads: heads}
}

// joinHeads takes the later head of each tree. Heads that are not sorted, or contradict each other, do not join.
func joinHeads(first, second []model.Head) (joined []model.Head, ok bool) {
	if len(first) == 1 && len(second) == 1 && first[0].Tree == second[0].Tree && first[0].Revision < second[0].Revision {
		return second, true
	}
	joined = make([]model.Head, 0, len(first)+len(second))
	for len(first) > 0 || len(second) > 0 {
		var next model.Head
		switch {
		case len(second) == 0 || len(first) > 0 && first[0].Tree < second[0].Tree:
			next, first = first[0], first[1:]
		case len(first) == 0 || second[0].Tree < first[0].Tree:
			next, second = second[0], second[1:]
		case first[0] != second[0] && first[0].Revision >= second[0].Revision:
			return nil, false
		default:
			next, first, second = second[0], first[1:], second[1:]
		}
		if last := len(joined) - 1; last >= 0 && next.Tree <= joined[last].Tree {
			return nil, false
		}
		joined = append(joined, next)
	}
	return joined, true
}

// apply makes a mark visible, or finds that something was missed.
func (m *Machine) apply(mark *wire.Mark, now time.Time) {
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

// grow applies bodies of a tree, one after the other, until it has come to head, whose digest proves all of them.
func (m *Machine) grow(state *model.State, head model.Head) (*model.State, error) {
	own := state.Head(head.Tree).Revision
	m.records = m.records[:0]
	for _, body := range m.kept.bodies[head.Tree] {
		if body.Head.Revision <= own {
			continue
		}
		if own == head.Revision || body.Head.Revision > head.Revision {
			break
		}
		if body.Previous > own {
			return nil, fmt.Errorf("%w: of tree %q, from revision %d to %d", errGap, head.Tree, own, body.Previous)
		}
		if err := m.gather(body.Records, own, body.Head.Revision); err != nil {
			return nil, err
		}
		own = body.Head.Revision
	}
	if own != head.Revision {
		return nil, fmt.Errorf("%w: of tree %q, from revision %d to %d", errGap, head.Tree, own, head.Revision)
	}
	state = state.ApplyAll(m.records, func(tree string) bool { return tree == head.Tree })
	clear(m.records)
	if state.Head(head.Tree) != head {
		return nil, fmt.Errorf("%w: tree %q after revision %d", errDiffers, head.Tree, head.Revision)
	}
	return state, nil
}

// gather adds the records after a revision, and up to another, to those that are about to be applied.
func (m *Machine) gather(records []model.Record, after, last uint64) error {
	before := uint64(0)
	for i := range records {
		record := &records[i]
		if record.Revision <= before || record.Revision > last {
			return fmt.Errorf("%w: revision %d is out of order", errGarbled, record.Revision)
		}
		before = record.Revision
		if record.Revision <= after {
			continue
		}
		for j := range record.Ops {
			if err := model.CheckKey(record.Ops[j].Key); err != nil {
				return fmt.Errorf("%w: %w", errGarbled, err)
			}
		}
		m.records = append(m.records, record)
	}
	return nil
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
