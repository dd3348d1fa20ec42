// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/zwire-mq/zwire/socket"
)

// RFC 28 to 31, General Behavior: the queues of an endpoint exist from Connect on, whether or not the stream is up.
func TestRuleQ1(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush)
		endpoint := s.unused()
		s.ok(push.Connect(endpoint))
		for i := range 5 {
			s.ok(push.TrySend(message("before anybody is there", fmt.Sprint(i))))
		}
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind(endpoint))
		for i := range 5 {
			s.want(pull, "before anybody is there", fmt.Sprint(i))
		}
		if s.scheme == "inproc" {
			return // its pipes do not outlive their other end
		}
		s.ok(pull.Close())
		s.eventually("the stream is gone", func() bool { return push.Peers()[0].State == socket.PeerConnecting })
		for i := range 5 {
			s.ok(push.TrySend(message("while nobody is there", fmt.Sprint(i))))
		}
		again := open(s, socket.NewPull)
		s.ok(again.Bind(endpoint))
		for i := range 5 {
			s.want(again, "while nobody is there", fmt.Sprint(i))
		}
	})
}

// RFC 28 to 31, General Behavior: the queues of a peer that came to us exist from its coming to its leaving, and go with
// all that is in them.
func TestRuleQ2(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush, narrow(10))
		endpoint := s.bind(push)
		s.full(push, "nobody is there")
		pull := open(s, socket.NewPull, narrow(1))
		s.connect(pull, endpoint)
		s.ok(push.WaitPeers(s.ctx, 1))
		s.stuff(push, numbered(20_000))
		queued := push.Peers()[0].SendQueue
		pull.Close()
		s.gone(push)
		s.full(push, "nobody is there")
		// On inproc they were the peer's already; of a stream's the kernel may have taken more meanwhile.
		if lost := push.Stats().Dropped[socket.DropPeerGone]; s.scheme != "inproc" && (lost == 0 || lost > uint64(queued)) {
			s.Errorf("%d counted as lost with their peer, %d were queued", lost, queued)
		}
		again := open(s, socket.NewPull)
		s.connect(again, endpoint)
		s.send(push, "for the next")
		s.want(again, "for the next")
		s.nothing(again)
	})
}

// RFC 28 to 31, General Behavior: the size of each queue can be set.
func TestRuleQ3(t *testing.T) {
	overAll(t, func(s *scene) {
		for _, hwm := range []int{1, 2, 17} {
			push := open(s, socket.NewPush, socket.Options{SendHWM: hwm, Linger: socket.LingerNone})
			s.ok(push.Connect(s.unused()))
			if n := s.fill(push, numbered(8)); n != hwm {
				s.Errorf("SendHWM %d: %d messages queued", hwm, n)
			}
		}
		push := open(s, socket.NewPush, hasty())
		s.ok(push.Connect(s.unused()))
		if n := s.fill(push, numbered(8)); n != 1000 {
			s.Errorf("default: %d messages queued, want 1000", n)
		}
		push = open(s, socket.NewPush, socket.Options{SendHWM: socket.Unlimited, Linger: socket.LingerNone})
		s.ok(push.Connect(s.unused()))
		for i := range 5000 {
			s.ok(push.TrySend(numbered(8)(i)))
		}
	})
}

// RFC 30, The PUSH Socket Type: send only, round-robin over the peers whose queue is not full; with none, block or fail;
// never drop, never change.
func TestRulePUSH1(t *testing.T) {
	hasNot(t, new(socket.Push), "Recv", "RecvInto", "TryRecv", "Messages")
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush, narrow(2))
		s.full(push, "nobody is there")
		balance(s, push, func() receiving { return open(s, socket.NewPull, narrow(2)) })
	})
	overAll(t, unchanged)
}

// hasNot checks that wrong use does not compile.
func hasNot(t *testing.T, value any, methods ...string) {
	t.Helper()
	for _, name := range methods {
		if _, has := reflect.TypeOf(value).MethodByName(name); has {
			t.Errorf("%T has a method %s", value, name)
		}
	}
}

func unchanged(s *scene) {
	push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
	s.link(pull, push)
	for _, odd := range oddMessages() {
		s.send(push, odd...)
		s.want(pull, odd...)
		s.ok(push.SendOwned(s.ctx, message(odd...)))
		s.want(pull, odd...)
	}
}

