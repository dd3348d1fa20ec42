// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/zwire-mq/zwire/internal/wire"
)

// watcher is both sides of a queue as the queue calls them: it counts.
type watcher struct{ readied, later, revived int }

func (w *watcher) Ready(_ *Queue, later bool) {
	w.readied++
	if later {
		w.later++
	}
}

func (w *watcher) Revive(*Queue) { w.revived++ }

// newWatched returns a queue whose drainer is the test.
func newWatched(limits Limits) (*Queue, *watcher) {
	w := new(watcher)
	q := NewQueue(limits)
	q.Consumer, q.Producer = w, w
	q.Set(Draining)
	return q, w
}

// body is message i of a test, n bytes long.
func body(i, n int) []byte {
	b := make([]byte, n)
	for k := range b {
		b[k] = byte(i + k)
	}
	return b
}

// onWire is a message in wire form, made without the code under test.
func onWire(frames ...[]byte) []byte {
	var b []byte
	for i, f := range frames {
		flags := byte(0)
		if i+1 < len(frames) {
			flags = wire.FlagMore
		}
		if len(f) < 256 {
			b = append(b, flags, byte(len(f)))
		} else {
			b = append(b, flags|wire.FlagLong, 0, 0, 0, 0, byte(len(f)>>24), byte(len(f)>>16), byte(len(f)>>8), byte(len(f)))
		}
		b = append(b, f...)
	}
	return b
}

// written joins what Gather gives and says that all of it was written.
func written(q *Queue) []byte {
	b := bytes.Join(q.Gather(nil), nil)
	q.Advance(len(b))
	return b
}

func TestMessagesComeOutAsOnTheWire(t *testing.T) {
	messages := [][][]byte{
		{{}}, {body(1, 1)}, {body(2, 255)}, {body(3, 256)}, {body(4, 70000)}, {{}, {}}, {body(5, 3), {}, body(6, 300)},
		{body(7, ChunkBytes-9)}, {body(8, 5)},
	}
	for _, receiver := range []bool{false, true} {
		t.Run(fmt.Sprintf("receiver=%v", receiver), func(t *testing.T) {
			q, _ := newWatched(Limits{})
			for i, frames := range messages {
				head, rest := []byte(nil), frames
				if i%2 == 1 && len(frames) > 1 {
					head, rest = append([]byte{wire.FlagMore, byte(len(frames[0]))}, frames[0]...), frames[1:]
				}
				q.Append(head, rest)
			}
			if n := q.Waiting(); n != len(messages) {
				t.Errorf("%d messages are waiting, want %d", n, len(messages))
			}
			for i, frames := range messages {
				if want := onWire(frames...); receiver {
					got := q.Front()
					if !bytes.Equal(got, want) {
						t.Fatalf("message %d: %d bytes, want %d", i, len(got), len(want))
					}
					q.Pop(len(got))
				} else if i == 0 {
					var all []byte
					for q.Pending() {
						all = append(all, written(q)...)
					}
					for _, m := range messages {
						want := onWire(m...)
						if !bytes.HasPrefix(all, want) {
							t.Fatalf("%d bytes do not begin with a message of %d", len(all), len(want))
						}
						all = all[len(want):]
					}
				}
			}
			if q.Front() != nil || q.Pending() || q.Waiting() != 0 {
				t.Error("something is left")
			}
			q.Settle()
			if messages, bytes := q.Queued(); messages != 0 || bytes != 0 {
				t.Errorf("%d messages, %d bytes without credit", messages, bytes)
			}
		})
	}
}

func TestAppendWire(t *testing.T) {
	q, _ := newWatched(Limits{})
	command := append([]byte{wire.FlagCommand, 4}, "\x03ABC"...)
	q.AppendWire(command)
	q.Append(nil, [][]byte{{1}})
	if got := q.Front(); !bytes.Equal(got, command) {
		t.Fatalf("got %x, want the command", got)
	}
	q.Pop(len(command))
	if got := q.Front(); !bytes.Equal(got, []byte{0, 1, 1}) {
		t.Fatalf("got %x, want the message", got)
	}
}

