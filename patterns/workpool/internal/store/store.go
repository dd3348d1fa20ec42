// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"time"
)

// State says what a record is.
type State uint8

// The states. There is no state of a task that a worker has: after a crash it is given out again.
const (
	Queued State = 1 + iota
	Done         // Payload is the result, and the sink may have had it
	Dead
)

// Record is a task.
type Record struct {
	ID          uint64
	State       State
	Priority    int32
	NotBefore   time.Time // zero: at once
	Deadline    time.Time // zero: none
	Timeout     time.Duration
	AttemptsMax uint32
	Attempts    uint32 // those that have failed
	Payload     []byte
	Errors      []AttemptError
}

// AttemptError is why an attempt has failed.
type AttemptError struct {
	Attempt uint32
	Worker  string
	Text    string
	At      time.Time
}

// Op changes one record.
type Op struct {
	ID     uint64
	Record *Record // nil: the record goes, if there is one
}

// Contents is what a store holds when it is opened.
type Contents struct {
	Life    uint64   // how often it has been loaded
	Records []Record // by ID
}

// Store keeps records. Calls come one after the other. What Write has returned from is on disk. When it fails, nobody knows
// what is there; the store has to be opened again, and shows all of that call or nothing of it.
type Store interface {
	// Load begins a life, and comes first. What it returns is the caller's.
	Load() (*Contents, error)
	// Write makes changes, in order, all or none. It reads records until it returns.
	Write(ops []Op) error
	// Close ends the store.
	Close() error
}

// Errors of stores.
var (
	// ErrInUse says that another process has the store open.
	ErrInUse = errors.New("workpool: the store is in use by another process")
	// ErrFormat says that the store was written by a later version of this package.
	ErrFormat = errors.New("workpool: the store has a format of a later version")
)

// DamagedError says that what a store holds is not what was written, or not all of it.
type DamagedError struct {
	Path   string
	Reason string
}

// Error names the store and the reason.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("workpool: the store %s is damaged: %s", e.Path, e.Reason)
}
