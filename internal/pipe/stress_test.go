// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/internal/wire"
)

// A writer and a drainer in goroutines of their own, against a model: every message that was accepted is delivered once,
// in order and undamaged, or counted as dropped, and no limit is ever passed.
//
// A message carries its number; its other bytes follow from that.

// strain is what a stress test does to a queue.
type strain struct {
	limits   Limits
	byteMark int
	sizeMax  int  // of a frame
	frames   int  // at most, of a message
	receiver bool // the drainer takes messages, not bytes
	shared   bool // messages are encoded into chunks that other queues hold too
	breaks   bool // streams break
	discards bool // the drainer drops everything now and then
	trims    bool // the writer lets go of its chunk now and then
	limiting bool // somebody changes the limits
}

// rig is a queue under strain.
type rig struct {
	strain
	q        *Queue
	messages int
	ready    chan struct{} // cap 1
	revived  chan struct{} // cap 1
	done     atomic.Bool   // the writer is

	writing sync.Mutex  // the writer's, while it appends
	asked   atomic.Bool // somebody wants what is held back

	sizes     []atomic.Int64 // of the messages, on the wire
	sent      atomic.Int64
	delivered atomic.Int64 // and dropped
	peak      int64        // writer: most messages that were ever queued
	shortly   int          // writer: messages that went the short way
	taken     int          // drainer: the same
}

func (r *rig) Ready(*Queue, bool) { hint(r.ready) }
func (r *rig) Revive(*Queue)      { hint(r.revived) }

// Release is asked for what is held back: whoever has the lock, now or next, hands it out.
func (r *rig) Release(*Queue) {
	r.asked.Store(true)
	r.handOut()
}

func (r *rig) handOut() {
	for r.asked.Load() && r.writing.TryLock() {
		r.asked.Store(false)
		if r.q.Flush() && r.q.Claim() {
			r.q.Consumer.Ready(r.q, true)
		}
		r.writing.Unlock()
	}
}

