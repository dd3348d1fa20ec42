// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// Meta is what an authority has to remember beside its content.
type Meta struct {
	Authority model.AuthorityID // made up when the store is made; it never changes
	Cluster   uint64            // tells one configuration from another; 0: it has not begun
	Epoch     model.Epoch       // the highest that this authority has taken part in
	Lineage   model.Epoch       // the one whose primary's history this is, or the beginning of
	Last      model.Epoch       // of the record at the base's revision
	Committed uint64            // a revision known to be acknowledged; may be behind
	Role      uint8             // the owner's business
}

// Contents is what a store holds.
type Contents struct {
	Meta    Meta
	Base    *model.State   // the oldest state that the history reaches back to
	Records []model.Record // after Base, each the next revision
}

// Last returns the revision of the last record, or that of the base when there is none.
func (c *Contents) Last() uint64 { return c.Base.Revision() + uint64(len(c.Records)) }

// Store keeps a base, the records after it, and a Meta. A new store holds the zero state and an authority of its own. It has one
// owner; calls may come from several goroutines, one waits for the other.
//
// A call that writes returns once what it wrote is durable. When it fails, nothing of it is there, now or at any later Load, with
// one exception: an error that is [ErrUncertain] means that nobody knows yet, because the disk failed in the very last step. Such
// a store refuses everything but Close; opening it again shows all of that call or nothing of it.
//
// Calls that make no sense fail with [ErrOrder] and change nothing. After Close calls fail with net.ErrClosed.
type Store interface {
	// Load returns everything, and checks it. It comes before all other calls. What it returns is shared: nobody may change what
	// states and records refer to.
	Load() (*Contents, error)

	// Append drops the records beyond the revision after, then adds records, each of the next revision, and sets meta; all or
	// nothing. No records are fine: to drop only, or to change meta only. Meta.Authority must be that of the store; Meta.Last is
	// not looked at, because the base stays. Append reads records until it returns, and a Memory keeps them: they must not be
	// changed afterwards.
	Append(after uint64, records []model.Record, meta Meta) error

	// Install replaces base and records by a state, that of another authority, and sets meta; all or nothing. Meta.Authority must
	// be that of the store.
	Install(state *model.State, meta Meta) error

	// Trim moves the base forward: to the state at a revision that the records reach, and the epoch of the record there. Records
	// up to it go. The caller sees to it that the revision is acknowledged: what is in the base cannot be dropped any more. It
	// takes the less time the less differs from the old base, if one state was made from the other.
	Trim(base *model.State, last model.Epoch) error

	// Close ends the store. It may be called again.
	Close() error
}

// Errors of stores.
var (
	// ErrInUse says that another process has the store open.
	ErrInUse = errors.New("config: the store is in use by another process")
	// ErrOrder says that a call does not fit what the store holds: an owner's mistake.
	ErrOrder = errors.New("config: a write that does not fit the store")
	// ErrUncertain says that a write may be there or not after the store is opened again. See [Store].
	ErrUncertain = errors.New("config: a write may have been kept or not; open the store again")
	// ErrFormat says that the store was written by a later version of this package.
	ErrFormat = errors.New("config: the store has a format of a later version")
)

// DamagedError says that what a store holds is not what was written, or not all of it.
type DamagedError struct {
	Path   string
	Reason string
}

// Error names the store and the reason.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("config: the store %s is damaged: %s", e.Path, e.Reason)
}

// checkAppend says whether an Append fits a store that holds a base and records up to last.
func checkAppend(base, last, after uint64, records []model.Record) error {
	if after < base || after > last {
		return fmt.Errorf("%w: append after revision %d, it holds %d to %d", ErrOrder, after, base, last)
	}
	for i := range records {
		record := &records[i]
		if want := after + 1 + uint64(i); record.Revision != want {
			return fmt.Errorf("%w: a record of revision %d, want %d", ErrOrder, record.Revision, want)
		}
		if err := checkOps(record); err != nil {
			return fmt.Errorf("%w: revision %d: %w", ErrOrder, record.Revision, err)
		}
	}
	return nil
}

// checkOps asks no more than what every record fulfils, so that what was appended can be loaded.
func checkOps(record *model.Record) error {
	for i := range record.Ops {
		if err := model.CheckKey(record.Ops[i].Key); err != nil {
			return err
		}
	}
	return nil
}

func checkTrim(base, last, revision uint64) error {
	if revision < base || revision > last {
		return fmt.Errorf("%w: trim to revision %d, it holds %d to %d", ErrOrder, revision, base, last)
	}
	return nil
}

func checkAuthority(own, given model.AuthorityID) error {
	if own != given {
		return fmt.Errorf("%w: it is the store of authority %v, not %v", ErrOrder, own, given)
	}
	return nil
}
