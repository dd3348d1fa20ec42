// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/internal/simnet"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// What sockets do by the clock, in virtual time: exact.

// HOSTILE SlowLoris: the deadline of a handshake is absolute, whatever the peer says meanwhile.
func TestHandshakeDeadline(t *testing.T) {
	const deadline = 3 * time.Second
	ready := sockettest.Command("READY", sockettest.Properties("Socket-Type", "PUSH"))
	all := append(sockettest.Greeting(1), ready...)
	for name, talk := range map[string]func(r *raw){
		"nothing":       func(*raw) {},
		"one octet":     func(r *raw) { r.Write(all[:1]) },
		"greeting":      func(r *raw) { r.Write(all[:64]) },
		"all but one":   func(r *raw) { r.Write(all[:len(all)-1]) },
		"drop by drop":  func(r *raw) { r.trickle(all[:len(all)-1], deadline/100) },
		"late greeting": func(r *raw) { time.Sleep(deadline - 1); r.Write(all[:64]) },
	} {
		t.Run("bound/"+name, func(t *testing.T) {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				pull, _ := socket.NewPull(v.options(socket.Options{HandshakeTimeout: deadline}))
				if err := pull.Bind("sim://a"); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				r := v.dial("a")
				go talk(r)
				r.closedAfter()
				since(t, start, deadline, "closed")
				synctest.Wait()
				if s := pull.Stats(); len(s.ProtocolErrors) != 1 || len(pull.Peers()) != 0 {
					t.Errorf("%+v, %d peers", s, len(pull.Peers()))
				}
			})
		})
		t.Run("connecting/"+name, func(t *testing.T) {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				p := v.listen("a")
				pull, _ := socket.NewPull(v.options(socket.Options{HandshakeTimeout: deadline}))
				if err := pull.Connect("sim://a"); err != nil {
					t.Fatal(err)
				}
				r := p.accept()
				start := time.Now()
				go talk(r)
				r.closedAfter()
				since(t, start, deadline, "closed")
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				var late *socket.ProtocolError
				if err := pull.WaitConnected(ctx); !errors.As(err, &late) || !late.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the reason is %v", err)
				}
			})
		})
	}
}

// trickle writes octets one by one, with a pause after each; it stops when the stream ends.
func (r *raw) trickle(octets []byte, pause time.Duration) {
	for i := range octets {
		if _, err := r.stream.Write(octets[i : i+1]); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// A handshake that ends just in time is none that is late, and no deadline is left of it.
func TestHandshakeJustInTime(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		pull, _ := socket.NewPull(v.options(socket.Options{HandshakeTimeout: 3 * time.Second}))
		pull.Bind("sim://a")
		r := v.dial("a")
		r.Greet(1)
		r.ReadReady()
		time.Sleep(3*time.Second - 1)
		r.Command("READY", sockettest.Properties("Socket-Type", "PUSH"))
		time.Sleep(time.Hour)
		r.Send([]byte("x"))
		if m, err := pull.Recv(t.Context()); err != nil || string(m.Body()) != "x" {
			t.Errorf("got %v, error %v", m, err)
		}
	})
}

// A dial that gets no answer is given up after HandshakeTimeout and tried again.
func TestDialDeadline(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		p := v.listen("a")
		v.network.Partition(true)
		push, _ := socket.NewPush(v.options(socket.Options{HandshakeTimeout: 3 * time.Second, ReconnectMin: time.Second, ReconnectMax: time.Second}))
		start := time.Now()
		push.Connect("sim://a")
		time.Sleep(9 * time.Second)
		if gaps := v.log.gaps(); len(gaps) == 0 || gaps[0] < 4*time.Second || gaps[0] > 4250*time.Millisecond {
			t.Errorf("dialled anew after %v, want 3s of waiting and 1s to 1.25s of pause", gaps)
		}
		v.network.Partition(false)
		p.accept().Handshake("PULL")
		if err := push.WaitConnected(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("connected after %v", took)
		}
	})
}

