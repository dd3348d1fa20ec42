// SPDX-License-Identifier: Apache-2.0

// Package ioloop tells streams when they can be read and written. Two backends stand behind one interface: epoll, for
// streams that hand out a descriptor on Linux, and goroutine, for all others: one goroutine reads and one writes, and
// both block.
//
// A native loop waits inside Go's own poller: its epoll descriptor is registered there, so a sleeping loop holds no
// thread and no P. Whoever holds its token runs it. That is the standby goroutine, or a leader: a receiver that has
// nothing to receive and fetches its message itself, which saves the way through the scheduler. Work that a caller leaves
// behind goes to the loop's flusher, a goroutine woken through a channel: waking through the scheduler, rather than with
// a descriptor, lets messages gather while it gets going.
package ioloop

import (
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/zwire-mq/zwire/transport"
)

// ErrAgain says that a native stream has nothing to read, or takes no more, until its Handler is told.
var ErrAgain = errors.New("ioloop: stream not ready")

// Handler is told what its stream can do. A native loop calls Readable and Writable, one at a time; the flusher calls
// Flush and Resume beside them. The goroutine backend calls Readable and Resume from its reader, Flush from its writer.
type Handler interface {
	// Readable says that bytes may have arrived. hangup: the peer has stopped writing, so read on to the end. led: the
	// caller is a receiver waiting for its message.
	Readable(hangup, led bool)
	// Writable says that the stream may take bytes again. It reports whether any have waited for that.
	Writable() bool
	// Flush answers PostWrite.
	Flush()
	// Bursting reports whether messages are being queued so fast that Flush may wait for other threads to have their turn.
	Bursting() bool
	// Resume answers PostRead.
	Resume()
}

// Stream is a stream with a Handler. Read, Write and Close are for whoever owns that direction, Close for who owns both;
// the rest may be called by anybody.
type Stream interface {
	Read(b []byte) (int, error)
	// Write writes pieces in order and returns how many bytes were taken; fewer than all without an error is possible.
	Write(pieces [][]byte) (int, error)
	// CloseWrite tells the peer that nothing more will come.
	CloseWrite() error
	// Abort makes both directions fail soon.
	Abort()
	Close()
	PostWrite()
	PostRead()
	// Leave asks for Resume in case the caller, a receiver that stops reading with bytes left, does not come back.
	Leave()
	// Inline reports whether anybody may Read and Write without being held up.
	Inline() bool
}

// Group is the loops of a context. It costs nothing until the first stream is attached.
type Group struct {
	mu     sync.Mutex
	native []*Loop // started ones; nil until then
	next   int
	users  int
}

// NewGroup returns a Group of n loops; n <= 0 chooses one per P, at most eight.
func NewGroup(n int) *Group {
	if n <= 0 {
		n = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	return &Group{native: make([]*Loop, n)}
}

// Acquire keeps the loops running until Release. It returns the loops for the caller's streams. leads: the caller receives,
// and so leads.
func (g *Group) Acquire(leads bool) *Home {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users++
	g.next = (g.next + 1) % len(g.native)
	h := &Home{group: g, first: g.next, loops: len(g.native)}
	if leads {
		h.loops = max(1, h.loops/leaderLoops)
	}
	return h
}

// Home is one socket's share of a Group: its streams stay on one loop up to a number, then spread over several.
type Home struct {
	group *Group
	first int
	loops int

	mu      sync.Mutex
	streams int     // attached now
	own     []*Loop // that streams have been attached to
	led     *Loop   // the one that the socket's goroutines lead
}

// homeStreams is how many streams of one socket share a loop, so that one receiver can lead them all.
const homeStreams = 64

// leaderLoops is how many loops there must be for each that the streams of one receiving socket spread over: a receiver that
// leads is as good as a loop, and three threads on two cores are in each other's way.
const leaderLoops = 2

// Release lets the loops stop when nobody else uses them; it returns when they have. The streams are closed by then.
func (h *Home) Release() {
	g := h.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users--; g.users > 0 {
		return
	}
	for i, l := range g.native {
		if l != nil {
			l.stop()
			g.native[i] = nil
		}
	}
}

// Attach puts a stream under h's care. start is called with the new Stream before any method of the Handler is; the Stream
// must not be closed before Attach returns. On error it is closed, and the Handler will not be called.
func (h *Home) Attach(s transport.Stream, handler Handler, start func(Stream)) error {
	if d, ok := s.(transport.Detacher); ok && nativeLoops {
		l, err := h.pick()
		if err != nil {
			s.Close()
			return err
		}
		fd, err := d.Detach()
		if err != nil {
			h.leave(l)
			s.Close()
			return err
		}
		return l.attach(fd, handler, h, start)
	}
	attachBlocking(s, handler, start)
	return nil
}

// pick returns the loop for one more stream, started.
func (h *Home) pick() (*Loop, error) {
	h.mu.Lock()
	other := h.streams / homeStreams % h.loops
	h.streams++
	h.mu.Unlock()
	l, err := h.group.loop(h.first + other)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.streams--
		return nil, err
	}
	if other > 0 {
		l.aliens.Add(1)
	} else {
		h.led = l
	}
	if !slices.Contains(h.own, l) {
		h.own = append(h.own, l)
	}
	return l, nil
}

// leave says that a stream of l is gone.
func (h *Home) leave(l *Loop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
	if l != h.led {
		l.aliens.Add(-1)
	}
}

// Loop returns the loop that a receiver of this home should lead, or nil.
func (h *Home) Loop() *Loop {
	if h == nil {
		return nil
	}
	g := h.group
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.native[h.first]
}

// Polled notes that somebody has looked for a message, or for room, in vain and does not wait for it.
func (h *Home) Polled() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.own {
		if !l.polled.Load() {
			l.polled.Store(true)
		}
	}
}

func (g *Group) loop(i int) (*Loop, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i %= len(g.native)
	if g.native[i] == nil {
		l, err := newLoop()
		if err != nil {
			return nil, err
		}
		g.native[i] = l
	}
	return g.native[i], nil
}
