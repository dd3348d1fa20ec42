// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"time"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/internal/pipe"
)

// The path out: a sender publishes → Ready: it writes by itself, or posts to the flusher → drain writes what is queued,
// in as few calls as possible, until nothing is left or the stream takes no more → Writable goes on from there. A sender
// that finds the queue full and nobody at it writes by itself: Steal.

var epoch = time.Now()

// Ready is told by a sender that it has published into a queue at rest; see pipe.Consumer.
func (s *Session) Ready(q *pipe.Queue, later bool) {
	l := s.link.Load()
	if l == nil {
		return
	}
	if !later && l.stream.Inline() {
		// The clock is read only here, once per wake, never per message.
		now := int64(time.Since(epoch))
		if now-l.lastDirect.Load() > int64(directPause) && q.Turn(pipe.Posted, pipe.Draining) {
			l.lastDirect.Store(now)
			l.drain(true)
			return
		}
	}
	l.stream.PostWrite()
}

// Steal lets a sender at the mark write by itself; see pipe.Peer.
func (s *Session) Steal() {
	l := s.link.Load()
	if l == nil || !l.stream.Inline() || !s.End.Out.Turn(pipe.Posted, pipe.Draining) {
		return
	}
	l.drain(true)
	l.lastDirect.Store(int64(time.Since(epoch))) // a burst goes on: its next message is not one to be written alone
}

// Steals reports whether senders may write; see pipe.Peer.
func (s *Session) Steals() bool {
	l := s.link.Load()
	return l != nil && l.stream.Inline()
}

// Flush and Writable are the loop's calls.
func (l *link) Flush() {
	if l.out.Turn(pipe.Posted, pipe.Draining) {
		l.drain(false)
	}
}

// Bursting says that a sender will soon be at its mark and write by itself.
func (l *link) Bursting() bool { return l.out.Bursting() }

// Writable says that the stream may take bytes.
func (l *link) Writable() (waited bool) {
	l.writeEdge.Store(true)
	if q := l.out; q.State() == pipe.Blocked && q.Turn(pipe.Blocked, pipe.Draining) {
		l.drain(false)
		return true
	}
	if l.admitted.Load() {
		return false
	}
	l.mu.Lock()
	opened := l.opened
	l.mu.Unlock()
	if !opened {
		l.Readable(false, false) // the handshake's own output
	}
	return !opened
}

// drain writes what is queued. The caller owns writing. self: the caller is a sender, whom others' messages must not hold
// up for ever.
func (l *link) drain(self bool) {
	q := l.out
	for rounds := 0; ; rounds++ {
		if l.dead.Load() {
			l.handOver()
			return
		}
		finishing := l.finishing.Load() // before the last look at the queue
		if (self && rounds > selfRounds || !self && rounds > 0 && q.Bursting()) && (l.control.held.Load() || q.Pending()) {
			l.leaveWriting(pipe.Posted)
			l.stream.PostWrite()
			return
		}
		l.pieces = l.pieces[:0]
		if q.AtBoundary() {
			l.command = l.control.take(l.command)
			if l.shutdown.Load() {
				l.command = l.command[:0] // answers come too late: to fail here would cut off what the peer has not read yet
			}
		}
		if len(l.command) > 0 {
			l.pieces = append(l.pieces, l.command)
		}
		l.pieces = q.Gather(l.pieces)
		if len(l.pieces) == 0 {
			if l.rest(finishing) {
				return
			}
			continue
		}
		if !l.write() {
			return
		}
	}
}

// rest is reached when nothing is queued. True: the caller no longer owns writing.
func (l *link) rest(finishing bool) bool {
	q := l.out
	if finishing && !l.shutdown.Load() {
		if l.s.config.Mute || !l.wrote { // the peer has nothing to lose by a sudden end
			l.fail(nil)
			return false
		}
		l.shutdown.Store(true)
		if err := l.stream.CloseWrite(); err != nil {
			l.fail(err)
			return false
		}
		l.late.Reset(closeGrace)
	}
	clear(l.pieces[:cap(l.pieces)]) // they would keep chunks from the collector
	if q.Rest() {
		l.trimLater()
	}
	if !q.Yield() {
		return false
	}
	more := l.control.held.Load() || l.finishing.Load() && !l.shutdown.Load()
	if more && q.Turn(pipe.Idle, pipe.Draining) {
		return false
	}
	if l.dead.Load() {
		l.tryEnd()
	}
	return true
}

// trimLater gives the writer's chunk back, if the queue is at rest in a while as well: under load it comes to rest after
// every write.
func (l *link) trimLater() {
	if l.stream.Inline() {
		l.stream.Leave() // and Resume looks
	} else {
		l.s.owner.Trim(l.out)
	}
}

// write writes l.pieces, the first of which is l.command if that is not empty. False: the caller no longer owns writing.
func (l *link) write() bool {
	q := l.out
	pieces := l.pieces
	for len(pieces) > 0 {
		l.writeEdge.Store(false)
		n, err := l.stream.Write(pieces[:min(len(pieces), piecesMax)])
		if n > 0 {
			l.wrote = true
			k := min(n, len(l.command))
			l.command = l.command[k:]
			q.Advance(n - k)
			pieces = skip(pieces, n)
		}
		switch {
		case err == nil:
		case errors.Is(err, ioloop.ErrAgain):
			l.leaveWriting(pipe.Blocked)
			return l.writeEdge.Load() && q.Turn(pipe.Blocked, pipe.Draining)
		default:
			l.writeFailed(err)
			return false
		}
	}
	return true
}

// handOver gives up writing to a link that is dead. The caller may have come so late that it took what was meant for the
// session's next link.
func (l *link) handOver() {
	l.leaveWriting(pipe.Posted)
	if now := l.s.link.Load(); now != nil && now != l {
		now.stream.PostWrite()
		if now.dead.Load() {
			now.tryEnd()
		}
	}
}

// leaveWriting gives up writing.
func (l *link) leaveWriting(to pipe.State) {
	l.out.Set(to)
	if l.dead.Load() {
		l.tryEnd()
	}
}

// writeFailed ends writing for good. What has arrived is read first: the peer may have sent its last words and left.
func (l *link) writeFailed(err error) {
	l.mu.Lock()
	l.writeGone = true
	l.writeError = err
	l.out.Set(pipe.Detached) // before a fail may find that writing is free, and end the link
	l.mu.Unlock()
	l.hangup.Store(true)
	l.readEdge.Store(true)
	if l.readState.Load() == readPaused {
		l.fail(err) // full: nobody may ever make room
		return
	}
	l.stream.PostRead()
	if l.dead.Load() {
		l.tryEnd()
	}
}

// skip drops n bytes from the front of pieces.
func skip(pieces [][]byte, n int) [][]byte {
	for n > 0 && n >= len(pieces[0]) {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}
