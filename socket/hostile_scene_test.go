// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// The hostile tests attack sockets over tcp and ipc: the files hostile_*_test.go. Whatever a peer does, the process lives,
// that peer alone is dropped, for a counted reason, others are served meanwhile, and nothing of it stays behind. Counts
// are small and grow with ZWIRE_SOAK.

const (
	// hostilePatience bounds a wait for something that must happen.
	hostilePatience = 10 * time.Second
	// hostileTripPatience bounds one round trip of the good peer, which shares a busy machine with the attack.
	hostileTripPatience = time.Minute
	// hostilePace is the pause between two round trips of the good peer: it must not take the machine from the attack.
	hostilePace = 500 * time.Microsecond
	// hostileTrips is how many round trips show that the good peer is served.
	hostileTrips = 5
	// hostileCountMost bounds counts: every peer takes a descriptor here and one there.
	hostileCountMost = 8000
	// hostileHeapSlack is what the heap may differ by for reasons of its own, besides 5 %.
	hostileHeapSlack = 1 << 20
)

// hostileCount scales a count by ZWIRE_SOAK, which is 1 by default.
func hostileCount(t testing.TB, count int) int {
	t.Helper()
	return sockettest.Soaked(t, count, hostileCountMost)
}

// hostileTarget is a bound ROUTER that sends every message back, and a good DEALER that makes round trips through it all
// the time.
type hostileTarget struct {
	*socket.Router
	t     *testing.T
	trips atomic.Int64
	heap  uint64 // before the attack

	mu        sync.Mutex
	strangers [][]string // messages of others than the good peer, without identity
}

const hostileGoodPeer = "good peer"

// hostileOpen starts a target.
func hostileOpen(t *testing.T, endpoint string, change ...func(*socket.Options)) *hostileTarget {
	t.Helper()
	// One loop for each of the two: with more, a crowd of peers would start others, which stay.
	own, err := socket.NewContext(&socket.ContextOptions{Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			own.Close() // its sockets are closed
		}
	})
	here := func(o *socket.Options) { o.Context = own }
	h := &hostileTarget{t: t, Router: hostileBound(t, endpoint, "ROUTER", append([]func(*socket.Options){here}, change...)...).(*socket.Router)}
	good := hostileNew(t, "DEALER", here, func(o *socket.Options) { o.Identity = []byte(hostileGoodPeer) }).(*socket.Dealer)
	if err := good.Connect(h.LastEndpoint()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { h.echo(ctx) })
	both.Go(func() { h.travel(ctx, good) })
	t.Cleanup(func() {
		cancel()
		both.Wait()
	})
	h.served()
	return h
}

// echo sends everything back.
func (h *hostileTarget) echo(ctx context.Context) {
	for msg, err := range h.Messages(ctx) {
		if err != nil {
			return
		}
		if string(msg.Frame(0)) != hostileGoodPeer {
			h.mu.Lock()
			h.strangers = append(h.strangers, wireFrames(msg)[1:])
			h.mu.Unlock()
		}
		if err := h.Send(ctx, msg); err != nil && ctx.Err() == nil {
			h.t.Errorf("echo: %v", err)
		}
	}
}

// travel is the good peer's life.
func (h *hostileTarget) travel(ctx context.Context, good *socket.Dealer) {
	pace := time.NewTicker(hostilePace)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
		if err := hostileTrip(ctx, good, fmt.Sprint("trip ", i)); err != nil {
			if ctx.Err() == nil {
				h.t.Errorf("the good peer's round trip %d: %v", i, err)
			}
			return
		}
		h.trips.Add(1)
	}
}

// hostileTrip sends a message of two frames and waits for it to come back.
func hostileTrip(ctx context.Context, good *socket.Dealer, text string) error {
	ctx, cancel := context.WithTimeout(ctx, hostileTripPatience)
	defer cancel()
	if err := good.Send(ctx, wireMessage(text, "")); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	back, err := good.Recv(ctx)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if got := wireFrames(back); !slices.Equal(got, []string{text, ""}) {
		return fmt.Errorf("%.100q came back", got)
	}
	return nil
}

// served waits until the good peer has made some more round trips.
func (h *hostileTarget) served() {
	h.t.Helper()
	pace := time.NewTicker(hostilePace)
	defer pace.Stop()
	for enough := h.trips.Load() + hostileTrips; h.trips.Load() < enough && !h.t.Failed(); { // travel tells if it hangs
		<-pace.C
	}
}

// survives runs an attack, in a subtest of its own whose raw peers are closed and forgotten with it, and checks that the
// good peer is served and that nothing stays behind.
func (h *hostileTarget) survives(attack func(t *testing.T)) {
	h.t.Helper()
	h.heap = hostileHeap()
	goroutines, descriptors := runtime.NumGoroutine(), hostileDescriptors()
	h.t.Run("attack", attack)
	h.served()
	sockettest.UntilDown(h.t, "peers, of which the good one stays", 1, func() int { return len(h.Peers()) })
	sockettest.UntilDown(h.t, fmt.Sprintf("goroutines, of which there were %d", goroutines), goroutines, runtime.NumGoroutine)
	sockettest.UntilDown(h.t, fmt.Sprintf("descriptors, of which there were %d", descriptors), descriptors, hostileDescriptors)
	sockettest.UntilDown(h.t, fmt.Sprintf("the heap, which was %d", h.heap), int(h.heap+h.heap/20+hostileHeapSlack), func() int { return int(hostileHeap()) })
	h.t.Logf("heap %d before; %d round trips", h.heap, h.trips.Load())
}