// RFC 23, Error Handling: with growing, randomised delay.
func TestReconnectBackOff(t *testing.T) {
	const least, most = 100 * time.Millisecond, 10 * time.Second
	checkGaps := func(t *testing.T, gaps []time.Duration) {
		t.Helper()
		want := least
		for i, gap := range gaps {
			if gap < want || gap > want+want/4 {
				t.Errorf("pause %d of %v, want %v and up to a quarter more", i, gap, want)
			}
			want = min(2*want, most)
		}
	}
	differ := func(gaps []time.Duration) bool {
		for _, gap := range gaps {
			if gap%(100*time.Millisecond) != 0 {
				return true
			}
		}
		return false
	}
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		push, _ := socket.NewPush(v.options(socket.Options{ReconnectMin: least, ReconnectMax: most}))
		push.Connect("sim://a")
		time.Sleep(5 * time.Minute)
		gaps := v.log.gaps()
		checkGaps(t, gaps)
		if len(gaps) < 25 || !differ(gaps) {
			t.Errorf("pauses %v", gaps)
		}
		p := v.listen("a")
		r := p.accept()
		r.Handshake("PULL")
		if err := push.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.log.gaps()
		// A stream that stood for long starts the delays anew. The first one counts from the loss.
		v.network.Refuse("a", true)
		time.Sleep(most)
		lost := time.Now()
		r.Close()
		synctest.Wait()
		time.Sleep(5 * time.Minute)
		v.log.mu.Lock()
		v.log.dials = append([]time.Time{lost}, v.log.dials...)
		v.log.mu.Unlock()
		gaps = v.log.gaps()
		checkGaps(t, gaps)
		if len(gaps) < 25 {
			t.Errorf("pauses %v", gaps)
		}
		if s := push.Stats(); s.StreamErrors < 50 {
			t.Errorf("%d stream errors", s.StreamErrors)
		}
	})
}

// A peer that takes the stream and ends it at once, or says what no peer may, does not start the delays anew.
func TestReconnectBackOffAfterBadHandshakes(t *testing.T) {
	for name, answer := range map[string][]byte{
		"silence": nil, "greeting": sockettest.Greeting(1), "noise": []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				p := v.listen("a")
				go func() {
					for {
						stream, err := p.listener.Accept()
						if err != nil {
							return
						}
						stream.Write(answer)
						stream.Close()
					}
				}()
				push, _ := socket.NewPush(v.options(socket.Options{ReconnectMin: time.Second, ReconnectMax: 8 * time.Second}))
				push.Connect("sim://a")
				time.Sleep(time.Minute)
				p.listener.Close()
				gaps := v.log.gaps()
				want := time.Second
				for i, gap := range gaps {
					if gap < want || gap > want+want/4 {
						t.Errorf("pause %d is %v, want %v to a quarter more", i, gap, want)
					}
					want = min(2*want, 8*time.Second)
				}
				if len(gaps) < 5 {
					t.Errorf("%d pauses", len(gaps))
				}
			})
		})
	}
}

// A peer that ends its streams soon after a good handshake does not start the delays anew either, however long it stays
// below the longest delay; one that has served for that long is dialled again after the shortest.
func TestReconnectBackOffAfterShortLives(t *testing.T) {
	const least, most = time.Second, 8 * time.Second
	for _, c := range []struct {
		stays time.Duration
		want  []time.Duration // the first delays; the last one stays
	}{
		{0, []time.Duration{1, 2, 4, 8}},
		{least, []time.Duration{1, 2, 4, 8}},
		{most - 1, []time.Duration{1, 2, 4, 8}},
		{most, []time.Duration{1}},
		{time.Hour, []time.Duration{1}},
	} {
		t.Run(c.stays.String(), func(t *testing.T) {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				p := v.listen("a")
				push, err := socket.NewPush(v.options(socket.Options{ReconnectMin: least, ReconnectMax: most}))
				if err != nil {
					t.Fatal(err)
				}
				if err := push.Connect("sim://a"); err != nil {
					t.Fatal(err)
				}
				var lost time.Time
				for i := range 10 {
					r := p.accept()
					if delay, want := time.Since(lost), time.Second*c.want[min(max(i-1, 0), len(c.want)-1)]; i > 0 && (delay < want || delay > want+want/4) {
						t.Errorf("delay %d is %v, want %v to a quarter more", i, delay, want)
					}
					r.Handshake("PULL")
					if err := push.WaitConnected(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(c.stays)
					lost = time.Now()
					r.Close()
					synctest.Wait()
				}
			})
		})
	}
}

