// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"sync"
	"time"
)

// A clock tells nanoseconds of the system's monotonic clock, which processes of one machine share.
type clock struct {
	at   int64
	here time.Time
}

func newClock() clock { return clock{monotonic(), time.Now()} }

// now is cheaper than asking the system, and does not drift: time.Since goes by the same clock.
func (c clock) now() int64 { return c.at + time.Since(c.here).Nanoseconds() }

// A stamp says when a node had applied a revision.
type stamp struct {
	revision uint64
	at       int64
}

// A follower writes down what a node applies.
type follower struct {
	clock  clock
	mu     sync.Mutex
	last   stamp
	stamps []stamp // since forget, if stamping
	counts counts
	err    error

	stamping bool
}

// counts are of what happened since forget.
type counts struct {
	Changes   uint64 `json:"changes"`   // of keys, that the application saw
	Revisions uint64 `json:"revisions"` // that it saw, one or more changes each
}

// begin is called when the node has all keys.
func (f *follower) begin(revision uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = stamp{revision, f.clock.now()}
}

// advance is called when the node has applied a revision.
func (f *follower) advance(revision uint64, changes int) {
	now := f.clock.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Changes += uint64(changes)
	f.counts.Revisions++
	if revision <= f.last.revision {
		return // the keys that were there before
	}
	f.last = stamp{revision, now}
	if f.stamping {
		f.stamps = append(f.stamps, f.last)
	}
}

func (f *follower) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// forget makes room for the next measurement.
func (f *follower) forget(stamping bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts, f.stamps, f.stamping = counts{}, nil, stamping
}

func (f *follower) reached() (stamp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.err
}

func (f *follower) counted() counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

// reachedAt tells when it had applied the revision, or a later one at once.
func (f *follower) reachedAt(revision uint64) (at int64, reached bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, _ := slices.BinarySearchFunc(f.stamps, revision, func(s stamp, wanted uint64) int {
		if s.revision < wanted {
			return -1
		}
		return 1
	})
	if i == len(f.stamps) {
		return 0, false
	}
	return f.stamps[i].at, true
}
