// SPDX-License-Identifier: Apache-2.0

package route

import (
	"slices"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// FairQueue takes one message from each pipe in turn among those that have any (RFC 28 to 31). The zero value is ready.
// It drains the In of its ends: a queue is in state Draining exactly while it is listed. It uses InSlot.
type FairQueue struct {
	active []*pipe.End
	at     int
	run    int // messages popped since a pipe was last found empty
}

// Add lists e, whose In was posted. It reports whether it was.
func (f *FairQueue) Add(e *pipe.End) bool {
	if !e.In.Turn(pipe.Posted, pipe.Draining) {
		return false
	}
	e.InSlot = len(f.active)
	f.active = append(f.active, e)
	return true
}

// Front returns the next message, as on the wire, and whose it is; nil if there is none.
func (f *FairQueue) Front() (*pipe.End, []byte) {
	for len(f.active) > 0 {
		if f.at >= len(f.active) {
			f.at = 0
		}
		e := f.active[f.at]
		if b := e.In.Front(); b != nil {
			return e, b
		}
		if e.Peer != nil && e.Peer.ReadMore() || e.Peer == nil && (f.run >= soonAfter && soon(e.In) || e.In.Await()) {
			continue
		}
		f.run = 0
		e.In.Settle()
		if e.In.Yield() {
			f.remove(e)
		}
	}
	return nil, nil
}

// TakeSmall is Front and Pop in one for a message of one short frame, if only one pipe has any and it is as it was: see
// pipe.Queue.TakeSmall.
func (f *FairQueue) TakeSmall(memory []byte) (n int, ok bool) {
	if len(f.active) != 1 {
		return 0, false
	}
	return f.active[0].In.TakeSmall(memory)
}

// Pop drops the message that Front returned, of n bytes, and passes the turn on.
func (f *FairQueue) Pop(e *pipe.End, n int) {
	e.In.Pop(n)
	f.run++
	if f.at++; f.at >= len(f.active) { // now, so that who comes next does not go before those who wait
		f.at = 0
	}
}

// More reports whether another message is likely to be there at once.
func (f *FairQueue) More() bool {
	switch len(f.active) {
	case 0:
		return false
	case 1:
		return f.active[0].In.Pending()
	default:
		return true
	}
}

// soonLooks is how often a drainer looks again before it lets the writer wake it: about as long as that takes. It does so
// after soonAfter messages in a row: who waits for an answer gets one.
const (
	soonLooks = 64
	soonAfter = 2
)

// soon reports whether a message comes into an inproc queue while one looks. A writer that is not much slower than its drainer
// would otherwise wake it for every message.
func soon(q *pipe.Queue) bool {
	for range soonLooks {
		if q.Pending() {
			return true
		}
	}
	return false
}

// remove keeps the order of the others. What may be the last reference to e goes with it.
func (f *FairQueue) remove(e *pipe.End) {
	i := e.InSlot
	e.InSlot = -1
	f.active = slices.Delete(f.active, i, i+1)
	for ; i < len(f.active); i++ {
		f.active[i].InSlot = i
	}
}
