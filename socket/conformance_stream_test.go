// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// The rows of section L: streams that come, go and are full.

// Attempts at an endpoint that refuses go on, with growing pauses. (Their lengths are asserted in virtual time.)
func TestConformanceL1(t *testing.T) {
	overStreams(t, func(s *scene) {
		push := open(s, socket.NewPush, socket.Options{ReconnectMin: time.Millisecond, ReconnectMax: 4 * time.Millisecond})
		endpoint := s.unused()
		s.ok(push.Connect(endpoint))
		s.eventually("ten attempts", func() bool { return push.Stats().StreamErrors >= 10 })
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind(endpoint))
		s.ok(push.WaitConnected(s.ctx))
		s.send(push, "x")
		s.want(pull, "x")
	})
}

// Messages queued while there is no stream go out once each and in order when there is one again.
func TestConformanceL3(t *testing.T) {
	overStreams(t, func(s *scene) {
		for _, k := range kinds() {
			if !strings.Contains("DEALER PUSH PAIR", k.name) {
				continue
			}
			from := s.made(k, socket.Options{ReconnectMin: time.Millisecond}).(sending)
			l := sockettest.Listen(s.T, s.scheme)
			s.ok(from.Connect(l.Endpoint()))
			for round := range 3 {
				raw := l.Accept()
				raw.Handshake(strings.Fields(k.peers)[0])
				if round > 0 {
					for i := range 3 {
						s.reads(raw, fmt.Sprint(round-1), fmt.Sprint(i), "")
					}
				}
				s.send(from, "up", fmt.Sprint(round))
				s.reads(raw, "up", fmt.Sprint(round))
				raw.ExpectOpen()
				l.Close()
				raw.Close()
				s.eventually("the stream is gone", func() bool { return connected(from) == 0 })
				for i := range 3 {
					s.send(from, fmt.Sprint(round), fmt.Sprint(i), "")
				}
				l = sockettest.ListenAt(s.T, l.Endpoint())
			}
			raw := l.Accept()
			raw.Handshake(strings.Fields(k.peers)[0])
			for i := range 3 {
				s.reads(raw, "2", fmt.Sprint(i), "")
			}
			s.send(from, "end")
			s.reads(raw, "end")
			raw.Close()
			s.ok(from.Disconnect(l.Endpoint()))
		}
	})
}

// A message cut in the middle is sent again whole; those behind it follow in order.
func TestMessageCutInTheMiddle(t *testing.T) {
	overStreams(t, func(s *scene) {
		options := narrow(10)
		options.ReconnectMin = time.Millisecond
		push := open(s, socket.NewPush, options)
		l := sockettest.Listen(s.T, s.scheme)
		s.ok(push.Connect(l.Endpoint()))
		raw := l.Accept()
		raw.Handshake("PULL")
		s.ok(push.WaitConnected(s.ctx))
		large := bytes.Repeat([]byte("0123456789"), 400_000) // more than the kernel takes
		s.ok(push.Send(s.ctx, socket.NewMessage([]byte("large"), large, []byte("end"))))
		s.ok(push.TrySend(message("behind it")))
		raw.ReadN(100_000)
		raw.Close()
		raw = l.Accept()
		raw.Handshake("PULL")
		if got := raw.ReadMessage(); len(got) != 3 || string(got[0]) != "large" || !bytes.Equal(got[1], large) || string(got[2]) != "end" {
			s.Errorf("%d frames, the first %.20q", len(got), got[0])
		}
		s.reads(raw, "behind it")
		raw.ExpectOpen()
	})
}

// With Immediate nothing is queued while READY is withheld.
func TestConformanceL4(t *testing.T) {
	overStreams(t, func(s *scene) {
		push := open(s, socket.NewPush, socket.Options{Immediate: true})
		l := sockettest.Listen(s.T, s.scheme)
		s.ok(push.Connect(l.Endpoint()))
		raw := l.Accept()
		raw.Greet(1)
		if name, _ := raw.ReadCommand(); name != "READY" {
			s.Fatalf("command %s", name)
		}
		s.full(push, "too early")
		sent := make(chan error, 1)
		go func() { sent <- push.Send(s.ctx, message("now")) }()
		raw.Command("READY", sockettest.Properties("Socket-Type", "PULL"))
		s.ok(<-sent)
		s.reads(raw, "now")
	})
}

