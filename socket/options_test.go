// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// kind is one of the eleven socket types.
type kind struct {
	name  string
	peers string // RFC 37, The Socket-Type Property
	make  func(*socket.Options) (anySocket, error)
}

func kindOf[S anySocket](name, peers string, create func(*socket.Options) (S, error)) kind {
	return kind{name, peers, func(o *socket.Options) (anySocket, error) {
		made, err := create(o)
		if err != nil {
			return nil, err
		}
		return made, nil
	}}
}

func kinds() []kind {
	return []kind{
		kindOf("REQ", "REP ROUTER", socket.NewReq),
		kindOf("REP", "REQ DEALER", socket.NewRep),
		kindOf("DEALER", "REP DEALER ROUTER", socket.NewDealer),
		kindOf("ROUTER", "REQ DEALER ROUTER", socket.NewRouter),
		kindOf("PUB", "SUB XSUB", socket.NewPub),
		kindOf("XPUB", "SUB XSUB", socket.NewXPub),
		kindOf("SUB", "PUB XPUB", socket.NewSub),
		kindOf("XSUB", "PUB XPUB", socket.NewXSub),
		kindOf("PUSH", "PULL", socket.NewPush),
		kindOf("PULL", "PUSH", socket.NewPull),
		kindOf("PAIR", "PAIR", socket.NewPair),
	}
}

func (k kind) talksTo(other kind) bool {
	return strings.Contains(" "+k.peers+" ", " "+other.name+" ")
}

// Nil and zero options are the defaults, for every type.
func TestDefaultOptions(t *testing.T) {
	for _, k := range kinds() {
		for _, options := range []*socket.Options{nil, {}} {
			made, err := k.make(options)
			if err != nil {
				t.Fatalf("%s: %v", k.name, err)
			}
			if err := made.Close(); err != nil {
				t.Errorf("%s: closing: %v", k.name, err)
			}
		}
	}
}

// A negative value that has no name is an error which names the field, for every field there is.
func TestNegativeOptions(t *testing.T) {
	lowest := map[string]int64{ // that has a name
		"SendHWM": socket.Unlimited, "RecvHWM": socket.Unlimited, "QueueBytes": socket.Unlimited, "MessageBytes": socket.Unlimited,
		"MessageFrames": socket.Unlimited, "SubscriptionsPerPeer": socket.Unlimited, "TopicBytesPerPeer": socket.Unlimited,
		"Linger": int64(socket.LingerNone), "HandshakeTimeout": socket.Unlimited, "KeepAlive": socket.Unlimited,
		"BusyPoll": int64(socket.BusyPollNone),
	}
	checked := 0
	for _, field := range reflect.VisibleFields(reflect.TypeFor[socket.Options]()) {
		if !field.Type.ConvertibleTo(reflect.TypeFor[int64]()) {
			continue
		}
		checked++
		try := func(value int64) error {
			var options socket.Options
			reflect.ValueOf(&options).Elem().FieldByIndex(field.Index).SetInt(value)
			made, err := socket.NewPub(&options)
			if err == nil {
				made.Close()
			}
			return err
		}
		for value := int64(-1); value >= lowest[field.Name]; value-- {
			if err := try(value); err != nil {
				t.Errorf("%s %d: %v", field.Name, value, err)
			}
		}
		for _, value := range []int64{lowest[field.Name] - 1, -1_000_000, math.MinInt64} {
			if err := try(value); err == nil || !strings.Contains(err.Error(), field.Name) {
				t.Errorf("%s %d: %v, want an error that names the field", field.Name, value, err)
			}
		}
	}
	if checked != 19 {
		t.Errorf("%d numbers among the options, want 19: is the new one in the table?", checked)
	}
}

