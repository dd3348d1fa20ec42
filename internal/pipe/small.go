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

// Quicken says that the limits are those of byteMark and lets AppendSmall use what is left of them; until the next Fits.
// The writer calls it after Append.
func (q *Queue) Quicken(byteMark int) {
	messages, bytes := q.left(byteMark)
	q.room, q.roomBytes = int32(min(messages, math.MaxInt32)), int32(min(bytes, math.MaxInt32))
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

// AppendSmall is Fits and Append for a message of one frame, of at most SmallBodyMax, which is held back behind others.
// Whoever held back the first of them has seen to it that somebody asks; so there is nothing to Claim.
func (q *Queue) AppendSmall(body []byte) bool {
	n := len(body) + wire.HeaderBytesMin
	if len(body) > wire.ShortBodyMax {
		n = len(body) + wire.HeaderBytesMax
	}
	at := q.encoder.fill
	if q.held == 0 || q.held >= holdMessages-1 || q.room <= 0 || int(q.roomBytes) < n ||
		at+n-q.heldFrom >= holdBytes || at+n > len(q.encoder.chunk.Buf) {
		return false
	}
	b := q.encoder.chunk.Buf[at : at+n]
	if draft := q.encoder.draft; draft != nil {
		drafted := int(q.encoder.drafted) // no more than is held back
		b = draft.Buf[drafted : drafted+n]
		q.encoder.drafted += int32(n)
	}
	copy(b[wire.PutHeader(b, 0, len(body)):], body)
	q.encoder.fill = at + n
	q.held++
	q.sent++
	q.sentBytes += int64(n)
	q.room--
	q.roomBytes -= int32(n)
	return true
}

// TakeSmall is Front and Pop for a message of one frame in a run that Front has seen. It copies the body to memory, which
// must be larger, and returns its length. It does not look whether the writer starves: who finds the queue full says so to
// a Debtor, whose Repay sets popsMost and offMost anew.
func (q *Queue) TakeSmall(memory []byte) (n int, ok bool) {
	b := q.front[min(q.off, len(q.front)):]
	if len(b) < 2 || int(q.pops)+1 >= q.popsMost || q.off >= q.offMost {
		return 0, false
	}
	head := wire.HeaderBytesMin
	switch {
	case b[0] == 0:
		n = int(b[1])
	case b[0] == wire.FlagLong && binary.BigEndian.Uint64(b[1:]) <= SmallBodyMax:
		n, head = int(binary.BigEndian.Uint64(b[1:])), wire.HeaderBytesMax
	default:
		return 0, false
	}
	if n >= len(memory) {
		return 0, false
	}
	copy(memory, b[head:head+n])
	q.off += head + n
	q.pops++
	return n, true
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
