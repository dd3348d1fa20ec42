// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// player is a handler that counts the bytes that come and wakes who waits for one.
type player struct {
	stream Stream
	loop   *Loop
	buffer [100]byte // owner
	one    [][]byte

	owner sync.Mutex // of reading, which whoever closes the stream must have

	mu      sync.Mutex
	waiters Waiters
	waiter  *Waiter
	came    int
	ended   bool
}

func (p *player) Readable(bool, bool) {
	p.owner.Lock()
	defer p.owner.Unlock()
	if p.stream == nil {
		return
	}
	n, err := p.stream.Read(p.buffer[:])
	if err == ErrAgain {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came += n
	p.ended = n == 0 || err != nil
	if p.waiter != nil {
		p.waiter.Wake()
		p.waiter = nil
	}
}

func (p *player) Writable() bool { return false }
func (p *player) Flush()         {}
func (p *player) Bursting() bool { return false }
func (p *player) Resume()        {}

// hit sends a byte.
func (p *player) hit() { p.stream.Write(p.one) }

// await takes a byte, leading the loop until there is one. It reports false at the end.
func (p *player) await() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.came == 0 && !p.ended {
		w := p.waiters.Take()
		p.waiter = w
		p.mu.Unlock()
		w.Wait(context.Background(), p.loop)
		p.mu.Lock()
		p.waiters.Put(w)
	}
	p.came--
	return !p.ended
}

func (p *player) close() {
	p.owner.Lock()
	defer p.owner.Unlock()
	p.stream.Close()
	p.stream = nil
}

// newMatch has two receivers that lead loops of their own play; run is a round trip.
func newMatch(t testing.TB) (run, stop func()) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var players [2]*player
	for i, fd := range fds {
		p := &player{one: [][]byte{{1}}}
		h := newHouse(t, 1)
		if err := h.home.Attach(descriptor{fd}, p, func(s Stream) { p.stream = s }); err != nil {
			t.Fatal(err)
		}
		p.loop = h.home.Loop()
		players[i] = p
	}
	var far sync.WaitGroup
	far.Go(func() {
		for players[1].await() {
			players[1].hit()
		}
	})
	run = func() {
		players[0].hit()
		players[0].await()
	}
	stop = func() {
		players[0].close()
		far.Wait()
		players[1].close()
	}
	return run, stop
}

func TestPingPongDoesNotAllocate(t *testing.T) {
	run, stop := newMatch(t)
	defer stop()
	if n := testing.AllocsPerRun(1000, run); n > 0 {
		t.Errorf("%v allocations for a round trip", n)
	}
}

// BenchmarkPingPong is a round trip between two receivers that lead loops of their own.
func BenchmarkPingPong(b *testing.B) {
	run, stop := newMatch(b)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	stop()
}

// BenchmarkWake is what it takes to end the wait of another goroutine: one that leads, or one that is parked.
func BenchmarkWake(b *testing.B) {
	for _, led := range []bool{true, false} {
		b.Run(fmt.Sprintf("led=%v", led), func(b *testing.B) {
			h := newHouse(b, 1)
			p, _ := h.attach()
			l := h.home.Loop()
			if !led {
				l = nil
			}
			waiters := make(chan *Waiter)
			woken := make(chan struct{})
			go func() {
				defer close(woken)
				for w := range waiters {
					w.Wait(context.Background(), l)
					woken <- struct{}{}
				}
			}()
			b.ReportAllocs()
			var all Waiters
			for b.Loop() {
				w := all.Take()
				waiters <- w
				w.Wake()
				<-woken
				all.Put(w)
			}
			close(waiters)
			<-woken
			p.end()
		})
	}
}
