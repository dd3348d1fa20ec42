// SPDX-License-Identifier: Apache-2.0

package route

import "github.com/zwire-mq/zwire/internal/pipe"

// FairQueue takes one message from each pipe in turn among those that have any (RFC 28 to 31). The zero value is ready.
// It drains the In of its ends: a queue is in state Draining exactly while it is listed.
type FairQueue struct {
	ring  []*pipe.End // a power of two; elsewhere nil
	first int         // whose turn it is
	count int
	run   int         // messages since a pipe was last found empty, those of TakeSmall not counted
	lone  *pipe.Queue // of the only one; nil if there are more, or none
}

// Add lists e, whose In was posted. It reports whether it was.
func (f *FairQueue) Add(e *pipe.End) bool {
	if !e.In.Turn(pipe.Posted, pipe.Draining) {
		return false
	}
	if f.count == len(f.ring) {
		f.grow()
	}
	f.push(e)
	return true
}

// push puts e behind all others.
func (f *FairQueue) push(e *pipe.End) {
	f.ring[(f.first+f.count)&(len(f.ring)-1)] = e
	if f.count++; f.count > 1 {
		f.lone = nil
	} else {
		f.lone = e.In
	}
}

func (f *FairQueue) grow() {
	ring := make([]*pipe.End, max(1, 2*len(f.ring)))
	n := copy(ring, f.ring[f.first:])
	copy(ring[n:], f.ring[:f.first])
	f.ring, f.first = ring, 0
}

// Front returns the next message, as on the wire, and whose it is; nil if there is none.
func (f *FairQueue) Front() (*pipe.End, []byte) {
	for f.count > 0 {
		e := f.ring[f.first]
		if b := e.In.Front(); b != nil {
			return e, b
		}
		if e.Peer != nil {
			e.In.Repay() // who reads more must find the room there is: the caller, whom it would ask for that, has the turn
		}
		if e.Peer != nil && e.Peer.ReadMore() || e.Peer == nil && (f.run >= soonAfter && soon(e.In) || e.In.Await()) {
			continue
		}
		f.run = 0
		e.In.Settle()
		if e.In.Yield() {
			f.remove()
		}
	}
	return nil, nil
}

// TakeSmall is Front and Pop in one for a message of one short frame, if only one pipe has any and it is as it was: see
// pipe.Queue.TakeSmall.
func (f *FairQueue) TakeSmall(memory []byte) (n int, ok bool) {
	if f.lone == nil {
		return 0, false
	}
	return f.lone.TakeSmall(memory)
}

// TakeFew is TakeSmall for a message of several frames.
func (f *FairQueue) TakeFew(memory []byte, frames [][]byte) bool {
	return f.lone != nil && f.lone.TakeFew(memory, frames)
}

// FrontSmall returns the first body of the message that TakeSmall or TakeFew would take: see pipe.Queue.FrontSmall.
func (f *FairQueue) FrontSmall() (body []byte, ok bool) {
	if f.lone == nil {
		return nil, false
	}
	return f.lone.FrontSmall()
}

// Pop drops the message that Front returned, of n bytes, and passes the turn on.
func (f *FairQueue) Pop(e *pipe.End, n int) {
	e.In.Pop(n)
	f.run++
	if f.count > 1 {
		f.remove()
		f.push(e)
	}
}

// More reports whether another message is likely to be there at once.
func (f *FairQueue) More() bool {
	switch f.count {
	case 0:
		return false
	case 1:
		return f.ring[f.first].In.Pending()
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

// remove takes out whose turn it is. What may be the last reference to the end goes with it.
func (f *FairQueue) remove() {
	f.ring[f.first] = nil
	f.first = (f.first + 1) & (len(f.ring) - 1)
	switch f.count--; f.count {
	case 0:
		f.lone = nil
	case 1:
		f.lone = f.ring[f.first].In
	}
}
