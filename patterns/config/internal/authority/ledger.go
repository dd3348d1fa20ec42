// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// ledger is the history: a base state and the records after it, each with the state that it leads to. Records up to committed are
// final, those up to disk are on this authority's disk.
//
//	base ≤ committed ≤ tip,  base ≤ disk ≤ tip
type ledger struct {
	base      *model.State
	baseEpoch model.Epoch // of the record at the base
	steps     []step
	trimmed   uint64 // octets of records before the base
	committed uint64
	disk      uint64
}

type step struct {
	record *model.Record
	state  *model.State
	octets uint64 // of all records up to this one
	made   time.Time
}

func newLedger(base *model.State, epoch model.Epoch) *ledger {
	return &ledger{base: base, baseEpoch: epoch, committed: base.Revision(), disk: base.Revision()}
}

func (l *ledger) oldest() uint64 { return l.base.Revision() }

func (l *ledger) tip() *model.State {
	if len(l.steps) == 0 {
		return l.base
	}
	return l.steps[len(l.steps)-1].state
}

// at returns the state at a revision from oldest to the tip's.
func (l *ledger) at(revision uint64) *model.State {
	if revision == l.oldest() {
		return l.base
	}
	return l.steps[revision-l.oldest()-1].state
}

func (l *ledger) has(revision uint64) bool {
	return l.oldest() <= revision && revision <= l.tip().Revision()
}

// after returns the steps after a revision, up to another.
func (l *ledger) after(revision, to uint64) []step {
	return l.steps[revision-l.oldest() : to-l.oldest()]
}

// epochAt returns the epoch of the record at a revision.
func (l *ledger) epochAt(revision uint64) model.Epoch {
	if revision == l.oldest() {
		return l.baseEpoch
	}
	return l.steps[revision-l.oldest()-1].record.Epoch
}

func (l *ledger) last() model.Epoch { return l.epochAt(l.tip().Revision()) }

func (l *ledger) state() *model.State { return l.at(l.committed) }

// append adds a record whose revision follows the tip's.
func (l *ledger) append(record *model.Record, now time.Time) {
	octets := l.octetsAt(l.tip().Revision()) + uint64(wire.RecordBytes(record))
	l.steps = append(l.steps, step{record, l.tip().Apply(record, nil), octets, now})
}

func (l *ledger) octetsAt(revision uint64) uint64 {
	if revision == l.oldest() {
		return l.trimmed
	}
	return l.steps[revision-l.oldest()-1].octets
}

// octets tells how many the records after a revision have together.
func (l *ledger) octets(after uint64) int {
	return int(l.octetsAt(l.tip().Revision()) - l.octetsAt(after))
}

// truncate drops the records after a revision, which are not committed.
func (l *ledger) truncate(revision uint64) {
	keep := int(revision - l.oldest())
	clear(l.steps[keep:])
	l.steps = l.steps[:keep]
	l.disk = min(l.disk, revision)
}

// trim makes a committed revision that is on disk the base.
func (l *ledger) trim(revision uint64) {
	drop := int(revision - l.oldest())
	if drop == 0 {
		return
	}
	l.trimmed = l.octetsAt(revision)
	l.base, l.baseEpoch = l.steps[drop-1].state, l.steps[drop-1].record.Epoch
	l.steps = slices.Delete(l.steps, 0, drop)
}

// excess returns the revision to trim to, so that at most so many records of so many octets remain, or zero when there are not
// many more than that.
func (l *ledger) excess(records, octets int) uint64 {
	if len(l.steps) <= records+records/trimShare && l.octets(l.oldest()) <= octets+octets/trimShare {
		return 0
	}
	to, final, tip := l.oldest(), min(l.committed, l.disk), l.tip().Revision()
	for to < final && (int(tip-to) > records || l.octets(to) > octets) {
		to++
	}
	if to == l.oldest() {
		return 0
	}
	return to
}
