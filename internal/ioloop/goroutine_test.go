// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/internal/simnet"
	"github.com/zwire-mq/zwire/transport"
)

// patience bounds every wait for something that must happen.
const patience = 10 * time.Second

// plain is a handler of the goroutine backend: it notes what it is told, and reads when it is told to.
type plain struct {
	stream Stream

	mu    sync.Mutex
	calls []string
	got   []byte
	ended error
}

func (p *plain) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
}

func (p *plain) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = nil
	return calls
}

// read reads once.
func (p *plain) read() {
	buffer := make([]byte, 100)
	n, err := p.stream.Read(buffer)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, buffer[:n]...)
	if err != nil {
		p.ended = err
	}
}

func (p *plain) Readable(hangup, led bool) {
	if hangup || led {
		p.note("hangup or led")
	}
	p.note("readable")
	p.read()
}

func (p *plain) Writable() bool { p.note("writable"); return false }
func (p *plain) Flush()         { p.note("flush") }

func (p *plain) Bursting() bool { return false }

func (p *plain) Resume() {
	p.note("resume")
	p.read()
}

// dialled makes a stream of a network in memory: one end attached, one for the test.
func dialled(t *testing.T, h *Home) (*plain, transport.Stream) {
	t.Helper()
	network := simnet.New(1, simnet.Config{Buffer: 100}).Transport()
	l, err := network.Listen(context.Background(), "a", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := network.Dial(context.Background(), "a", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	own, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := new(plain)
	if err := h.Attach(stream, p, func(s Stream) { p.stream = s }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stream.Close()
		own.Close()
	})
	return p, own
}

func wants(t *testing.T, p *plain, calls ...string) {
	t.Helper()
	synctest.Wait()
	got := p.take()
	if len(got) != len(calls) {
		t.Fatalf("told of %v, want %v", got, calls)
	}
	for i := range got {
		if got[i] != calls[i] {
			t.Fatalf("told of %v, want %v", got, calls)
		}
	}
}

func TestGoroutineBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup(0)
		h := g.Acquire(false)
		p, own := dialled(t, h)
		if h.Loop() != nil {
			t.Error("a loop for a stream that needs none")
		}
		if p.stream.Inline() {
			t.Error("writing may block")
		}
		wants(t, p, "readable")
		own.Write([]byte("one"))
		synctest.Wait()
		if string(p.got) != "one" {
			t.Errorf("read %q", p.got)
		}
		own.Write([]byte("two"))
		synctest.Wait()
		if string(p.got) != "one" {
			t.Error("read on without being told to")
		}
		p.stream.PostRead()
		wants(t, p, "resume")
		p.stream.PostRead()
		wants(t, p, "resume") // which reads, and waits
		p.stream.PostRead()
		p.stream.PostRead()
		wants(t, p)
		own.Write([]byte("three"))
		wants(t, p, "resume") // once for both
		own.Write([]byte("four"))
		wants(t, p)
		p.stream.Leave()
		wants(t, p, "resume")
		own.Write([]byte("!"))
		synctest.Wait()
		if string(p.got) != "onetwothreefour!" {
			t.Errorf("read %q", p.got)
		}
		for range 3 {
			p.stream.PostWrite()
			wants(t, p, "flush")
		}
		if n, err := p.stream.Write([][]byte{[]byte("a"), nil, []byte("bc")}); n != 3 || err != nil {
			t.Errorf("wrote %d, error %v", n, err)
		}
		p.stream.CloseWrite()
		if b, err := io.ReadAll(own); string(b) != "abc" || err != nil {
			t.Errorf("read %q, error %v", b, err)
		}
		p.stream.Close()
		synctest.Wait()
		p.stream.PostRead() // late ones go nowhere
		p.stream.PostWrite()
		wants(t, p)
		h.Release()
	})
}

// A write that blocks says how much it wrote when the stream is aborted, and a read ends.
func TestGoroutineBackendAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, own := dialled(t, NewGroup(0).Acquire(false))
		type result struct {
			n   int
			err error
		}
		written := make(chan result, 1)
		go func() {
			n, err := p.stream.Write([][]byte{make([]byte, 60), make([]byte, 60), make([]byte, 60)})
			written <- result{n, err}
		}()
		synctest.Wait()
		p.stream.Abort()
		if r := <-written; r.n != 100 || !errors.Is(r.err, net.ErrClosed) {
			t.Errorf("wrote %d, error %v", r.n, r.err)
		}
		synctest.Wait()
		if !errors.Is(p.ended, net.ErrClosed) {
			t.Errorf("the read ended with %v", p.ended)
		}
		if b, err := io.ReadAll(own); len(b) != 100 || err != nil {
			t.Errorf("%d bytes arrived, error %v", len(b), err)
		}
		p.stream.Close()
	})
}

// Waiters of one bubble are of no use in another; nobody mixes them up.
func TestWaitersInBubbles(t *testing.T) {
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			var all Waiters
			for range 3 {
				w := all.Take()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				time.AfterFunc(time.Minute, w.Wake)
				start := time.Now()
				if err := w.Wait(ctx, nil); err != nil || time.Since(start) != time.Minute {
					t.Errorf("error %v after %v", err, time.Since(start))
				}
				cancel()
				all.Put(w)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			start := time.Now()
			if err := all.Take().Wait(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
				t.Errorf("error %v after %v", err, time.Since(start))
			}
		})
	}
}

// TestAwakeWhileItLooks: a waiter that nobody has woken says so while it looks, and not while it sleeps.
func TestAwakeWhileItLooks(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("on one P nobody looks")
	}
	seen := false
	for end := time.Now().Add(patience); !seen; { // a look may end before it is seen
		if time.Now().After(end) {
			t.Fatal("never awake while it looks")
		}
		w := new(Waiters).Take()
		w.polls = true
		if w.Awake() {
			t.Fatal("awake before it waits")
		}
		waited := make(chan error)
		go func() { waited <- w.Wait(context.Background(), nil) }()
		for range looksMost {
			if seen = w.Awake(); seen {
				break
			}
		}
		w.Wake()
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
		if w.Awake() {
			t.Fatal("awake after its wait")
		}
	}
}
