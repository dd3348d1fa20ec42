// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

const (
	inprocReported = "inproc"
	ringSlots      = 1000      // the probe's default high-water mark
	ringBytes      = 512 << 10 // at which a Send that can wait waits
	cacheLine      = 64
	strideMax      = 64 // 16 was half as fast at 10 B, 250 no faster
)

// inprocThroughput has a goroutine that copies messages into the ring, and
// copies them out itself.
func inprocThroughput(l *limit) (figures.Report, error) {
	r := newRing(l.size)
	go r.putAll(make([]byte, l.size), l.count)
	var before, after runtime.MemStats
	body := make([]byte, l.size)
	r.takeAll(body, 0, 1)
	runtime.ReadMemStats(&before)
	start := time.Now()
	r.takeAll(body, 1, l.count)
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	report := &figures.Throughput{Operation: "inproc-thr", Endpoint: inprocReported, Size: l.size, Count: l.count}
	report.Summarize(float64(l.count-1), elapsed, after.Mallocs-before.Mallocs)
	return report, nil
}

// A ring has one writer and one reader. Either tells the other of a stride of
// messages at once, which no library may do that does not know what comes next.
// It looks at the other's count when it cannot go on by the one it has seen,
// and lets another goroutine run while that helps nothing.
type ring struct {
	slots  int
	stride int
	size   int
	bytes  []byte
	_      [cacheLine]byte
	put    atomic.Int64 // the writer's
	_      [cacheLine]byte
	taken  atomic.Int64 // the reader's
	_      [cacheLine]byte
}

func newRing(size int) *ring {
	slots := max(2, min(ringSlots, ringBytes/max(size, 1)))
	return &ring{slots: slots, stride: min(strideMax, slots/2), size: size, bytes: make([]byte, slots*size)}
}

func (r *ring) putAll(body []byte, count int) {
	slot, room := 0, r.slots
	for put := 0; put < count; {
		for room == 0 {
			if room = r.slots - put + int(r.taken.Load()); room == 0 {
				runtime.Gosched()
			}
		}
		copy(r.bytes[slot*r.size:(slot+1)*r.size], body)
		if slot++; slot == r.slots {
			slot = 0
		}
		put++
		room--
		if put%r.stride == 0 || put == count {
			r.put.Store(int64(put))
		}
	}
}

// takeAll takes the messages from number first on, up to but without number end.
func (r *ring) takeAll(body []byte, first, end int) {
	slot, present := first%r.slots, 0
	for taken := first; taken < end; {
		for present == 0 {
			if present = int(r.put.Load()) - taken; present == 0 {
				runtime.Gosched()
			}
		}
		copy(body, r.bytes[slot*r.size:(slot+1)*r.size])
		if slot++; slot == r.slots {
			slot = 0
		}
		taken++
		present--
		if taken%r.stride == 0 || taken == end {
			r.taken.Store(int64(taken))
		}
	}
}

// inprocLatency passes the message itself, and copies nothing.
func inprocLatency(l *limit) (figures.Report, error) {
	requests, replies := make(chan []byte), make(chan []byte)
	go func() {
		for request := range requests {
			replies <- request
		}
	}()
	body := make([]byte, l.size)
	report, err := l.measureLatency(func() error {
		requests <- body
		body = <-replies
		return nil
	})
	if err != nil {
		return nil, err
	}
	close(requests)
	report.Operation, report.Endpoint = "inproc-lat", inprocReported
	return report, nil
}