// A peer that does not read: sending blocks or drops, by type, and memory is bounded.
func TestConformanceL5(t *testing.T) {
	for _, k := range kinds() {
		if strings.Contains("REQ REP SUB PULL", k.name) && k.name != "PUB" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			overStreams(t, func(s *scene) {
				from := s.made(k, narrow(10)).(sending)
				raw := s.peer(from, s.bind(from), strings.Fields(k.peers)[0], "Identity", "mute")
				if pub, publishes := from.(publisher); publishes {
					raw.Command("SUBSCRIBE", nil)
					s.ok(pub.WaitSubscribers(s.ctx, "mute", 1))
				}
				body := make([]byte, 2000)
				before, refused := heap(), 0
				for range 5000 {
					err := from.TrySend(socket.NewMessage([]byte("mute"), body))
					if errors.Is(err, socket.ErrWouldBlock) {
						refused++
						runtime.Gosched()
					} else {
						s.ok(err)
					}
					if n := sendQueue(from); n > 10 {
						s.Fatalf("%d messages queued, SendHWM is 10", n)
					}
				}
				dropped := int(from.Stats().Dropped[socket.DropFull])
				if drops := strings.Contains("PUB XPUB XSUB ROUTER", k.name); drops != (dropped > 0) || drops == (refused > 0) {
					s.Errorf("%d dropped, %d refused", dropped, refused)
				}
				if after := heap(); after > before+1<<20 {
					s.Errorf("%d bytes of heap before, %d after", before, after)
				}
			})
		})
	}
}

// A full sender goes on when its peer reads.
func TestConformanceL6(t *testing.T) {
	overStreams(t, func(s *scene) {
		push := open(s, socket.NewPush, narrow(10))
		raw := s.peer(push, s.bind(push), "PULL")
		number := numbered(20_000)
		sent := s.stuff(push, number)
		waited := make(chan error, 1)
		go func() { waited <- push.Send(s.ctx, number(sent)) }()
		for i := range sent {
			s.reads(raw, string(number(i).Body()))
		}
		s.ok(<-waited)
		s.reads(raw, string(number(sent).Body()))
	})
}

// Close with messages queued: without linger they are dropped at once, with some it waits so long, with all of them it
// hands over everything.
func TestConformanceL7(t *testing.T) {
	overStreams(t, func(s *scene) {
		number := numbered(20_000)
		for _, linger := range []time.Duration{socket.LingerNone, 5 * moment, socket.LingerForever} {
			options := narrow(10)
			options.Linger = linger
			push := open(s, socket.NewPush, options)
			raw := s.peer(push, s.bind(push), "PULL")
			sent := s.stuff(push, number)
			closed := make(chan error, 1)
			go func() { closed <- push.Close() }()
			if linger != socket.LingerForever {
				var lost *socket.LostError
				if err := <-closed; !errors.As(err, &lost) || lost.Messages == 0 || lost.Messages > 10 {
					s.Errorf("linger %v: %v", linger, err)
				}
				raw.Close()
				continue
			}
			for i := range sent {
				s.reads(raw, string(number(i).Body()))
			}
			raw.ExpectClosed()
			raw.Close()
			s.ok(<-closed)
		}
	})
}

// A Recv that waits ends with the context of its socket.
func TestConformanceL8(t *testing.T) {
	overAll(t, func(s *scene) {
		own, err := socket.NewContext(nil)
		s.ok(err)
		pull, err := socket.NewPull(&socket.Options{Context: own})
		s.ok(err)
		s.bind(pull)
		failed := make(chan error, 1)
		go func() {
			_, err := pull.Recv(s.ctx)
			failed <- err
		}()
		select {
		case err := <-failed:
			s.Fatal("Recv did not wait: ", err)
		case <-time.After(moment):
		}
		s.ok(own.Close())
		s.is("Recv", <-failed, net.ErrClosed)
	})
}

