// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/internal/simnet"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// How streams and sockets end, in virtual time.

// L7: Close with messages that nobody takes returns when linger says, not before and not after.
func TestLingerIsExact(t *testing.T) {
	type place struct {
		name    string
		prepare func(v *village)
	}
	for _, p := range []place{
		{"nobody listens", func(*village) {}},
		{"no way", func(v *village) { v.listen("a"); v.network.Partition(true) }},
		{"silent peer", func(v *village) {
			p := v.listen("a")
			go func() { p.listener.Accept() }()
		}},
		{"nobody accepts", func(v *village) { v.listen("a") }},
	} {
		for name, linger := range map[string]time.Duration{
			"none": socket.LingerNone, "one nanosecond": 1, "short": 300 * time.Millisecond, "long": time.Hour, "default": 5 * time.Second,
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				virtually(t, simnet.Config{Latency: time.Millisecond}, func(t *testing.T, v *village) {
					p.prepare(v)
					o := v.options(socket.Options{Linger: linger, HandshakeTimeout: 2 * time.Hour})
					if name == "default" {
						o.Linger = 0
					}
					push, _ := socket.NewPush(o)
					push.Connect("sim://a")
					for range 3 {
						if err := push.Send(t.Context(), text("x")); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(10 * time.Second)
					start := time.Now()
					if lost := lostMessages(push.Close()); lost != 3 {
						t.Errorf("%d messages were lost, want 3", lost)
					}
					since(t, start, max(linger, 0), "closed")
					if n := push.Stats().Dropped[socket.DropLinger]; n != 3 {
						t.Errorf("%d drops were counted, want 3", n)
					}
				})
			})
		}
	}
}

