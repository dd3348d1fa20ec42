// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"context"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// Loop is a native loop. One goroutine at a time holds its token and runs it:
//
//	standby waits in Go's poller ── it has served a receiver that wants to lead ──> token free, standby away
//	token free ── a receiver has nothing to receive ──> leader blocks a little
//	leader ── its message is there, or nothing comes ──> token free
//	token free ── others wait on this loop, or no lead for a while ──> standby
//
// Receivers that lead and are busy with what they have need nobody to wait in the poller, who would wake for each event:
// once in a while the standby takes what has come, and leaves again. It does so as well while many streams bring much that
// nobody waits for.
type Loop struct {
	poll poller // token holder

	token    atomic.Bool
	asleep   atomic.Bool            // the token holder is about to block, or does
	asker    atomic.Pointer[Waiter] // waits without leading, alone, and wants to lead next time
	missed   atomic.Bool            // the standby wants to know when the leader leaves
	polled   atomic.Bool            // since the last lead somebody has looked in vain who does not wait
	leads    atomic.Int64           // so far
	parked   atomic.Int32           // other goroutines that wait for what this loop brings
	aliens   atomic.Int32           // streams of sockets whose goroutines lead another loop
	stopping atomic.Bool

	recall   chan struct{}     // cap 1: the standby shall come back
	runnable [1]metrics.Sample // token holder
	polling  tenacity          // token holder
	rush     rush              // standby

	flush flusher
	gone  sync.WaitGroup
}

func newLoop() (*Loop, error) {
	l := &Loop{recall: make(chan struct{}, 1)}
	if err := l.poll.open(); err != nil {
		return nil, err
	}
	l.runnable[0].Name = runnableMetric
	l.flush.wake = make(chan struct{}, 1)
	l.gone.Go(l.stand)
	l.gone.Go(func() { l.flush.run(&l.stopping) })
	return l, nil
}

// stop ends the loop and returns when its goroutines and descriptors are gone. No stream is attached any more.
func (l *Loop) stop() {
	l.stopping.Store(true)
	l.poll.interrupt()
	hint(l.recall)
	hint(l.flush.wake)
	l.gone.Wait()
	for !l.token.CompareAndSwap(false, true) { // a leader is on its way out
		l.poll.interrupt()
		<-l.recall
	}
	l.poll.close()
}

// stand is the standby.
func (l *Loop) stand() {
	pause := time.NewTimer(standbyPause)
	defer pause.Stop()
	busy := false // those who lead are, it seems
	for !l.stopping.Load() {
		if l.token.CompareAndSwap(false, true) {
			if !busy || !l.glance() {
				l.wait()
			}
			l.token.Store(false)
			if busy = false; l.awaited() { // who has just come saw the token taken
				continue
			}
		}
		busy = l.stayAway(pause)
	}
}

// wait waits in Go's poller and serves what comes, until it may leave.
func (l *Loop) wait() {
	l.poll.nest(true)
	l.rush = rush{}
	for left := false; !left; {
		n, blocked := l.once(nil)
		left = l.stopping.Load() || l.mayLeave() || l.rush.on(n) && l.mayGather(blocked)
	}
	l.poll.nest(false)
}

// mayGather reports whether nobody waits for what comes, as far as is known, nor is held up by it.
func (l *Loop) mayGather(blocked bool) bool {
	return !blocked && l.aliens.Load() == 0 && !l.polled.Load() && !l.awaited()
}

// glance serves what has come. It reports whether that is enough for now: something has, so that more may gather, and nobody
// is held up by that.
func (l *Loop) glance() bool {
	n := l.poll.look()
	blocked := l.poll.serve(n, false)
	return n > 0 && !blocked && l.aliens.Load() == 0 && !l.polled.Load()
}

// mayLeave reports whether a receiver that wants to lead has what it waited for, so that it will be back, and nobody else
// waits.
func (l *Loop) mayLeave() bool {
	w := l.asker.Load()
	return w != nil && w.ready() && l.parked.Load() == 0
}

// stayAway returns when the loop has had no leader for a while, or somebody waits on it while it has none: then it reports
// false.
func (l *Loop) stayAway(pause *time.Timer) bool {
	for !l.stopping.Load() {
		seen := l.leads.Load()
		pause.Reset(standbyPause)
		select {
		case <-l.recall:
			return false
		case <-pause.C:
		}
		if l.leads.Load() != seen {
			continue
		}
		if l.missed.Store(true); l.token.Load() {
			<-l.recall // a leader that waits for long: it will tell
		}
		l.missed.Store(false)
		return true
	}
	return false
}