// Values that contradict each other or the protocol are errors too.
func TestWrongOptions(t *testing.T) {
	for field, options := range map[string]socket.Options{
		"Identity":     {Identity: []byte("\x00mine")},
		"Identity ":    {Identity: make([]byte, 256)},
		"ReconnectMax": {ReconnectMin: time.Minute, ReconnectMax: time.Second},
		"HeartbeatTTL": {HeartbeatInterval: time.Second, HeartbeatTTL: 66 * time.Second},
	} {
		for _, k := range kinds() {
			_, err := k.make(&options)
			if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(field)) {
				t.Errorf("%s: %v, want an error that names %s", k.name, err, field)
			}
		}
	}
	if _, err := socket.NewContext(&socket.ContextOptions{Loops: -1}); err == nil || !strings.Contains(err.Error(), "Loops") {
		t.Errorf("-1 loops: %v", err)
	}
}

// Options are copied: what the caller does to them later has no effect.
func TestOptionsAreCopied(t *testing.T) {
	overAll(t, func(s *scene) {
		options := &socket.Options{Context: s.context, Identity: []byte("mine"), SendHWM: 5}
		dealer, err := socket.NewDealer(options)
		s.ok(err)
		options.Identity[0], options.SendHWM = 'X', 1
		router := open(s, socket.NewRouter)
		s.link(router, dealer)
		for range 5 {
			s.send(dealer, "x")
			s.want(router, "mine", "x")
		}
	})
}

// What is larger than the limits cannot be sent; what is just as large can.
func TestSendTooLarge(t *testing.T) {
	overAll(t, func(s *scene) {
		limits := socket.Options{MessageBytes: 1000, MessageFrames: 3}
		push, pull := open(s, socket.NewPush, limits), open(s, socket.NewPull, limits)
		s.link(pull, push)
		large, half := strings.Repeat("x", 1000), strings.Repeat("x", 500)
		for _, frames := range [][]string{{large + "x"}, {half, half, "x"}, {"", "", "", ""}, {half, half + "x"}} {
			msg := message(frames...)
			s.is("Send", push.Send(s.ctx, msg), socket.ErrTooLarge)
			s.is("SendOwned", push.SendOwned(s.ctx, msg), socket.ErrTooLarge)
			s.is("TrySend", push.TrySend(msg), socket.ErrTooLarge)
		}
		for _, frames := range [][]string{{large}, {half, half}, {"", large, ""}} {
			s.send(push, frames...)
			s.want(pull, frames...)
		}
		if got := push.Stats(); got.Sent != 3 || len(got.Dropped) != 0 {
			s.Errorf("%+v", got)
		}
	})
}

// A name is bound while a sender that has filled the pipe to it looks for room: for the race detector.
func TestBindWhileFull(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		for range 100 {
			push, pull := open(s, socket.NewPush, socket.Options{SendHWM: 2}), open(s, socket.NewPull)
			endpoint := s.unused()
			s.ok(push.Connect(endpoint))
			sent := make(chan int, 1)
			go func() {
				n := 0
				for range 2000 {
					if push.TrySend(socket.NewMessage([]byte("x"))) == nil {
						n++
					}
				}
				sent <- n
			}()
			s.ok(pull.Bind(endpoint))
			for range <-sent {
				s.want(pull, "x")
			}
			s.closeAll(push, pull)
		}
	})
}

// A receiver that reads by itself finds the room that it has made, however little there is.
func TestLittleQueueBytes(t *testing.T) {
	overStreams(t, func(s *scene) {
		const messages = 5000
		for _, limit := range []int{1, 10_000, 50_000, 200_000} {
			for _, size := range []int{100, 1000, 3000} {
				push, pull := open(s, socket.NewPush), open(s, socket.NewPull, socket.Options{QueueBytes: limit})
				s.link(pull, push)
				received := make(chan error, 1)
				go func() {
					var msg socket.Message
					for range messages {
						if err := pull.RecvInto(s.ctx, &msg); err != nil {
							received <- err
							return
						}
					}
					received <- nil
				}()
				for range messages {
					s.ok(push.Send(s.ctx, socket.NewMessage(make([]byte, size))))
				}
				select {
				case err := <-received:
					s.ok(err)
				case <-s.ctx.Done():
					s.Fatalf("QueueBytes %d, messages of %d B: the receiver runs on and on", limit, size)
				}
				s.closeAll(push, pull)
			}
		}
	})
}

