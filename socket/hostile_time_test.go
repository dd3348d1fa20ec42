// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/internal/simnet"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// hostileVillage is a bound ROUTER under attack in virtual time, which echoes, and a good peer with a round trip a second.
type hostileVillage struct {
	*village
	router *socket.Router
	trips  int
	end    func()
}

func hostileSettle(t *testing.T, v *village, opts socket.Options) *hostileVillage {
	t.Helper()
	h := &hostileVillage{village: v}
	router, err := socket.NewRouter(v.options(opts))
	if err != nil {
		t.Fatal(err)
	}
	h.router = router
	good, err := socket.NewDealer(v.options(socket.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(router.Bind("sim://target"), good.Connect("sim://target")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for msg, err := range router.Messages(ctx) {
			if err != nil {
				return
			}
			router.Send(ctx, msg) // a peer may have gone
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := hostileTrip(ctx, good, "trip"); err != nil {
				if ctx.Err() == nil {
					t.Errorf("the good peer's round trip %d: %v", h.trips, err)
				}
				return
			}
			h.trips++
			<-time.After(time.Second)
		}
	}()
	h.end = func() {
		cancel()
		<-done
		if err := errors.Join(good.Close(), router.Close()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	}
	synctest.Wait()
	return h
}

// drip writes octets one by one with a pause before each, until the socket ends the stream, and tells how long it took to.
func (r *raw) drip(octets []byte, pause time.Duration) time.Duration {
	start := time.Now()
	ended := make(chan time.Duration)
	go func() {
		r.closedAfter()
		ended <- time.Since(start)
	}()
	for {
		select {
		case after := <-ended:
			return after
		case <-time.After(pause):
			if len(octets) > 0 {
				r.stream.Write(octets[:1]) // the socket may be gone
				octets = octets[1:]
			}
		}
	}
}

// One octet every ten seconds, from each octet of the handshake on: the deadline is one for the whole of it.
func TestHostileSlowLoris(t *testing.T) {
	const deadline = 35 * time.Second
	octets := append(sockettest.Greeting(1), wireReady("DEALER")...)
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		h := hostileSettle(t, v, socket.Options{HandshakeTimeout: deadline})
		results := make(chan time.Duration)
		starts := len(octets) - 4 // what is left then takes longer than the deadline
		for at := range starts {
			raw := v.dial("target")
			raw.stream.Write(octets[:at])
			go func() { results <- raw.drip(octets[at:], 10*time.Second) }()
		}
		for range starts {
			if after := <-results; after < deadline*9/10 || after > deadline*11/10 {
				t.Errorf("dropped after %v, want %v", after, deadline)
			}
		}
		synctest.Wait()
		if got := h.router.Stats().ProtocolErrors["handshake timeout"]; got != uint64(starts) {
			t.Errorf("%d streams counted, want %d", got, starts)
		}
		if h.trips < int(deadline/time.Second) || len(h.router.Peers()) != 1 {
			t.Errorf("%d round trips of the good peer, %d peers", h.trips, len(h.router.Peers()))
		}
		h.end()
	})
}

// The same with who is connected to: the socket gives up, waits and tries again.
func TestHostileSlowLorisListening(t *testing.T) {
	const deadline = 35 * time.Second
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		dealer, err := socket.NewDealer(v.options(socket.Options{HandshakeTimeout: deadline}))
		if err != nil {
			t.Fatal(err)
		}
		l := v.listen("slow")
		if err := dealer.Connect("sim://slow"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			raw := l.accept()
			if after := raw.drip(sockettest.Greeting(1), 10*time.Second); after != deadline {
				t.Errorf("dropped after %v, want %v", after, deadline)
			}
		}
		synctest.Wait()
		if got := dealer.Stats().ProtocolErrors["handshake timeout"]; got != 3 {
			t.Errorf("%d streams counted", got)
		}
		if err := dealer.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Peers that never answer a PING: the silent one is dropped at the timeout, one that says anything at all is not.
func TestHostileNeverPong(t *testing.T) {
	const interval, timeout = 2 * time.Second, 5 * time.Second
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		h := hostileSettle(t, v, socket.Options{HeartbeatInterval: interval, HeartbeatTimeout: timeout})
		silent, busy := v.dial("target"), v.dial("target")
		silent.Handshake("DEALER")
		busy.Handshake("DEALER")
		start := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			silent.closedAfter()
			since(t, start, interval+timeout, "dropped")
		}()
		for range 60 {
			<-time.After(timeout - time.Millisecond)
			busy.Send([]byte("I am here"))
			busy.SkipCommands = true
			busy.ReadMessage()
		}
		<-ended
		synctest.Wait()
		if got := h.router.Stats(); got.ProtocolErrors["heartbeat timeout"] != 1 || len(h.router.Peers()) != 2 {
			t.Errorf("%+v, %d peers", got, len(h.router.Peers()))
		}
		h.end()
	})
}