// A stream takes bytes as it likes; credit comes back with whole ranges, and commands may go in only at boundaries.
func TestAdvanceByPieces(t *testing.T) {
	for _, step := range []int{1, 2, 3, 7, 64, 1000} {
		q, _ := newWatched(Limits{})
		var want, got []byte
		for i := range 40 {
			m := onWire(body(i, i*17%300))
			want = append(want, m...)
			q.AppendWire(m)
		}
		for q.Pending() {
			pieces := q.Gather(nil)
			b := bytes.Join(pieces, nil)
			b = b[:min(step, len(b))]
			got = append(got, b...)
			q.Advance(len(b))
			if q.AtBoundary() && !bytes.Equal(got, want[:len(got)]) {
				t.Fatal("bytes differ")
			}
			if left, _ := q.Queued(); q.AtBoundary() && left != q.Waiting() {
				t.Fatalf("step %d: %d messages without credit, %d are waiting", step, left, q.Waiting())
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("step %d: bytes differ", step)
		}
	}
}

func TestGatherIsBounded(t *testing.T) {
	q, _ := newWatched(Limits{})
	c := NewChunk(100)
	for range 3 * gatherPieces { // with gaps, so that each is a segment
		q.Publish(c, 0, 2, 1)
	}
	if n := len(q.Gather(nil)); n != gatherPieces {
		t.Errorf("%d pieces, want %d", n, gatherPieces)
	}
	q, _ = newWatched(Limits{})
	for range 100 {
		q.Append(nil, [][]byte{make([]byte, 60000)})
	}
	if n := len(bytes.Join(q.Gather(nil), nil)); n < gatherBytes || n > gatherBytes+ChunkBytes {
		t.Errorf("%d bytes, want about %d", n, gatherBytes)
	}
}

// What was written in part when the stream broke is given again, whole; what was written whole is not.
func TestRewindAfterEveryByte(t *testing.T) {
	large := body(5, referenceBytesMin)
	messages := [][]byte{
		onWire(body(1, 3)), onWire(body(2, 2), body(3, 4)), onWire(body(6, 1), large), onWire(body(4, 300)), onWire(large), onWire(nil),
	}
	all := bytes.Join(messages, nil)
	for cut := range len(all) + 1 {
		q, w := newWatched(Limits{Messages: len(messages)})
		for i, m := range messages {
			switch i {
			case 2:
				refer(q, onWireMore(body(6, 1)), large)
			case 4:
				refer(q, nil, large)
			default:
				q.AppendWire(m)
			}
		}
		if q.Fits(1, 0) {
			t.Fatal("room in a full queue")
		}
		q.Gather(nil)
		q.Advance(cut)
		q.Rewind()
		whole, rest := 0, all
		for whole < len(messages) && len(all)-len(rest)+len(messages[whole]) <= cut {
			rest = rest[len(messages[whole]):]
			whole++
		}
		if n, bytes := q.Queued(); n != len(messages)-whole || bytes != len(rest) {
			t.Fatalf("cut at %d: %d messages, %d bytes without credit, want %d and %d", cut, n, bytes, len(messages)-whole, len(rest))
		}
		if !q.AtBoundary() {
			t.Fatalf("cut at %d: not at a boundary", cut)
		}
		if got := written(q); !bytes.Equal(got, rest) {
			t.Fatalf("cut at %d: then %x, want %x", cut, got, rest)
		}
		if w.revived != 1 {
			t.Fatalf("cut at %d: revived %d times", cut, w.revived)
		}
	}
}

// refer queues a message of head, in wire form, and frames by reference.
func refer(q *Queue, head []byte, frames ...[]byte) {
	c := Refer(head, frames)
	q.Publish(c, 0, c.Len(), 1)
	c.Release()
}

// onWireMore is a frame that more follow.
func onWireMore(frame []byte) []byte {
	b := onWire(frame)
	b[0] |= 1
	return b
}

func TestRefer(t *testing.T) {
	large := body(1, 2*referenceBytesMin)
	for _, c := range []struct {
		head   []byte
		frames [][]byte
	}{
		{nil, nil},
		{nil, [][]byte{large[:referenceBytesMin-1]}},
		{nil, [][]byte{large, {1}}}, // not the last one
		{nil, [][]byte{make([]byte, referenceHeadMax), large}},
		{make([]byte, referenceHeadMax), [][]byte{large}},
	} {
		if Refer(c.head, c.frames) != nil {
			t.Errorf("%d bytes and %d frames by reference", len(c.head), len(c.frames))
		}
	}
	q, _ := newWatched(Limits{})
	q.Append(nil, [][]byte{{1}})
	refer(q, onWireMore([]byte("id")), []byte("a"), large)
	refer(q, nil, large)
	q.Append(nil, [][]byte{{2}})
	pieces := q.Gather(nil)
	want := [][]byte{onWire([]byte{1}), append(onWireMore([]byte("id")), onWireMore([]byte("a"))...), large, nil, large, onWire([]byte{2})}
	want[1] = append(want[1], onWire(large)[:9]...)
	want[3] = onWire(large)[:9]
	if !slices.EqualFunc(pieces, want, bytes.Equal) {
		t.Errorf("%d pieces, want %d", len(pieces), len(want))
	}
	if &pieces[2][0] != &large[0] || &pieces[4][0] != &large[0] {
		t.Error("the body was copied")
	}
	if n, size := q.Queued(); n != 4 || size != len(bytes.Join(want, nil)) {
		t.Errorf("%d messages, %d bytes", n, size)
	}
	written(q)
	frames := [][]byte{large}
	if n := testing.AllocsPerRun(100, func() {
		c := Refer(nil, frames)
		q.Publish(c, 0, c.Len(), 1)
		c.Release()
		pieces = q.Gather(pieces[:0])
		q.Advance(len(pieces[0]) + len(pieces[1]))
	}); n > 0 && !forgetful() {
		t.Errorf("%v allocations", n)
	}
}

func TestRewindOfAnIdleQueue(t *testing.T) {
	q, _ := newWatched(Limits{})
	q.Rewind()
	q.Append(nil, [][]byte{{1}})
	written(q)
	q.Rest()
	q.Rewind()
	if n, _ := q.Queued(); n != 0 || q.Pending() {
		t.Error("something is left")
	}
}

func TestDiscard(t *testing.T) {
	for _, cut := range []int{0, 1, 3, 8, 500, 70000} {
		q, w := newWatched(Limits{Messages: 6})
		for i := range 6 {
			q.Append(nil, [][]byte{body(i, 1+i*5000)})
		}
		q.Fits(1, 0)
		at := 0
		for at < cut {
			n := min(cut-at, len(bytes.Join(q.Gather(nil), nil)))
			q.Advance(n)
			at += n
		}
		q.Rewind()
		left, _ := q.Queued()
		if lost := q.Discard(); lost != left {
			t.Errorf("cut at %d: %d lost, want %d", cut, lost, left)
		}
		if messages, bytes := q.Queued(); messages != 0 || bytes != 0 || q.Pending() || w.revived != 1 {
			t.Errorf("cut at %d: %d messages and %d bytes left, revived %d times", cut, messages, bytes, w.revived)
		}
		q.Append(nil, [][]byte{{9}})
		if got := q.Front(); !bytes.Equal(got, []byte{0, 1, 9}) {
			t.Errorf("cut at %d: then %x", cut, got)
		}
		if q.Discard() != 1 || q.Discard() != 0 {
			t.Errorf("cut at %d: discarded wrongly", cut)
		}
	}
}

func TestStates(t *testing.T) {
	q := NewQueue(Limits{})
	if q.State() != Detached || q.Claim() {
		t.Error("a new queue has a drainer")
	}
	q.Set(Idle)
	if !q.Claim() || q.State() != Posted || q.Claim() {
		t.Error("the first message alone posts an idle queue")
	}
	if !q.Turn(Posted, Draining) || q.Turn(Posted, Draining) {
		t.Error("two drainers")
	}
	if !q.Yield() || q.State() != Idle {
		t.Error("an empty queue was not given up")
	}
	q.Append(nil, [][]byte{{1}})
	q.Set(Draining)
	if q.Yield() || q.State() != Draining {
		t.Error("a queue with a message was given up")
	}
	q.Set(Blocked)
	if q.Claim() || q.State() != Blocked {
		t.Error("a blocked queue was posted")
	}
}

// An idle queue keeps no chunk: neither the drainer nor, after Trim, the writer.
func TestRestLetsGoOfTheChunk(t *testing.T) {
	q, _ := newWatched(Limits{})
	q.Append(nil, [][]byte{{1}})
	c := q.head.next.Load().chunk
	if q.Rest() {
		t.Error("small memory called large")
	}
	if c.refs.Load() != 2 {
		t.Fatalf("%d references before the queue was drained, want 2", c.refs.Load())
	}
	written(q)
	q.Rest()
	if c.refs.Load() != 1 {
		t.Errorf("%d references at rest, want the writer's", c.refs.Load())
	}
	q.Append(nil, [][]byte{{2}}) // goes on in the same chunk, in a new segment
	if got := written(q); !bytes.Equal(got, []byte{0, 1, 2}) {
		t.Errorf("then %x", got)
	}
	q.Rest()
	q.Trim()
	if c.refs.Load() != 0 {
		t.Errorf("%d references after Trim", c.refs.Load())
	}
	for range 20 {
		q.Append(nil, [][]byte{make([]byte, 1000)})
	}
	for q.Pending() {
		written(q)
	}
	if !q.Rest() {
		t.Error("the chunk of a busy queue is worth a Trim")
	}
}

func TestChunks(t *testing.T) {
	for _, n := range []int{0, 1, chunkBytesMin, chunkBytesMin + 1, ChunkBytes, ChunkBytes + 1, 64 << 20, 64<<20 + 1} {
		c := NewChunk(n)
		if len(c.Buf) < n || len(c.Buf) != cap(c.Buf) || len(c.Buf) > max(2*n, chunkBytesMin) {
			t.Errorf("a chunk of %d bytes for %d", len(c.Buf), n)
		}
		c.Retain()
		c.Release()
		c.Release()
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a chunk of %d bytes could be released twice", n)
				}
			}()
			c.Release()
		}()
	}
}

