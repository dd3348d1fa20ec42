// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// until waits for a condition that nobody announces.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	for end := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("%s: still not so after %v", what, patience)
		}
	}
}

// openDescriptors counts the one it looks with, always.
func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// leak makes the test fail if it leaves a goroutine or a descriptor behind.
func leak(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // has the runtime's own poller made
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		until(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
		until(t, "descriptors are closed", func() bool { return openDescriptors() <= descriptors })
	})
}

// descriptor is a stream that hands itself out.
type descriptor struct{ fd int }

func (d descriptor) Detach() (int, error)      { return d.fd, nil }
func (d descriptor) Read([]byte) (int, error)  { return 0, errors.New("detached") }
func (d descriptor) Write([]byte) (int, error) { return 0, errors.New("detached") }
func (d descriptor) CloseWrite() error         { return nil }
func (d descriptor) Close() error              { return unix.Close(d.fd) }
func (d descriptor) RemoteAddress() string     { return "" }

// pair makes two ends of a stream: one for a loop, one for the test.
func pair(t testing.TB) (looped descriptor, own *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	own = os.NewFile(uintptr(fds[1]), "own")
	t.Cleanup(func() { own.Close() }) // a second time it fails
	return descriptor{fds[0]}, own
}

// probe is a handler that notes what it is told, reads what there is, and wakes who waits.
type probe struct {
	stream Stream
	owner  sync.Mutex // of reading, which whoever closes the stream must have

	mu       sync.Mutex
	got      []byte
	calls    []string
	waiter   *Waiter
	hangup   bool
	led      int
	readable atomic.Pointer[func()] // called first, if set
	blocked  atomic.Bool            // what Writable answers
}

func (p *probe) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
}

func (p *probe) Readable(hangup, led bool) {
	if first := p.readable.Load(); first != nil {
		(*first)()
	}
	p.owner.Lock()
	defer p.owner.Unlock()
	buffer := make([]byte, 1000)
	for p.stream != nil {
		n, err := p.stream.Read(buffer)
		p.mu.Lock()
		p.got = append(p.got, buffer[:max(n, 0)]...)
		p.hangup = p.hangup || hangup
		if led {
			p.led++
		}
		w := p.waiter
		if n > 0 {
			p.waiter = nil
		}
		p.mu.Unlock()
		if n > 0 && w != nil {
			w.Wake()
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// end closes the stream.
func (p *probe) end() {
	p.owner.Lock()
	defer p.owner.Unlock()
	if p.stream != nil {
		p.stream.Close()
		p.stream = nil
	}
}

func (p *probe) Writable() bool {
	p.note("writable")
	return p.blocked.Load()
}

func (p *probe) Flush()         { p.note("flush") }
func (p *probe) Bursting() bool { return false }
func (p *probe) Resume()        { p.note("resume") }

func (p *probe) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.got)
}

func (p *probe) count(call string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.calls {
		if c == call {
			n++
		}
	}
	return n
}

// wake has w woken when the next bytes have been read.
func (p *probe) wake(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiter = w
}

// house is a loop with streams.
type house struct {
	t     testing.TB
	group *Group
	home  *Home
}

func newHouse(t testing.TB, loops int) *house {
	t.Helper()
	h := &house{t: t, group: NewGroup(loops)}
	h.home = h.group.Acquire(false)
	t.Cleanup(func() {
		if h.home != nil {
			h.home.Release()
		}
	})
	return h
}

// attach makes a stream with a probe, and the test's end of it.
func (h *house) attach() (*probe, *os.File) {
	h.t.Helper()
	looped, own := pair(h.t)
	p := new(probe)
	if err := h.home.Attach(looped, p, func(s Stream) { p.stream = s }); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if p.stream != nil {
			p.end()
		}
	})
	return p, own
}

func newWaiter() *Waiter { return new(Waiters).Take() }

