// SPDX-License-Identifier: Apache-2.0

package simnet

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/transport"
	"github.com/zwire-mq/zwire/transport/transporttest"
)

func TestConformance(t *testing.T) {
	transporttest.Run(t, New(1, Config{}).Transport(), func() string { return "*" })
}

func TestConformanceWithLatency(t *testing.T) {
	network := New(1, Config{Latency: time.Millisecond, Buffer: 1 << 20})
	transporttest.Run(t, network.Transport(), func() string { return "*" })
}

func TestConformanceInPieces(t *testing.T) {
	pieces := func(int, bool) Faults { return Faults{ReadMax: 5000} }
	network := New(1, Config{Scheme: "pieces", Plan: pieces})
	transporttest.Run(t, network.Transport(), func() string { return "*" })
}

// join listens, dials and accepts in a network without faults that would keep it from doing so.
func join(t *testing.T, network *Network) (near, far transport.Stream) {
	t.Helper()
	subject := network.Transport()
	l, err := subject.Listen(t.Context(), "*", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, address, err := transport.SplitEndpoint(l.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	if near, err = subject.Dial(t.Context(), address, transport.Config{}); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// The checks that follow do not end the test: goroutines beside it may call them.

func checkWrite(t *testing.T, to transport.Stream, octets string) {
	t.Helper()
	if count, err := to.Write([]byte(octets)); err != nil || count != len(octets) {
		t.Errorf("Write took %d of %d octets: %v", count, len(octets), err)
	}
}

func checkRead(t *testing.T, from transport.Stream, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

func checkError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// TestLatency: a dial takes a round trip, octets and ends take one way, and do not queue up behind each other.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 70 * time.Millisecond
		start := time.Now()
		took := func(what string, want time.Duration) {
			t.Helper()
			if got := time.Since(start); got != want {
				t.Errorf("%s at %v, want %v", what, got, want)
			}
		}
		near, far := join(t, New(1, Config{Latency: latency}))
		took("dialled", 2*latency)
		checkWrite(t, near, "a")
		time.Sleep(latency / 2)
		checkWrite(t, near, "b")
		near.Close()
		checkRead(t, far, "a")
		took("a", 3*latency)
		checkRead(t, far, "b")
		took("b", 3*latency+latency/2)
		_, err := far.Read(make([]byte, 1))
		checkError(t, "Read", err, io.EOF)
		took("end", 3*latency+latency/2)
		far.Close()
	})
}

// TestBufferFull: Write takes as much as there is room for and then waits, as a bubble can see.
func TestBufferFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := join(t, New(1, Config{Buffer: 10}))
		written := 0
		go func() {
			for range 4 {
				checkWrite(t, near, "12345")
				written += 5
			}
			near.Close()
		}()
		synctest.Wait()
		if written != 10 {
			t.Errorf("%d octets written, want 10", written)
		}
		checkRead(t, far, "123451")
		synctest.Wait()
		if written != 15 {
			t.Errorf("%d octets written, want 15", written)
		}
		rest, err := io.ReadAll(far)
		if err != nil || string(rest) != "23451234512345" {
			t.Errorf("rest %q, %v", rest, err)
		}
		far.Close()
	})
}

func TestRefuse(t *testing.T) {
	network := New(1, Config{})
	subject := network.Transport()
	l, err := subject.Listen(t.Context(), "here", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	network.Refuse("here", true)
	_, err = subject.Dial(t.Context(), "here", transport.Config{})
	checkError(t, "Dial", err, syscall.ECONNREFUSED)
	network.Refuse("here", false)
	near, err := subject.Dial(t.Context(), "here", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	near.Close()
}

// TestPartition: octets, ends and dials wait for its end; a dial also for its context.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := New(1, Config{Latency: time.Millisecond})
		near, far := join(t, network)
		subject := network.Transport()
		l, err := subject.Listen(t.Context(), "here", transport.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		network.Partition(true)
		checkWrite(t, near, "late")
		near.Close()
		checkWrite(t, far, "into the void") // nobody can tell that the peer is gone

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = subject.Dial(ctx, "here", transport.Config{})
		checkError(t, "Dial", err, context.DeadlineExceeded)

		var done atomic.Int32
		go func() {
			checkRead(t, far, "late")
			_, err := far.Read(make([]byte, 1))
			checkError(t, "Read", err, io.EOF)
			done.Add(1)
		}()
		go func() {
			dialled, err := subject.Dial(t.Context(), "here", transport.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			dialled.Close()
			done.Add(1)
		}()
		time.Sleep(time.Hour)
		if done.Load() != 0 {
			t.Error("something came through")
		}
		network.Partition(false)
		synctest.Wait()
		if got := done.Load(); got != 2 {
			t.Errorf("%d of 2 are done", got)
		}
		_, err = far.Write([]byte("x"))
		checkError(t, "Write", err, syscall.EPIPE)
		far.Close()
	})
}

// TestStall is a partition of one stream.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := New(1, Config{})
		near, far := join(t, network)
		otherNear, otherFar := join(t, network)
		links := network.Links()
		if len(links) != 2 || links[0].Number() != 1 || links[1].Address() == links[0].Address() {
			t.Fatalf("%d links", len(links))
		}
		links[0].Stall(true)
		checkWrite(t, near, "late")
		checkWrite(t, otherNear, "early")
		checkRead(t, otherFar, "early")
		arrived := false
		go func() {
			checkRead(t, far, "late")
			arrived = true
		}()
		synctest.Wait()
		if arrived {
			t.Error("stalled octets came through")
		}
		links[0].Stall(false)
		synctest.Wait()
		if !arrived {
			t.Error("octets stay away")
		}
		for _, end := range []transport.Stream{near, far, otherNear, otherFar} {
			end.Close()
		}
		if rest := network.Links(); len(rest) != 0 {
			t.Errorf("%d links are left", len(rest))
		}
	})
}

