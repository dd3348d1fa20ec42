// SPDX-License-Identifier: Apache-2.0

package simnet

import (
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
)

// Link is a stream as the network sees it: both ends, both directions.
type Link struct {
	network *Network
	from    string
	address string
	number  int
	ends    [2]*stream // who dialled, who accepted
	stalled bool
}

// Address is the one that was dialled.
func (l *Link) Address() string { return l.address }

// From is the host that dialled, empty when it has no name.
func (l *Link) From() string { return l.from }

// Number counts the links of a network from 1.
func (l *Link) Number() int { return l.number }

// Cut breaks both directions at once: what was not read yet is lost, and both ends get syscall.ECONNRESET.
func (l *Link) Cut() {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	l.cut()
}

// Stall keeps octets and ends of both directions from arriving, or lets them go on.
func (l *Link) Stall(stalled bool) {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	l.stalled = stalled
	l.wake()
}

// In what follows the network's mu is held.

func (l *Link) cut() {
	for _, end := range l.ends {
		end.in.reset = true
	}
	l.wake()
	l.leave()
}

func (l *Link) wake() {
	for _, end := range l.ends {
		end.in.changed.Broadcast()
	}
}

// leave takes the link off the network's list: nothing can happen to it any more.
func (l *Link) leave() {
	l.network.links = slices.DeleteFunc(l.network.links, func(other *Link) bool { return other == l })
}

func (l *Link) silent() bool { return l.stalled || l.network.separated(l.from, l.address) }

// flow is one direction of a link.
type flow struct {
	link    *Link
	changed *sync.Cond // of the network's mu
	octets  []byte     // written and not read
	arrived int        // how many of them have made the way
	ended   bool       // the writer has written all it wants to
	seenEnd bool       // and the reader has been told
	ignored bool       // the reader has closed, and the writer has been told
	reset   bool       // cut
}

func newFlow(link *Link) *flow {
	return &flow{link: link, changed: sync.NewCond(&link.network.mu)}
}

// end follows the octets: seenEnd may come before the last of them and counts only after it.
func (f *flow) end() {
	if f.ended {
		return
	}
	f.ended = true
	f.link.network.after(func() {
		f.seenEnd = true
		f.changed.Broadcast()
	})
}

// put appends what there is room for.
func (f *flow) put(from []byte) int {
	count := min(len(from), f.link.network.cfg.Buffer-len(f.octets))
	f.octets = append(f.octets, from[:count]...)
	f.link.network.after(func() {
		f.arrived += count
		f.changed.Broadcast()
	})
	return count
}

// take removes what has arrived, as far as it fits.
func (f *flow) take(into []byte) int {
	count := copy(into, f.octets[:f.arrived])
	f.octets = f.octets[count:]
	f.arrived -= count
	f.changed.Broadcast()
	return count
}

// stream is one end of a link.
type stream struct {
	link    *Link
	in, out *flow
	remote  string
	closed  bool
}

func (s *stream) Read(into []byte) (int, error) {
	s.link.network.mu.Lock()
	defer s.link.network.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, s.failed("read", net.ErrClosed)
		case s.in.reset:
			return 0, s.failed("read", syscall.ECONNRESET)
		case len(into) == 0:
			return 0, nil
		case s.link.silent():
		case s.in.arrived > 0:
			return s.in.take(into), nil
		case s.in.seenEnd && len(s.in.octets) == 0:
			return 0, io.EOF
		}
		s.in.changed.Wait()
	}
}

func (s *stream) Write(from []byte) (int, error) {
	s.link.network.mu.Lock()
	defer s.link.network.mu.Unlock()
	written := 0
	for {
		switch {
		case s.closed:
			return written, s.failed("write", net.ErrClosed)
		case s.out.reset:
			return written, s.failed("write", syscall.ECONNRESET)
		case s.out.ended, s.out.ignored && !s.link.silent():
			return written, s.failed("write", syscall.EPIPE)
		}
		if written == len(from) {
			return written, nil
		}
		if len(s.out.octets) < s.link.network.cfg.Buffer {
			written += s.out.put(from[written:])
			continue
		}
		s.out.changed.Wait()
	}
}

func (s *stream) CloseWrite() error {
	s.link.network.mu.Lock()
	defer s.link.network.mu.Unlock()
	switch {
	case s.closed:
		return s.failed("close", net.ErrClosed)
	case s.out.reset:
		return s.failed("close", syscall.ECONNRESET)
	}
	s.out.end()
	s.out.changed.Broadcast()
	return nil
}

// Close lets the peer read what was written before.
func (s *stream) Close() error {
	s.link.network.mu.Lock()
	defer s.link.network.mu.Unlock()
	if s.closed {
		return s.failed("close", net.ErrClosed)
	}
	s.closed = true
	s.out.end()
	s.link.network.after(func() {
		s.in.ignored = true
		s.in.changed.Broadcast()
	})
	s.link.wake()
	if s.link.ends[0].closed && s.link.ends[1].closed {
		s.link.leave()
	}
	return nil
}

func (s *stream) RemoteAddress() string { return s.remote }

func (s *stream) failed(operation string, err error) error {
	return simTransport{network: s.link.network}.failed(operation, s.remote, err)
}
