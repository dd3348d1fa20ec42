// SPDX-License-Identifier: Apache-2.0

package route

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"sync"
	"testing"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// load is one step of a hot path; it leaves everything as it found it.
type load struct {
	name     string
	messages int
	run      func()
}

// warm lets chunks grow to their size.
func (l load) warm() {
	for range 20 {
		l.run()
	}
}

// drain writes all of q to a stream that takes everything.
func drain(q *pipe.Queue, pieces [][]byte) [][]byte {
	for q.Set(pipe.Draining); ; {
		pieces = q.Gather(pieces[:0])
		if len(pieces) == 0 {
			q.Rest()
			q.Set(pipe.Idle)
			return pieces
		}
		n := 0
		for _, piece := range pieces {
			n += len(piece)
		}
		q.Advance(n)
	}
}

// silent is told much and says nothing.
type silent struct{}

func (silent) Ready(*pipe.Queue, bool) {}
func (silent) Revive(*pipe.Queue)      {}

func silence(ends []*pipe.End) []*pipe.End {
	for _, e := range ends {
		e.Out.Consumer, e.Out.Producer, e.In.Consumer, e.In.Producer = silent{}, silent{}, silent{}, silent{}
	}
	return ends
}

func balanceLoad(count int) func() {
	ends := silence(new(party).newEnds(count, 100))
	var b LoadBalance
	frames := [][]byte{make([]byte, 100)}
	pieces := make([][]byte, 0, 64)
	return func() {
		for _, e := range ends {
			b.Add(e)
		}
		for e := b.Next(102, 0); e != nil; e = b.Next(102, 0) {
			e.Out.Append(nil, frames)
		}
		for _, e := range ends {
			pieces = drain(e.Out, pieces)
		}
	}
}

func fairLoad(count, each int) func() {
	ends := silence(new(party).newEnds(count, 100))
	var f FairQueue
	frames := [][]byte{make([]byte, 100)}
	sum := 0
	return func() {
		for _, e := range ends {
			for range each {
				e.In.Append(nil, frames)
			}
			if e.In.Claim() {
				f.Add(e)
			}
		}
		for {
			e, b := f.Front()
			if e == nil {
				return
			}
			sum += len(b)
			f.Pop(e, len(b))
		}
	}
}

func fanOutLoad(count int) func() {
	ends := silence(new(party).newEnds(count, 0))
	var f Fanout
	for _, e := range ends {
		f.Topics.Add([]byte("market."), e)
		f.Topics.Add([]byte("market.a"), e)
	}
	frames := [][]byte{[]byte("market.abc"), make([]byte, 100)}
	var encoder pipe.Encoder
	pieces := make([][]byte, 0, 64)
	return func() {
		for range 100 {
			targets := f.Match(frames[0])
			c, from, to := encoder.Encode(nil, frames, func() bool { return true })
			for _, e := range targets {
				e.Out.Publish(c, from, to, 1)
				e.Out.Claim()
			}
		}
		for _, e := range ends {
			pieces = drain(e.Out, pieces)
		}
	}
}

func identityLoad(count int) func() {
	var r ByIdentity
	for i, e := range new(party).newEnds(count, 0) {
		r.Put(binary.BigEndian.AppendUint32([]byte{0}, uint32(i)), e)
	}
	var key bytes.Buffer
	key.Grow(5)
	return func() {
		for i := range 100 {
			key.Reset()
			key.WriteByte(0)
			b := binary.BigEndian.AppendUint32(key.AvailableBuffer(), uint32(i%count))
			key.Write(b)
			if r.Find(key.Bytes()) == nil {
				panic("nobody")
			}
		}
	}
}

func loads() []load {
	return []load{
		{"balance/1", 100, balanceLoad(1)},
		{"balance/8", 800, balanceLoad(8)},
		{"balance/1000", 100000, balanceLoad(1000)},
		{"fair/1", 100, fairLoad(1, 100)},
		{"fair/8", 800, fairLoad(8, 100)},
		{"fair/1000", 100000, fairLoad(1000, 100)},
		{"fair/1000 with one each", 1000, fairLoad(1000, 1)},
		{"fanout/1", 100, fanOutLoad(1)},
		{"fanout/10", 1000, fanOutLoad(10)},
		{"fanout/1000", 100000, fanOutLoad(1000)},
		{"identity/1000", 100, identityLoad(1000)},
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
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // now: when AllocsPerRun does it, pools lose what they have
	for _, l := range loads() {
		l.warm()
		if n := testing.AllocsPerRun(20, l.run); n > 0 {
			t.Errorf("%s: %v allocations for %d messages", l.name, n, l.messages)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			l.warm()
			b.ReportAllocs()
			for b.Loop() {
				l.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*l.messages), "ns/message")
		})
	}
}