// A peer that stopped reading does not hold Close up for longer than linger; what it has taken does not count as lost.
func TestLingerWithAPeerThatStopsReading(t *testing.T) {
	virtually(t, simnet.Config{Buffer: 1000}, func(t *testing.T, v *village) {
		p := v.listen("a")
		push, _ := socket.NewPush(v.options(socket.Options{Linger: time.Minute}))
		push.Connect("sim://a")
		r := p.accept()
		r.Handshake("PULL")
		for i := range 100 {
			if err := push.Send(t.Context(), text("%098d", i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		start := time.Now()
		err := push.Close()
		since(t, start, time.Minute, "closed")
		if lost := lostMessages(err); lost != 90 {
			t.Errorf("%d messages were lost, want 90: the stream has taken 1000 octets", lost)
		}
	})
}

// A peer that is taken leave of gets what was queued and nothing more, whatever it asks for meanwhile.
func TestNothingNewAfterDisconnect(t *testing.T) {
	for _, kind := range []string{"PUB", "XPUB", "REP"} {
		t.Run(kind, func(t *testing.T) {
			virtually(t, simnet.Config{Buffer: 1000}, func(t *testing.T, v *village) {
				s, _ := wireNew(kind, v.options(socket.Options{Linger: time.Minute}))
				p := v.listen("a")
				s.Connect("sim://a")
				r := p.accept()
				const count = 100
				asks := kind == "REP"
				if asks {
					r.Handshake("REQ")
					for range count + 1 {
						r.Send(nil, []byte("?"))
					}
				} else {
					r.Handshake("SUB")
					r.Command("SUBSCRIBE", []byte("0"))
				}
				synctest.Wait()
				send := func(i int) {
					if asks {
						wireRecv(t, s, "?")
					}
					wireSend(t, s, fmt.Sprintf("%098d", i))
				}
				for i := range count {
					send(i)
				}
				left := make(chan error, 1)
				go func() { left <- s.(interface{ Disconnect(string) error }).Disconnect("sim://a") }()
				synctest.Wait()
				if !asks {
					r.Command("SUBSCRIBE", nil)
					synctest.Wait()
				}
				send(count)
				for i := range count {
					if got := r.ReadMessage(); string(got[len(got)-1]) != fmt.Sprintf("%098d", i) {
						t.Fatalf("message %d: %q", i, got)
					}
				}
				if rest := r.ExpectClosed(); len(rest) > 0 {
					t.Errorf("after that came %.200q", rest)
				}
				if err := <-left; err != nil {
					t.Error(err)
				}
				if n := s.Stats().Dropped[socket.DropAskerGone]; asks && n != 1 {
					t.Errorf("%d replies were dropped, want 1", n)
				}
				s.Close()
			})
		})
	}
}

// What is queued goes out to a peer that comes, or goes on, within linger; Close returns then.
func TestLingerHandsOver(t *testing.T) {
	for name, linger := range map[string]time.Duration{"finite": 2 * time.Hour, "for ever": socket.LingerForever} {
		t.Run("late peer/"+name, func(t *testing.T) {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				push, _ := socket.NewPush(v.options(socket.Options{Linger: linger}))
				push.Connect("sim://a")
				for i := range 3 {
					push.Send(t.Context(), text("%d", i))
				}
				closed := make(chan error, 1)
				start := time.Now()
				go func() { closed <- push.Close() }()
				time.Sleep(time.Hour)
				pull, _ := socket.NewPull(v.options(socket.Options{}))
				if err := pull.Bind("sim://a"); err != nil {
					t.Fatal(err)
				}
				for i := range 3 {
					if m, err := pull.Recv(t.Context()); err != nil || string(m.Body()) != fmt.Sprint(i) {
						t.Errorf("got %q, error %v", m.Body(), err)
					}
				}
				if err := <-closed; err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > time.Hour+15*time.Second {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
	t.Run("slow way", func(t *testing.T) {
		virtually(t, simnet.Config{Latency: 10 * time.Second}, func(t *testing.T, v *village) {
			pull, _ := socket.NewPull(v.options(socket.Options{HandshakeTimeout: time.Hour}))
			push, _ := socket.NewPush(v.options(socket.Options{HandshakeTimeout: time.Hour, Linger: time.Hour}))
			pull.Bind("sim://a")
			push.Connect("sim://a")
			push.Send(t.Context(), text("x"))
			if err := push.Close(); err != nil {
				t.Error(err)
			}
			if m, err := pull.Recv(t.Context()); err != nil || string(m.Body()) != "x" {
				t.Errorf("got %q, error %v", m.Body(), err)
			}
		})
	})
}

// A socket with nothing to hand over closes at once, whatever its endpoints are doing.
func TestCloseWithNothingToDo(t *testing.T) {
	for name, prepare := range map[string]func(v *village){
		"dialing":     func(v *village) { v.listen("a"); v.network.Partition(true) },
		"waiting":     func(*village) {},
		"handshaking": func(v *village) { v.listen("a") },
	} {
		for _, after := range []time.Duration{0, time.Nanosecond, 50 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("%s/%v", name, after), func(t *testing.T) {
				virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
					prepare(v)
					push, _ := socket.NewPush(v.options(socket.Options{Linger: time.Hour}))
					sub, _ := socket.NewSub(v.options(socket.Options{Linger: time.Hour}))
					sub.Subscribe("")
					push.Connect("sim://a")
					sub.Connect("sim://a")
					sending := make(chan error, 1)
					full, _ := socket.NewPush(v.options(socket.Options{SendHWM: 1}))
					full.Connect("sim://a")
					full.Send(t.Context(), text("x"))
					go func() { sending <- full.Send(context.Background(), text("y")) }()
					receiving := make(chan error, 1)
					go func() {
						_, err := sub.Recv(context.Background())
						receiving <- err
					}()
					time.Sleep(after)
					start := time.Now()
					for what, err := range map[string]error{"push": push.Close(), "sub": sub.Close()} {
						if err != nil {
							t.Errorf("%s: %v", what, err)
						}
					}
					if lost := lostMessages(full.Close()); lost != 1 {
						t.Errorf("%d messages lost, want 1", lost)
					}
					since(t, start, 0, "closed")
					if err := <-sending; !errors.Is(err, net.ErrClosed) {
						t.Errorf("Send: %v", err)
					}
					if err := <-receiving; !errors.Is(err, net.ErrClosed) {
						t.Errorf("Recv: %v", err)
					}
					dials := v.log.count()
					time.Sleep(time.Hour)
					if n := v.log.count(); n != dials {
						t.Errorf("%d dials after Close", n-dials)
					}
				})
			})
		}
	}
}

// A session is told to end at each moment of its life; nothing may hang, and nothing may be left.
func TestCloseAtEveryMoment(t *testing.T) {
	const latency = 10 * time.Millisecond
	for _, linger := range []time.Duration{socket.LingerNone, time.Minute} {
		for step := range 30 {
			t.Run(fmt.Sprintf("%v/%d", linger, step), func(t *testing.T) {
				virtually(t, simnet.Config{Latency: latency}, func(t *testing.T, v *village) {
					o := socket.Options{Linger: linger, ReconnectMin: latency, HeartbeatInterval: 3 * latency}
					dealer, _ := socket.NewDealer(v.options(o))
					router, _ := socket.NewRouter(v.options(o))
					router.Bind("sim://a")
					dealer.Connect("sim://a")
					var users sync.WaitGroup
					users.Go(func() {
						for m, err := range router.Messages(context.Background()) {
							if err != nil {
								t.Error(err)
							}
							router.Send(context.Background(), m)
						}
					})
					users.Go(func() {
						for i := 0; dealer.Send(context.Background(), text("%d", i)) == nil; i++ {
							time.Sleep(latency / 2)
						}
					})
					time.AfterFunc(8*latency, func() { v.network.Cut() })
					time.Sleep(time.Duration(step) * latency / 2)
					start := time.Now()
					if err := dealer.Close(); err != nil && lostMessages(err) < 1 {
						t.Error(err)
					}
					if took := time.Since(start); took > time.Minute || linger == socket.LingerNone && took != 0 {
						t.Errorf("closed after %v", took)
					}
					router.Close()
					users.Wait()
				})
			})
		}
	}
}

// RFC 23, Error Handling: ERROR is final; only a new Connect tries again.
func TestErrorEndsForGood(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		p := v.listen("a")
		req, _ := socket.NewReq(v.options(socket.Options{}))
		req.Connect("sim://a")
		r := p.accept()
		r.Greet(1)
		r.ReadReady()
		r.Command("ERROR", []byte("\x03no!"))
		var refused *socket.RefusedError
		if err := req.WaitConnected(t.Context()); !errors.As(err, &refused) || refused.Reason != "no!" {
			t.Errorf("error %v", err)
		}
		if r.closedAfter() != 0 {
			t.Error("the stream stayed open")
		}
		time.Sleep(24 * time.Hour)
		if n := v.log.count(); n != 1 {
			t.Errorf("%d dials", n)
		}
		if peers := req.Peers(); len(peers) != 1 || peers[0].State != socket.PeerRefused || !errors.As(peers[0].Err, &refused) {
			t.Errorf("peers %+v", peers)
		}
		if err := req.Connect("sim://a"); err != nil {
			t.Fatal(err)
		}
		p.accept().Handshake("REP")
		if err := req.WaitConnected(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(req.Peers()); n != 1 {
			t.Errorf("%d peers", n)
		}
		start := time.Now()
		if err := req.Close(); err != nil {
			t.Error(err)
		}
		since(t, start, 0, "closed")
	})
}

// WrongPeerType: no tight loop, and whoever waits learns why.
func TestWrongTypeIsTriedWithPauses(t *testing.T) {
	virtually(t, simnet.Config{Latency: time.Millisecond}, func(t *testing.T, v *village) {
		pub, _ := socket.NewPub(v.options(socket.Options{}))
		req, _ := socket.NewReq(v.options(socket.Options{}))
		pub.Bind("sim://a")
		req.Connect("sim://a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wrong *socket.ProtocolError
		if err := req.WaitConnected(ctx); !errors.As(err, &wrong) || wrong.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if n := v.log.count(); n < 2 || n > 15 {
			t.Errorf("%d dials", n)
		}
		if s := pub.Stats(); len(s.ProtocolErrors) != 1 || len(pub.Peers()) != 0 {
			t.Errorf("%+v, %d peers", s, len(pub.Peers()))
		}
	})
}

// cutScene is an exchange over a network whose first stream breaks.
type cutScene struct {
	messages []socket.Message
	want     []string
}

func newCutScene() cutScene {
	frames := [][][]byte{
		{[]byte("first")},
		{[]byte("second"), nil, make([]byte, 300)},
		{[]byte("3"), []byte("third")},
	}
	var c cutScene
	for _, f := range frames {
		c.messages = append(c.messages, socket.NewMessage(f...))
		c.want = append(c.want, fmt.Sprintf("%q", f))
	}
	return c
}

func (c cutScene) name(m socket.Message) int {
	var frames [][]byte
	for i := range m.Len() {
		frames = append(frames, m.Frame(i))
	}
	return slices.Index(c.want, fmt.Sprintf("%q", frames))
}

// handshakeByOctets is Handshake over a network that holds less than a greeting.
func (r *raw) handshakeByOctets(socketType string) {
	r.t.Helper()
	ready := sockettest.Command("READY", sockettest.Properties("Socket-Type", socketType))
	go r.stream.Write(append(sockettest.Greeting(1), ready...)) // what fails here, fails below
	r.ReadN(sockettest.GreetingBytes)
	r.ReadReady()
}

// The messages of a pipe that the stream had not taken when it broke go out again, whole, in order and once; one that it
// had taken in part is whole on the next.
func TestMessagesAcrossABreakAtEveryOctet(t *testing.T) {
	scene := newCutScene()
	var octets []byte
	var ends []int // of the messages
	for _, m := range scene.messages {
		var frames [][]byte
		for i := range m.Len() {
			frames = append(frames, m.Frame(i))
		}
		octets = append(octets, sockettest.Message(frames...)...)
		ends = append(ends, len(octets))
	}
	for cut := range len(octets) {
		// The network holds one octet, so the stream has taken one more than the peer has read.
		virtually(t, simnet.Config{Buffer: 1}, func(t *testing.T, v *village) {
			p := v.listen("a")
			push, _ := socket.NewPush(v.options(socket.Options{}))
			push.Connect("sim://a")
			first := p.accept()
			first.handshakeByOctets("PULL")
			if err := push.WaitConnected(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, m := range scene.messages {
				push.Send(t.Context(), m)
			}
			if got := first.ReadN(cut); string(got) != string(octets[:cut]) {
				t.Fatalf("cut at %d: the first stream has other octets", cut)
			}
			synctest.Wait()
			v.network.Cut()
			taken := 0
			for taken < len(ends) && ends[taken] <= cut+1 {
				taken++
			}
			if taken == len(ends) { // nothing is left to be sent again
				taken--
				push.Send(t.Context(), scene.messages[taken])
			}
			second := p.accept()
			second.handshakeByOctets("PULL")
			from := 0
			if taken > 0 {
				from = ends[taken-1]
			}
			if got := second.ReadN(len(octets) - from); string(got) != string(octets[from:]) {
				t.Fatalf("cut at %d: the second stream begins %q, want %q", cut, got[:10], octets[from:])
			}
			push.Send(t.Context(), text("last"))
			if got := second.ReadMessage(); len(got) != 1 || string(got[0]) != "last" {
				t.Fatalf("cut at %d: then %q", cut, got)
			}
			if d := push.Stats().Dropped; len(d) > 0 {
				t.Fatalf("cut at %d: counted %v", cut, d)
			}
		})
	}
}

// An accepted pipe ends with its stream: what was queued is lost, and counted exactly.
func TestLossOfAnAcceptedPipeAtEveryOctet(t *testing.T) {
	scene := newCutScene()
	for cut := range 40 {
		virtually(t, simnet.Config{Buffer: 1}, func(t *testing.T, v *village) {
			push, _ := socket.NewPush(v.options(socket.Options{}))
			push.Bind("sim://a")
			r := v.dial("a")
			r.handshakeByOctets("PULL")
			if err := push.WaitPeers(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			for _, m := range scene.messages {
				push.Send(t.Context(), m)
			}
			r.ReadN(cut)
			synctest.Wait()
			v.network.Cut()
			synctest.Wait()
			taken := uint64(0)
			if cut+1 >= 7 {
				taken = 1
			}
			if n := push.Stats().Dropped[socket.DropPeerGone]; n != 3-taken {
				t.Fatalf("cut at %d: %d drops counted, want %d", cut, n, 3-taken)
			}
			if n := len(push.Peers()); n != 0 {
				t.Fatalf("cut at %d: %d peers left", cut, n)
			}
		})
	}
}

// However many messages are sent while the stream is being written, each is delivered, lost at the break and counted, or, by
// a socket that connects, sent again.
func TestLossOfABurst(t *testing.T) {
	const size = 98 // 100 on the wire
	for _, connects := range []bool{false, true} {
		for _, count := range []int{1, 15, 16, 17, 18, 40, 100, 500} {
			for _, taken := range []int{0, 1, 5} {
				t.Run(fmt.Sprintf("connects=%v/%d/%d", connects, count, taken), func(t *testing.T) {
					virtually(t, simnet.Config{Buffer: 100}, func(t *testing.T, v *village) {
						push, _ := socket.NewPush(v.options(socket.Options{}))
						var next func() *raw
						if connects {
							next = v.listen("a").accept
							push.Connect("sim://a")
						} else {
							push.Bind("sim://a")
							next = func() *raw { return v.dial("a") }
						}
						r := next()
						r.Handshake("PULL")
						if err := push.WaitPeers(t.Context(), 1); err != nil {
							t.Fatal(err)
						}
						for i := range count {
							push.Send(t.Context(), text("%0*d", size, i))
							synctest.Wait() // the stream is full, and its writer waits
						}
						taken := min(taken, count)
						for range taken {
							r.ReadMessage()
						}
						synctest.Wait()
						v.network.Cut()
						lost := min(taken+1, count) // the network held one
						if !connects {
							synctest.Wait()
							if n := push.Stats().Dropped[socket.DropPeerGone]; n != uint64(count-lost) {
								t.Fatalf("%d drops counted, want %d", n, count-lost)
							}
							return
						}
						r = next()
						r.Handshake("PULL")
						push.Send(t.Context(), text("last"))
						for i := lost; i < count; i++ {
							if got := r.ReadMessage(); string(got[0]) != fmt.Sprintf("%0*d", size, i) {
								t.Fatalf("got %q, want message %d", got, i)
							}
						}
						if got := r.ReadMessage(); string(got[0]) != "last" {
							t.Fatalf("then %q", got)
						}
					})
				})
			}
		}
	}
}

// Half a message that arrived before the stream broke is never delivered, nor joined to what the next stream brings.
func TestReceivingAcrossABreakAtEveryOctet(t *testing.T) {
	scene := newCutScene()
	var octets []byte
	var ends []int
	for _, m := range scene.messages {
		var frames [][]byte
		for i := range m.Len() {
			frames = append(frames, m.Frame(i))
		}
		octets = append(octets, sockettest.Message(frames...)...)
		ends = append(ends, len(octets))
	}
	for _, bound := range []bool{false, true} {
		for cut := range len(octets) + 1 {
			virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
				pull, _ := socket.NewPull(v.options(socket.Options{}))
				var next func() *raw
				if bound {
					pull.Bind("sim://a")
					next = func() *raw { return v.dial("a") }
				} else {
					next = v.listen("a").accept
					pull.Connect("sim://a")
				}
				r := next()
				r.Handshake("PUSH")
				r.Write(octets[:cut])
				synctest.Wait()
				if cut%2 == 0 {
					v.network.Cut()
				} else {
					r.Close()
				}
				r = next()
				r.Handshake("PUSH")
				r.Send([]byte("last"))
				synctest.Wait()
				var got []int
				for {
					m, err := pull.TryRecv()
					if err != nil {
						break
					}
					if string(m.Body()) != "last" { // it came by another pipe, so it may overtake
						got = append(got, scene.name(m))
					}
				}
				var want []int
				for i, end := range ends {
					if end <= cut {
						want = append(want, i)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("bound=%v, cut at %d: received %v, want %v", bound, cut, got, want)
				}
			})
		}
	}
}

// Two sockets of the library, and a stream that breaks after every octet one way or the other, handshake included: what
// arrives is whole, in order and not doubled, and afterwards all is as before.
func TestExchangeAcrossABreakAtEveryOctet(t *testing.T) {
	scene := newCutScene()
	for _, read := range []bool{false, true} {
		for _, connecting := range []bool{false, true} {
			for cut := 1; cut <= 440; cut++ { // up to the last message of the scene
				t.Run(fmt.Sprintf("read=%v/connecting=%v/%d", read, connecting, cut), func(t *testing.T) {
					faults := simnet.Faults{CutAfterWritten: cut}
					if read {
						faults = simnet.Faults{CutAfterRead: cut}
					}
					plan := func(number int, dialled bool) simnet.Faults {
						if number == 1 && dialled == connecting {
							return faults
						}
						return simnet.Faults{ReadMax: 100}
					}
					virtually(t, simnet.Config{Plan: plan}, func(t *testing.T, v *village) { exchange(t, v, scene) })
				})
			}
		}
	}
}

// exchange sends a scene's messages both ways between two DEALERs, then messages that must come, for the stream holds by
// then. Both receive all the while: to a socket that was bound, each stream is a pipe of its own, and of two pipes with
// messages neither comes first.
func exchange(t *testing.T, v *village, scene cutScene) {
	o := socket.Options{ReconnectMin: time.Second}
	left, _ := socket.NewDealer(v.options(o))
	right, _ := socket.NewDealer(v.options(o))
	right.Bind("sim://a")
	left.Connect("sim://a")
	sides := []*socket.Dealer{left, right}
	received := make([][]int, len(sides))
	var receivers sync.WaitGroup
	for i, d := range sides {
		receivers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			for m, err := range d.Messages(ctx) {
				if err != nil {
					t.Errorf("side %d, after %v: %v", i, received[i], err)
				}
				if err != nil || string(m.Body()) == "last" {
					return
				}
				received[i] = append(received[i], scene.name(m))
			}
		})
	}
	left.WaitConnected(t.Context())
	for _, d := range sides {
		for _, m := range scene.messages {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			d.Send(ctx, m)
			cancel()
		}
	}
	time.Sleep(time.Minute)
	for _, d := range sides {
		if err := d.WaitPeers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := d.Send(t.Context(), text("last")); err != nil {
			t.Fatal(err)
		}
	}
	receivers.Wait()
	for i, got := range received {
		for k, number := range got {
			if number < 0 || k > 0 && number <= got[k-1] {
				t.Fatalf("side %d received %v", i, got)
			}
		}
	}
}

// A subscription is told anew to every stream, wherever the last one broke.
func TestSubscriptionsAcrossABreakAtEveryOctet(t *testing.T) {
	for cut := 1; cut < 150; cut++ {
		plan := func(number int, dialled bool) simnet.Faults {
			if number == 1 && dialled {
				return simnet.Faults{CutAfterWritten: cut}
			}
			return simnet.Faults{}
		}
		virtually(t, simnet.Config{Plan: plan}, func(t *testing.T, v *village) {
			pub, _ := socket.NewPub(v.options(socket.Options{}))
			sub, _ := socket.NewSub(v.options(socket.Options{}))
			pub.Bind("sim://a")
			for _, topic := range []string{"a", "bb", "ccc"} {
				sub.Subscribe(topic)
			}
			sub.Connect("sim://a")
			time.Sleep(time.Minute)
			for _, topic := range []string{"a", "bb", "ccc"} {
				if err := pub.WaitSubscribers(t.Context(), topic, 1); err != nil {
					t.Fatalf("cut at %d, topic %s: %v", cut, topic, err)
				}
			}
			pub.Send(t.Context(), text("dd"))
			pub.Send(t.Context(), text("ccc!"))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if m, err := sub.Recv(ctx); err != nil || string(m.Body()) != "ccc!" {
				t.Fatalf("cut at %d: got %q, error %v", cut, m.Body(), err)
			}
		})
	}
}

// Nothing waits for anything but the network: a burst arrives, to its last message, one latency after it was sent.
func TestNoMessageWaitsForAnother(t *testing.T) {
	const latency = 10 * time.Millisecond
	virtually(t, simnet.Config{Latency: latency}, func(t *testing.T, v *village) {
		pull, _ := socket.NewPull(v.options(socket.Options{}))
		push, _ := socket.NewPush(v.options(socket.Options{}))
		pull.Bind("sim://a")
		push.Connect("sim://a")
		if err := push.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, burst := range []int{1, 2, 100, 900} {
			time.Sleep(time.Second)
			start := time.Now()
			for i := range burst {
				if err := push.TrySend(text("%d", i)); err != nil {
					t.Fatal(err)
				}
			}
			for i := range burst {
				m, err := pull.Recv(t.Context())
				if err != nil || string(m.Body()) != fmt.Sprint(i) {
					t.Fatalf("got %q, error %v", m.Body(), err)
				}
				since(t, start, latency, "received")
			}
		}
	})
}

// A large message leaves a large buffer behind, and what one read brings into it may be more messages than anybody counts
// on: none is lost, and nothing breaks.
func TestMoreThanAMillionMessagesAtOnce(t *testing.T) {
	virtually(t, simnet.Config{Buffer: 64 << 20}, func(t *testing.T, v *village) {
		pull, _ := socket.NewPull(v.options(socket.Options{RecvHWM: 1}))
		pull.Bind("sim://a")
		r := v.dial("a")
		r.Handshake("PUSH")
		r.Send([]byte("first")) // the queue is full, so nobody reads on
		synctest.Wait()
		const large, count = 33 << 20, 1_100_000
		r.Send(make([]byte, large))
		r.Write(make([]byte, 2*count)) // empty messages
		r.Send([]byte("last"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var m socket.Message
		for i := range count + 3 {
			err := pull.RecvInto(ctx, &m)
			want := 0
			switch i {
			case 0:
				want = len("first")
			case 1:
				want = large
			case count + 2:
				want = len("last")
			}
			if err != nil || m.Len() != 1 || len(m.Body()) != want {
				t.Fatalf("message %d: %d frames, %d bytes, error %v, want %d bytes", i, m.Len(), len(m.Body()), err, want)
			}
		}
	})
}
