// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"context"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Waiter is a goroutine that sleeps until it is woken, running a loop meanwhile if it can. A wake is a hint: the sleeper
// looks for itself what there is.
type Waiter struct {
	Poll time.Duration // how long to look for what comes before sleeping; 0: as long as it pays; below: not at all

	woken chan struct{} // cap 1
	done  atomic.Bool   // woken, also when the channel has handed that over already
	leads atomic.Pointer[Loop]
	spins atomic.Bool

	counted      bool              // in Loop.parked
	polls        bool              // this wait may poll
	paid, inVain bool              // and that came out
	runnable     [1]metrics.Sample // sleeper
}

// Waiters are what one socket's waits have left, to be used again. (A pool for all would mix the channels of different
// synctest bubbles.) Callers hold a lock.
type Waiters struct {
	free    []*Waiter
	polling tenacity // of waits without a loop
}

// Take returns a Waiter that nobody has woken.
func (s *Waiters) Take() *Waiter {
	if n := len(s.free); n > 0 {
		w := s.free[n-1]
		s.free = s.free[:n-1]
		w.polls = s.polling.mayPoll()
		return w
	}
	w := &Waiter{woken: make(chan struct{}, 1)}
	w.runnable[0].Name = runnableMetric
	return w
}

// Put gives a Waiter back. Nobody may wake it any more.
func (s *Waiters) Put(w *Waiter) {
	select {
	case <-w.woken:
	default:
	}
	w.done.Store(false)
	switch {
	case w.paid:
		s.polling.paid()
	case w.inVain:
		s.polling.inVain()
	}
	w.paid, w.inVain = false, false
	if len(s.free) < sparesMax {
		s.free = append(s.free, w)
	}
}

// Wake ends the wait, now or when it begins. Anybody may call it, once per wait.
func (w *Waiter) Wake() {
	w.done.Store(true)
	hint(w.woken)
	if l := w.leads.Load(); l != nil {
		l.interrupt()
	}
}

// Awake reports whether the goroutine looks for a wake instead of sleeping, so that one costs nothing.
func (w *Waiter) Awake() bool { return w.spins.Load() }

func (w *Waiter) ready() bool { return w.done.Load() }

// Wait sleeps until Wake, or until ctx ends. It leads l, unless that is nil or has a leader.
func (w *Waiter) Wait(ctx context.Context, l *Loop) error {
	if l != nil && l.lead(ctx, w) {
		return nil
	}
	if l != nil {
		l.park(w)
		defer l.unpark(w)
	} else if w.polls && w.Poll >= 0 && w.spin() {
		return nil
	}
	select {
	case <-w.woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