// lead runs the loop until w is woken, or for as long as something comes. It reports false if w was not woken.
func (l *Loop) lead(ctx context.Context, w *Waiter) bool {
	if !l.token.CompareAndSwap(false, true) {
		return false
	}
	l.leads.Add(1)
	if l.polled.Load() {
		l.polled.Store(false)
	}
	w.leads.Store(l)
	busy := true
	for busy && !w.ready() && ctx.Err() == nil && !l.stopping.Load() {
		n, _ := l.once(w)
		busy = n > 0
	}
	w.leads.Store(nil)
	woken := w.ready()
	l.token.Store(false)
	if l.awaited() || l.missed.Load() || l.stopping.Load() {
		hint(l.recall)
	}
	return woken // if not, the standby does the long wait
}

// park notes a goroutine that waits without leading, and makes sure that somebody runs the loop.
func (l *Loop) park(w *Waiter) {
	if l.parked.Load() > 0 || !l.asker.CompareAndSwap(nil, w) {
		l.parked.Add(1)
		w.counted = true
	}
	if !l.token.Load() {
		hint(l.recall)
	}
}

func (l *Loop) unpark(w *Waiter) {
	if w.counted {
		l.parked.Add(-1)
		w.counted = false
		return
	}
	l.asker.CompareAndSwap(w, nil)
}

// awaited reports whether anybody waits without leading, and has not been woken yet as far as is known.
func (l *Loop) awaited() bool {
	w := l.asker.Load()
	return w != nil && !w.ready() || l.parked.Load() > 0
}

// once serves what is ready, or waits for something to be. The token is held. w is nil for the standby. It returns how many
// events that were, none if nothing came for a leader, and whether writing had waited for one of them.
func (l *Loop) once(w *Waiter) (events int, blocked bool) {
	l.asleep.Store(true)
	n := 0
	switch {
	case w == nil:
		if !l.stopping.Load() {
			n = l.poll.park()
		}
	case !w.ready():
		n = l.block(w)
	}
	l.asleep.Store(false)
	return n, l.poll.serve(n, w != nil)
}

// block waits for a leader, which keeps its P meanwhile: not while somebody else could use it, and not for long.
func (l *Loop) block(w *Waiter) int {
	if l.wanted() {
		if n := l.poll.yield(); n > 0 {
			return n
		}
	}
	if n := l.spin(w); n > 0 || w.ready() {
		return n
	}
	return l.poll.blockRaw(leadBlock)
}

// wanted reports whether a goroutine is ready to run and has no P.
func (l *Loop) wanted() bool { return wanted(&l.runnable) }

// spin looks again and again for a while: a core that goes to sleep takes longer to wake than a peer to answer. Unless the
// waiter asked for it, only while that pays.
func (l *Loop) spin(w *Waiter) int {
	limit := w.Poll
	switch {
	case limit < 0, limit == 0 && !l.polling.mayPoll():
		return 0
	case limit == 0:
		limit = spinMost
	}
	start := time.Now()
	for looks := 1; ; looks++ {
		if n := l.poll.look(); n > 0 || w.ready() { // which another thread may see to
			l.polling.paid()
			return n
		}
		if time.Since(start) > limit || looks%looksKind == 0 && l.wanted() {
			l.polling.inVain()
			return 0
		}
		giveWay()
	}
}

// interrupt ends the token holder's sleep.
func (l *Loop) interrupt() {
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.poll.interrupt()
	}
}

// flusher serves posted work in a goroutine that parks in the scheduler, never in a system call.
type flusher struct {
	mu    sync.Mutex
	work  []posted
	spare []posted // flusher
	idle  bool
	wake  chan struct{} // cap 1
}

// posted is a Handler that wants Flush or Resume.
type posted struct {
	handler Handler
	read    bool
}

func (f *flusher) post(p posted) {
	f.mu.Lock()
	f.work = append(f.work, p)
	wake := f.idle
	f.idle = false
	f.mu.Unlock()
	if wake {
		hint(f.wake)
	}
}

// run serves what is posted. A stream whose sender is in the middle of a burst is served when no other thread wants this
// core: meanwhile the sender fills its queue and writes all of it by itself, in one large piece instead of many small
// ones. When the sender stops, its core is free to run us.
func (f *flusher) run(stopping *atomic.Bool) {
	for {
		f.mu.Lock()
		work := f.work
		f.work = f.spare[:0]
		f.idle = len(work) == 0
		f.mu.Unlock()
		gaveWay := false
		for _, p := range work {
			if p.read {
				p.handler.Resume()
				continue
			}
			if !gaveWay && p.handler.Bursting() {
				giveWay()
				gaveWay = true
			}
			p.handler.Flush()
		}
		if len(work) > 0 {
			clear(work)
			f.spare = work
			continue
		}
		if stopping.Load() {
			return
		}
		f.spare = work
		<-f.wake
	}
}