// grown returns how much more memory is in use than before the attack.
func (h *hostileTarget) grown() int { return max(int(hostileHeap())-int(h.heap), 0) }

// received returns what has come from others than the good peer since the last call.
func (h *hostileTarget) received() [][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.strangers
	h.strangers = nil
	return got
}

// nothing checks that no message of others than the good peer was delivered.
func (h *hostileTarget) nothing(t *testing.T) {
	t.Helper()
	if got := h.received(); len(got) > 0 {
		t.Errorf("delivered %d messages, the first is %.100q", len(got), got[0])
	}
}

// counted waits until so many streams have ended for a reason.
func (h *hostileTarget) counted(t *testing.T, reason string, streams uint64) {
	t.Helper()
	hostileCounted(t, h.Router, reason, streams)
}

// hostileCounted waits until a socket has dropped so many streams for a reason; "" is any other than the protocol.
func hostileCounted(t *testing.T, s interface{ Stats() socket.Stats }, reason string, streams uint64) {
	t.Helper()
	var stats socket.Stats
	count := func() uint64 {
		if stats = s.Stats(); reason == "" {
			return stats.StreamErrors
		}
		return stats.ProtocolErrors[reason]
	}
	sockettest.UntilDown(t, fmt.Sprintf("streams still to be dropped for %q", reason), 0, func() int { return int(streams) - int(count()) })
	if got := count(); got != streams {
		t.Errorf("%d streams dropped for %q, want %d: %+v", got, reason, streams, stats)
	}
}

// dial brings a raw peer to the target that has shaken hands.
func (h *hostileTarget) dial(t *testing.T) *sockettest.Raw {
	t.Helper()
	raw := sockettest.Dial(t, h.LastEndpoint())
	raw.Handshake("DEALER")
	return raw
}

// hostileNew makes a socket that is closed with the test, if the test has not closed it.
func hostileNew(t *testing.T, kind string, change ...func(*socket.Options)) wireSocket {
	t.Helper()
	opts := &socket.Options{Linger: socket.LingerNone, ReconnectMin: time.Millisecond, ReconnectMax: 10 * time.Millisecond}
	for _, f := range change {
		f(opts)
	}
	s, err := wireNew(kind, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			go s.Close() // it may hang
			return
		}
		hostileWithin(t, "Close of the "+kind, func() {
			var lost *socket.LostError // there are peers that never read
			if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.As(err, &lost) {
				t.Errorf("closing the %s: %v", kind, err)
			}
		})
	})
	return s
}

// hostileBound makes a socket and binds it.
func hostileBound(t *testing.T, endpoint, kind string, change ...func(*socket.Options)) wireSocket {
	t.Helper()
	s := hostileNew(t, kind, change...)
	if err := s.Bind(endpoint); err != nil {
		t.Fatal(err)
	}
	return s
}

// hostileHeap is the memory in use, without garbage. Pools give theirs up at the second collection.
func hostileHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// hostileFolder is a fresh folder whose path is short enough for sockets.
func hostileFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "zwire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// hostileDescriptors counts the one it looks with, always. It is zero where the system does not tell.
func hostileDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd") // none elsewhere
	return len(entries)
}

// hostileWrite writes what the socket may not want to read to its end.
func hostileWrite(raw *sockettest.Raw, octets []byte) {
	raw.Conn.SetWriteDeadline(time.Now().Add(hostilePatience)) // fails as Write will
	raw.Conn.Write(octets)                                     // the socket may be gone
}

// hostileFlood writes octets again and again until the stream or the test ends, and returns when the socket has its hands
// full. What it returns ends the flood.
func hostileFlood(t *testing.T, raw *sockettest.Raw, octets []byte) (end func()) {
	t.Helper()
	const blockBytes, blocks = 128 << 10, 16
	block := bytes.Repeat(octets, max(blockBytes/len(octets), 1))
	raw.Conn.SetDeadline(time.Time{})
	var done sync.WaitGroup
	full, moment := make(chan struct{}), time.NewTimer(50*time.Millisecond)
	defer moment.Stop()
	done.Go(func() {
		for i := 0; ; i++ {
			if _, err := raw.Conn.Write(block); err != nil {
				return
			}
			if i == blocks {
				close(full)
			}
		}
	})
	select {
	case <-full:
	case <-moment.C: // it does not take more
	}
	end = sync.OnceFunc(func() {
		raw.Close()
		done.Wait()
	})
	t.Cleanup(end)
	return end
}

// hostileWithin runs what must not hang. If it does, the test ends without it.
func hostileWithin(t *testing.T, what string, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	limit := time.NewTimer(hostilePatience)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s hangs:\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}
