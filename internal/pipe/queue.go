// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"math"
	"sync/atomic"
)

// Path of a message: Append encodes it into the writer's chunk → Publish makes it visible in the tail segment, with one
// atomic operation → Claim tells the writer whether the drainer sleeps → Gather or Front hand it out → Advance or Pop
// return its credit → Yield, when nothing is left.

// State says who drains a Queue.
type State uint32

// States of a Queue. The drainer is whoever moved it to Draining. Beyond Idle a drainer is at work or will come.
//
//	Detached → Idle                  the drainer appears
//	Idle     → Posted, Draining      a writer (Claim), or a drainer (Yield) that found more
//	Posted   → Draining              the one who was told, or a writer that steals the work
//	Draining → Idle, Blocked, Posted the drainer
//	Blocked  → Draining              who was told that the stream takes bytes again
//	any but Draining → Detached      the drainer leaves
const (
	Detached State = iota
	Idle
	Posted
	Draining
	Blocked
)

// segment is a range of one chunk in the chain of a Queue. It begins and ends at message boundaries.
type segment struct {
	chunk *Chunk        // drainer, once published; nil when it has closed the segment
	from  int           // set before publication
	mark  atomic.Uint64 // end of the range and messages in it: the writer extends, the drainer closes
	next  atomic.Pointer[segment]
}

// A mark packs the end of a segment's range, the number of messages in it, and a bit that says that the drainer has let
// go of the chunk, so that the writer must begin a new segment.
const (
	markClosed       uint64 = 1 << 63
	markMessagesBits        = 20
	markMessagesMax         = 1<<markMessagesBits - 1
)

func packMark(end, messages int) uint64 { return uint64(end)<<markMessagesBits | uint64(messages) }
func markEnd(m uint64) int              { return int(m &^ markClosed >> markMessagesBits) }
func markMessages(m uint64) int         { return int(m & markMessagesMax) }

// Consumer is told what a Queue cannot settle by itself. Its methods do not wait.
type Consumer interface {
	// Ready is called by the writer that moved the queue from Idle to Posted: see to it that somebody drains. later: the
	// caller has others to tell and must not drain by itself.
	Ready(q *Queue, later bool)
}

// Producer is told when a writer that met a full queue can go on.
type Producer interface {
	// Revive is called by the drainer when a starved queue has room for half of its messages and bytes again. It may
	// come early: look again.
	Revive(q *Queue)
}

// Holder is a Producer that uses Append or Engage. Its method does not wait.
type Holder interface {
	// Release has what is held back published, and Claim called, for q by whoever writes to it, now or soon.
	Release(q *Queue)
}

// Debtor is a Consumer that uses Front and Pop, and so returns credit in large pieces. Its method does not wait.
type Debtor interface {
	// Owes has Repay called for q by whoever drains it, now or soon.
	Owes(q *Queue)
}

// Limits bound a Queue. Zero or less is no bound.
type Limits struct {
	Messages int
	Bytes    int // hard bound; a single message always fits
}

// Queue is one direction of a pipe: a chain of segments with one writer and one drainer at a time and no lock between
// them. What the two sides write per message stands on lines of its own: a line that both touch costs more than the message.
// Each side makes do with two, since with many peers none of them is in the cache.
type Queue struct {
	limitMessages atomic.Int64
	limitBytes    atomic.Int64
	Consumer      Consumer // set once, before the queue is attached
	Producer      Producer // set once, before the first message
	End           *End     // that Consumer, or else Producer, knows the queue by: the socket's
	Far           *End     // inproc: the end of the socket that writes
	_             [cacheLine - 64]byte

	// Writer.
	tail         *segment
	tailChunk    uintptr // address of tail's chunk: while tail is not closed it holds the chunk, so the address is its own
	tailMark     uint64  // tail's mark as last written
	encoder      Encoder // of Append
	heldFrom     int     // messages in encoder's chunk from there on that are not published yet
	held         int8    // so many, those that AppendSmall has written lately not counted
	few          int8    // they are so many; see shut
	fewMost      int8    // and may be so many
	promised     bool    // holding is set, for Append
	burst        int16   // appends in a row that found a drainer at work or on its way, or less than zero: some do not count
	rest         int16   // that did not count last time
	sent         int64   // without few
	sentBytes    int64
	granted      int64 // returned as of the last look
	grantedBytes int64

	state   atomic.Uint32
	starved atomic.Bool // the writer met a full queue and wants Revive
	holding atomic.Bool // the drainer must ask for what is held back before it sleeps

	returned      atomic.Int64 // messages whose credit is back; drainer
	returnedBytes atomic.Int64
	wantMessages  int64 // revive when returned has reached both; written while starved is false
	wantBytes     int64
	_             [cacheLine - 48]byte

	// Drainer.
	head            *segment
	off             int    // position in head
	front           []byte // head's chunk up to the end of what Front has seen
	pops            int32  // messages popped that are not counted yet: they stand between base and off
	fruitless       int32  // times in a row that Await waited in vain, as far as they count
	popsMost        int    // from so many, or from this offset on, Pop looks whether credit is due
	offMost         int
	base            int      // a message boundary in head at or before off; everything before it is counted
	last            *segment // where Gather ended
	lastEnd         int      // end of what has been handed out in last
	lastMessages    int32
	seen            int32 // messages of head whose credit is back
	consumed        int64
	consumedBytes   int64
	unreturned      int // messages popped since credit was last returned
	unreturnedBytes int
}

