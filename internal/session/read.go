// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"io"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/zmtp"
)

// The path in: bytes arrive → Readable, Resume or ReadMore makes its caller the owner of reading → read fills a chunk →
// scan finds whole messages in it and publishes them where they stand → the owner pauses when the queue is full, or after
// one chunk if it is a receiver.

// errPeerClosed is why a link ends when its peer is done.
var errPeerClosed = errors.New("session: closed by peer")

// Readable is the loop's call.
func (l *link) Readable(hangup, led bool) {
	if hangup {
		l.hangup.Store(true)
	}
	l.readEdge.Store(true)
	if l.readState.CompareAndSwap(readIdle, reading) {
		l.read(led)
	}
}

// Resume reads on after a pause.
func (l *link) Resume() {
	if l.readState.CompareAndSwap(readPaused, reading) || l.hangup.Load() && l.readState.CompareAndSwap(readIdle, reading) {
		l.read(false)
	}
}

// ReadMore lets a receiver read by itself; see pipe.Peer.
func (s *Session) ReadMore() bool {
	l := s.link.Load()
	if l == nil || l.readState.Load() != readPaused || !l.admitted.Load() {
		return false
	}
	if !l.stream.Inline() {
		l.stream.PostRead()
		return false
	}
	if !l.readState.CompareAndSwap(readPaused, reading) {
		return false
	}
	l.read(true)
	return true
}

// Revive says that In has room again; see pipe.Producer.
func (s *Session) Revive(*pipe.Queue) {
	l := s.link.Load()
	if l == nil {
		return
	}
	l.revived.Store(true)
	if l.readState.Load() == readPaused {
		l.stream.PostRead()
	}
}

// read reads until nothing is left or the queue is full. The caller owns reading. once: it is a receiver that wants its
// message more than anybody else's.
func (l *link) read(once bool) {
	for {
		if l.dead.Load() {
			l.leaveReading(readIdle)
			return
		}
		if l.handshake == nil {
			if !l.mayRead() {
				return
			}
			if l.unscanned {
				l.unscanned = false
				if _, err := l.scan(); err != nil {
					l.protest(err)
					return
				}
				continue
			}
		}
		l.readEdge.Store(false)
		hangup := l.hangup.Load()
		if l.handshake != nil && !l.flushHandshake() {
			return
		}
		buffer := l.space()
		n, err := l.stream.Read(buffer)
		if n == 0 || err != nil {
			if l.readEnded(err) {
				return
			}
			continue
		}
		l.end += n
		published, err := l.take()
		if err != nil {
			l.protest(err)
			return
		}
		if n == len(buffer) {
			l.readBytes = min(l.readBytes*4, readBytesMax)
		} else if l.stream.Inline() && !hangup && !l.readEdge.Load() {
			// A short read has emptied the stream; if more came since, readEdge says so.
			if l.idle() {
				return
			}
			continue
		}
		if once && published && l.handshake == nil {
			l.pause()
			return
		}
	}
}

// mayRead reports whether there is room for messages, or else pauses.
func (l *link) mayRead() bool {
	if !l.admitted.Load() {
		return l.wait(l.admitted.Load)
	}
	l.revived.Store(false)
	if l.finishing.Load() || l.s.End.In.Fits(1, 0) {
		return true
	}
	l.mu.Lock()
	broken := l.writeError
	l.mu.Unlock()
	if broken != nil { // full, and nobody may ever make room
		l.fail(broken)
		l.leaveReading(readIdle)
		return false
	}
	return l.wait(func() bool { return l.finishing.Load() || l.revived.Load() })
}

// wait pauses until somebody resumes, unless what it waits for has come already.
func (l *link) wait(over func() bool) bool {
	l.readState.Store(readPaused)
	if over() && l.readState.CompareAndSwap(readPaused, reading) {
		return true
	}
	if l.dead.Load() {
		l.tryEnd()
	}
	return false
}

// pause leaves bytes unread for whoever wants them next.
func (l *link) pause() {
	l.stream.Leave()
	l.leaveReading(readPaused)
}

// idle is reached when the stream is empty. True: the caller no longer owns reading.
func (l *link) idle() bool {
	l.shrink()
	l.readState.Store(readIdle)
	if l.readEdge.Load() && l.readState.CompareAndSwap(readIdle, reading) {
		return false
	}
	if l.dead.Load() {
		l.tryEnd()
	}
	return true
}

func (l *link) leaveReading(to readState) {
	l.readState.Store(to)
	if l.dead.Load() {
		l.tryEnd()
	}
}

// readEnded handles a read that brought nothing. True: the caller no longer owns reading.
func (l *link) readEnded(err error) bool {
	if errors.Is(err, ioloop.ErrAgain) {
		return l.idle()
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = errPeerClosed
	}
	if l.finishing.Load() && l.shutdown.Load() {
		err = nil // the peer has everything and has closed in turn
	}
	l.fail(err)
	l.leaveReading(readIdle)
	return true
}

