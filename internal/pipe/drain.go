// SPDX-License-Identifier: Apache-2.0

package pipe

import "sync"

// segmentPool holds segments that the drainer has left.
var segmentPool = sync.Pool{New: func() any { return new(segment) }}

// Pending reports whether something is published that has not been drained. For the drainer, and for who is about to
// become it.
func (q *Queue) Pending() bool {
	return markEnd(q.head.mark.Load()) > q.off || q.head.next.Load() != nil
}

// Waiting returns how many messages are there to be drained. For the drainer.
func (q *Queue) Waiting() (messages int) {
	for s := q.head; s != nil; s = s.next.Load() {
		messages += markMessages(s.mark.Load())
	}
	return messages - int(q.seen) - int(q.pops)
}

// Held is Waiting with bytes.
func (q *Queue) Held() (messages, bytes int) {
	for s := q.head; s != nil; s = s.next.Load() {
		bytes += markEnd(s.mark.Load()) - s.from
	}
	return q.Waiting(), bytes - (q.off - q.head.from)
}

// Drained returns the messages and bytes that have been drained since the queue was made. For the drainer.
func (q *Queue) Drained() (messages, bytes int) {
	q.count()
	q.expect()
	return int(q.consumed), int(q.consumedBytes)
}

// step leaves the segment at head, which is drained, for the next one. It reports whether there was one.
func (q *Queue) step() bool {
	s := q.head
	next := s.next.Load()
	if next == nil || markEnd(s.mark.Load()) > q.off { // the mark is final once next is set: look at it after next
		return false
	}
	if s.chunk != nil {
		s.chunk.Release()
		s.chunk = nil
	}
	segmentPool.Put(s)
	q.head, q.off, q.base, q.seen = next, next.from, next.from, 0
	return true
}

// Rest lets go of the chunk of a queue that has been drained, so that an idle queue pins none. It reports whether the
// writer's own chunk is worth a Trim.
func (q *Queue) Rest() bool {
	s := q.head
	if s.chunk == nil {
		return false
	}
	mark := s.mark.Load()
	if markEnd(mark) > q.off || s.next.Load() != nil || !s.mark.CompareAndSwap(mark, mark|markClosed) {
		return false
	}
	q.front = nil
	large := len(s.chunk.Buf) > chunkBytesMin*chunkGrowth
	s.chunk.Release()
	s.chunk = nil
	return large
}

// Gather appends to pieces the bytes to be written next, in order, within the bounds of one write. They stay the same
// until Advance.
func (q *Queue) Gather(pieces [][]byte) [][]byte {
	for q.step() {
	}
	total, off := 0, q.off
	for s := q.head; ; off = s.from {
		mark := s.mark.Load()
		end := markEnd(mark)
		if end > off {
			pieces = s.chunk.appendTo(pieces, off, end)
			total += end - off
		}
		q.last, q.lastEnd, q.lastMessages = s, end, int32(markMessages(mark))
		if len(pieces) >= gatherPieces || total >= gatherBytes {
			return pieces
		}
		next := s.next.Load()
		if next == nil || markEnd(s.mark.Load()) != end {
			return pieces
		}
		s = next
	}
}

// AtBoundary reports whether no message has been written in part.
func (q *Queue) AtBoundary() bool { return q.off == q.base }

// Advance says that n bytes of what Gather gave have been written. Credit comes back as the end of each gathered range is
// reached, not message by message.
func (q *Queue) Advance(n int) {
	for n > 0 {
		s := q.head
		end, messages := q.lastEnd, q.lastMessages
		if s != q.last {
			mark := s.mark.Load()
			end, messages = markEnd(mark), int32(markMessages(mark))
		}
		k := min(n, end-q.off)
		q.off += k
		n -= k
		if q.off == end {
			q.consumed += int64(messages - q.seen)
			q.consumedBytes += int64(end - q.base)
			q.seen, q.base = messages, end
			if s != q.last {
				q.step()
			}
		}
	}
	q.giveBack()
}

// giveBack returns the credit of everything consumed and revives a starved writer at half.
func (q *Queue) giveBack() {
	q.unreturned, q.unreturnedBytes = 0, 0
	if q.consumedBytes != q.returnedBytes.Load() {
		q.returned.Store(q.consumed)
		q.returnedBytes.Store(q.consumedBytes)
	}
	if q.starved.Load() && q.satisfies() {
		q.starved.Store(false)
		q.Producer.Revive(q)
	}
}

// satisfies reports whether a starved writer has half of its limits again.
func (q *Queue) satisfies() bool {
	return q.consumed >= q.wantMessages && q.consumedBytes >= q.wantBytes
}

// Rewind moves back to the start of the message that has been written only in part, so that the next stream carries it
// whole; what was written whole before it is returned. For the drainer, after its stream has broken.
func (q *Queue) Rewind() {
	if q.head.chunk == nil {
		return
	}
	for q.base < q.off {
		n := q.head.chunk.messageBytes(q.base)
		if q.base+n > q.off {
			break
		}
		q.base += n
		q.seen++
		q.consumed++
		q.consumedBytes += int64(n)
	}
	q.off = q.base
	q.giveBack()
}

// Discard drops everything that is queued and returns how many messages that were.
func (q *Queue) Discard() (messages int) {
	q.count()
	before := q.consumed
	for {
		mark := q.head.mark.Load()
		q.consumed += int64(markMessages(mark)) - int64(q.seen)
		q.consumedBytes += int64(markEnd(mark) - q.base)
		q.off, q.base, q.seen = markEnd(mark), markEnd(mark), int32(markMessages(mark))
		if !q.step() && markEnd(q.head.mark.Load()) == q.off {
			break
		}
	}
	q.front = nil
	q.Rest()
	q.giveBack()
	return int(q.consumed - before)
}