func TestEncoderGrowsAndShrinks(t *testing.T) {
	var e Encoder
	var sizes []int
	for range 1000 {
		c, _, _ := e.Encode(nil, [][]byte{make([]byte, 200)}, always)
		if n := len(c.Buf); len(sizes) == 0 || sizes[len(sizes)-1] != n {
			sizes = append(sizes, n)
		}
	}
	if want := []int{1 << 10, 4 << 10, 16 << 10, 64 << 10}; !slices.Equal(sizes, want) {
		t.Errorf("chunks of %v, want %v", sizes, want)
	}
	c, from, to := e.Encode(nil, [][]byte{make([]byte, 1<<20)}, always)
	if from != 0 || to != 1<<20+9 || len(c.Buf) < to {
		t.Errorf("a large message at %d to %d of %d", from, to, len(c.Buf))
	}
	for _, want := range []int{16 << 10, 4 << 10, 1 << 10, 1 << 10} {
		e.Trim()
		if c, _, _ := e.Encode(nil, [][]byte{{1}}, func() bool { return false }); len(c.Buf) != want {
			t.Errorf("a chunk of %d after Trim, want %d", len(c.Buf), want)
		}
	}
}

// A drainer that asked Append to hold nothing back, before Engage, does not take Engage back.
func TestEngagedStays(t *testing.T) {
	q, _ := newWatched(Limits{})
	for q.held == 0 {
		q.Set(Draining)
		q.Append(nil, [][]byte{{1}})
	}
	q.Flush()
	q.Engage()
	q.Asked()
	if !q.Bursting() {
		t.Error("the drainer does not ask any more")
	}
	if q.Disengage(); q.Bursting() {
		t.Error("the drainer still asks")
	}
}