// RFC 30, The PULL Socket Type: receive only, fair-queued, unchanged.
func TestRulePULL1(t *testing.T) {
	hasNot(t, new(socket.Pull), "Send", "SendOwned", "TrySend")
	overAll(t, func(s *scene) {
		pull := open(s, socket.NewPull)
		fair(s, pull, func(int) sending { return open(s, socket.NewPush) })
	})
	overAll(t, unchanged)
}

// RFC 31, The PAIR Socket Type: at most one peer.
func TestRulePAIR1(t *testing.T) {
	overAll(t, func(s *scene) {
		one, first := open(s, socket.NewPair), open(s, socket.NewPair)
		endpoint := s.link(one, first)
		second := open(s, socket.NewPair, socket.Options{Linger: socket.LingerNone, ReconnectMin: moment})
		s.ok(second.Connect(endpoint))
		intrude := func() {
			if err := second.TrySend(message("from the second")); err != nil {
				s.is("TrySend of the second", err, socket.ErrWouldBlock)
			}
		}
		intrude()
		if s.scheme != "inproc" {
			s.eventually("the second has come twice", func() bool { intrude(); return one.Stats().StreamErrors >= 2 })
		}
		s.send(first, "from the first")
		s.want(one, "from the first")
		s.send(one, "to the first")
		s.want(first, "to the first")
		s.nothing(one)
		s.nothing(second)
		if s.scheme == "inproc" {
			return // a pipe that was refused is not made anew
		}
		s.ok(first.Close())
		s.eventually("the second is served", func() bool {
			intrude()
			_, err := one.TryRecv()
			return err == nil
		})
		s.send(one, "to the second")
		s.want(second, "to the second")
	})
}

// RFC 31, The PAIR Socket Type: with no peer, or a full one, block or fail; never drop, never change.
func TestRulePAIR2(t *testing.T) {
	overAll(t, func(s *scene) {
		one, other := open(s, socket.NewPair, narrow(3)), open(s, socket.NewPair, narrow(3))
		s.full(one, "nobody is there")
		s.link(one, other)
		for _, odd := range oddMessages() {
			s.send(one, odd...)
			s.want(other, odd...)
			s.send(other, odd...)
			s.want(one, odd...)
		}
		number := numbered(20_000)
		sent := s.stuff(one, number)
		waited := make(chan error, 1)
		go func() { waited <- one.Send(s.ctx, number(sent)) }()
		for i := range sent + 1 {
			s.want(other, string(number(i).Body()))
		}
		s.ok(<-waited)
		s.nothing(other)
	})
}

// A third PAIR is served once the first has left.
func TestPairTakesTheNext(t *testing.T) {
	overAll(t, func(s *scene) {
		one, first := open(s, socket.NewPair), open(s, socket.NewPair)
		endpoint := s.link(one, first)
		s.ok(first.Close())
		s.gone(one)
		third := open(s, socket.NewPair)
		s.connect(third, endpoint)
		s.send(third, "hello")
		s.want(one, "hello")
		s.send(one, "welcome")
		s.want(third, "welcome")
	})
}

// The HWM is exact on inproc: both sides' limits together.
func TestConformanceK8(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		for _, bound := range []bool{true, false} { // which side was there first
			push := open(s, socket.NewPush, socket.Options{SendHWM: 3})
			pull := open(s, socket.NewPull, socket.Options{RecvHWM: 4})
			endpoint := s.unused()
			if bound {
				s.ok(pull.Bind(endpoint))
				s.ok(push.Connect(endpoint))
			} else {
				s.ok(push.Connect(endpoint))
				s.ok(pull.Bind(endpoint))
			}
			if n := s.fill(push, numbered(8)); n != 7 {
				s.Errorf("%d messages went in, want exactly 7", n)
			}
			for i := range 7 {
				s.want(pull, string(numbered(8)(i).Body()))
			}
			s.nothing(pull)
		}
	})
}

// A blocked sender goes on when half of the queue has been taken: 10 sent, 5 received.
func TestLowWaterMark(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		push, pull := open(s, socket.NewPush, socket.Options{SendHWM: 5}), open(s, socket.NewPull, socket.Options{RecvHWM: 5})
		s.link(pull, push)
		if n := s.fill(push, numbered(8)); n != 10 {
			s.Fatalf("%d messages went in, want 10", n)
		}
		for i := range 4 {
			s.want(pull, string(numbered(8)(i).Body()))
			s.full(push, "too early")
		}
		s.want(pull, string(numbered(8)(4).Body()))
		if n := s.fill(push, numbered(8)); n != 5 {
			s.Errorf("%d messages went in after 5 of 10 were taken, want 5", n)
		}
	})
}

