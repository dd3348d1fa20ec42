// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"context"
	"sync"
	"sync/atomic"
)

// Waiter is a goroutine that sleeps until it is woken, running a loop meanwhile if it can. A wake is a hint: the sleeper
// looks for itself what there is.
type Waiter struct {
	woken chan struct{} // cap 1
	leads atomic.Pointer[Loop]
}

var waiterPool = sync.Pool{New: func() any { return &Waiter{woken: make(chan struct{}, 1)} }}

// NewWaiter returns a Waiter that nobody has woken.
func NewWaiter() *Waiter { return waiterPool.Get().(*Waiter) }

// Free gives the Waiter back. Nobody may wake it any more.
func (w *Waiter) Free() {
	select {
	case <-w.woken:
	default:
	}
	waiterPool.Put(w)
}

// Wake ends the wait, now or when it begins. Anybody may call it, once per wait.
func (w *Waiter) Wake() {
	hint(w.woken)
	if l := w.leads.Load(); l != nil {
		l.interrupt()
	}
}

func (w *Waiter) ready() bool { return len(w.woken) > 0 }

// Wait sleeps until Wake, or until ctx ends. It leads l, unless that is nil or has a leader.
func (w *Waiter) Wait(ctx context.Context, l *Loop) error {
	if l != nil && l.lead(ctx, w) {
		select {
		case <-w.woken:
			return nil
		default:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if l != nil {
		l.park()
		defer l.unpark()
	}
	select {
	case <-w.woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
