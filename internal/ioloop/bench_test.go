// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// court is two sides that pass a ball to and fro, each asleep while the other has it, as two sockets over inproc are. A
// side waits with waiters of its own, which poll as long as that pays, or never.
type court struct {
	mu    sync.Mutex
	sides [2]side
	polls bool
	over  bool
}

type side struct {
	waiters Waiters
	waiter  *Waiter // asleep
	ball    bool
}

// pass gives the ball to a side.
func (c *court) pass(to int) {
	c.mu.Lock()
	s := &c.sides[to]
	s.ball = true
	w := s.waiter
	s.waiter = nil
	c.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// await takes the ball from a side, if the game is not over.
func (c *court) await(at int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.sides[at]
	for !s.ball && !c.over {
		w := s.waiters.Take()
		w.polls = w.polls && c.polls
		s.waiter = w
		c.mu.Unlock()
		w.Wait(context.Background(), nil)
		c.mu.Lock()
		s.waiters.Put(w)
	}
	s.ball = false
	return !c.over
}

// open lets the far side play until close.
func (c *court) open() (close func()) {
	var far sync.WaitGroup
	far.Go(func() {
		for c.await(1) {
			c.pass(0)
		}
	})
	return func() {
		c.mu.Lock()
		c.over = true
		c.mu.Unlock()
		c.pass(1)
		far.Wait()
	}
}

func (c *court) round() {
	c.pass(1)
	c.await(0)
}

func TestWakeDoesNotAllocate(t *testing.T) {
	for _, polls := range []bool{true, false} {
		c := &court{polls: polls}
		end := c.open()
		if n := testing.AllocsPerRun(1000, c.round); n > 0 {
			t.Errorf("polls=%v: %v allocations for a round trip", polls, n)
		}
		end()
	}
}

// BenchmarkTurns is a round trip between two goroutines without a loop: two wakes.
func BenchmarkTurns(b *testing.B) {
	for _, polls := range []bool{true, false} {
		b.Run(fmt.Sprintf("polls=%v", polls), func(b *testing.B) {
			c := &court{polls: polls}
			end := c.open()
			b.ReportAllocs()
			for b.Loop() {
				c.round()
			}
			end()
		})
	}
}

// sink is a handler that counts down what was posted.
type sink struct {
	missing atomic.Int64
	done    chan struct{}
}

func (s *sink) Readable(bool, bool) {}
func (s *sink) Writable() bool      { return false }
func (s *sink) Bursting() bool      { return false }
func (s *sink) Resume()             {}

func (s *sink) Flush() {
	if s.missing.Add(-1) == 0 {
		s.done <- struct{}{}
	}
}

// newFlusher starts a flusher and returns a load for it: that many posts, until the last is served.
func newFlusher(posts int) (run, stop func()) {
	f := &flusher{wake: make(chan struct{}, 1)}
	s := &sink{done: make(chan struct{})}
	var stopping atomic.Bool
	var running sync.WaitGroup
	running.Go(func() { f.run(&stopping) })
	run = func() {
		s.missing.Store(int64(posts))
		for range posts {
			f.post(posted{handler: s})
		}
		<-s.done
	}
	stop = func() {
		stopping.Store(true)
		hint(f.wake)
		running.Wait()
	}
	return run, stop
}

func TestPostDoesNotAllocate(t *testing.T) {
	for _, posts := range []int{1, 64} {
		run, stop := newFlusher(posts)
		if n := testing.AllocsPerRun(100, run); n > 0 {
			t.Errorf("%v allocations for %d posts", n, posts)
		}
		stop()
	}
}

// BenchmarkPost is the way from a post to Flush in the flusher's goroutine, of one post, and of several in a row.
func BenchmarkPost(b *testing.B) {
	for _, posts := range []int{1, 64} {
		b.Run(fmt.Sprint(posts), func(b *testing.B) {
			run, stop := newFlusher(posts)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*posts), "ns/post")
			stop()
		})
	}
}