// Whatever a ROUTER may receive it may send back: the identity in front does not count.
func TestRouterSendsBack(t *testing.T) {
	overAll(t, func(s *scene) {
		limits := socket.Options{MessageBytes: 1000, MessageFrames: 3, Identity: []byte("asker")}
		router, dealer := open(s, socket.NewRouter, limits), open(s, socket.NewDealer, limits)
		s.link(router, dealer)
		large := strings.Repeat("x", 1000)
		for _, frames := range [][]string{{large}, {"", "", ""}, {"", large, ""}} {
			s.send(dealer, frames...)
			got, err := router.Recv(s.ctx)
			s.ok(err)
			s.ok(router.Send(s.ctx, got))
			s.want(dealer, frames...)
		}
		for _, frames := range [][]string{{"asker", large + "x"}, {"asker", "", "", "", ""}, {"asker", large, "x"}} {
			s.is("Send", router.Send(s.ctx, message(frames...)), socket.ErrTooLarge)
		}
	})
}

// Receiving what is larger than the limits ends that stream, is counted, and harms no other.
func TestReceiveTooLarge(t *testing.T) {
	for name, frames := range map[string][]string{
		"bytes":  {strings.Repeat("x", 1001)},
		"sum":    {strings.Repeat("x", 501), strings.Repeat("x", 500)},
		"frames": {"", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			overStreams(t, func(s *scene) {
				pull := open(s, socket.NewPull, socket.Options{MessageBytes: 1000, MessageFrames: 3})
				good := open(s, socket.NewPush)
				bad := open(s, socket.NewPush, socket.Options{ReconnectMin: patience, Linger: socket.LingerNone})
				s.link(pull, good, bad)
				s.send(bad, "small")
				s.send(bad, frames...)
				s.send(bad, "behind it")
				s.want(pull, "small")
				s.eventually("one stream has ended", func() bool { return len(pull.Peers()) == 1 })
				s.send(good, "from the other")
				s.want(pull, "from the other")
				s.nothing(pull)
				counts := pull.Stats().ProtocolErrors
				total := uint64(0)
				for _, n := range counts {
					total += n
				}
				if total != 1 {
					s.Errorf("protocol errors %v, want one", counts)
				}
			})
		})
	}
}

// Without limits nothing is too large.
func TestUnlimited(t *testing.T) {
	overAll(t, func(s *scene) {
		limits := socket.Options{
			SendHWM: socket.Unlimited, RecvHWM: socket.Unlimited, QueueBytes: socket.Unlimited, MessageBytes: socket.Unlimited,
			MessageFrames: socket.Unlimited, HandshakeTimeout: socket.Unlimited, KeepAlive: socket.Unlimited,
		}
		push, pull := open(s, socket.NewPush, limits), open(s, socket.NewPull, limits)
		s.link(pull, push)
		many := make([]string, 5000)
		s.send(push, many...)
		s.want(pull, many...)
		for i := range 3000 {
			s.ok(push.TrySend(numbered(100)(i)))
		}
		for i := range 3000 {
			s.want(pull, string(numbered(100)(i).Body()))
		}
	})
}

// A message without frames is refused by all that send, and loses nothing.
func TestMessageWithoutFrames(t *testing.T) {
	overAll(t, func(s *scene) {
		for _, k := range kinds() {
			made := s.made(k)
			from, sends := made.(sending)
			if !sends {
				continue
			}
			for _, send := range []func(socket.Message) error{
				func(m socket.Message) error { return from.Send(s.ctx, m) },
				func(m socket.Message) error { return from.SendOwned(s.ctx, m) },
				from.TrySend,
			} {
				s.is(k.name, send(socket.Message{}), socket.ErrEmpty)
				s.is(k.name, send(socket.NewMessage()), socket.ErrEmpty)
			}
		}
	})
}