// A peer that asks to be dropped in no time, and one that asks for the longest there is.
func TestHostileTimeToLive(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		h := hostileSettle(t, v, socket.Options{})
		for _, tenths := range []int{1, 2, 655, 656, 65535} {
			raw := v.dial("target")
			raw.Handshake("DEALER")
			start := time.Now()
			raw.Command("PING", []byte{byte(tenths >> 8), byte(tenths)})
			raw.closedAfter()
			since(t, start, time.Duration(tenths)*100*time.Millisecond, "dropped")
		}
		synctest.Wait()
		if got := h.router.Stats().ProtocolErrors["peer time-to-live expired"]; got != 5 {
			t.Errorf("%d streams counted", got)
		}
		h.end()
	})
}

// Who is connected to and is of the wrong type, answers ERROR, or ends each stream as soon as it stands: no tight loop.
func TestHostileReconnectLoops(t *testing.T) {
	for _, c := range []struct {
		name     string
		says     []byte
		min, max int // streams in ten minutes
	}{
		{"wrong type", wireReady("PULL"), 50, 120},
		{"rubbish", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 50, 120},
		{"nothing", nil, 25, 120},
		{"ERROR", sockettest.Command("ERROR", []byte("\x02no")), 1, 1},
		{"READY, then the end", wireReady("DEALER"), 50, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				dealer, err := socket.NewDealer(v.options(socket.Options{}))
				if err != nil {
					t.Fatal(err)
				}
				l := v.listen("here")
				if err := dealer.Connect("sim://here"); err != nil {
					t.Fatal(err)
				}
				streams := 0
				go func() {
					for {
						stream, err := l.listener.Accept()
						if err != nil {
							return
						}
						streams++
						if c.name != "nothing" {
							stream.Write(append(sockettest.Greeting(1), c.says...))
							stream.CloseWrite()
						}
						v.newRaw(stream).closedAfter()
						stream.Close()
					}
				}()
				<-time.After(10 * time.Minute)
				synctest.Wait()
				t.Logf("%d streams in ten minutes", streams)
				if streams < c.min || streams > c.max {
					t.Errorf("%d streams in ten minutes, want %d to %d", streams, c.min, c.max)
				}
				if err := dealer.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A peer that never ends its side of the stream must not keep Close, with nothing left to hand over, for ever.
func TestHostileCloseUnanswered(t *testing.T) {
	for _, linger := range []time.Duration{socket.LingerForever, time.Hour} {
		virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
			dealer, err := socket.NewDealer(v.options(socket.Options{Linger: linger}))
			if err != nil {
				t.Fatal(err)
			}
			if err := dealer.Bind("sim://here"); err != nil {
				t.Fatal(err)
			}
			raw := v.dial("here")
			raw.Handshake("DEALER")
			wireSend(t, dealer, "m")
			raw.ReadMessage()
			start := time.Now()
			if err := dealer.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("Close took %v", took)
			}
		})
	}
}

// Some Sends wait for a peer that never reads; those that wait for one that does must have the hint when it reads on.
func TestHostileMuteKeepsHint(t *testing.T) {
	virtually(t, simnet.Config{Buffer: 4096}, func(t *testing.T, v *village) {
		router, err := socket.NewRouter(v.options(socket.Options{RouterMandatory: true, SendHWM: 2}))
		if err != nil {
			t.Fatal(err)
		}
		if err := router.Bind("sim://here"); err != nil {
			t.Fatal(err)
		}
		mute, slow := v.dial("here"), v.dial("here")
		mute.Handshake("DEALER", "Identity", "mute")
		slow.Handshake("DEALER", "Identity", "slow")
		synctest.Wait()
		hostileStuff(t, router.Send, "mute")
		hostileStuff(t, router.Send, "slow")
		ctx, cancel := context.WithCancel(context.Background())
		var waiting sync.WaitGroup
		for range 3 { // these wait as long as they may
			waiting.Go(func() {
				if err := router.Send(ctx, wireMessage("mute", "never")); !errors.Is(err, context.Canceled) {
					t.Errorf("sent to the mute peer: %v", err)
				}
			})
		}
		synctest.Wait()
		var served atomic.Int64
		for range 3 {
			go func() {
				if err := router.Send(ctx, wireMessage("slow", "at last")); err != nil {
					t.Errorf("to the peer that reads: %v", err)
				}
				served.Add(1)
			}()
			synctest.Wait()
		}
		for seen := 0; seen < 3; {
			if got := slow.ReadMessage(); string(got[0]) == "at last" {
				seen++
			}
		}
		synctest.Wait()
		if got := served.Load(); got != 3 {
			t.Errorf("%d sends to the peer that reads have returned, want 3", got)
		}
		cancel()
		waiting.Wait()
		var lost *socket.LostError
		if err := router.Close(); err != nil && !errors.As(err, &lost) {
			t.Error(err)
		}
	})
}
