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
	switch {
	case l.readState.CompareAndSwap(readIdle, reading):
		l.read(led)
	case !hangup || l.readState.Load() != readPaused:
	case l.admitted.Load():
		l.s.owner.Hung(l.s)
	case l.readState.CompareAndSwap(readPaused, reading):
		l.read(led)
	}
}

// Resume reads on after a pause.
func (l *link) Resume() {
	if q := l.out; q.State() == pipe.Idle {
		l.s.owner.Trim(q)
	}
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
	return s.End.In.Pending() // or a peer that floods with what is no message would keep the receiver, and its turn
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

// read reads until nothing is left, the queue is full or others should have their turn. The caller owns reading. once: it
// is a receiver that wants its message more than anybody else's.
func (l *link) read(once bool) {
	for reads := 0; ; reads++ {
		if l.dead.Load() {
			l.leaveReading(readIdle)
			return
		}
		if reads == readsMost {
			l.leaveReading(readPaused)
			l.stream.PostRead()
			return
		}
		if l.handshake == nil && !l.mayRead() {
			return
		}
		l.readEdge.Store(false)
		hangup := l.hangup.Load()
		if l.handshake != nil {
			if err := l.flushHandshake(); err != nil {
				l.fail(err)
				l.leaveReading(readIdle)
				return
			}
		}
		n, room := 0, 0
		if !l.unscanned {
			var err error
			buffer := l.space()
			room = len(buffer)
			n, err = l.stream.Read(buffer)
			if n == 0 || err != nil {
				if l.readEnded(err) {
					return
				}
				continue
			}
			l.end += n
		}
		published, err := l.take()
		if err != nil {
			l.protest(err)
			return
		}
		switch {
		case l.unscanned: // what is here already makes no event
		case n == room:
			l.readBytes = min(l.readBytes*4, readBytesMax)
		case l.stream.Inline() && !hangup && !l.readEdge.Load():
			// A short read has emptied the stream; if more came since, readEdge says so.
			if l.idle() {
				return
			}
			continue
		}
		if once && published {
			l.pause()
			return
		}
	}
}

// mayRead reports whether there is room for messages, or else pauses.
func (l *link) mayRead() bool {
	if !l.admitted.Load() {
		// Who was accepted and has left without a word is seen to have. To the others Attach may not have come yet, and must not
		// after their stream is gone.
		unread := l.s.Accepted && !l.unscanned
		return l.wait(func() bool { return l.admitted.Load() || unread && l.hangup.Load() })
	}
	l.revived.Store(false)
	if l.finishing.Load() || l.in.Fits(1, 0) {
		return true
	}
	if broken := l.writingBroken(); broken != nil { // full, and nobody may ever make room
		l.fail(broken)
		l.leaveReading(readIdle)
		return false
	}
	l.shrink()
	if l.wait(func() bool { return l.finishing.Load() || l.revived.Load() }) {
		return true
	}
	if l.hangup.Load() {
		l.s.owner.Hung(l.s)
	}
	return false
}

// writingBroken returns why writing has ended before reading, if it has.
func (l *link) writingBroken() error {
	if !l.hangup.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writeError
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
	l.leaveReading(readPaused)
	l.stream.Leave() // not before: Resume would find nobody to resume
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
		if broken := l.writingBroken(); broken != nil { // everything that had arrived has been read
			l.fail(broken)
			l.leaveReading(readIdle)
			return true
		}
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
		return l.chunk.Buf[l.end:min(len(l.chunk.Buf), l.end+readMost)]
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
	return next.Buf[l.end:min(len(next.Buf), l.end+readMost)]
}

// shrink lets a stream that is idle, or not read because its queue is full, keep no more than it needs.
func (l *link) shrink() {
	if l.stored && !l.lags() {
		l.store.Trim()
		l.stored = false
	}
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

// flushHandshake writes what the handshake has to say.
func (l *link) flushHandshake() error {
	l.unsent = append(l.unsent, l.handshake.Output()...)
	for len(l.unsent) > 0 {
		n, err := l.stream.Write([][]byte{l.unsent})
		l.unsent = l.unsent[n:]
		if errors.Is(err, ioloop.ErrAgain) {
			return nil // Writable comes back; reading may go on
		}
		if err != nil {
			return err
		}
	}
	return nil
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
		if err := l.flushHandshake(); err != nil {
			return false, err
		}
		l.greeted()
	}
	admitted := l.admitted.Load()
	if l.unscanned = !admitted && l.start < l.end; !admitted {
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

// scan publishes the whole messages received and answers commands. Any bytes are a sign of life, also those of a large
// message that takes its time.
func (l *link) scan() (published bool, err error) {
	in := l.in
	told := false
	g := gap{l: l}
	for g.left() && err == nil { // an error takes back nothing of what came before it
		var r zmtp.Result
		if r, err = l.scanner.Scan(l.chunk.Buf[l.start+g.bytes : l.end]); err != nil {
			break
		}
		if r.Kind == zmtp.CommandFrame {
			var heard bool
			heard, err = l.obey(r.Body)
			told = told || heard
			g.cut(r.CommandAt, r.CommandBytes)
			continue
		}
		g.close()
		l.need = r.Need
		if r.Kind == zmtp.NeedMore {
			break
		}
		if !l.deaf && !l.finishing.Load() {
			l.publish(r.Bytes, r.Messages)
			published = true
		}
		l.start += r.Bytes
		l.largest = max(l.largest, r.Bytes/r.Messages)
	}
	g.close()
	if published {
		l.lastDirect.Store(neverDirect) // who takes turns is not in a burst: the answer may be written at once
	}
	if (published || told) && in.Claim() {
		in.Consumer.Ready(in, true)
	}
	l.pulse.traffic(l)
	return published, err
}

// publish hands over whole messages, which begin at start, where they stand, unless that would keep much more memory than
// they need: a chunk of which they fill little, if it is large or earlier messages wait as well.
func (l *link) publish(bytes, messages int) {
	size := len(l.chunk.Buf)
	if bytes*emptyMost >= size || size <= readBytesMin && !l.lags() {
		l.in.Publish(l.chunk, l.start, l.start+bytes, messages)
		return
	}
	l.publishCopy(l.chunk.Buf[l.start:l.start+bytes], messages)
}

// publishCopy hands over whole messages behind others in a small chunk, or in one of their own size: so many that come one
// by one, and wait, share the chunks they stand in.
func (l *link) publishCopy(encoded []byte, messages int) {
	c, from, to := l.store.Encode(encoded, nil, func() bool { return false })
	l.in.Publish(c, from, to, messages)
	if l.stored = len(c.Buf) <= storeBytes; !l.stored {
		l.store.Trim()
	}
}

// lags reports whether messages wait to be received.
func (l *link) lags() bool {
	queued, _ := l.in.Queued()
	return queued > 0
}

// gap is where commands have been cut out of an unfinished message: what follows moves down, piece by piece, so that any
// number of commands costs one move of what was received.
type gap struct {
	l     *link
	at    int // where it is, from l.start
	bytes int
}

// left reports whether there is something behind it.
func (g *gap) left() bool { return g.l.start+g.bytes+g.at < g.l.end }

// cut takes out a command that stands at, seen from l.start without the gap.
func (g *gap) cut(at, bytes int) {
	l := g.l
	if at == 0 {
		l.start += bytes
		return
	}
	if g.bytes > 0 {
		copy(l.chunk.Buf[l.start+g.at:], l.chunk.Buf[l.start+g.bytes+g.at:l.start+g.bytes+at])
	}
	g.at = at
	g.bytes += bytes
}

// close moves down what is behind it.
func (g *gap) close() {
	l := g.l
	if g.bytes > 0 {
		copy(l.chunk.Buf[l.start+g.at:], l.chunk.Buf[l.start+g.bytes+g.at:l.end])
		l.end -= g.bytes
	}
	g.at, g.bytes = 0, 0
}

// obey answers one command. told: it was published.
func (l *link) obey(body []byte) (told bool, err error) {
	command, err := zmtp.ParseCommand(body)
	if err != nil {
		return false, err
	}
	switch command.Name {
	case zmtp.CommandSubscribe, zmtp.CommandCancel:
		if l.s.config.Subscriptions {
			var room [subscriptionBytes]byte
			l.publishCopy(zmtp.AppendSubscription(room[:0], command.Name == zmtp.CommandSubscribe, command.Body), 1)
			return true, nil
		}
	case zmtp.CommandPing:
		l.pulse.ping(l, command.TTL)
		l.post(zmtp.AppendPong(nil, command.Body))
	}
	return false, nil
}