// space returns where the next bytes go: a good part of the present chunk, or of a new one to which an unfinished message
// moves. A claim of the peer counts only up to the largest message it has really sent; beyond, memory doubles with what
// arrives.
func (l *link) space() []byte {
	if l.chunk == nil {
		l.chunk, l.start, l.end = pipe.NewChunk(l.readBytes), 0, 0
	}
	free := len(l.chunk.Buf) - l.end
	rest := l.end - l.start
	if free >= readSlack || free > 0 && l.need > rest && l.need-rest <= free {
		return l.chunk.Buf[l.end:]
	}
	size := l.readBytes
	if l.need > size || rest+readSlack > size {
		size = max(size, min(max(l.need, rest+readSlack), max(readBytesMax, 2*rest, l.largest)))
	}
	next := pipe.NewChunk(size)
	l.end = copy(next.Buf, l.chunk.Buf[l.start:l.end])
	l.start = 0
	l.chunk.Release()
	l.chunk = next
	return next.Buf[l.end:]
}

// shrink lets an idle stream keep no more than it needs.
func (l *link) shrink() {
	if l.chunk == nil {
		return
	}
	rest := l.end - l.start
	if rest == 0 {
		if l.end*8 < l.readBytes {
			l.readBytes = max(l.readBytes/4, readBytesMin)
		}
		l.chunk.Release()
		l.chunk = nil
	} else if rest <= restBytesMax && len(l.chunk.Buf) > 2*restBytesMax {
		next := pipe.NewChunk(rest)
		copy(next.Buf, l.chunk.Buf[l.start:l.end])
		l.chunk.Release()
		l.chunk, l.start, l.end = next, 0, rest
	}
}

// flushHandshake writes what the handshake has to say. False: the caller no longer owns reading.
func (l *link) flushHandshake() bool {
	l.unsent = append(l.unsent, l.handshake.Output()...)
	for len(l.unsent) > 0 {
		n, err := l.stream.Write([][]byte{l.unsent})
		l.unsent = l.unsent[n:]
		if errors.Is(err, ioloop.ErrAgain) {
			return true // Writable comes back; reading may go on
		}
		if err != nil {
			l.fail(err)
			l.leaveReading(readIdle)
			return false
		}
	}
	return true
}

// protest ends the link for what the peer sent, with the handshake's last word if it has one.
func (l *link) protest(err error) {
	if l.handshake != nil {
		if last := append(l.unsent, l.handshake.Output()...); len(last) > 0 {
			l.stream.Write([][]byte{last}) // a new stream has room for it; the peer may do without
			l.stream.CloseWrite()
		}
	}
	l.fail(err)
	l.leaveReading(readIdle)
}

// take handles what has been received. It reports whether messages were published.
func (l *link) take() (published bool, err error) {
	if l.handshake != nil {
		n, err := l.handshake.Feed(l.chunk.Buf[l.start:l.end])
		l.start += n
		if err != nil || !l.handshake.Done() {
			return false, err
		}
		if !l.flushHandshake() {
			return false, nil
		}
		l.greeted()
	}
	if !l.admitted.Load() {
		l.unscanned = true
		return false, nil
	}
	return l.scan()
}

// greeted is reached when the handshake is done.
func (l *link) greeted() {
	peer := l.handshake.Peer()
	l.handshake = nil
	l.late.Stop()
	l.s.owner.Attach(l.s, peer)
}

// scan publishes the whole messages received and answers commands.
func (l *link) scan() (published bool, err error) {
	in := l.s.End.In
	wake := false
	for l.start < l.end {
		r, err := l.scanner.Scan(l.chunk.Buf[l.start:l.end])
		if err != nil {
			return published, err
		}
		switch r.Kind {
		case zmtp.Messages:
			if !l.s.config.Deaf && !l.finishing.Load() {
				in.Publish(l.chunk, l.start, l.start+r.Bytes, r.Messages)
				published, wake = true, true
			}
			l.start += r.Bytes
			l.largest = max(l.largest, r.Bytes/r.Messages)
		case zmtp.CommandFrame:
			told, err := l.obey(r)
			if err != nil {
				return published, err
			}
			wake = wake || told
		default:
			l.need = r.Need
			if wake && in.Claim() {
				in.Consumer.Ready(in, true)
			}
			l.pulse.traffic(l)
			return published, nil
		}
	}
	l.need = 0
	if wake && in.Claim() {
		in.Consumer.Ready(in, true)
	}
	l.pulse.traffic(l)
	return published, nil
}

// obey answers one command and takes it out of what has been received. told: it was published.
func (l *link) obey(r zmtp.Result) (told bool, err error) {
	command, err := zmtp.ParseCommand(r.Body)
	if err != nil {
		return false, err
	}
	switch command.Name {
	case zmtp.CommandSubscribe, zmtp.CommandCancel:
		if l.s.config.Subscriptions {
			frame := zmtp.AppendSubscription(nil, command.Name == zmtp.CommandSubscribe, command.Body)
			c := pipe.NewChunk(len(frame))
			copy(c.Buf, frame)
			l.s.End.In.Publish(c, 0, len(frame), 1)
			c.Release()
			told = true
		}
	case zmtp.CommandPing:
		l.pulse.ping(l, command.TTL)
		l.post(zmtp.AppendPong(nil, command.Body))
	}
	b := l.chunk.Buf[l.start:l.end]
	copy(b[r.CommandBytes:], b[:r.CommandAt])
	l.start += r.CommandBytes
	return told, nil
}