// heart is a bound PULL and a raw PUSH whose handshake is done.
func heart(t *testing.T, v *village, o socket.Options) (*socket.Pull, *raw) {
	t.Helper()
	pull, err := socket.NewPull(v.options(o))
	if err != nil {
		t.Fatal(err)
	}
	if err := pull.Bind("sim://a"); err != nil {
		t.Fatal(err)
	}
	r := v.dial("a")
	r.Handshake("PUSH")
	synctest.Wait()
	return pull, r
}

// TestD3 to TestD7: RFC 37, Connection Heartbeating.

func TestD3(t *testing.T) {
	for _, c := range []struct {
		ttl  string
		want time.Duration
	}{{"\x00\x03", 300 * time.Millisecond}, {"\x00\x01", 100 * time.Millisecond}, {"\xff\xff", 6553500 * time.Millisecond}} {
		virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
			pull, r := heart(t, v, socket.Options{})
			start := time.Now()
			r.Command("PING", []byte(c.ttl))
			r.closedAfter()
			since(t, start, c.want, "closed")
			synctest.Wait()
			if s := pull.Stats(); len(s.ProtocolErrors) != 1 {
				t.Errorf("counted %+v", s)
			}
		})
	}
}

func TestD4(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		_, r := heart(t, v, socket.Options{})
		start := time.Now()
		r.Command("PING", []byte{656 >> 8, 656 & 0xff})
		r.closedAfter()
		since(t, start, 65600*time.Millisecond, "closed")
	})
}

func TestD5(t *testing.T) {
	for name, frame := range map[string][]byte{
		"message": sockettest.Message([]byte("x")), "part": sockettest.Frame(sockettest.FlagMore, []byte("x")),
		"pong": sockettest.Command("PONG", nil), "unknown": sockettest.Command("UNKNOWN", nil),
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				_, r := heart(t, v, socket.Options{})
				start := time.Now()
				r.Command("PING", []byte{0, 3})
				time.Sleep(150 * time.Millisecond)
				r.Write(frame)
				r.closedAfter()
				since(t, start, 450*time.Millisecond, "closed") // the peer's time-to-live holds on
			})
		})
	}
	t.Run("taken back", func(t *testing.T) {
		virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
			_, r := heart(t, v, socket.Options{})
			r.Command("PING", []byte{0, 3})
			time.Sleep(299 * time.Millisecond)
			r.Command("PING", []byte{0, 0})
			time.Sleep(time.Hour)
			for range 2 {
				if name, _ := r.ReadCommand(); name != "PONG" {
					t.Errorf("got %s", name)
				}
			}
			r.ExpectOpen()
		})
	})
}

func TestD6(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		const interval = 150 * time.Millisecond
		_, r := heart(t, v, socket.Options{HeartbeatInterval: interval, HeartbeatTTL: 1990 * time.Millisecond})
		start := time.Now()
		for i := range 50 {
			name, data := r.ReadCommand()
			since(t, start, time.Duration(i+1)*interval, name)
			if name != "PING" || string(data) != "\x00\x13" {
				t.Fatalf("%s with %q", name, data)
			}
			if i%2 == 0 {
				r.Command("PONG", nil)
			} else {
				r.Send([]byte("a message does as well"))
			}
		}
	})
}

