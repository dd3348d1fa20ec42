// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// retryAfter is how long a file may stay open, once all have been sent, before
// it is sent again; it doubles with each repetition. It bounds how long a
// stuck or very slow worker can hold up the end of the job, and it repairs
// what was queued for a dead worker before its stream was known to be broken.
const retryAfter = 500 * time.Millisecond

// ledger decides which file is sent next. PUSH does not tell which worker
// got what, so when one dies every open file is sent again: at most a few per
// worker, because the queues are short. It does no I/O and reads no clock.
type ledger struct {
	entries []entry
	fresh   int   // entries below have been sent at least once
	again   []int // to be sent again at once
	open    int   // entries not yet done
	repeats int   // sendings beyond the first
}

type entry struct {
	done   bool
	sentAt time.Time
	times  int
}

func newLedger(files int) *ledger {
	return &ledger{entries: make([]entry, files), open: files}
}

// next returns the id to send now. Without one, ok is false and wait says
// after how long to ask again; 0 means there is nothing left to do.
func (l *ledger) next(now time.Time) (id int, wait time.Duration, ok bool) {
	for len(l.again) > 0 {
		id, l.again = l.again[0], l.again[1:]
		if !l.entries[id].done {
			return l.send(id, now), 0, true
		}
	}
	if l.fresh < len(l.entries) {
		l.fresh++
		return l.send(l.fresh-1, now), 0, true
	}
	for id := range l.entries {
		e := &l.entries[id]
		if e.done {
			continue
		}
		due := e.sentAt.Add(retryAfter << min(e.times-1, 10)).Sub(now)
		if due <= 0 {
			return l.send(id, now), 0, true
		}
		if wait == 0 || due < wait {
			wait = due
		}
	}
	return 0, wait, false
}

func (l *ledger) send(id int, now time.Time) int {
	e := &l.entries[id]
	if e.times > 0 {
		l.repeats++
	}
	e.times++
	e.sentAt = now
	return id
}

// finish marks an id as done; ids that are unknown or done already are ignored.
func (l *ledger) finish(id int) {
	if id < 0 || id >= len(l.entries) || l.entries[id].done {
		return
	}
	l.entries[id].done = true
	l.open--
}

// workerGone plans every file that is sent but not done to be sent again.
func (l *ledger) workerGone() {
	l.again = l.again[:0]
	for id := range l.entries[:l.fresh] {
		if !l.entries[id].done {
			l.again = append(l.again, id)
		}
	}
}