// Send and Recv that may wait 100 ms wait 100 ms, and the error says that time ran out.
func TestConformanceL9(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, err := socket.NewContext(nil)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := socket.NewPair(&socket.Options{Context: own})
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func(context.Context) error{
			"Send":          func(ctx context.Context) error { return pair.Send(ctx, message("x")) },
			"Recv":          func(ctx context.Context) error { _, err := pair.Recv(ctx); return err },
			"WaitPeers":     func(ctx context.Context) error { return pair.WaitPeers(ctx, 1) },
			"WaitConnected": func(ctx context.Context) error { return waitConnected(ctx, own) },
		} {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			err := call(ctx)
			cancel()
			var late interface{ Timeout() bool }
			if took := time.Since(start); took != 100*time.Millisecond || !errors.As(err, &late) || !late.Timeout() {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		}
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
}

// waitConnected waits for a name that nobody binds.
func waitConnected(ctx context.Context, own *socket.Context) error {
	push, err := socket.NewPush(&socket.Options{Context: own})
	if err != nil {
		return err
	}
	defer push.Close()
	if err := push.Connect("inproc://nobody"); err != nil {
		return err
	}
	return push.WaitConnected(ctx)
}

// After Disconnect there is no more traffic, and once more is an error.
func TestConformanceL11(t *testing.T) {
	overStreams(t, func(s *scene) {
		dealer := open(s, socket.NewDealer, socket.Options{ReconnectMin: time.Millisecond})
		l := sockettest.Listen(s.T, s.scheme)
		s.ok(dealer.Connect(l.Endpoint()))
		raw := l.Accept()
		raw.Handshake("DEALER")
		s.ok(dealer.WaitConnected(s.ctx))
		s.send(dealer, "last words")
		disconnected := make(chan error, 1)
		go func() { disconnected <- dealer.Disconnect(l.Endpoint()) }()
		s.reads(raw, "last words")
		if more := raw.ExpectClosed(); len(more) != 0 {
			s.Errorf("then %x", more)
		}
		raw.Close()
		s.ok(<-disconnected)
		s.is("Disconnect once more", dealer.Disconnect(l.Endpoint()), socket.ErrUnknownEndpoint)
		if l.AcceptWithin(moment) != nil {
			s.Error("it came back")
		}
		s.full(dealer, "to nobody")
	})
}

// A thousand peers that come and go leave nothing behind.
func TestConformanceL14(t *testing.T) {
	const together = 10
	overAll(t, func(s *scene) {
		pull := open(s, socket.NewPull)
		endpoint := s.bind(pull)
		cycle := func(n int) {
			var pushers sync.WaitGroup
			for range together { // else most of the time goes by while nobody waits on the loop
				pushers.Go(func() {
					for range n / together {
						push, err := socket.NewPush(&socket.Options{Context: s.context})
						if err == nil {
							err = errors.Join(push.Connect(endpoint), push.Send(s.ctx, message("hello")), push.Close())
						}
						if err != nil {
							s.Error(err)
							return
						}
					}
				})
			}
			for range n {
				s.want(pull, "hello")
			}
			pushers.Wait()
			s.gone(pull)
			s.nothing(pull) // and pipes that were found empty are let go
		}
		cycle(100)
		before := heap()
		cycle(1000)
		if after := heap(); after > before+512<<10 {
			s.Errorf("%d bytes of heap before, %d after", before, after)
		}
		// The other way: one socket that connects and disconnects.
		push := open(s, socket.NewPush)
		for i := range 300 {
			s.ok(push.Connect(endpoint))
			s.send(push, fmt.Sprint(i))
			s.want(pull, fmt.Sprint(i))
			s.ok(push.Disconnect(endpoint))
		}
		s.gone(pull)
	})
}

// After a restart of the listener queued messages arrive in order, none twice.
func TestListenerRestarts(t *testing.T) {
	overStreams(t, func(s *scene) {
		push := open(s, socket.NewPush, socket.Options{ReconnectMin: time.Millisecond, ReconnectMax: time.Millisecond})
		endpoint := s.unused()
		s.ok(push.Connect(endpoint))
		next := 0
		for range 5 {
			for range 10 {
				s.send(push, fmt.Sprint(next))
				next++
			}
			pull := open(s, socket.NewPull)
			s.ok(pull.Bind(endpoint))
			for i := next - 10; i < next; i++ {
				s.want(pull, fmt.Sprint(i))
			}
			s.nothing(pull)
			s.ok(pull.Close())
			s.eventually("the stream is gone", func() bool { return connected(push) == 0 })
		}
	})
}
