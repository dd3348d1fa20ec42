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
			return true
		}
		if q.head.next.Load() == nil {
			return false
		}
		q.count()
		q.step()
		q.front = nil
		q.expect()
	}
}

// Pop drops the oldest message, which Front returned and which is n bytes long. Its credit comes back with that of half
// of the limit or of the byte mark, with what a starved writer waits for, or when the queue is found empty.
func (q *Queue) Pop(n int) {
	q.off += n
	q.pops++
	if int(q.pops) >= q.popsMost || q.off >= q.offMost || q.starved.Load() {
		q.count()
		if q.unreturned >= q.returnEvery() || q.unreturnedBytes >= ByteMark/2 || q.starved.Load() && q.satisfies() {
			q.giveBack()
		}
		q.expect()
	}
}

// count counts what has been popped.
func (q *Queue) count() {
	if q.pops == 0 {
		return
	}
	bytes := q.off - q.base
	q.base = q.off
	q.seen += q.pops
	q.consumed += int64(q.pops)
	q.consumedBytes += int64(bytes)
	q.unreturned += int(q.pops)
	q.unreturnedBytes += bytes
	q.pops = 0
}

// expect sets when Pop must look whether credit is due. Everything is counted.
func (q *Queue) expect() {
	q.popsMost = max(1, q.returnEvery()-q.unreturned)
	q.offMost = q.off + ByteMark/2 - q.unreturnedBytes
	if !q.starved.Load() {
		return
	}
	messages, bytes := q.wantMessages-q.consumed, q.wantBytes-q.consumedBytes
	if messages > 0 || bytes <= 0 { // if it had both before it asked again, it gets what comes next
		q.popsMost = min(q.popsMost, int(max(messages, 1)))
	}
	if bytes > 0 {
		q.offMost = min(q.offMost, q.off+int(bytes))
	}
}

// returnEvery is after how many messages a drainer that pops returns credit.
func (q *Queue) returnEvery() int {
	limit := int(q.limitMessages.Load())
	if limit <= 0 {
		limit = returnMax
	}
	return (limit + 1) / 2
}

// Repay returns the credit of all that has been popped.
func (q *Queue) Repay() {
	if q.count(); q.unreturned > 0 {
		q.giveBack()
	}
	q.expect()
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