// A stream's queue never holds more than SendHWM messages, whatever the kernel takes besides.
func TestHighWaterMarkOfStreams(t *testing.T) {
	overStreams(t, func(s *scene) {
		const hwm = 10
		push, pull := open(s, socket.NewPush, narrow(hwm)), open(s, socket.NewPull, narrow(3))
		s.link(pull, push)
		number, sent := numbered(5000), 0
		for stalls := 0; stalls < 3; {
			err := push.TrySend(number(sent))
			if err == nil {
				sent, stalls = sent+1, 0
			} else {
				s.is("TrySend", err, socket.ErrWouldBlock)
				stalls++
				sent += s.stuff(push, func(i int) socket.Message { return number(sent + i) })
			}
			if n := push.Peers()[0].SendQueue; n > hwm {
				s.Fatalf("%d messages are queued, SendHWM is %d", n, hwm)
			}
		}
		if n := push.Peers()[0].SendQueue; n <= hwm/2 { // at half the sender would have gone on
			s.Errorf("%d messages are queued in a full queue of %d", n, hwm)
		}
		for i := range sent {
			s.want(pull, string(number(i).Body()))
		}
	})
}

// QueueBytes bounds a queue in bytes; a single message always fits.
func TestQueueBytes(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush, socket.Options{QueueBytes: 10_000, Linger: socket.LingerNone})
		s.ok(push.Connect(s.unused()))
		s.ok(push.TrySend(numbered(50_000)(0))) // alone, whatever its size
		s.is("TrySend behind a large one", push.TrySend(numbered(8)(1)), socket.ErrWouldBlock)

		push = open(s, socket.NewPush, socket.Options{QueueBytes: 10_000, Linger: socket.LingerNone})
		s.ok(push.Connect(s.unused()))
		n := s.fill(push, numbered(991)) // 1000 bytes on the wire
		if n != 10 {
			s.Errorf("%d messages of 1000 bytes went in, want 10", n)
		}
	})
	play(t, "inproc", func(s *scene) { // both sides' together
		push, pull := open(s, socket.NewPush, socket.Options{QueueBytes: 3000}), open(s, socket.NewPull, socket.Options{QueueBytes: 4000})
		s.link(pull, push)
		if n := s.fill(push, numbered(991)); n != 7 {
			s.Errorf("%d messages of 1000 bytes went in, want 7", n)
		}
	})
}

// What has been received counts no more, whatever the sizes: a single goroutine that sends and receives in turn never waits.
func TestQueueBytesComeBack(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush, socket.Options{QueueBytes: 10_000}), open(s, socket.NewPull, socket.Options{QueueBytes: 10_000})
		s.link(pull, push)
		for i, n := range []int{3000, 8000, 15_000, 19_000, 100, 9000, 30_000, 4000, 17_000} {
			s.ok(push.Send(s.ctx, numbered(n)(i)))
			s.want(pull, string(numbered(n)(i).Body()))
		}
	})
}

// With Immediate a message is queued only for a peer whose handshake stands.
func TestImmediate(t *testing.T) {
	overAll(t, func(s *scene) {
		endpoint := s.unused()
		for name, push := range map[string]sending{
			"PUSH":   open(s, socket.NewPush, socket.Options{Immediate: true}),
			"DEALER": open(s, socket.NewDealer, socket.Options{Immediate: true}),
			"REQ":    open(s, socket.NewReq, socket.Options{Immediate: true}),
			"PAIR":   open(s, socket.NewPair, socket.Options{Immediate: true}),
		} {
			s.ok(push.Connect(endpoint))
			if err := push.TrySend(message("x")); !errors.Is(err, socket.ErrWouldBlock) {
				s.Errorf("%s: %v, want ErrWouldBlock", name, err)
			}
			s.ok(push.Close())
		}
		push := open(s, socket.NewPush, socket.Options{Immediate: true, Linger: socket.LingerNone})
		s.ok(push.Connect(endpoint))
		s.full(push, "nobody is there")
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind(endpoint))
		s.send(push, "now")
		s.want(pull, "now")
		s.ok(pull.Close())
		s.eventually("the peer is gone", func() bool { return !errors.Is(push.TrySend(message("lost")), nil) })
		s.full(push, "nobody is there")
	})
}