// NewQueue returns an empty, detached Queue.
func NewQueue(limits Limits) *Queue {
	q := new(Queue)
	q.init(limits)
	return q
}

func (q *Queue) init(limits Limits) {
	s := new(segment)
	q.tail, q.head = s, s
	q.Limit(limits)
}

// Limit sets new limits; anybody may call it. Who waits for room is not told.
func (q *Queue) Limit(l Limits) {
	q.limitMessages.Store(int64(l.Messages))
	q.limitBytes.Store(int64(l.Bytes))
}

// State returns the present state.
func (q *Queue) State() State { return State(q.state.Load()) }

// Turn moves the queue from one state to another and reports whether it was there.
func (q *Queue) Turn(from, to State) bool { return q.state.CompareAndSwap(uint32(from), uint32(to)) }

// Set ends the caller's Draining, or attaches the drainer.
func (q *Queue) Set(to State) { q.state.Store(uint32(to)) }

// Claim is called by the writer after it has published. True: the drainer sleeps, and the caller must call the
// consumer's Ready, with no lock held that Ready may want.
func (q *Queue) Claim() bool { return q.State() == Idle && q.Turn(Idle, Posted) }

// Yield ends the caller's draining of a queue that it found empty. False: more has come, or came too soon, and the
// caller is the drainer again.
func (q *Queue) Yield() bool {
	s, off := q.head, q.off
	q.Set(Idle)
	// From here on another may drain, so only atomics of s count; if it is in use elsewhere the answer is a false alarm.
	empty := markEnd(s.mark.Load()) <= off && s.next.Load() == nil
	if empty && q.holding.Load() {
		if p, ok := q.Producer.(Holder); ok {
			p.Release(q)
			empty = markEnd(s.mark.Load()) <= off && s.next.Load() == nil
		}
	}
	return empty || !q.Turn(Idle, Draining) && !q.Turn(Posted, Draining)
}

// Queued returns messages and bytes that are in the queue, at most. The writer may call it.
func (q *Queue) Queued() (messages, bytes int) {
	messages, bytes = int(q.few), int(q.encoder.drafted)
	return messages + int(q.sent-q.returned.Load()), bytes + int(q.sentBytes-q.returnedBytes.Load())
}

// Room reports whether the queue has room for one more message of n bytes, and does not ask for Revive if not.
func (q *Queue) Room(n int) bool {
	if q.few < q.fewMost && int(q.encoder.drafted)+n <= len(q.encoder.draft) {
		return true
	}
	q.shut()
	if q.fits(n, 0) {
		return true
	}
	q.refresh()
	return q.fits(n, 0)
}

// Fits reports whether the queue has room for one more message of n bytes. byteMark is a lower bound on bytes for a
// writer that can wait, or 0. A queue that is empty takes any message.
func (q *Queue) Fits(n, byteMark int) bool {
	q.shut()
	if q.fits(n, byteMark) {
		return true
	}
	if q.refresh(); q.fits(n, byteMark) {
		return true
	}
	if !q.starved.Load() { // while it is set the drainer reads the two
		q.wantMessages, q.wantBytes = math.MinInt64/2, math.MinInt64/2 // half: differences must not wrap
		if limit := q.limitMessages.Load(); limit > 0 {
			q.wantMessages = q.sent - limit/2
		}
		if limit := q.byteBound(byteMark); limit > 0 {
			q.wantBytes = q.sentBytes - limit/2
		}
		q.starved.Store(true)
	}
	// Look once more: the drainer returns credit, then looks at starved.
	q.refresh()
	if q.fits(n, byteMark) {
		return true
	}
	if q.Flush() && q.Claim() { // what is held back must not wait for room
		q.Consumer.Ready(q, true)
	}
	if q.State() != Detached { // then nobody has taken anything, and on inproc Consumer may be set at this moment
		if c, ok := q.Consumer.(Debtor); ok {
			c.Owes(q)
			q.refresh()
		}
	}
	return q.fits(n, byteMark)
}

func (q *Queue) byteBound(byteMark int) int64 {
	limit := q.limitBytes.Load()
	if byteMark > 0 && (limit <= 0 || int64(byteMark) < limit) {
		return int64(byteMark)
	}
	return max(limit, 0)
}

func (q *Queue) refresh() {
	q.granted, q.grantedBytes = q.returned.Load(), q.returnedBytes.Load()
}

func (q *Queue) fits(n, byteMark int) bool {
	if limit := q.limitMessages.Load(); limit > 0 && q.sent-q.granted >= limit {
		return false
	}
	bytes := q.sentBytes - q.grantedBytes
	if bytes == 0 {
		return true
	}
	if byteMark > 0 && bytes >= int64(byteMark) {
		return false
	}
	limit := q.limitBytes.Load()
	return limit <= 0 || bytes+int64(n) <= limit
}

