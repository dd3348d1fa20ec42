// SPDX-License-Identifier: Apache-2.0

package transporttest

import (
	"context"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/transport"
)

// endpointDialable: what a listener calls itself reaches it, and it can be listened at once more afterwards.
func (s *suite) endpointDialable(t *testing.T) {
	l, address := s.listen(t, transport.Config{})
	near, far := s.join(t, l, address)
	if near.RemoteAddress() == "" || far.RemoteAddress() == "" {
		t.Errorf("remote addresses %q and %q, want something to show", near.RemoteAddress(), far.RemoteAddress())
	}
}

// addressTaken is CONFORMANCE K2, the busy address.
func (s *suite) addressTaken(t *testing.T) {
	l, address := s.listen(t, transport.Config{})
	_, err := s.subject.Listen(t.Context(), address, transport.Config{})
	mustBe(t, "second Listen", err, syscall.EADDRINUSE)
	s.join(t, l, address) // the first one is unharmed
}

// addressFreed: a listener that went leaves room for the next at once, even with streams of its own still about.
func (s *suite) addressFreed(t *testing.T) {
	l, address := s.listen(t, transport.Config{})
	_, far := s.join(t, l, address)
	far.Close() // who closes first keeps the address in mind, in tcp
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := s.subject.Listen(t.Context(), address, transport.Config{})
	if err != nil {
		t.Fatal("Listen again:", err)
	}
	defer next.Close()
	s.join(t, next, address)
}

func (s *suite) dialNobody(t *testing.T) {
	l, address := s.listen(t, transport.Config{})
	l.Close()
	var err error
	within(t, "Dial", func() { _, err = s.subject.Dial(t.Context(), address, transport.Config{}) })
	if err == nil {
		t.Fatal("Dial found somebody where nobody is")
	}
	if isEndpointError(err) {
		t.Fatalf("nobody there now is no fault of the endpoint: %v", err)
	}
}

// dialFullBacklog: where nobody accepts, Dial waits in the end, and gives up with its context.
func (s *suite) dialFullBacklog(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a full backlog does is the system's choice")
	}
	const backlog = 2
	_, address := s.listen(t, transport.Config{Backlog: backlog})
	for range 2*backlog + 2 { // kernels round the backlog up
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		timer := time.AfterFunc(stuckAfter, cancel)
		defer timer.Stop()
		var near transport.Stream
		var err error
		within(t, "Dial", func() { near, err = s.subject.Dial(ctx, address, transport.Config{}) })
		if err != nil {
			mustBe(t, "Dial", err, context.Canceled)
			return
		}
		defer near.Close()
	}
	t.Fatal("a backlog of 2 never filled up")
}

func (s *suite) listenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := s.subject.Listen(ctx, s.address(), transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cancel() // is for Listen alone: the listener goes on
	_, address, _ := transport.SplitEndpoint(l.Endpoint())
	s.join(t, l, address)
}

func (s *suite) acceptUnblocked(t *testing.T) {
	l, _ := s.listen(t, transport.Config{})
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	runtime.Gosched() // most often Accept waits by now; it must not matter
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	within(t, "Accept", func() { err = <-accepted })
	mustBe(t, "Accept", err, net.ErrClosed)
	_, err = l.Accept()
	mustBe(t, "Accept after Close", err, net.ErrClosed)
}

func (s *suite) acceptedOutliveListener(t *testing.T) {
	near, far := s.pair(t)
	mustWrite(t, near, "still")
	mustReadFull(t, far, "still")
}

// manyStreams: one listener, streams that do not get mixed up.
func (s *suite) manyStreams(t *testing.T) {
	const count = 20
	l, address := s.listen(t, transport.Config{})
	for i := range count {
		near, far := s.join(t, l, address)
		mine, theirs := string(rune('a'+i)), string(rune('A'+i))
		defer mustRead(t, far, mine)
		defer mustRead(t, near, theirs)
		for stream, octets := range map[transport.Stream]string{near: mine, far: theirs} {
			mustWrite(t, stream, octets)
			if err := stream.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
