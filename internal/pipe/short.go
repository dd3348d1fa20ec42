// SPDX-License-Identifier: Apache-2.0

package pipe

import "math"

// The short way: in the middle of a burst of short messages nearly all of what Fits and Append, Front and Pop look at is
// as it was one message ago. AppendShort and TakeShort do what is left, without a call, and say false when anything is
// different; then the long way is due.

// Quicken says that the limits are those of byteMark and lets AppendShort use what is left of them; until the next Fits.
// The writer calls it after Append.
func (q *Queue) Quicken(byteMark int) {
	q.room, q.roomBytes = math.MaxInt, math.MaxInt
	if limit := q.limitMessages.Load(); limit > 0 {
		q.room = int(limit - (q.sent - q.granted))
	}
	if limit := q.byteBound(byteMark); limit > 0 {
		q.roomBytes = int(limit - (q.sentBytes - q.grantedBytes))
	}
}

// AppendShort is Fits and Append for a message of one short frame which is held back behind others. Whoever held back the
// first of them has seen to it that somebody asks; so there is nothing to Claim.
func (q *Queue) AppendShort(body []byte) bool {
	n := len(body) + 2
	at := q.encoder.fill
	if q.held == 0 || q.held >= holdMessages-1 || q.room <= 0 || q.roomBytes < n ||
		at+n-q.heldFrom >= holdBytes || at+n > len(q.encoder.chunk.Buf) {
		return false
	}
	b := q.encoder.chunk.Buf[at:]
	b[0], b[1] = 0, byte(len(body))
	copy(b[2:], body)
	q.encoder.fill = at + n
	q.held++
	q.sent++
	q.sentBytes += int64(n)
	q.room--
	q.roomBytes -= n
	return true
}

// TakeShort is Front and Pop for a message of one short frame in a run that Front has seen. It copies the body to memory,
// which must be larger, and returns its length.
func (q *Queue) TakeShort(memory []byte) (n int, ok bool) {
	b := q.front[min(q.off, len(q.front)):]
	if len(b) < 2 || b[0] != 0 || q.pops+1 >= q.popsMost || q.off >= q.offMost || q.starved.Load() {
		return 0, false
	}
	n = int(b[1])
	if n >= len(memory) {
		return 0, false
	}
	copy(memory, b[2:2+n])
	q.off += 2 + n
	q.pops++
	return n, true
}