func hint(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// makeMessage makes message i in memory.
func (r *rig) makeMessage(random *rand.Rand, i int, memory []byte) [][]byte {
	frames := make([][]byte, 1+random.IntN(r.frames))
	for k := range frames {
		n := random.IntN(r.sizeMax + 1)
		if random.IntN(4) > 0 {
			n = min(n, 300)
		}
		n = max(n, 8)
		f := memory[:n:n]
		memory = memory[n:]
		for at := range f {
			f[at] = byte(i*7 + k*3 + at)
		}
		binary.BigEndian.PutUint64(f, uint64(i))
		frames[k] = f
	}
	return frames
}

// checkMessage says which message b is, and whether it is whole.
func checkMessage(b []byte) (number int, err error) {
	for k := 0; ; k++ {
		flags, size, n := wire.ParseHeader(b)
		if n == 0 || uint64(len(b)-n) < size || size < 8 {
			return 0, fmt.Errorf("frame %d of %d bytes ends early", k, size)
		}
		f := b[n : n+int(size)]
		i := int(binary.BigEndian.Uint64(f))
		if k > 0 && i != number {
			return 0, fmt.Errorf("frame of message %d in message %d", i, number)
		}
		number = i
		for at := 8; at < len(f); at++ {
			if f[at] != byte(i*7+k*3+at) {
				return 0, fmt.Errorf("message %d is damaged at byte %d of frame %d", i, at, k)
			}
		}
		b = b[n+int(size):]
		if flags&wire.FlagMore == 0 {
			if len(b) > 0 {
				return 0, fmt.Errorf("message %d has %d bytes too many", number, len(b))
			}
			return number, nil
		}
	}
}

func (r *rig) write(random *rand.Rand) error {
	var encoder Encoder
	memory := make([]byte, r.frames*r.sizeMax+8*r.frames)
	for i := range r.messages {
		frames := r.makeMessage(random, i, memory)
		n := EncodedBytes(nil, frames)
		r.writing.Lock()
		short := !r.shared && n <= SmallBodyMax && (len(frames) == 1 && r.q.AppendSmall(frames[0]) || len(frames) > 1 && r.q.AppendFew(frames, n))
		for !short && !r.q.Fits(n, r.byteMark) {
			r.writing.Unlock()
			r.handOut()
			<-r.revived
			r.writing.Lock()
		}
		r.sizes[i].Store(int64(n))
		r.sent.Add(1)
		switch {
		case short:
			r.shortly++
		case r.shared:
			c, from, to := encoder.Encode(nil, frames, func() bool { return true })
			r.q.Publish(c, from, to, 1)
		default:
			r.q.Append(nil, frames)
			if random.IntN(4) > 0 {
				r.q.Quicken(r.byteMark)
			}
		}
		err := r.checkLimits(n)
		told := !short && r.q.Claim()
		r.writing.Unlock()
		r.handOut()
		if err != nil {
			return err
		}
		if told {
			r.q.Consumer.Ready(r.q, false)
		}
		if r.trims && random.IntN(50) == 0 {
			r.writing.Lock()
			r.q.Trim()
			if r.q.Claim() {
				r.q.Consumer.Ready(r.q, true)
			}
			r.writing.Unlock()
			r.handOut()
		}
		if r.limiting && random.IntN(20) == 0 {
			r.q.Limit(Limits{Messages: 1 + random.IntN(r.limits.Messages), Bytes: r.limits.Bytes})
		}
	}
	r.done.Store(true)
	hint(r.ready)
	return nil
}

// checkLimits is called by the writer when it has published a message of n bytes. Credit comes back after the message is
// counted as delivered, so what the model says is queued is no more than what the queue thinks.
func (r *rig) checkLimits(n int) error {
	// Messages before bytes: the counters only grow, and the first is looked at first.
	queued := r.sent.Load() - r.delivered.Load()
	r.peak = max(r.peak, queued)
	if limit := r.limits.Messages; limit > 0 && queued > int64(limit) {
		return fmt.Errorf("%d messages are queued, the limit is %d", queued, limit)
	}
	_, bytes := r.q.Queued()
	switch bound := r.limits.Bytes; {
	case bytes < 0:
		return fmt.Errorf("%d bytes are queued", bytes)
	case bound > 0 && bytes > max(bound, n):
		return fmt.Errorf("%d bytes are queued, the bound is %d, the last message has %d", bytes, bound, n)
	case r.byteMark > 0 && bytes-n >= r.byteMark:
		return fmt.Errorf("%d bytes were queued, the mark is %d", bytes-n, r.byteMark)
	}
	return nil
}

// take is told of each message that is delivered, before its credit comes back.
func (r *rig) take(b []byte) error {
	number, err := checkMessage(b)
	if err != nil {
		return err
	}
	if want := int(r.delivered.Load()); number != want {
		return fmt.Errorf("message %d is delivered, want %d", number, want)
	}
	r.delivered.Add(1)
	return nil
}

func (r *rig) takeFrames(frames [][]byte) error {
	b := make([]byte, EncodedBytes(nil, frames))
	encode(b, nil, frames)
	return r.take(b)
}

// drop counts what it drops afterwards, when credit is back: it is for queues without a limit on messages.
func (r *rig) drop(random *rand.Rand) {
	if r.discards && random.IntN(100) == 0 {
		r.delivered.Add(int64(r.q.Discard()))
	}
}

// drain is the drainer: it sleeps, and takes what comes, one way or the other.
func (r *rig) drain(random *rand.Rand) error {
	stream := &wireEnd{rig: r, random: random}
	for {
		<-r.ready
		if !r.q.Turn(Posted, Draining) {
			if r.done.Load() && r.delivered.Load() == int64(r.messages) {
				return nil
			}
			continue
		}
		for {
			more, err := false, error(nil)
			if r.receiver {
				more, err = r.receive(random)
			} else {
				more, err = stream.write()
			}
			if err != nil {
				return err
			}
			r.drop(random)
			if more {
				continue
			}
			if r.receiver {
				r.q.Settle()
			} else {
				r.q.Rest()
			}
			if r.q.Yield() {
				break
			}
		}
		if r.done.Load() {
			hint(r.ready)
		}
	}
}

// receive takes a message as a socket does: the memory of a large one, when it can have it.
func (r *rig) receive(random *rand.Rand) (more bool, err error) {
	if random.IntN(4) > 0 {
		memory := make([]byte, random.IntN(SmallBodyMax))
		if n, ok := r.q.TakeSmall(memory); ok {
			r.taken++
			return true, r.takeFrames([][]byte{memory[:n]})
		}
		if frames := make([][]byte, 2+random.IntN(max(1, r.frames-1))); r.q.TakeFew(memory, frames) {
			r.taken++
			return true, r.takeFrames(frames)
		}
	}
	b := r.q.Front()
	if b == nil {
		return false, nil
	}
	n := len(b)
	if err := r.take(b); err != nil {
		return false, err
	}
	if n > ChunkBytes/2 && random.IntN(2) == 0 {
		if memory, ok := r.q.Steal(n, make([]byte, random.IntN(2)<<16)); ok {
			clear(memory) // it is ours: nobody may see that
		}
	}
	r.q.Pop(n)
	return true, nil
}

// wireEnd is a stream that takes as much as it likes, and breaks.
type wireEnd struct {
	*rig
	random *rand.Rand
	pieces [][]byte
	rest   []byte // of a message, at the peer
}

func (w *wireEnd) write() (more bool, err error) {
	w.pieces = w.q.Gather(w.pieces[:0])
	if len(w.pieces) == 0 {
		return false, nil
	}
	b := bytes.Join(w.pieces, nil)
	if w.random.IntN(3) == 0 {
		b = b[:1+w.random.IntN(len(b))]
	}
	if err := w.arrive(b); err != nil {
		return false, err
	}
	w.q.Advance(len(b))
	if w.breaks && w.random.IntN(20) == 0 {
		w.rest = w.rest[:0] // the peer cannot use half a message
		w.q.Rewind()
		if !w.q.AtBoundary() {
			return false, fmt.Errorf("not at a boundary after Rewind")
		}
	}
	return true, nil
}

// arrive is the peer: it finds whole messages.
func (w *wireEnd) arrive(b []byte) error {
	w.rest = append(w.rest, b...)
	for {
		next := w.delivered.Load()
		if next >= w.sent.Load() {
			if len(w.rest) > 0 {
				return fmt.Errorf("%d bytes that nobody sent", len(w.rest))
			}
			return nil
		}
		n := int(w.sizes[next].Load())
		if len(w.rest) < n {
			return nil
		}
		if err := w.take(w.rest[:n]); err != nil {
			return err
		}
		w.rest = append(w.rest[:0], w.rest[n:]...)
	}
}

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

func TestStress(t *testing.T) {
	for name, s := range map[string]strain{
		"stream/one":         {limits: Limits{Messages: 1}, sizeMax: 20, frames: 1},
		"stream/many":        {limits: Limits{Messages: 1000}, sizeMax: 200, frames: 3},
		"stream/bytes":       {limits: Limits{Messages: 1000, Bytes: 3000}, sizeMax: 5000, frames: 1},
		"stream/short":       {limits: Limits{Messages: 1000, Bytes: 2000}, sizeMax: 40, frames: 1},
		"receiver/mark":      {limits: Limits{Messages: 1000}, byteMark: 2000, sizeMax: 40, frames: 1, receiver: true},
		"stream/breaks":      {limits: Limits{Messages: 7, Bytes: 5000}, sizeMax: 2000, frames: 3, breaks: true, trims: true},
		"stream/mark":        {limits: Limits{Messages: 1000, Bytes: 1 << 20}, byteMark: 20000, sizeMax: 3000, frames: 3, breaks: true},
		"stream/shared":      {limits: Limits{Messages: 50}, sizeMax: 3000, frames: 2, shared: true},
		"stream/limiting":    {limits: Limits{Messages: 20}, sizeMax: 500, frames: 2, limiting: true},
		"receiver/one":       {limits: Limits{Messages: 1}, sizeMax: 20, frames: 1, receiver: true},
		"receiver/many":      {limits: Limits{Messages: 1000}, sizeMax: 200, frames: 3, receiver: true},
		"receiver/large":     {limits: Limits{Messages: 10}, sizeMax: 100000, frames: 2, receiver: true, trims: true},
		"receiver/shared":    {limits: Limits{Messages: 50}, sizeMax: 3000, frames: 2, shared: true, receiver: true},
		"receiver/limiting":  {limits: Limits{Messages: 20}, sizeMax: 500, frames: 2, limiting: true, receiver: true},
		"receiver/discards":  {limits: Limits{Bytes: 1 << 30}, sizeMax: 300, frames: 2, receiver: true, discards: true},
		"receiver/unlimited": {sizeMax: 300, frames: 2, receiver: true, trims: true},
	} {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Log("seed", seed)
			r := &rig{strain: s, messages: 5000, ready: make(chan struct{}, 1), revived: make(chan struct{}, 1)}
			r.sizes = make([]atomic.Int64, r.messages)
			r.q = NewQueue(s.limits)
			r.q.Consumer, r.q.Producer = r, r
			if s.receiver {
				r.q.Far = new(End) // as between two sockets, where what is held back is drafted
			}
			r.q.Set(Idle)
			failures := make(chan error, 2)
			go func() { failures <- r.write(rand.New(rand.NewPCG(seed, 1))) }()
			go func() { failures <- r.drain(rand.New(rand.NewPCG(seed, 2))) }()
			late := time.After(patience)
			for range 2 {
				select {
				case err := <-failures:
					if err != nil {
						t.Fatal(err)
					}
				case <-late:
					t.Fatalf("%d sent, %d delivered, state %d, and everybody sleeps", r.sent.Load(), r.delivered.Load(), r.q.State())
				}
			}
			if messages, bytes := r.q.Queued(); messages != 0 || bytes != 0 {
				t.Errorf("%d messages, %d bytes without credit", messages, bytes)
			}
			t.Log("at most", r.peak, "were queued;", r.shortly, "went in and", r.taken, "came out the short way")
		})
	}
}

