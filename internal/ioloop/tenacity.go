// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// tenacity decides who polls before sleeping: as long as that pays; after each time in vain it lets twice as many waits
// pass.
type tenacity struct {
	fruitless int // times in a row, as far as they count
	rests     int // waits to come that do not poll
}

func (p *tenacity) mayPoll() bool {
	if p.rests > 0 {
		p.rests--
		return false
	}
	return true
}

func (p *tenacity) paid() { *p = tenacity{} }

func (p *tenacity) inVain() {
	p.fruitless = min(p.fruitless+1, fruitlessMost)
	p.rests = 1<<p.fruitless - 1
}

const runnableMetric = "/sched/goroutines/runnable:goroutines"

// wanted reports whether a goroutine is ready to run and has no P. The sample has the name of the metric.
func wanted(runnable *[1]metrics.Sample) bool {
	metrics.Read(runnable[:])
	return runnable[0].Value.Uint64() > 0
}

// spin waits for a wake from another core for a while. It reports whether one came. It counts looks, since the clock may
// stand still (testing/synctest). Giving way to another goroutine costs next to nothing and is not in vain.
func (w *Waiter) spin() bool {
	if runtime.GOMAXPROCS(0) == 1 {
		return false
	}
	w.spins.Store(true)
	defer w.spins.Store(false)
	for looks := 1; looks < looksMost; looks++ {
		if w.ready() {
			w.paid = true
			return true
		}
		if looks%looksCheap == 0 && wanted(&w.runnable) {
			return false
		}
	}
	w.inVain = true
	return false
}

// rush notices when so much comes from many streams that to wake for it costs more than to serve it.
type rush struct {
	wakes, events int
	since         time.Time
}

// on notes a wake, and reports whether there is a rush.
func (r *rush) on(events int) bool {
	if r.wakes == 0 {
		r.since = time.Now()
	}
	r.wakes++
	r.events += events
	if r.wakes < rushWakes {
		return false
	}
	much := r.events >= rushEvents*r.wakes && time.Since(r.since) < rushTime
	*r = rush{}
	return much
}