func TestD7(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		p := v.listen("a")
		push, _ := socket.NewPush(v.options(socket.Options{HeartbeatInterval: 100 * time.Millisecond, HeartbeatTimeout: 250 * time.Millisecond}))
		push.Connect("sim://a")
		r := p.accept()
		r.Handshake("PULL")
		start := time.Now()
		r.closedAfter()
		since(t, start, 350*time.Millisecond, "closed")
		second := p.accept()
		if pause := time.Since(start) - 350*time.Millisecond; pause < 100*time.Millisecond || pause > 125*time.Millisecond {
			t.Errorf("reconnected after %v", pause)
		}
		second.Handshake("PULL")
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			second.Send([]byte("no PONG, but alive"))
		}
		if err := push.WaitConnected(t.Context()); err != nil || v.log.count() != 2 {
			t.Errorf("error %v after %d dials", err, v.log.count())
		}
		go func() { // what it says meanwhile
			for b := make([]byte, 100); ; {
				if _, err := second.stream.Read(b); err != nil {
					return
				}
			}
		}()
		start = time.Now()
		p.accept()
		if pause := time.Since(start); pause < 350*time.Millisecond || pause > 475*time.Millisecond {
			t.Errorf("silence was met after %v", pause)
		}
	})
}

// HeartbeatTimeout is by default HeartbeatInterval.
func TestHeartbeatTimeoutByDefault(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		_, r := heart(t, v, socket.Options{HeartbeatInterval: time.Minute})
		start := time.Now()
		r.closedAfter()
		since(t, start, 2*time.Minute, "closed")
	})
}

// A peer whose messages wait because this side's application is slow is not dead: it is we who do not read.
func TestHeartbeatOfASlowReceiver(t *testing.T) {
	virtually(t, simnet.Config{Buffer: 500}, func(t *testing.T, v *village) {
		o := socket.Options{RecvHWM: 1, HeartbeatInterval: time.Second, HeartbeatTimeout: 3 * time.Second, HeartbeatTTL: 3 * time.Second}
		pull, _ := socket.NewPull(v.options(o))
		push, _ := socket.NewPush(v.options(o))
		pull.Bind("sim://a")
		push.Connect("sim://a")
		const count = 100
		go func() {
			for i := range count {
				if err := push.Send(context.Background(), text("%0100d", i)); err != nil {
					return
				}
			}
		}()
		for i := range count {
			if i%10 == 0 {
				time.Sleep(time.Minute)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			m, err := pull.Recv(ctx)
			cancel()
			if err != nil || string(m.Body()) != fmt.Sprintf("%0100d", i) {
				t.Fatalf("message %d is %q, error %v; %+v, %+v", i, m.Body(), err, pull.Stats(), push.Stats())
			}
		}
		if n := v.log.count(); n != 1 {
			t.Errorf("%d streams were needed; %+v, %+v", n, pull.Stats(), push.Stats())
		}
	})
}

// HandshakeFlood: only so many may be shaking hands. Who has had time for that makes room, the oldest first, and who has not does
// not; who has left takes none.
func TestHandshakesAtATime(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		const most, each, grace = 4096, 64, 2 * time.Second
		pull, _ := socket.NewPull(v.options(socket.Options{HandshakeTimeout: socket.Unlimited}))
		pull.Bind("sim://a")
		for range most {
			v.dial("a").Close()
		}
		synctest.Wait()
		good := v.dial("a")
		good.Handshake("PUSH")
		old := v.dialMany("a", 2*each)
		time.Sleep(grace - time.Millisecond)
		v.dialMany("a", most-2*each)
		synctest.Wait()
		v.dial("a").ExpectClosed() // all have time left
		if n := len(pull.Peers()); n != most+1 {
			t.Errorf("%d peers, want %d", n, most+1)
		}
		time.Sleep(time.Millisecond)
		v.dial("a").Handshake("PUSH")
		for _, r := range old[:each] {
			r.ExpectClosed()
		}
		old[each].Handshake("PUSH")
		good.ExpectOpen()
		synctest.Wait()
		if n, late := len(pull.Peers()), pull.Stats().ProtocolErrors["handshake timeout"]; n != most+2-each || late != each {
			t.Errorf("%d peers, and %d were late, want %d and %d", n, late, most+2-each, each)
		}
	})
}