// TakeFew takes what has as many frames as it is asked for, small ones, and fits; or else it changes nothing.
func TestTakeFew(t *testing.T) {
	frames := func(sizes ...int) (all [][]byte) {
		for i, n := range sizes {
			all = append(all, body(i, n))
		}
		return all
	}
	for _, c := range []struct {
		sent     [][]byte
		asked    int
		memory   int
		isCopied bool
	}{
		{frames(3, 5), 2, 8, true},
		{frames(0, 0), 2, 0, true},
		{frames(8, 16, 17), 3, 41, true},
		{frames(255, 256, 1), 3, 600, true},
		{frames(1, SmallBodyMax), 2, 3000, true},
		{frames(3, 5), 2, 7, false},
		{frames(3, 5), 3, 100, false},
		{frames(3, 5, 1), 2, 100, false},
		{frames(8), 2, 100, false},
		{frames(1, SmallBodyMax+1), 2, 3000, false},
		{frames(SmallBodyMax+1, 1), 2, 3000, false},
	} {
		q, _ := newWatched(Limits{})
		chunk, end := NewChunk(4*SmallBodyMax), 0
		for _, frames := range [][][]byte{{[]byte("before")}, c.sent, {[]byte("behind"), nil}} {
			encode(chunk.Buf[end:], nil, frames)
			end += EncodedBytes(nil, frames)
		}
		q.Publish(chunk, 0, end, 3)
		q.Pop(len(q.Front()))
		got, memory := make([][]byte, c.asked), make([]byte, c.memory)
		if ok := q.TakeFew(memory, got); ok != c.isCopied {
			t.Errorf("%d of %d frames, memory %d: %v", c.asked, len(c.sent), c.memory, ok)
		} else if ok {
			if !slices.EqualFunc(got, c.sent, bytes.Equal) {
				t.Errorf("got %q, want %q", got, c.sent)
			}
			for _, f := range got {
				if cap(f) != len(f) {
					t.Errorf("a frame of %d bytes may grow to %d, over the next one", len(f), cap(f))
				}
			}
		} else {
			if !bytes.Equal(memory, make([]byte, c.memory)) || slices.ContainsFunc(got, func(f []byte) bool { return f != nil }) {
				t.Errorf("%d of %d frames: nothing is taken, and something is changed", c.asked, len(c.sent))
			}
			want := make([]byte, EncodedBytes(nil, c.sent))
			encode(want, nil, c.sent)
			if b := q.Front(); !bytes.Equal(b, want) {
				t.Errorf("in front are %d bytes, want %d, or others", len(b), len(want))
			}
			q.Pop(len(q.Front()))
		}
		if b := q.Front(); !bytes.Contains(b, []byte("behind")) {
			t.Errorf("%d bytes come next", len(b))
		}
	}
	q, _ := newWatched(Limits{})
	if q.TakeFew(make([]byte, 10), make([][]byte, 2)) {
		t.Error("taken from nothing")
	}
}