// Append encodes a message behind everything queued: head, which is whole frames with MORE set, or nothing, then frames.
// It does not look at the limits. While a drainer is at work or on its way it publishes several messages at a time, which
// saves an atomic operation per message and the way of a cache line to the drainer and back; see hold.
func (q *Queue) Append(head []byte, frames [][]byte) {
	q.shut()
	_, from, to := q.encoder.Encode(head, frames, q.behind)
	if q.held == 0 {
		q.heldFrom = from
	}
	q.held++
	q.sent++
	q.sentBytes += int64(to - from)
	switch full := q.held >= holdMessages || to-q.heldFrom >= holdBytes; {
	case full:
		q.rest = 0
		q.Flush()
	case !q.hold():
		q.Flush()
	}
}

// hold reports whether what has been appended may wait for the drainer to ask for it. It asks when it has nothing left
// (Yield), if it finds holding set; so after setting it we look once more whether it is still there.
func (q *Queue) hold() bool {
	if q.State() <= Idle {
		q.withdraw(0)
		return false
	}
	if q.promised {
		return true
	}
	if q.burst++; q.burst < holdAfter {
		return false
	}
	q.promised = true
	if q.Far != nil {
		q.encoder.setApart()
	}
	q.holding.Store(true)
	return q.State() > Idle
}

// withdraw has Append hold nothing back until it has found a drainer at work as often as a burst begins with, not counting
// the first rest times.
func (q *Queue) withdraw(rest int16) {
	q.burst = -rest
	if q.promised {
		q.promised = false
		q.encoder.reunite()
		q.holding.Store(false)
	}
}

// Engage has the drainer ask before it sleeps, see Holder, for what a writer that uses Publish holds back itself, until
// Disengage. It reports whether a drainer is at work or on its way. Meanwhile the writer must not Append.
func (q *Queue) Engage() bool {
	q.withdraw(0) // a drainer that asked Append to hold nothing back must not take this back
	q.holding.Store(true)
	return q.State() > Idle
}

// Disengage takes Engage back.
func (q *Queue) Disengage() {
	q.withdraw(0)
	q.holding.Store(false)
}

// Bursting reports whether the writer appends so fast that it holds messages back. Anybody may ask.
func (q *Queue) Bursting() bool { return q.holding.Load() }

// Flush publishes what Append has held back. It reports whether there was anything.
func (q *Queue) Flush() bool {
	q.shut()
	if q.held == 0 {
		return false
	}
	n := int(q.held)
	q.held = 0
	q.publish(q.encoder.chunk, q.heldFrom, q.encoder.fill, n)
	return true
}

// Asked is Flush for a drainer that has nothing left. If little was held back there was no burst, but somebody who takes
// turns with the drainer: it takes more messages until one is held back again, twice as many each time, unless as many were
// held back as may be.
func (q *Queue) Asked() bool {
	q.shut()
	if q.promised && q.held < holdAfter && q.encoder.fill-q.heldFrom < holdAfterBytes {
		q.rest = min(2*q.rest+holdAfter, holdRest)
		q.withdraw(q.rest)
	}
	return q.Flush()
}

// AppendWire queues one whole message, or command, that is in wire form already.
func (q *Queue) AppendWire(message []byte) {
	q.shut()
	c, from, to := q.encoder.Encode(message, nil, q.behind)
	if q.held > 0 {
		n := int(q.held)
		q.held = 0
		q.publish(c, q.heldFrom, from, n)
	}
	q.Publish(c, from, to, 1)
}

// behind is asked before a new chunk is begun: whether the drainer does not keep up.
func (q *Queue) behind() bool {
	q.Flush()
	q.refresh()
	return q.sent > q.granted
}

// Trim lets go of the writer's chunk, so that an idle queue keeps none.
func (q *Queue) Trim() {
	q.Flush()
	q.encoder.Trim()
}

// Publish makes c.Buf[from:to], which holds that many whole messages, visible to the drainer. The bytes must not change
// any more. The queue takes its own reference.
func (q *Queue) Publish(c *Chunk, from, to, messages int) {
	q.Flush()
	q.sent += int64(messages)
	q.sentBytes += int64(to - from)
	q.publish(c, from, to, messages)
}

func (q *Queue) publish(c *Chunk, from, to, messages int) {
	if q.tailChunk == c.address() && markEnd(q.tailMark) == from && markMessages(q.tailMark)+messages <= markMessagesMax {
		mark := packMark(to, markMessages(q.tailMark)+messages)
		if q.tail.mark.CompareAndSwap(q.tailMark, mark) {
			q.tailMark = mark
			return
		}
	}
	c.Retain()
	s := segmentPool.Get().(*segment)
	s.chunk, s.from = c, from
	mark := packMark(to, messages)
	s.mark.Store(mark)
	s.next.Store(nil)
	q.tail.next.Store(s)
	q.tail, q.tailChunk, q.tailMark = s, c.address(), mark
}
