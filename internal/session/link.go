// SPDX-License-Identifier: Apache-2.0

package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/zmtp"
)

// readState says who reads a stream.
//
//	idle ── bytes ──> reading ── nothing left ──> idle
//	                     └── queue full, or a receiver took one chunk ──> paused ── room, or a receiver ──> reading
//	any but reading ──> gone
type readState = uint32

const (
	readIdle readState = iota
	reading
	readPaused
	readGone
)

// link is one stream of a session, from greeting to close. What a message needs stands together, so that it takes few lines
// of the cache: with many peers none of them is there. Nor need it look at the session or the end.
type link struct {
	in, out   *pipe.Queue // of the session's end
	stream    ioloop.Stream
	dead      atomic.Bool // set with failure
	admitted  atomic.Bool // what comes in is listened to
	finishing atomic.Bool // closing: write what is queued, drop what comes in
	hangup    atomic.Bool // the peer has stopped writing
	readState atomic.Uint32
	readEdge  atomic.Bool // bytes may have arrived since the last read began

	// Owner of reading.
	revived   atomic.Bool // the queue has room again, since the last look
	unscanned bool        // bytes came with the end of the handshake, before Admit
	deaf      bool        // what the peer sends is dropped
	stored    bool        // store has memory
	handshake *zmtp.Handshake
	chunk     *pipe.Chunk
	start     int // of the earliest unfinished message in chunk
	end       int // of what has been received
	need      int // bytes from start that finish its present frame, as claimed
	readBytes int // size of the next chunk
	largest   int // largest message so far: what a claim is believed up to
	scanner   zmtp.Scanner

	lastDirect atomic.Int64 // when a sender last began to write by itself

	// Owner of writing, which is the queue's drainer.
	writeEdge atomic.Bool // the stream may take bytes since the last write began
	wrote     bool        // anything at all
	pieces    [][]byte
	piece     [1][]byte // of pieces, mostly
	control   control
	command   []byte // taken from control and not written yet

	pulse pulse

	// Seldom.
	store    pipe.Encoder // owner of reading: of small messages
	unsent   []byte       // owner of reading: of the handshake's output
	s        *Session
	shutdown atomic.Bool // CloseWrite is done

	mu         sync.Mutex
	failed     bool
	beginning  bool // Attach has not returned
	opened     bool // writing has an owner of its own; before, it belongs to the owner of reading
	writeGone  bool
	closed     bool
	failure    error
	writeError error
	openedAt   int64       // since epoch
	late       *time.Timer // handshake deadline
}

func newLink(s *Session) *link {
	c := s.config
	l := &link{s: s, in: s.End.In, out: s.End.Out, deaf: c.Deaf, readBytes: readBytesMin}
	l.handshake, l.scanner = zmtp.NewHandshake(c.Handshake), zmtp.NewScanner(c.Scanner)
	l.pieces = l.piece[:]
	l.lastDirect.Store(neverDirect)
	return l
}

// begin is called when the stream is there and before any event.
func (l *link) begin() {
	l.beginning = true
	l.late = time.AfterFunc(lateNever, l.expire)
	if d := l.s.config.HandshakeTimeout; d > 0 {
		l.late.Reset(d)
	}
	l.s.link.Store(l)
}

// expire is reached when the handshake takes too long, or the peer does not close after we have.
func (l *link) expire() {
	if l.shutdown.Load() {
		l.fail(nil)
		return
	}
	l.fail(&zmtp.Error{Reason: zmtp.HandshakeTimeout})
}

// begun is called when events may come. Until then the stream must not be closed.
func (l *link) begun() {
	l.mu.Lock()
	l.beginning = false
	failed := l.failed
	l.mu.Unlock()
	l.s.mu.Lock()
	over, reason := l.s.over, l.s.reason
	l.s.mu.Unlock()
	if over && !failed { // Abort came before the link could be seen
		l.fail(reason)
	} else if failed {
		l.tryEnd()
	}
}

// Admit lets traffic flow, after Attach.
func (s *Session) Admit() {
	if l := s.link.Load(); l != nil {
		l.open()
		l.listen()
	}
}

// Open is the half of Admit that lets messages go out.
func (s *Session) Open() {
	if l := s.link.Load(); l != nil {
		l.open()
	}
}

func (l *link) open() {
	l.mu.Lock()
	if l.failed || l.opened {
		l.mu.Unlock()
		return
	}
	s := l.s
	s.mu.Lock()
	s.state = Up
	closing := s.closing
	s.mu.Unlock()
	if closing {
		l.finishing.Store(true)
	}
	l.opened, l.openedAt = true, int64(time.Since(epoch))
	s.End.Out.Set(pipe.Posted) // not after a fail that has seen no owner of writing
	l.mu.Unlock()
	l.pulse.start(l)
	l.stream.PostWrite()
}

func (l *link) listen() {
	l.admitted.Store(true)
	if l.readState.Load() == readPaused {
		l.stream.PostRead()
	}
}

// finish writes what is queued, then ends: see drain.
func (l *link) finish() {
	l.finishing.Store(true)
	q := l.out
	if q.Turn(pipe.Idle, pipe.Posted) || q.State() == pipe.Posted {
		l.stream.PostWrite()
	}
	if l.readState.Load() == readPaused {
		l.stream.PostRead()
	}
}

// fail ends the link for a reason; the first one counts. Both owners let go as soon as they look.
func (l *link) fail(reason error) {
	l.mu.Lock()
	if !l.failed {
		l.failed, l.failure = true, reason
		l.dead.Store(true)
		if !l.closed {
			l.stream.Abort()
		}
	}
	l.mu.Unlock()
	l.tryEnd()
}

// tryEnd takes both directions from whoever is not at work in them, and closes the stream when it has both.
func (l *link) tryEnd() {
	l.mu.Lock()
	if l.opened && !l.writeGone {
		l.writeGone = l.takeWriting()
	}
	readGone := l.readState.Load() == readGone || l.readState.CompareAndSwap(readIdle, readGone) || l.readState.CompareAndSwap(readPaused, readGone)
	end := readGone && (l.writeGone || !l.opened) && !l.closed && !l.beginning
	if end {
		l.closed = true
	}
	reason := l.failure
	l.mu.Unlock()
	if !end {
		return
	}
	l.late.Stop()
	l.pulse.stop()
	if l.chunk != nil {
		l.chunk.Release()
		l.chunk = nil
	}
	l.store.Trim()
	l.stream.Close()
	l.s.lost(l, reason)
}

func (l *link) takeWriting() bool {
	q := l.out
	for {
		state := q.State()
		if state == pipe.Draining {
			return false
		}
		if q.Turn(state, pipe.Detached) {
			return true
		}
	}
}

// control holds commands until the owner of writing takes them.
type control struct {
	held   atomic.Bool
	mu     sync.Mutex
	buffer []byte
}

// post queues a whole command, unless too much waits already.
func (c *control) post(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.buffer)+len(frame) > controlBytesMax {
		return false
	}
	c.buffer = append(c.buffer, frame...)
	c.held.Store(true)
	return true
}

// take appends what has been posted to rest, which is empty or what is left of the last take.
func (c *control) take(rest []byte) []byte {
	if !c.held.Load() {
		return rest
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Store(false)
	rest = append(rest, c.buffer...)
	c.buffer = c.buffer[:0]
	return rest
}

// post has a command written soon, at a message boundary.
func (l *link) post(frame []byte) {
	if l.control.post(frame) && l.out.Claim() {
		l.stream.PostWrite()
	}
}