// Who is asked for little, again and again, holds nothing back for longer each time, up to a bound; who fills what may be held
// back begins anew. Between two sockets that is drafted, and comes out as if it were not; without a burst there is no draft.
func TestHeldBack(t *testing.T) {
	q, _ := newWatched(Limits{})
	q.Far = new(End)
	q.Set(Draining)
	var sent []byte
	send := func(size int) (held bool) {
		b := body(len(sent), size)
		if !q.AppendSmall(b) {
			q.Append(nil, [][]byte{b})
			q.Quicken(0)
		}
		sent = append(sent, onWire(b)...)
		return q.held > 0
	}
	restBefore := func() (messages int) {
		for !send(10) {
			messages++
		}
		return messages
	}
	same := func(when string) {
		t.Helper()
		if q.Flush(); !bytes.Equal(written(q), sent) {
			t.Errorf("%s: what comes out is not what went in", when)
		}
		sent = nil
	}
	want := holdAfter - 1 // until a burst begins
	for round := range 12 {
		if got := restBefore(); got != want {
			t.Errorf("round %d: %d messages before one was held back, want %d", round, got, want)
		}
		for range 3 {
			send(10)
		}
		if q.encoder.memory == nil || q.encoder.drafted == 0 {
			t.Error("nothing is drafted")
		}
		if !q.Asked() || q.encoder.memory != nil || q.holding.Load() {
			t.Error("little was held back, and it goes on")
		}
		want = min(2*(want-holdAfter+1)+holdAfter, holdRest) + holdAfter - 1
	}
	same("little")
	restBefore()
	for send(10) {
	}
	q.Asked()
	if got := restBefore(); got != holdAfter+holdAfter-1 {
		t.Errorf("after a burst, %d messages before one was held back", got)
	}
	for range 3 {
		send(holdAfterBytes / 3)
	}
	if q.Asked(); !send(10) || q.encoder.memory == nil {
		t.Error("much was held back, in few messages, and it ends")
	}
	same("much")
	for range 3 {
		send(10)
	}
	wire := onWire(body(1, 20))
	q.AppendWire(wire)
	sent = append(sent, wire...)
	same("a message in wire form behind what is held back")
	q.Set(Idle)
	if send(10) || q.encoder.memory != nil {
		t.Error("nobody drains, and it goes on")
	}
	same("at the end")
}