// DescriptorsOut: a listener that gets no descriptor ends handshakes that have had a little time, the oldest first, and no others.
func TestHandshakesMakeRoom(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		const each, grace = 64, 100 * time.Millisecond
		pull, _ := socket.NewPull(v.options(socket.Options{HandshakeTimeout: socket.Unlimited}))
		pull.Bind("sim://a")
		good := v.dial("a")
		good.Handshake("PUSH")
		old := v.dialMany("a", 2*each)
		failed := func() *raw { // the Accept after the one that is under way fails
			synctest.Wait()
			v.log.mu.Lock()
			v.log.failing, v.log.reason = 1, syscall.EMFILE
			v.log.mu.Unlock()
			last := v.dial("a")
			synctest.Wait()
			return last
		}
		time.Sleep(grace - 10*time.Millisecond)
		young := failed()
		if n := len(pull.Peers()); n != 2*each+2 {
			t.Errorf("%d peers before the time is over, want %d", n, 2*each+2)
		}
		time.Sleep(10 * time.Millisecond)
		failed().Handshake("PUSH")
		for _, r := range old[:each] {
			r.ExpectClosed()
		}
		old[each].Handshake("PUSH")
		young.Handshake("PUSH")
		good.ExpectOpen()
		synctest.Wait()
		if n, late := len(pull.Peers()), pull.Stats().ProtocolErrors["handshake timeout"]; n != each+3 || late != each {
			t.Errorf("%d peers, and %d were late, want %d and %d", n, late, each+3, each)
		}
	})
}

// Who is not listened to, since others have left too much, is taken leave of like any other: Close reads what it still says, and so
// sees that it has all.
func TestCloseWhileCrowded(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		dealer, _ := socket.NewDealer(v.options(socket.Options{RecvHWM: 2, Linger: time.Hour}))
		dealer.Bind("sim://a")
		come := func() *raw {
			r := v.dial("a")
			r.Handshake("DEALER")
			r.Send([]byte("hello"))
			synctest.Wait()
			return r
		}
		for range 2 {
			come().Close()
			synctest.Wait()
		}
		last := come()
		if p := dealer.Peers(); len(p) != 1 || p[0].RecvQueue != 0 {
			t.Errorf("%+v", p)
		}
		if err := dealer.Send(t.Context(), text("to the last")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		closed := make(chan error, 1)
		go func() { closed <- dealer.Close() }()
		if got := last.ReadMessage(); len(got) != 1 || string(got[0]) != "to the last" {
			t.Errorf("received %q", got)
		}
		last.ExpectClosed()
		last.Close()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		since(t, start, 0, "closed")
	})
}

// DescriptorsOut: a listener that gets no descriptor tries less and less often, loses nothing, and recovers.
func TestAcceptBackOff(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		v.log.failing, v.log.reason = 12, syscall.EMFILE
		pull, _ := socket.NewPull(v.options(socket.Options{}))
		start := time.Now()
		pull.Bind("sim://a")
		r := v.dial("a")
		r.Handshake("PUSH")
		want := time.Duration(0)
		pause := 5 * time.Millisecond
		for range 12 {
			want += pause
			pause = min(2*pause, 250*time.Millisecond)
		}
		since(t, start, want, "accepted")
		synctest.Wait() // the next Accept is under way
		v.log.mu.Lock()
		v.log.failing = 1
		v.log.mu.Unlock()
		// The one after it fails, and waits the shortest time.
		v.dial("a").Handshake("PUSH")
		start = time.Now()
		v.dial("a").Handshake("PUSH")
		since(t, start, 5*time.Millisecond, "accepted after one failure")
		synctest.Wait()
		v.log.mu.Lock()
		v.log.failing = 1000
		v.log.mu.Unlock()
		v.dial("a").Handshake("PUSH")
		start = time.Now()
		if err := pull.Close(); err != nil {
			t.Error(err)
		}
		since(t, start, 0, "closed while it waited for a descriptor")
	})
}
