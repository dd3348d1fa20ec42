// SPDX-License-Identifier: Apache-2.0

// Package transporttest is what every transport.Transport must pass. Its test is one call of [Run].
package transporttest

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/transport"
)

// Run tests a transport. Each call of address gives one that can be listened at beside those before; a wildcard will
// do, unless what it stands for cannot be listened at again.
// Nothing else in the test's process may make goroutines or descriptors meanwhile.
func Run(t *testing.T, subject transport.Transport, address func() string) {
	s := &suite{subject: subject, address: address}
	s.warmUp(t)
	cases := []struct {
		name string
		run  func(*testing.T)
	}{
		{"Scheme", s.scheme},
		{"Check", s.check},
		{"EndpointDialable", s.endpointDialable},
		{"AddressTaken", s.addressTaken},
		{"AddressFreed", s.addressFreed},
		{"DialNobody", s.dialNobody},
		{"DialCancelled", s.dialCancelled},
		{"DialFullBacklog", s.dialFullBacklog},
		{"ListenCancelled", s.listenCancelled},
		{"AcceptUnblocked", s.acceptUnblocked},
		{"AcceptedOutliveListener", s.acceptedOutliveListener},
		{"Echo", s.echo},
		{"LargeBothWays", s.largeBothWays},
		{"HalfClose", s.halfClose},
		{"CloseFlushes", s.closeFlushes},
		{"CloseUnblocksRead", s.closeUnblocksRead},
		{"CloseUnblocksWrite", s.closeUnblocksWrite},
		{"WriteAfterPeerClosed", s.writeAfterPeerClosed},
		{"UseAfterClose", s.useAfterClose},
		{"Detach", s.detach},
		{"DetachRefused", s.detachRefused},
		{"DescriptorsOut", s.descriptorsOut},
		{"ManyStreams", s.manyStreams},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkLeaks(t)
			c.run(t)
		})
	}
}

type suite struct {
	subject transport.Transport
	address func() string
}

// warmUp lets the runtime and package net make what they keep for good.
func (s *suite) warmUp(t *testing.T) {
	near, far := s.pair(t)
	near.Close()
	far.Close()
}

// checkLeaks compares goroutines and descriptors once the test and its clean-ups are over.
func checkLeaks(t *testing.T) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	t.Cleanup(func() {
		if t.Failed() {
			return // what failed half-way has no chance to tidy up
		}
		eventually(t, "goroutines gone", func() bool { return runtime.NumGoroutine() <= goroutines })
		eventually(t, "descriptors closed", func() bool { return openDescriptors(t) <= descriptors })
	})
}

// listen opens a listener for the test and tells its address.
func (s *suite) listen(t *testing.T, cfg transport.Config) (l transport.Listener, address string) {
	t.Helper()
	l, err := s.subject.Listen(t.Context(), s.address(), cfg)
	if err != nil {
		t.Fatal("Listen:", err)
	}
	t.Cleanup(func() { l.Close() })
	_, address, err = transport.SplitEndpoint(l.Endpoint())
	if err != nil {
		t.Fatal("Endpoint:", err)
	}
	return l, address
}

// join dials and accepts.
func (s *suite) join(t *testing.T, l transport.Listener, address string) (near, far transport.Stream) {
	t.Helper()
	near, err := s.subject.Dial(t.Context(), address, transport.Config{})
	if err != nil {
		t.Fatal("Dial:", err)
	}
	t.Cleanup(func() { near.Close() })
	within(t, "Accept", func() { far, err = l.Accept() })
	if err != nil {
		t.Fatal("Accept:", err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// pair gives both ends of a stream whose listener is gone already.
func (s *suite) pair(t *testing.T) (near, far transport.Stream) {
	t.Helper()
	l, address := s.listen(t, transport.Config{})
	near, far = s.join(t, l, address)
	if err := l.Close(); err != nil {
		t.Fatal("Listener.Close:", err)
	}
	return near, far
}

// within fails the test if work is not done in time.
func within(t *testing.T, what string, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: still not back after %v", what, patience)
	}
}

// eventually fails the test if the condition does not come true in time.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for end := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("%s: still not so after %v", what, patience)
		}
	}
}

// mustRead reads until io.EOF.
func mustRead(t *testing.T, from transport.Stream, want string) {
	t.Helper()
	var got []byte
	var err error
	within(t, "Read", func() { got, err = io.ReadAll(from) })
	if err != nil || string(got) != want {
		t.Fatalf("read %q, %v until the end; want %q", shorten(got), err, want)
	}
}

// mustReadFull reads as many octets as it wants.
func mustReadFull(t *testing.T, from transport.Stream, want string) {
	t.Helper()
	got := make([]byte, len(want))
	var err error
	within(t, "Read", func() { _, err = io.ReadFull(from, got) })
	if err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", shorten(got), err, want)
	}
}

func mustWrite(t *testing.T, to transport.Stream, octets string) {
	t.Helper()
	if count, err := to.Write([]byte(octets)); err != nil || count != len(octets) {
		t.Fatalf("Write took %d of %d octets: %v", count, len(octets), err)
	}
}

func shorten(octets []byte) []byte { return octets[:min(len(octets), 64)] }

func (s *suite) scheme(t *testing.T) {
	scheme := s.subject.Scheme()
	got, _, err := transport.SplitEndpoint(scheme + "://x")
	if err != nil || got != scheme {
		t.Fatalf("scheme %q is split as %q, %v", scheme, got, err)
	}
	l, _ := s.listen(t, transport.Config{})
	if !strings.HasPrefix(l.Endpoint(), scheme+"://") {
		t.Fatalf("endpoint %q lacks its scheme %q", l.Endpoint(), scheme)
	}
}

// check: an address is right or an EndpointError says why not, and Dial and Listen agree with Check.
func (s *suite) check(t *testing.T) {
	address := s.address()
	if err := s.subject.Check(address, true); err != nil {
		t.Errorf("Check(%q): %v", address, err)
	}
	_, taken := s.listen(t, transport.Config{})
	if err := s.subject.Check(taken, false); err != nil {
		t.Errorf("Check(%q): %v", taken, err)
	}
	for _, listen := range []bool{true, false} {
		if err := s.subject.Check("", listen); !isEndpointError(err) {
			t.Errorf("Check of nothing: %v, want an EndpointError", err)
		}
	}
	if _, err := s.subject.Dial(t.Context(), "", transport.Config{}); !isEndpointError(err) {
		t.Errorf("Dial of nothing: %v, want an EndpointError", err)
	}
	if _, err := s.subject.Listen(t.Context(), "", transport.Config{}); !isEndpointError(err) {
		t.Errorf("Listen at nothing: %v, want an EndpointError", err)
	}
}

func isEndpointError(err error) bool {
	var endpointErr *transport.EndpointError
	return errors.As(err, &endpointErr) && endpointErr.Reason != ""
}

func mustBe(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

func (s *suite) useAfterClose(t *testing.T) {
	near, _ := s.pair(t)
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := near.Read(make([]byte, 1))
	mustBe(t, "Read", err, net.ErrClosed)
	_, err = near.Write([]byte{1})
	mustBe(t, "Write", err, net.ErrClosed)
	mustBe(t, "CloseWrite", near.CloseWrite(), net.ErrClosed)
	mustBe(t, "Close", near.Close(), net.ErrClosed)
}

// dialCancelled: a context that has ended stops Dial before it reaches anybody.
func (s *suite) dialCancelled(t *testing.T) {
	_, address := s.listen(t, transport.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.subject.Dial(ctx, address, transport.Config{})
	mustBe(t, "Dial", err, context.Canceled)
}