// TestCut: both ends learn of it, whatever they wait for, and what was on the way is lost.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := New(1, Config{Buffer: 5})
		near, far := join(t, network)
		checkWrite(t, near, "lost")
		errs := make(chan error, 2)
		go func() {
			_, err := near.Write([]byte("blocked"))
			errs <- err
		}()
		go func() {
			_, err := near.Read(make([]byte, 1))
			errs <- err
		}()
		synctest.Wait()
		if count := network.Cut(); count != 1 {
			t.Errorf("%d links were cut", count)
		}
		checkError(t, "blocked call", <-errs, syscall.ECONNRESET)
		checkError(t, "blocked call", <-errs, syscall.ECONNRESET)
		_, err := far.Read(make([]byte, 1))
		checkError(t, "Read", err, syscall.ECONNRESET)
		_, err = far.Write([]byte("x"))
		checkError(t, "Write", err, syscall.ECONNRESET)
		checkError(t, "CloseWrite", far.CloseWrite(), syscall.ECONNRESET)
		if err := errors.Join(near.Close(), far.Close()); err != nil {
			t.Error(err)
		}
		if count := network.Cut(); count != 0 {
			t.Errorf("%d links are left", count)
		}
	})
}

// TestListenerCloseCutsQueue: who was never accepted learns that nobody will.
func TestListenerCloseCutsQueue(t *testing.T) {
	subject := New(1, Config{}).Transport()
	l, err := subject.Listen(t.Context(), "here", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	near, err := subject.Dial(t.Context(), "here", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = near.Read(make([]byte, 1))
	checkError(t, "Read", err, syscall.ECONNRESET)
	near.Close()
}

// TestCutAfter: for every count the peer gets exactly so many octets, and this end takes exactly so many.
func TestCutAfter(t *testing.T) {
	const octets = "0123456789"
	for count := range len(octets) + 1 {
		limit := count
		if limit == 0 {
			limit = AtOnce
		}
		near, far := join(t, New(1, Config{Plan: func(_ int, dialled bool) Faults {
			if dialled {
				return Faults{CutAfterWritten: limit}
			}
			return Faults{}
		}}))
		for _, piece := range strings.SplitAfter(octets, "4") {
			near.Write([]byte(piece)) // fails from some piece on
		}
		got, err := io.ReadAll(far)
		if string(got) != octets[:count] || err != nil {
			t.Errorf("cut after %d written: the peer read %q, %v", count, got, err)
		}
		_, err = near.Write([]byte("x"))
		checkError(t, "Write", err, syscall.ECONNRESET)
		near.Close()
		far.Close()

		near, far = join(t, New(1, Config{Plan: func(_ int, dialled bool) Faults {
			if dialled {
				return Faults{}
			}
			return Faults{CutAfterRead: limit}
		}}))
		near.Write([]byte(octets)) // fails if the stream is cut at once
		got, err = io.ReadAll(far)
		if string(got) != octets[:count] || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("cut after %d read: read %q, %v", count, got, err)
		}
		_, err = near.Read(make([]byte, 1))
		checkError(t, "Read", err, io.EOF)
		near.Close()
		far.Close()
	}
}

// TestPiecesFollowSeed: the same seed gives the same pieces.
func TestPiecesFollowSeed(t *testing.T) {
	pieces := func(seed int64) (sizes []int) {
		network := New(seed, Config{Plan: func(int, bool) Faults { return Faults{ReadMax: 9} }})
		near, far := join(t, network)
		checkWrite(t, near, strings.Repeat("x", 500))
		near.Close()
		defer far.Close()
		into := make([]byte, 100)
		for {
			count, err := far.Read(into)
			if err != nil {
				checkError(t, "Read", err, io.EOF)
				return sizes
			}
			if count < 1 || count > 9 {
				t.Fatalf("a piece of %d octets", count)
			}
			sizes = append(sizes, count)
		}
	}
	first := pieces(1)
	if again := pieces(1); !slices.Equal(first, again) {
		t.Errorf("seed 1 gives %v, then %v", first, again)
	}
	if other := pieces(2); slices.Equal(first, other) {
		t.Errorf("seeds 1 and 2 both give %v", first)
	}
}

// TestSeparate: a host is kept from one address and reaches the other; what was written arrives when the separation ends.
func TestSeparate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, Config{})
		accepted := map[string]transport.Stream{}
		dialled := map[string]transport.Stream{}
		for _, address := range []string{"a", "b"} {
			l, err := n.Transport().Listen(t.Context(), address, transport.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if dialled[address], err = n.From("host").Dial(t.Context(), address, transport.Config{}); err != nil {
				t.Fatal(err)
			}
			if accepted[address], err = l.Accept(); err != nil {
				t.Fatal(err)
			}
			defer dialled[address].Close()
			defer accepted[address].Close()
		}
		n.Separate(func(from, to string) bool { return from == "host" && to == "a" })
		arrived := map[string]time.Duration{}
		var mu sync.Mutex
		start := time.Now()
		var readers sync.WaitGroup
		for address, stream := range accepted {
			dialled[address].Write([]byte("x"))
			readers.Go(func() {
				stream.Read(make([]byte, 1))
				mu.Lock()
				defer mu.Unlock()
				arrived[address] = time.Since(start)
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.From("host").Dial(ctx, "a", transport.Config{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial of a: %v, want a deadline", err)
		}
		n.Separate(nil)
		readers.Wait()
		if arrived["a"] != time.Second || arrived["b"] != 0 {
			t.Errorf("arrived after %v, want a after 1 s, b at once", arrived)
		}
	})
}
