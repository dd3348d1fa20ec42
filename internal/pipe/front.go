// SPDX-License-Identifier: Apache-2.0

package pipe

// returnMax is how many messages a drainer pops from an unlimited queue, twice over, before it returns their bytes.
const returnMax = 1000

// Front returns the oldest message as it stands on the wire, or nil. It stays valid until the Front after the next Pop.
func (q *Queue) Front() []byte {
	if q.off >= len(q.front) && !q.look() {
		return nil
	}
	b := q.front[q.off:]
	if b[0] == 0 {
		return b[:2+int(b[1])]
	}
	return b[:messageBytes(b)]
}

// look finds the next run of messages. It reports whether there is one.
func (q *Queue) look() bool {
	for {
		if end := markEnd(q.head.mark.Load()); end > q.off {
			q.front = q.head.chunk.Buf[:end]
			limit := int(q.limitMessages.Load())
			if limit <= 0 {
				limit = returnMax
			}
			q.returnEvery = (limit + 1) / 2
			return true
		}
		if !q.step() && q.head.next.Load() == nil {
			return false
		}
		q.front = nil
	}
}

// Pop drops the oldest message, which Front returned and which is n bytes long. Its credit comes back with that of half
// of the limit or of the byte mark, with what a starved writer waits for, or when the queue is found empty.
func (q *Queue) Pop(n int) {
	q.off += n
	q.base = q.off
	q.seen++
	q.consumed++
	q.consumedBytes += int64(n)
	q.unreturned++
	q.unreturnedBytes += n
	if q.unreturned >= q.returnEvery || q.unreturnedBytes >= ByteMark/2 || q.starved.Load() && q.satisfies() {
		q.giveBack()
	}
}

// Repay returns the credit of all that has been popped.
func (q *Queue) Repay() {
	if q.unreturned > 0 {
		q.giveBack()
	}
}

// Settle is called by a drainer that found Front empty: it returns all credit and lets go of the chunk.
func (q *Queue) Settle() {
	q.Repay()
	q.Rest()
}

// Steal returns the memory of the oldest message, n bytes long, which was the last return value of Front, if nobody else
// has a part in it and it is large enough to be worth it; the message begins at its start. The queue keeps old instead.
// Pop must follow.
func (q *Queue) Steal(n int, old []byte) (memory []byte, ok bool) {
	c := q.head.chunk
	if len(c.Buf) < ChunkBytes || q.off != 0 || 2*n < len(c.Buf) || c.refs.Load() != 1 {
		return nil, false
	}
	if markEnd(q.head.mark.Load()) != n { // final, since the writer has let go of the chunk
		return nil, false
	}
	memory, c.Buf = c.Buf, old[:cap(old)]
	return memory, true
}
