// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"fmt"
	"sync"
	"testing"
)

// load is one step of a hot path. It leaves the queue as it found it, so that it can go on for ever.
type load struct {
	name     string
	messages int // that it moves
	bytes    int // of each body
	run      func()
}

// loads are the hot paths: what a sender and a stream, or a sender and a receiver, do per message, with a pile of messages
// in between.
func loads() []load {
	var all []load
	for _, bytes := range []int{10, 100, 1000, 10000} {
		const pile = 50
		frames := [][]byte{make([]byte, bytes)}
		envelope := [][]byte{make([]byte, 5), nil, make([]byte, bytes)}
		all = append(all,
			load{fmt.Sprintf("stream/%dB", bytes), pile, bytes, streamLoad(pile, frames)},
			load{fmt.Sprintf("stream/envelope/%dB", bytes), pile, bytes, streamLoad(pile, envelope)},
			load{fmt.Sprintf("receiver/%dB", bytes), pile, bytes, receiverLoad(pile, frames)},
			load{fmt.Sprintf("receiver/idle/%dB", bytes), 1, bytes, receiverLoad(1, frames)},
			load{fmt.Sprintf("fanout/1/%dB", bytes), pile, bytes, fanOutLoad(pile, 1, frames)},
			load{fmt.Sprintf("fanout/10/%dB", bytes), pile, bytes, fanOutLoad(pile, 10, frames)},
		)
	}
	for _, bytes := range []int{10, 100, 1000} {
		all = append(all, load{fmt.Sprintf("small/%dB", bytes), 400, bytes, smallLoad(400, bytes)})
	}
	return append(all, load{"fanout/1000/100B", 50, 100, fanOutLoad(50, 1000, [][]byte{make([]byte, 100)})})
}

// idle is a consumer and producer with nothing to do: the load drains by itself.
type idle struct{}

func (idle) Ready(*Queue, bool) {}
func (idle) Revive(*Queue)      {}

func newIdle(limits Limits) *Queue {
	q := NewQueue(limits)
	q.Consumer, q.Producer = idle{}, idle{}
	q.Set(Idle)
	return q
}

func fill(q *Queue, pile int, frames [][]byte) {
	n := EncodedBytes(nil, frames)
	for range pile {
		if !q.Fits(n, ByteMark*2) {
			panic("no room")
		}
		q.Append(nil, frames)
		if q.Claim() {
			q.Consumer.Ready(q, false)
		}
	}
}

// write drains q as a session does.
func write(q *Queue, pieces [][]byte) [][]byte {
	q.Turn(Posted, Draining)
	for {
		pieces = q.Gather(pieces[:0])
		if len(pieces) == 0 {
			q.Rest()
			if q.Yield() {
				return pieces
			}
		}
		n := 0
		for _, p := range pieces {
			n += len(p)
		}
		q.Advance(n)
	}
}

func streamLoad(pile int, frames [][]byte) func() {
	q := newIdle(Limits{Messages: 1000})
	pieces := make([][]byte, 0, gatherPieces)
	return func() {
		fill(q, pile, frames)
		pieces = write(q, pieces)
	}
}

func receiverLoad(pile int, frames [][]byte) func() {
	q := newIdle(Limits{Messages: 1000})
	sum := 0
	return func() {
		fill(q, pile, frames)
		q.Turn(Posted, Draining)
		for {
			b := q.Front()
			if b == nil {
				q.Settle()
				if q.Yield() {
					return
				}
			}
			sum += int(b[0])
			q.Pop(len(b))
		}
	}
}

// generous is an idle producer that publishes what it holds back when it is asked.
type generous struct{ idle }

func (generous) Release(q *Queue) {
	q.Flush()
	q.Claim()
}

// smallLoad is a sender and a receiver in the middle of a burst: they take the short way wherever it is open.
func smallLoad(pile, bytes int) func() {
	q := newIdle(Limits{Messages: 1000})
	q.Producer = generous{}
	frames, memory := [][]byte{make([]byte, bytes)}, make([]byte, bytes+1)
	n := EncodedBytes(nil, frames)
	return func() {
		appended, taken := 0, 0
		for range pile {
			if q.AppendSmall(frames[0]) {
				appended++
				continue
			}
			if !q.Fits(n, ByteMark) {
				panic("no room")
			}
			q.Append(nil, frames)
			if !q.Claim() {
				q.Quicken(ByteMark)
			}
		}
		q.Turn(Posted, Draining)
		for {
			if _, ok := q.TakeSmall(memory); ok {
				taken++
				continue
			}
			b := q.Front()
			if b == nil {
				q.Settle()
				if q.Yield() {
					break
				}
				continue
			}
			copy(memory, b[len(b)-bytes:])
			q.Pop(len(b))
		}
		if min(appended, taken) < pile/2 {
			panic("the long way")
		}
	}
}

func fanOutLoad(pile, peers int, frames [][]byte) func() {
	var encoder Encoder
	queues := make([]*Queue, peers)
	for i := range queues {
		queues[i] = newIdle(Limits{Messages: 1000})
	}
	pieces := make([][]byte, 0, gatherPieces)
	return func() {
		for range pile {
			c, from, to := encoder.Encode(nil, frames, always)
			for _, q := range queues {
				if !q.Room(to - from) {
					panic("no room")
				}
				q.Publish(c, from, to, 1)
				if q.Claim() {
					q.Consumer.Ready(q, true)
				}
			}
		}
		for _, q := range queues {
			pieces = write(q, pieces)
		}
	}
}

// forgetful reports whether pools drop what they are given, as the race detector makes them do.
func forgetful() bool {
	p := sync.Pool{}
	for range 100 {
		p.Put(new(int))
		if p.Get() == nil {
			return true
		}
	}
	return false
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	if forgetful() {
		t.Skip("pools forget")
	}
	for _, l := range loads() {
		if n := testing.AllocsPerRun(100, l.run); n > 0 {
			t.Errorf("%s: %v allocations for %d messages", l.name, n, l.messages)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			for range 20 { // chunks grow to their size
				l.run()
			}
			b.ReportAllocs()
			b.SetBytes(int64(l.messages * l.bytes))
			for b.Loop() {
				l.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*l.messages), "ns/message")
		})
	}
}
