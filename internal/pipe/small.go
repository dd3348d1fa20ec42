// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"encoding/binary"
	"math"

	"github.com/zwire-mq/zwire/internal/wire"
)

// The short way: in the middle of a burst of small messages nearly all of what Fits and Append, Front and Pop look at is as
// it was one message ago. AppendSmall and TakeSmall do what is left, without a call, and say false when anything is
// different; then the long way is due.

// SmallBodyMax is the largest body that may take the short way.
const SmallBodyMax = 2000

// Quicken says that the limits are those of byteMark and lets AppendSmall use what is left of them, until anything else is
// done with the queue. The writer calls it after Append.
func (q *Queue) Quicken(byteMark int) {
	if q.held == 0 {
		return
	}
	messages, bytes := q.left(byteMark)
	messages, bytes = min(messages, holdMessages-1-int(q.held)), min(bytes, holdBytes-1-(q.encoder.fill-q.heldFrom))
	if messages > 0 && bytes > 0 {
		q.fewMost = int8(messages)
		q.encoder.beginDraft(bytes)
	}
}

// shut counts what AppendSmall has done, and lets it do no more.
func (q *Queue) shut() {
	if q.fewMost == 0 {
		return
	}
	q.held += q.few
	q.sent += int64(q.few)
	q.sentBytes += int64(q.encoder.endDraft())
	q.few, q.fewMost = 0, 0
}

// Left returns how many messages and bytes have room, if not more. byteMark is that of Fits.
func (q *Queue) Left(byteMark int) (messages, bytes int) {
	if messages, bytes = q.left(byteMark); messages < holdMessages || bytes < holdBytes {
		q.refresh()
		messages, bytes = q.left(byteMark)
	}
	return messages, bytes
}

func (q *Queue) left(byteMark int) (messages, bytes int) {
	messages, bytes = math.MaxInt, math.MaxInt
	if limit := q.limitMessages.Load(); limit > 0 {
		messages = int(limit - (q.sent - q.granted))
	}
	if limit := q.byteBound(byteMark); limit > 0 {
		bytes = int(limit - (q.sentBytes - q.grantedBytes))
	}
	return messages, bytes
}

// AppendSmall is Fits and Append for a message of one frame, of at most SmallBodyMax, which is held back behind others: as
// many as Quicken found room for. Whoever held back the first of them has seen to it that somebody asks; so there is nothing
// to Claim.
func (q *Queue) AppendSmall(body []byte) bool {
	n := len(body) + wire.HeaderBytesMin
	if len(body) > wire.ShortBodyMax {
		n = len(body) + wire.HeaderBytesMax
	}
	b := q.reserve(n)
	if b == nil {
		return false
	}
	put(b[wire.PutHeader(b, 0, len(body)):], body)
	return true
}

// AppendFew is AppendSmall for a message of several frames, which is n bytes on the wire.
func (q *Queue) AppendFew(frames [][]byte, n int) bool {
	b := q.reserve(n)
	if b == nil {
		return false
	}
	encode(b, nil, frames)
	return true
}

// AppendSmallWire is AppendSmall for a message, or command, that is in wire form already.
func (q *Queue) AppendSmallWire(message []byte) bool {
	b := q.reserve(len(message))
	copy(b, message)
	return b != nil
}

// reserve returns where the next small message goes, of n bytes on the wire; nil if it has to go the long way.
func (q *Queue) reserve(n int) []byte {
	e := &q.encoder
	from, to := int(e.drafted), int(e.drafted)+n
	if q.few >= q.fewMost || to > len(e.draft) {
		return nil
	}
	q.few++
	e.drafted = int32(to)
	return e.draft[from:to]
}

// TakeSmall is Front and Pop for a message of one frame in a run that Front has seen. It copies the body to memory, which
// must be larger, and returns its length. It does not look whether the writer starves: who finds the queue full says so to
// a Debtor, whose Repay sets popsMost and offMost anew; without one the writer waits until half of the limit is taken.
func (q *Queue) TakeSmall(memory []byte) (n int, ok bool) {
	off := q.off
	if off+wire.HeaderBytesMin > len(q.front) || int(q.pops)+1 >= q.popsMost || off >= q.offMost {
		return 0, false
	}
	b := q.front[off:]
	head, n := smallHeader(b, 0)
	if head == 0 || n >= len(memory) {
		return 0, false
	}
	put(memory, b[head:head+n])
	q.off = off + head + n
	q.pops++
	return n, true
}

// TakeFew is TakeSmall for a message of as many frames as frames has, more than one: they become the copies of its bodies, which
// stand in memory one behind the other.
func (q *Queue) TakeFew(memory []byte, frames [][]byte) bool {
	off := q.off
	if off+wire.HeaderBytesMin > len(q.front) || int(q.pops)+1 >= q.popsMost || off >= q.offMost {
		return false
	}
	b := q.front[off:]
	at, room := 0, len(memory)
	for i := range frames { // whether it is such a message, before anything is changed
		head, n := smallHeader(b[at:], flagOf(i, frames))
		if room -= n; head == 0 || room < 0 {
			return false
		}
		at += head + n
	}
	q.off += at
	q.pops++
	for i := range frames {
		head, n := smallHeader(b, flagOf(i, frames))
		put(memory, b[head:head+n])
		frames[i] = memory[:n:n]
		memory, b = memory[n:], b[head+n:]
	}
	return true
}

// flagOf is the flag of frame i.
func flagOf(i int, frames [][]byte) byte {
	if i+1 < len(frames) {
		return wire.FlagMore
	}
	return 0
}

// FrontSmall returns the first body of the message that TakeSmall or TakeFew would take, if memory is large enough and it has
// so many frames.
func (q *Queue) FrontSmall() (body []byte, ok bool) {
	if q.off+wire.HeaderBytesMin > len(q.front) {
		return nil, false
	}
	b := q.front[q.off:]
	head, n := smallHeader(b, b[0]&wire.FlagMore)
	return b[head : head+n], head > 0
}

// smallHeader returns the sizes of the header and of the body of the frame in front of b; no header if it is not a small frame,
// or not one with this FlagMore or without it.
func smallHeader(b []byte, more byte) (head, n int) {
	if b[0] == more {
		return wire.HeaderBytesMin, int(b[1])
	}
	if b[0] == more|wire.FlagLong && binary.BigEndian.Uint64(b[1:]) <= SmallBodyMax {
		return wire.HeaderBytesMax, int(binary.BigEndian.Uint64(b[1:]))
	}
	return 0, 0
}

// Await is called by a drainer that found Front empty, before it settles. A writer in the middle of a burst publishes soon;
// to look for that costs less than to ask for it, and much less than to sleep. After each time in vain it looks for half as
// long, until something comes. It reports whether more is there.
func (q *Queue) Await() bool {
	if !q.holding.Load() {
		return false
	}
	for range awaitLooks >> q.fruitless {
		if q.Pending() {
			q.fruitless = 0
			return true
		}
	}
	q.fruitless = min(q.fruitless+1, awaitHalvings)
	return false
}

// wordsMax is the largest body that put moves as two words, which may overlap; wordsMin is the smallest.
const (
	wordsMin = 8
	wordsMax = 16
)

// put copies src to dst, which is at least as long: bodies of two words, such as prices and counters, without a call.
func put(dst, src []byte) {
	if n := len(src); wordsMin <= n && n <= wordsMax && n <= len(dst) {
		first, last := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[n-wordsMin:])
		binary.LittleEndian.PutUint64(dst, first)
		binary.LittleEndian.PutUint64(dst[n-wordsMin:], last)
		return
	}
	copy(dst, src)
}