// One chunk in several queues, whose drainers are of different kinds and speeds: what a full queue misses is counted, and
// nobody sees what is another's.
func TestStressFanOut(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	const messages = 5000
	shape := strain{sizeMax: 20000, frames: 2}
	var queues []*fanned
	failures := make(chan error, 4)
	var drains sync.WaitGroup
	for i := range cap(failures) {
		f := &fanned{ready: make(chan struct{}, 1), steals: i%2 == 0, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		f.q = NewQueue(Limits{Messages: 1 << (3 * i)})
		f.q.Consumer, f.q.Producer = f, f
		f.q.Set(Idle)
		queues = append(queues, f)
		drains.Go(func() { failures <- f.drain() })
	}
	var encoder Encoder
	random := rand.New(rand.NewPCG(seed, 100))
	memory := make([]byte, shape.frames*shape.sizeMax)
	writer := rig{strain: shape}
	for i := range messages {
		c, from, to := encoder.Encode(nil, writer.makeMessage(random, i, memory), always)
		for _, f := range queues {
			if !f.q.Room(to - from) {
				f.missed++
				continue
			}
			f.q.Publish(c, from, to, 1)
			if f.q.Claim() {
				f.q.Consumer.Ready(f.q, true)
			}
		}
	}
	for _, f := range queues {
		f.done.Store(true)
		hint(f.ready)
	}
	drains.Wait()
	for _, f := range queues {
		if err := <-failures; err != nil {
			t.Error(err)
		}
		if f.missed+f.taken != messages {
			t.Errorf("%d taken, %d missed, %d sent", f.taken, f.missed, messages)
		}
	}
}

// fanned is one queue of several that share chunks.
type fanned struct {
	q             *Queue
	ready         chan struct{} // cap 1
	done          atomic.Bool
	steals        bool
	random        *rand.Rand
	taken, missed int
}

func (f *fanned) Ready(*Queue, bool) { hint(f.ready) }
func (f *fanned) Revive(*Queue)      {}

func (f *fanned) drain() error {
	last := -1
	for {
		<-f.ready
		if !f.q.Turn(Posted, Draining) {
			if f.done.Load() {
				return nil
			}
			continue
		}
		for yielded := false; !yielded; {
			b := f.q.Front()
			if b == nil {
				f.q.Settle()
				yielded = f.q.Yield()
				continue
			}
			number, err := checkMessage(b)
			if err != nil || number <= last {
				return fmt.Errorf("message %d after %d: %w", number, last, err)
			}
			last = number
			f.taken++
			n := len(b)
			if f.steals && n > ChunkBytes/2 && f.random.IntN(2) == 0 {
				if memory, ok := f.q.Steal(n, nil); ok {
					clear(memory)
				}
			}
			f.q.Pop(n)
		}
		if f.done.Load() {
			hint(f.ready)
		}
	}
}