func always() bool { return true }

func TestSteal(t *testing.T) {
	const n = ChunkBytes - 9
	type scene struct {
		name  string
		sizes []int
		keep  bool // the writer keeps its chunk
		want  bool
	}
	for _, s := range []scene{
		{"alone", []int{n}, false, true},
		{"exactly half", []int{ChunkBytes/2 - 9}, false, false}, // its chunk is of half the size
		{"too small", []int{ChunkBytes / 4}, false, false},
		{"writer at work", []int{n}, true, false},
		{"one behind it", []int{90000, 100}, false, false},
		{"large", []int{1 << 20}, false, true},
	} {
		t.Run(s.name, func(t *testing.T) {
			q, _ := newWatched(Limits{})
			for i, size := range s.sizes {
				q.Append(nil, [][]byte{body(i, size)})
			}
			if !s.keep {
				q.Trim()
			}
			want := onWire(body(0, s.sizes[0]))
			encoded := q.Front()
			memory, ok := q.Steal(len(encoded), make([]byte, 10, 3000))
			if ok != s.want {
				t.Fatalf("stolen: %v", ok)
			}
			if ok && !bytes.Equal(memory[:len(want)], want) {
				t.Error("the message is not at the start of the memory")
			}
			q.Pop(len(encoded))
			for i, size := range s.sizes[1:] {
				want := onWire(body(i+1, size))
				if got := q.Front(); !bytes.Equal(got, want) {
					t.Fatalf("the next message has %d bytes, want %d", len(got), len(want))
				}
				q.Pop(len(want))
			}
			q.Settle()
			q.Append(nil, [][]byte{{7}})
			if got := q.Front(); !bytes.Equal(got, []byte{0, 1, 7}) {
				t.Errorf("then %x", got)
			}
		})
	}
}

// What an idle queue has let go of can be collected: many peers that were busy once must not hold their largest chunks.
func TestIdleQueueHoldsNoMemory(t *testing.T) {
	for _, receiver := range []bool{false, true} {
		q, _ := newWatched(Limits{})
		memory := func() weak.Pointer[byte] {
			c := NewChunk(ChunkBytes)
			defer c.Release()
			copy(c.Buf, onWire(body(1, 100)))
			q.Publish(c, 0, 102, 1)
			return weak.Make(&c.Buf[0])
		}()
		if receiver {
			q.Pop(len(q.Front()))
			if q.Front() == nil {
				q.Settle()
			}
		} else {
			written(q)
			q.Rest()
		}
		for range 4 { // two empty the pools
			runtime.GC()
		}
		if memory.Value() != nil {
			t.Errorf("receiver=%v: the queue is empty and at rest and still refers to its last chunk", receiver)
		}
		runtime.KeepAlive(q)
	}
}
