// SPDX-License-Identifier: Apache-2.0

package simnet

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/zwire-mq/zwire/transport"
)

// AtOnce stands for a count of no octets at all in Faults, where 0 means never.
const AtOnce = -1

// Faults is what a stream does wrong. The zero value: nothing.
type Faults struct {
	// ReadMax makes each Read give 1 to ReadMax octets, drawn anew; 0: as many as there are.
	ReadMax int
	// CutAfterRead and CutAfterWritten break the stream once so many octets went that way, neither more nor fewer:
	// the peer then reads io.EOF, this end gets syscall.ECONNRESET. 0: never.
	CutAfterRead, CutAfterWritten int
}

// Plan gives the faults of a stream, by its number from 1 among those that the transport has dialled or accepted.
type Plan func(number int, dialled bool) Faults

// Inject puts a device in front of a transport that makes each stream go wrong by plan.
func Inject(inner transport.Transport, seed int64, plan Plan) transport.Transport {
	return &faultyTransport{Transport: inner, seed: seed, plan: plan}
}

type faultyTransport struct {
	transport.Transport
	seed int64
	plan Plan
	made [2]atomic.Int64 // accepted, dialled: counted apart, for which comes first is up to the scheduler
}

func (t *faultyTransport) Dial(ctx context.Context, address string, cfg transport.Config) (transport.Stream, error) {
	inner, err := t.Transport.Dial(ctx, address, cfg)
	if err != nil {
		return nil, err
	}
	return t.wrap(inner, true), nil
}

func (t *faultyTransport) Listen(ctx context.Context, address string, cfg transport.Config) (transport.Listener, error) {
	inner, err := t.Transport.Listen(ctx, address, cfg)
	if err != nil {
		return nil, err
	}
	return &faultyListener{Listener: inner, transport: t}, nil
}

type faultyListener struct {
	transport.Listener
	transport *faultyTransport
}

func (l *faultyListener) Accept() (transport.Stream, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.transport.wrap(inner, false), nil
}

func (t *faultyTransport) wrap(inner transport.Stream, dialled bool) transport.Stream {
	side := 0
	if dialled {
		side = 1
	}
	number := t.made[side].Add(1)
	s := &faultyStream{inner: inner, faults: t.plan(int(number), dialled)}
	s.random = rand.New(rand.NewPCG(uint64(t.seed), uint64(2*number)+uint64(side)))
	s.readLeft, s.writeLeft = left(s.faults.CutAfterRead), left(s.faults.CutAfterWritten)
	if s.readLeft == 0 || s.writeLeft == 0 {
		s.cut()
	}
	return s
}

// left is how many octets may pass; negative: any number.
func left(count int) int {
	switch count {
	case 0:
		return -1
	case AtOnce:
		return 0
	}
	return count
}

// faultyStream hides whether the inner one is a transport.Detacher: nobody may get round the device.
type faultyStream struct {
	inner  transport.Stream
	faults Faults
	broken atomic.Bool

	readMu   sync.Mutex // guards random and readLeft; held during a Read
	random   *rand.Rand
	readLeft int

	writeMu   sync.Mutex // guards writeLeft; held during a Write
	writeLeft int
}

func (s *faultyStream) Read(into []byte) (int, error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	if s.faults.ReadMax > 0 && len(into) > 0 {
		into = into[:min(len(into), 1+s.random.IntN(s.faults.ReadMax))]
	}
	if s.readLeft >= 0 {
		into = into[:min(len(into), s.readLeft)]
	}
	count, err := s.inner.Read(into)
	if s.broken.Load() && count == 0 {
		return 0, syscall.ECONNRESET
	}
	if s.readLeft > 0 {
		if s.readLeft -= count; s.readLeft == 0 {
			s.cut()
		}
	}
	return count, err
}

// Write takes the octets beyond the cut without complaint, as a kernel does that has not heard of it yet.
func (s *faultyStream) Write(from []byte) (int, error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if s.broken.Load() {
		return 0, syscall.ECONNRESET
	}
	if s.writeLeft < 0 || len(from) < s.writeLeft {
		count, err := s.inner.Write(from)
		if s.writeLeft > 0 {
			s.writeLeft -= count
		}
		if err != nil && s.broken.Load() {
			err = syscall.ECONNRESET
		}
		return count, err
	}
	count, err := s.inner.Write(from[:s.writeLeft])
	s.writeLeft = 0
	s.cut()
	if err != nil {
		return count, err
	}
	return len(from), nil
}

// cut closes the inner stream: unlike a reset that leaves the peer every octet that passed.
func (s *faultyStream) cut() {
	if s.broken.CompareAndSwap(false, true) {
		s.inner.Close() // a stream that breaks has no one to tell
	}
}

func (s *faultyStream) CloseWrite() error {
	if s.broken.Load() {
		return syscall.ECONNRESET
	}
	return s.inner.CloseWrite()
}

func (s *faultyStream) Close() error {
	if s.broken.Load() {
		return nil
	}
	return s.inner.Close()
}

func (s *faultyStream) RemoteAddress() string { return s.inner.RemoteAddress() }