// wait waits in a goroutine.
func wait(ctx context.Context, w *Waiter, l *Loop) <-chan error {
	result := make(chan error, 1)
	go func() { result <- w.Wait(ctx, l) }()
	return result
}

func within(t testing.TB, what string, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatalf("%s: nothing after %v", what, patience)
		return nil
	}
}

// Whatever the waiter is doing when it is woken, it returns: leading, blocking, parked, or not there yet.
func TestWakeAtAnyMoment(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	h.attach()
	l := h.home.Loop()
	for i := range 300 {
		w := newWaiter()
		result := wait(context.Background(), w, l)
		switch i % 4 {
		case 1:
			until(t, "somebody holds the token", l.token.Load)
		case 2:
			runtime.Gosched()
		case 3:
			until(t, "the waiter sleeps", func() bool { return w.leads.Load() != nil || l.awaited() })
		}
		if i%10 == 9 { // long enough for a leader to give up
			until(t, "the waiter is parked", l.awaited)
		}
		w.Wake()
		if err := within(t, "wake", result); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWokenBeforeItWaits(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	h.attach()
	for _, l := range []*Loop{nil, h.home.Loop()} {
		var all Waiters
		w := all.Take()
		w.Wake()
		if err := w.Wait(context.Background(), l); err != nil {
			t.Fatal(err)
		}
		all.Put(w)
		if again := all.Take(); again != w || again.ready() {
			t.Error("a waiter is not reused, or is woken still")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := w.Wait(ctx, l); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v: an old wake was still there", err)
		}
	}
}

// A cancellation is seen soon, by a leader and by those who are parked.
func TestCancelAtAnyMoment(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	h.attach()
	l := h.home.Loop()
	var longest time.Duration
	for i := range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		results := []<-chan error{wait(ctx, newWaiter(), l), wait(ctx, newWaiter(), l)}
		if i%2 == 0 {
			until(t, "somebody holds the token", l.token.Load)
		}
		start := time.Now()
		cancel()
		for _, result := range results {
			if err := within(t, "cancel", result); !errors.Is(err, context.Canceled) {
				t.Fatalf("error %v", err)
			}
		}
		longest = max(longest, time.Since(start))
	}
	t.Log("at most", longest)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := newWaiter().Wait(ctx, l); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// Each waiter gets what comes for it, whoever of them leads, and also when the leader leaves.
func TestWaitersServeEachOther(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	const count = 3
	var probes [count]*probe
	var owns [count]*os.File
	for i := range count {
		probes[i], owns[i] = h.attach()
	}
	l := h.home.Loop()
	for round := range 200 {
		var results [count]<-chan error
		for i := range count {
			w := newWaiter()
			probes[i].wake(w)
			results[i] = wait(context.Background(), w, l)
		}
		if round%3 == 0 {
			until(t, "others are parked", func() bool { return l.parked.Load() >= count-2 && l.awaited() })
		}
		for k := range count {
			i := (round + k) % count
			if _, err := owns[i].Write([]byte{'x'}); err != nil {
				t.Fatal(err)
			}
			if round%2 == 0 {
				if err := within(t, fmt.Sprintf("round %d, waiter %d", round, i), results[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if round%2 == 1 {
			for i, result := range results {
				if err := within(t, fmt.Sprintf("round %d, waiter %d", round, i), result); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i, p := range probes {
		if n := len(p.text()); n != 200 {
			t.Errorf("stream %d brought %d bytes", i, n)
		}
	}
}

// Streams are served also when nobody waits, and after a leader has come and gone.
func TestStandby(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	p, own := h.attach()
	l := h.home.Loop()
	for i := range 50 {
		own.Write([]byte{'a'})
		until(t, "the standby has read", func() bool { return len(p.text()) == 2*i+1 })
		w := newWaiter()
		p.wake(w)
		result := wait(context.Background(), w, l)
		own.Write([]byte{'b'})
		if err := within(t, "lead", result); err != nil {
			t.Fatal(err)
		}
	}
}

// While receivers that lead are busy, and more comes all the time, the standby takes it without waiting in the poller: until
// nothing comes, a stream had taken no more, or somebody looks who does not wait.
func TestStandbyGlances(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	busy, busyOwn := h.attach()
	other, otherOwn := h.attach()
	l := h.home.Loop()
	more, again := func() { busyOwn.Write([]byte("x")) }, func() { otherOwn.Write([]byte("x")) }
	other.readable.Store(&more)
	waits := func() bool { return l.asleep.Load() }
	for _, c := range []struct {
		what string
		end  func()
	}{
		{"nothing comes", func() { busy.readable.Store(nil) }},
		{"a stream had taken no more", func() { busy.blocked.Store(true) }},
		{"somebody looks in vain", h.home.Polled},
	} {
		until(t, "the standby waits", waits)
		busy.blocked.Store(false)
		busy.readable.Store(&again) // each of the two has more when the other is read
		more()
		nudge(l)
		until(t, "the standby leaves", func() bool { return !l.token.Load() })
		l.asker.Store(nil)
		for range 3 {
			seen := len(busy.text())
			until(t, "the standby glances", func() bool { return len(busy.text()) > seen && !l.token.Load() })
		}
		c.end()
		until(t, c.what+": the standby waits", waits)
		busy.readable.Store(nil)
	}
}

// What comes may gather only if nobody waits for it, nor is held up.
func TestMayGather(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	h.attach()
	l := h.home.Loop()
	waits := newWaiter()
	for _, c := range []struct {
		what     string
		set, end func()
	}{
		{"somebody waits", func() { l.asker.Store(waits) }, func() { l.asker.Store(nil) }},
		{"others wait", func() { l.parked.Add(1) }, func() { l.parked.Add(-1) }},
		{"somebody looks in vain", h.home.Polled, func() { l.polled.Store(false) }},
		{"somebody leads another loop", func() { l.aliens.Add(1) }, func() { l.aliens.Add(-1) }},
	} {
		if c.set(); l.mayGather(false) {
			t.Errorf("%s, and it may gather", c.what)
		}
		if c.end(); !l.mayGather(false) || l.mayGather(true) {
			t.Errorf("%s no more: it may gather unless a stream had taken no more", c.what)
		}
	}
}

func TestStreamEvents(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	p, own := h.attach()
	until(t, "a new stream can be written", func() bool { return p.count("writable") == 1 })
	own.Write([]byte("one"))
	until(t, "bytes were read", func() bool { return p.text() == "one" })
	if n, err := p.stream.Write([][]byte{[]byte("t"), []byte("wo"), nil, []byte("!")}); n != 4 || err != nil {
		t.Errorf("wrote %d, error %v", n, err)
	}
	buffer := make([]byte, 10)
	if n, err := own.Read(buffer); string(buffer[:n]) != "two!" || err != nil {
		t.Errorf("read %q, error %v", buffer[:n], err)
	}
	if !p.stream.Inline() {
		t.Error("a native stream never holds anybody up")
	}
	// Until the kernel takes no more; then it tells when it does again, once.
	chunk, total := make([]byte, 60000), 0
	for {
		n, err := p.stream.Write([][]byte{chunk})
		total += n
		if errors.Is(err, ErrAgain) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for big := make([]byte, 1<<16); total > 0; {
		n, err := own.Read(big)
		if err != nil {
			t.Fatal(err)
		}
		total -= n
	}
	until(t, "it can be written again", func() bool { return p.count("writable") >= 2 })
	if _, err := p.stream.Read(chunk); !errors.Is(err, ErrAgain) {
		t.Errorf("read nothing with error %v", err)
	}
	p.stream.CloseWrite()
	if n, err := own.Read(buffer); n != 0 || err == nil {
		t.Errorf("read %d bytes, error %v, after the end", n, err)
	}
	own.Close()
	until(t, "the hangup was told", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.hangup
	})
	if _, err := p.stream.Write([][]byte{{1}}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("wrote to nobody with error %v", err)
	}
}

func TestWriteManyPieces(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	p, own := h.attach()
	var pieces [][]byte
	var want []byte
	for i := range 3 * piecesMax {
		pieces = append(pieces, []byte{byte(i)})
		want = append(want, byte(i))
	}
	var got []byte
	for len(got) < len(want) {
		n, err := p.stream.Write(pieces[len(got):])
		if err != nil || n == 0 {
			t.Fatalf("wrote %d, error %v", n, err)
		}
		buffer := make([]byte, n)
		if n, err = own.Read(buffer); err != nil {
			t.Fatal(err)
		}
		got = append(got, buffer[:n]...)
	}
	if !slices.Equal(got, want) {
		t.Error("pieces out of order")
	}
}

// Posted work is done by the flusher, all of it, in order; what a receiver left is resumed once, in a while.
func TestPosts(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	p, _ := h.attach()
	var want []string
	for i := range 1000 {
		if i%3 == 0 {
			p.stream.PostRead()
			want = append(want, "resume")
		} else {
			p.stream.PostWrite()
			want = append(want, "flush")
		}
		if i%100 == 0 {
			until(t, "the flusher is done", func() bool { return p.count("flush")+p.count("resume") == len(want) })
		}
	}
	until(t, "all is done", func() bool { return p.count("flush")+p.count("resume") == len(want) })
	p.mu.Lock()
	calls := slices.DeleteFunc(slices.Clone(p.calls), func(c string) bool { return c == "writable" })
	p.mu.Unlock()
	if !slices.Equal(calls, want) {
		t.Error("out of order")
	}
	resumed := p.count("resume")
	for range 3 {
		start := time.Now()
		for range 5 {
			p.stream.Leave()
		}
		resumed++
		until(t, "what was left is resumed", func() bool { return p.count("resume") >= resumed })
		if took := time.Since(start); took < leftPause/2 {
			t.Errorf("resumed after %v", took)
		}
	}
}

// An event of a stream that is closed is not taken for one of the stream that has its place now.
func TestSlotsAreReused(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	first, _ := h.attach()
	old := first.stream.(*native)
	l := h.home.Loop()
	first.end()
	second, own := h.attach()
	now := second.stream.(*native)
	if now.slot != old.slot || now.serial == old.serial {
		t.Fatalf("slot %d, serial %d, after slot %d, serial %d", now.slot, now.serial, old.slot, old.serial)
	}
	until(t, "the new stream is known", func() bool { return second.count("writable") == 1 })
	until(t, "the token is ours", func() bool { return l.token.CompareAndSwap(false, true) || !nudge(l) })
	l.asker.Store(nil)
	l.poll.events[0] = unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(old.slot), Pad: old.serial}
	l.poll.serve(1, false)
	l.token.Store(false)
	hint(l.recall)
	if second.count("writable") != 1 {
		t.Error("an old event was served")
	}
	own.Write([]byte("x"))
	until(t, "its own events are", func() bool { return second.text() == "x" })
}

// nudge makes the standby give the token up for a moment: a waiter is served, and may lead next.
func nudge(l *Loop) bool {
	w := newWaiter()
	w.Wake()
	l.asker.Store(w)
	l.interrupt()
	return true
}

func TestManyStreamsComeAndGo(t *testing.T) {
	leak(t)
	h := newHouse(t, 2)
	var running sync.WaitGroup
	for k := range 4 {
		running.Go(func() {
			for i := range 50 {
				looped, own := pair(t)
				p := new(probe)
				if err := h.home.Attach(looped, p, func(s Stream) { p.stream = s }); err != nil {
					t.Error(err)
					return
				}
				want := fmt.Sprint(k, i)
				own.Write([]byte(want))
				for end := time.Now().Add(patience); p.text() != want; runtime.Gosched() {
					if time.Now().After(end) {
						t.Errorf("got %q, want %q", p.text(), want)
						return
					}
				}
				p.end()
				own.Close()
			}
		})
	}
	running.Wait()
}

// Streams of one home share a loop up to a number; those that are closed do not count.
func TestHomesShareLoops(t *testing.T) {
	leak(t)
	h := newHouse(t, 2)
	on := func(p *probe) *Loop { return p.stream.(*native).loop }
	first, _ := h.attach()
	for range homeStreams / 4 {
		for range 8 { // twice homeStreams, one after the other
			p, own := h.attach()
			if on(p) != on(first) {
				t.Fatal("a stream is on another loop though there is room on the first")
			}
			p.end()
			own.Close()
		}
	}
	loops := make(map[*Loop]int)
	for i := range homeStreams + 10 {
		p, own := h.attach()
		if i == homeStreams+5 { // it goes again
			p.end()
			own.Close()
			continue
		}
		loops[on(p)]++
	}
	if len(loops) != 2 || loops[on(first)] > homeStreams {
		t.Errorf("%d loops, %d streams on the first", len(loops), loops[on(first)])
	}
	for l, streams := range loops {
		if l == on(first) {
			streams = 0
		}
		if n := int(l.aliens.Load()); n != streams {
			t.Errorf("%d streams of a loop are led elsewhere, want %d", n, streams)
		}
	}
	other := h.group.Acquire(true)
	defer other.Release()
	if other.loops != 1 {
		t.Errorf("a receiver's streams spread over %d loops of two", other.loops)
	}
	if other.first == h.home.first {
		t.Error("two homes begin on one loop of two")
	}
	if h.home.Loop() != on(first) {
		t.Error("a receiver would lead another loop than its streams are on")
	}
}

func TestAttachFails(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd, err := unix.Dup(int(file.Fd())) // what epoll does not take
	if err != nil {
		t.Fatal(err)
	}
	p := new(probe)
	if err := h.home.Attach(descriptor{fd}, p, func(s Stream) { p.stream = s }); !errors.Is(err, syscall.EPERM) {
		t.Errorf("error %v", err)
	}
	if len(p.calls) != 0 {
		t.Errorf("told of %v", p.calls)
	}
	again, own := h.attach()
	own.Write([]byte("x"))
	until(t, "the loop goes on", func() bool { return again.text() == "x" })
}

// Release returns when the loops, their goroutines and descriptors are gone, also with a leader on its way out.
func TestRelease(t *testing.T) {
	leak(t)
	before, descriptors := runtime.NumGoroutine(), openDescriptors()
	for i := range 50 {
		h := newHouse(t, 2)
		other := h.group.Acquire(false)
		p, own := h.attach()
		l := h.home.Loop()
		w := newWaiter()
		result := wait(context.Background(), w, l)
		if i%2 == 0 {
			until(t, "somebody holds the token", l.token.Load)
		}
		other.Release() // one user is left
		own.Write([]byte("x"))
		until(t, "the loop goes on", func() bool { return p.text() == "x" })
		p.end()
		own.Close()
		w.Wake()
		h.home.Release()
		h.home = nil
		if err := within(t, "the last waiter", result); err != nil {
			t.Fatal(err)
		}
		if n := openDescriptors(); n > descriptors {
			t.Fatalf("%d descriptors after Release, %d before", n, descriptors)
		}
	}
	until(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
}

// Release does not pull the descriptor from under a leader who is still at work.
func TestReleaseWaitsForTheLeader(t *testing.T) {
	leak(t)
	h := newHouse(t, 1)
	p, own := h.attach()
	l := h.home.Loop()
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	first := func() {
		once.Do(func() {
			close(entered)
			<-leave
		})
	}
	p.readable.Store(&first)
	w := newWaiter()
	result := wait(context.Background(), w, l)
	own.Write([]byte("x"))
	<-entered
	w.Wake()
	released := make(chan error, 1)
	var early atomic.Bool
	go func() {
		h.home.Release()
		early.Store(true)
		released <- nil
	}()
	for range 1000 {
		runtime.Gosched()
	}
	if early.Load() {
		t.Error("released while somebody serves the loop")
	}
	close(leave)
	within(t, "Release", released)
	h.home = nil
	if err := within(t, "the waiter", result); err != nil {
		t.Error(err)
	}
	p.end()
}

// pingPong sends a byte and waits for the answer, until stop says so; it returns how often.
func pingPong(p *probe, l *Loop, stop func() bool) int {
	rounds := 0
	for !stop() {
		w := newWaiter()
		p.wake(w)
		p.stream.Write([][]byte{{1}})
		w.Wait(context.Background(), l)
		rounds++
	}
	return rounds
}

// Polling in vain becomes rare, and is tried again often as soon as it pays.
func TestPollingBacksOff(t *testing.T) {
	h := newHouse(t, 1)
	p, own := h.attach()
	l := h.home.Loop()
	until(t, "the token is free", func() bool { return nudge(l) && l.token.CompareAndSwap(false, true) })
	defer func() {
		l.token.Store(false)
		hint(l.recall)
		p.stream.Abort()
		own.Close()
	}()
	polls := func(waits int) (n int) {
		for range waits {
			if l.polling.rests == 0 {
				n++
			}
			l.spin(new(Waiter))
		}
		return n
	}
	if n := polls(1000); n < 8 || n > 20 {
		t.Errorf("polled in %d of 1000 waits in vain", n)
	}
	own.Write([]byte{1})
	if before := l.polling; l.spin(&Waiter{Poll: -1}) != 0 || l.polling != before {
		t.Error("who wants no polling polls")
	}
	for l.spin(&Waiter{Poll: time.Second}) == 0 { // who asks for it polls at any time
	}
	if n := polls(3); n != 2 {
		t.Errorf("polled in %d of 3 waits after one that paid", n)
	}
	woken := newWaiter()
	woken.Wake()
	woken.Poll = time.Second
	l.spin(woken)
	if l.polling != (tenacity{}) {
		t.Error("a wake by another thread is in vain")
	}
}

// kindness: a goroutine that always has work, in turns of 50 µs, beside a ping-pong. Both must get on.
func TestKindness(t *testing.T) {
	for _, procs := range []int{1, 2} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", procs), func(t *testing.T) {
			leak(t)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			h := newHouse(t, 1)
			p, own := h.attach()
			l := h.home.Loop()
			// The other side is plain Go: it blocks in the runtime's own poller.
			var answering sync.WaitGroup
			answering.Go(func() {
				b := make([]byte, 1)
				for {
					if _, err := own.Read(b); err != nil {
						return
					}
					own.Write(b)
				}
			})
			const length = 300 * time.Millisecond
			start := time.Now()
			over := func() bool { return time.Since(start) > length }
			turns, longest := 0, time.Duration(0)
			hog := make(chan struct{})
			go func() {
				defer close(hog)
				last := time.Now()
				for !over() {
					longest = max(longest, time.Since(last))
					begun := time.Now()
					for time.Since(begun) < 50*time.Microsecond {
					}
					turns++
					last = time.Now()
					runtime.Gosched()
				}
			}()
			rounds := pingPong(p, l, over)
			<-hog
			t.Logf("%d round trips; the other had %.0f %% of the time in %d turns and waited at most %v",
				rounds, 100*float64(turns)*50e3/float64(length), turns, longest)
			if rounds < 3 || turns < 100 {
				t.Errorf("%d round trips, %d turns", rounds, turns)
			}
			p.stream.Abort()
			own.Close()
			answering.Wait()
		})
	}
}