// made makes a socket of a kind in the scene's context.
func (s *scene) made(k kind, options ...socket.Options) anySocket {
	s.Helper()
	return open(s, k.make, options...)
}

// A bad endpoint is refused with an error that says what is wrong with it, when it is handed in.
func TestBadEndpoints(t *testing.T) {
	for _, c := range []struct {
		endpoint, why string
		bind, connect bool // where it is wrong
	}{
		{"", "scheme", true, true},
		{"127.0.0.1:5555", "scheme", true, true},
		{"tcp:/127.0.0.1:5555", "scheme", true, true},
		{"TCP://127.0.0.1:5555", "scheme", true, true},
		{"pgm://127.0.0.1:5555", "pgm", true, true},
		{"tcp://", "address", true, true},
		{"tcp://127.0.0.1", "port", true, true},
		{"tcp://127.0.0.1:", "port", true, true},
		{"tcp://127.0.0.1:http", "port", true, true},
		{"tcp://127.0.0.1:99999", "99999", true, true},
		{"tcp://127.0.0.1:-1", "port", true, true},
		{"tcp://:5555", "host", true, true},
		{"tcp://::1:5555", "brackets", true, true},
		{"tcp://[::1:5555", "brackets", true, true},
		{"tcp://256.0.0.1:5555", "256.0.0.1", true, true},
		{"tcp://a b:5555", "host", true, true},
		{"tcp://*:5555", "*", false, true},
		{"tcp://127.0.0.1:*", "port", false, true},
		{"tcp://127.0.0.1:0", "port", false, true},
		{"ipc://", "address", true, true},
		{"ipc://*", "*", false, true},
		{"ipc:///" + strings.Repeat("x", 107), "108", true, true},
		{"ipc://a\x00b", "NUL", true, true},
		{"inproc://", "address", true, true},
		{"inproc://" + strings.Repeat("x", 257), "256", true, true},
	} {
		t.Run(fmt.Sprintf("%.30q", c.endpoint), func(t *testing.T) {
			play(t, "tcp", func(s *scene) {
				pair := open(s, socket.NewPair)
				check := func(operation string, err error, wrong bool) {
					var bad *socket.EndpointError
					if wrong && (!errors.As(err, &bad) || bad.Endpoint == "" && c.endpoint != "" || !strings.Contains(err.Error(), c.why)) {
						s.Errorf("%s: %v, want an EndpointError that says %q", operation, err, c.why)
					}
				}
				check("Bind", pair.Bind(c.endpoint), c.bind)
				if c.connect {
					check("Connect", pair.Connect(c.endpoint), true)
				}
				if c.bind && pair.LastEndpoint() != "" {
					s.Errorf("LastEndpoint is %q", pair.LastEndpoint())
				}
				if n := len(pair.Peers()); n != 0 {
					s.Errorf("%d peers", n)
				}
			})
		})
	}
	play(t, "tcp", func(s *scene) {
		s.is("an unknown scheme", open(s, socket.NewPair).Bind("norm://x:1"), socket.ErrUnknownScheme)
	})
}

// An endpoint that is taken is EADDRINUSE, and whoever has it keeps it.
func TestEndpointInUse(t *testing.T) {
	overAll(t, func(s *scene) {
		pull, second := open(s, socket.NewPull), open(s, socket.NewPull)
		endpoint := s.bind(pull)
		s.is("Bind", second.Bind(endpoint), syscall.EADDRINUSE)
		s.is("Bind by its owner", pull.Bind(endpoint), syscall.EADDRINUSE)
		if err := second.Bind(endpoint); err == nil || !strings.Contains(err.Error(), endpoint[len(s.scheme)+3:]) {
			s.Errorf("%v does not name %s", err, endpoint)
		}
		push := open(s, socket.NewPush)
		s.connect(push, endpoint)
		s.send(push, "to the first")
		s.want(pull, "to the first")
		s.ok(second.Bind(s.unused())) // it can still be used
	})
}
