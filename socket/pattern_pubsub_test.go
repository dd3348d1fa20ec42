// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// subscriber is SUB or XSUB.
type subscriber interface {
	receiving
	Subscribe(topic string) error
	Unsubscribe(topic string) error
}

// publisher is PUB or XPUB.
type publisher interface {
	sending
	WaitSubscribers(ctx context.Context, topic string, n int) error
}

// overPublishers runs a test with every kind of publisher and subscriber.
func overPublishers(t *testing.T, run func(s *scene, pub func(...socket.Options) publisher, sub func(...socket.Options) subscriber)) {
	for _, kind := range []string{"PUB SUB", "PUB XSUB", "XPUB SUB", "XPUB XSUB"} {
		t.Run(kind, func(t *testing.T) {
			overAll(t, func(s *scene) {
				pub := func(o ...socket.Options) publisher { return open(s, socket.NewPub, o...) }
				if strings.HasPrefix(kind, "X") {
					pub = func(o ...socket.Options) publisher { return open(s, socket.NewXPub, o...) }
				}
				sub := func(o ...socket.Options) subscriber { return open(s, socket.NewSub, o...) }
				if strings.HasSuffix(kind, "XSUB") {
					sub = func(o ...socket.Options) subscriber { return open(s, socket.NewXSub, o...) }
				}
				run(s, pub, sub)
			})
		})
	}
}

// subscribe makes sub a subscriber of a topic at pub, which is bound at endpoint.
func subscribe(s *scene, pub publisher, sub subscriber, endpoint, topic string) {
	s.Helper()
	s.ok(sub.Subscribe(topic))
	s.ok(sub.Connect(endpoint))
	s.ok(pub.WaitSubscribers(s.ctx, topic, 1))
}

// RFC 29, The PUB Socket Type: sending never blocks, with no subscriber and with one that does not read.
func TestRulePUB1(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		pub, stalled := makePub(narrow(2)), makeSub(narrow(2))
		for i := range 10 {
			s.ok(pub.TrySend(numbered(8)(i)))
			s.ok(pub.Send(s.ctx, numbered(8)(i)))
		}
		subscribe(s, pub, stalled, s.bind(pub), "")
		for i := 0; pub.Stats().Dropped[socket.DropFull] < 10; i++ {
			s.ok(pub.Send(s.ctx, numbered(20_000)(i)))
			s.ok(pub.TrySend(numbered(20_000)(i)))
		}
	})
}

// RFC 29, The PUB Socket Type: a message is dropped for the one peer whose queue is full; others get it, and the peer
// loses whole messages only.
func TestRulePUB2(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		pub := makePub(narrow(4))
		stalled, reader := makeSub(narrow(4)), makeSub(narrow(socket.Unlimited))
		endpoint := s.bind(pub)
		for i, sub := range []subscriber{stalled, reader} {
			s.ok(sub.Subscribe(""))
			s.connect(sub, endpoint)
			s.ok(pub.WaitSubscribers(s.ctx, "", i+1))
		}
		sent, got := 0, 0
		body := string(make([]byte, 20_000))
		for ; pub.Stats().Dropped[socket.DropFull] < 10; sent++ {
			s.send(pub, fmt.Sprint(sent), body, "end")
			s.want(reader, fmt.Sprint(sent), body, "end") // so that its queue is never full
		}
		missed := int(pub.Stats().Dropped[socket.DropFull])
		for last := -1; got < sent-missed; got++ {
			frames, number := s.recv(stalled), 0
			if _, err := fmt.Sscan(frames[0], &number); err != nil || number <= last || len(frames) != 3 || frames[2] != "end" {
				s.Fatalf("received %.20q after %d", frames, last)
			}
			last = number
		}
		s.nothing(stalled)
		if s.scheme != "inproc" { // there receiving was what made room
			s.eventually("there is room again", func() bool { return sendQueue(pub) == 0 })
		}
		s.send(pub, "room again")
		s.want(stalled, "room again")
	})
}

// RFC 29, The PUB Socket Type: a topic matches if it is, octet by octet, a prefix of the first frame.
func TestRulePUB3(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		pub, sub := makePub(), makeSub()
		subscribe(s, pub, sub, s.bind(pub), "A\x00")
		s.ok(sub.Subscribe("\xff\xfe"))
		s.ok(sub.Subscribe("A\x00\x01")) // within the first: still one copy
		s.ok(pub.WaitSubscribers(s.ctx, "\xff\xfe", 1))
		s.ok(pub.WaitSubscribers(s.ctx, "A\x00\x01", 1))
		for _, unwanted := range [][]string{{""}, {"A"}, {"a\x00"}, {"A\x01"}, {"\xff"}, {"\xff\xff"}, {" A\x00"}, {"Z", "A\x00"}, {"", "\xff\xfe"}} {
			s.send(pub, unwanted...)
		}
		for _, wanted := range [][]string{{"A\x00"}, {"A\x00\x01\x02"}, {"\xff\xfe"}, {"\xff\xfe\x00", "Z"}, {"A\x00", ""}} {
			s.send(pub, wanted...)
			s.want(sub, wanted...)
		}
		s.nothing(sub)
	})
}

// RFC 29, The PUB Socket Type: whatever subscribers send, beside subscriptions, is discarded.
func TestRulePUB4(t *testing.T) {
	overAll(t, func(s *scene) {
		pub, sub := open(s, socket.NewPub), open(s, socket.NewXSub)
		endpoint := s.link(pub, sub)
		for _, noise := range [][]string{{"noise"}, {"many", "frames"}, {""}, {"\x02"}, {"\x01A", "second"}, {"\x00never subscribed"}} {
			if err := sub.Send(s.ctx, message(noise...)); err != nil {
				s.Logf("%q: %v", noise, err)
			}
		}
		s.ok(sub.Subscribe("B"))
		s.ok(pub.WaitSubscribers(s.ctx, "B", 1))
		s.send(pub, "A")
		s.send(pub, "B")
		s.want(sub, "B")
		s.nothing(sub)
		if n := len(pub.Peers()); n != 1 || pub.LastEndpoint() != endpoint {
			s.Errorf("%d peers, want 1", n)
		}
	})
}

// RFC 29, The PUB Socket Type: subscriptions do not reach the application.
func TestRulePUB5(t *testing.T) {
	hasNot(t, new(socket.Pub), "Recv", "RecvInto", "TryRecv", "Messages")
}

// RFC 29, The XPUB Socket Type: subscriptions are delivered to the application; equal ones only once, unless it asks for
// all.
func TestRuleXPUB1(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		t.Run(fmt.Sprint("verbose ", verbose), func(t *testing.T) {
			overAll(t, func(s *scene) {
				pub := open(s, socket.NewXPub, socket.Options{XPubVerbose: verbose})
				first, second := open(s, socket.NewSub), open(s, socket.NewSub)
				s.link(pub, first, second)
				s.ok(first.Subscribe("A"))
				s.want(pub, "\x01A")
				s.ok(second.Subscribe("A"))
				if verbose {
					s.want(pub, "\x01A")
				}
				s.ok(second.Subscribe("B\x00\xff"))
				s.want(pub, "\x01B\x00\xff")
				s.ok(first.Subscribe(""))
				s.want(pub, "\x01")
				s.ok(second.Unsubscribe("A")) // first still wants it
				s.ok(second.Unsubscribe("B\x00\xff"))
				s.want(pub, "\x00B\x00\xff")
				s.ok(first.Unsubscribe("A"))
				s.want(pub, "\x00A")
				s.ok(first.Unsubscribe(""))
				s.want(pub, "\x00")
				s.nothing(pub)
			})
		})
	}
}

// RFC 29, The XPUB Socket Type: for a subscriber that vanishes, unsubscriptions are made up.
func TestRuleXPUB2(t *testing.T) {
	overAll(t, func(s *scene) {
		pub := open(s, socket.NewXPub)
		first, second := open(s, socket.NewSub), open(s, socket.NewXSub)
		s.link(pub, first, second)
		for _, topic := range []string{"A", "B", "C"} {
			s.ok(first.Subscribe(topic))
			s.want(pub, "\x01"+topic)
		}
		s.ok(second.Subscribe("B"))
		s.ok(pub.WaitSubscribers(s.ctx, "B", 2))
		s.ok(first.Close())
		left := []string{s.recv(pub)[0], s.recv(pub)[0]}
		slices.Sort(left)
		if !slices.Equal(left, []string{"\x00A", "\x00C"}) {
			s.Errorf("received %q, want A and C cancelled", left)
		}
		s.ok(second.Close())
		s.want(pub, "\x00B")
		s.nothing(pub)
	})
}

// RFC 29, The XPUB Socket Type: other messages of an XSUB come up as they are.
func TestRuleXPUBUserMessages(t *testing.T) {
	overAll(t, func(s *scene) {
		pub, sub := open(s, socket.NewXPub), open(s, socket.NewXSub)
		s.link(pub, sub)
		for _, user := range [][]string{{"hello"}, {"many", "", "frames"}, {"\x02"}, {strings.Repeat("x", 100_000)}, {"\x01A", "with a second frame"}} {
			s.send(sub, user...)
			s.want(pub, user...)
		}
	})
}

// RFC 29, The SUB Socket Type: messages are not changed; what does not match is not delivered.
func TestRuleSUB1(t *testing.T) {
	hasNot(t, new(socket.Sub), "Send", "SendOwned", "TrySend")
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		pub, sub := makePub(), makeSub()
		subscribe(s, pub, sub, s.bind(pub), "")
		for _, odd := range oddMessages() {
			s.send(pub, odd...)
			s.want(sub, odd...)
		}
		s.ok(sub.Subscribe("only this"))
		s.ok(sub.Unsubscribe(""))
		s.eventually("the cancellation has arrived", func() bool {
			s.send(pub, "only this?")
			s.send(pub, "else")
			s.want(sub, "only this?")
			msg, err := sub.TryRecv()
			return err != nil || string(msg.Body()) != "else"
		})
	})
}

// RFC 29, The SUB Socket Type says that a full queue drops what comes in. Here it is back-pressure instead (PROTOCOL 13):
// the subscriber drops nothing, its publisher does.
func TestRuleSUB2(t *testing.T) {
	overAll(t, func(s *scene) {
		pub, sub := open(s, socket.NewPub, narrow(2)), open(s, socket.NewSub, narrow(2))
		subscribe(s, pub, sub, s.bind(pub), "")
		sent := 0
		for ; pub.Stats().Dropped[socket.DropFull] < 10; sent++ {
			s.send(pub, fmt.Sprint(sent), string(make([]byte, 20_000)))
		}
		missed := int(pub.Stats().Dropped[socket.DropFull])
		for range sent - missed {
			s.recv(sub)
		}
		s.nothing(sub)
		if dropped := sub.Stats().Dropped; len(dropped) != 0 {
			s.Errorf("the subscriber dropped %v", dropped)
		}
	})
}

// RFC 29, The XSUB Socket Type: what the application subscribes to and cancels, by message or by call, goes to all
// publishers.
func TestRuleXSUB1(t *testing.T) {
	overAll(t, func(s *scene) {
		sub := open(s, socket.NewXSub)
		pubs := []*socket.XPub{open(s, socket.NewXPub), open(s, socket.NewXPub)}
		s.ok(sub.Subscribe("before"))
		for _, pub := range pubs {
			s.connect(sub, s.bind(pub))
			s.want(pub, "\x01before")
		}
		steps := []struct {
			do   func() error
			told string // empty: nothing
		}{
			{func() error { return sub.Send(s.ctx, message("\x01A")) }, "\x01A"},
			{func() error { return sub.Subscribe("B") }, "\x01B"},
			{func() error { return sub.Subscribe("A") }, ""},
			{func() error { return sub.TrySend(message("\x00A")) }, ""},
			{func() error { return sub.Unsubscribe("A") }, "\x00A"},
			{func() error { return sub.Send(s.ctx, message("\x00B")) }, "\x00B"},
			{func() error { return sub.SendOwned(s.ctx, message("\x01")) }, "\x01"},
			{func() error { return sub.Unsubscribe("before") }, "\x00before"},
		}
		for i, step := range steps {
			s.ok(step.do())
			for _, pub := range pubs {
				if step.told != "" {
					s.want(pub, step.told)
				}
			}
			if s.Failed() {
				s.Fatal("step ", i)
			}
		}
		for _, pub := range pubs {
			s.nothing(pub)
		}
	})
}

// RFC 29, The XSUB Socket Type: an XSUB that closes is unsubscribed everywhere.
func TestRuleXSUB2(t *testing.T) {
	overAll(t, func(s *scene) {
		sub := open(s, socket.NewXSub)
		pubs := []*socket.XPub{open(s, socket.NewXPub), open(s, socket.NewXPub)}
		for _, pub := range pubs {
			s.connect(sub, s.bind(pub))
		}
		s.ok(sub.Subscribe("A"))
		for _, pub := range pubs {
			s.want(pub, "\x01A")
		}
		s.ok(sub.Close())
		for _, pub := range pubs {
			s.want(pub, "\x00A")
			s.nothing(pub)
		}
	})
}

// SUB and XSUB fair-queue what their publishers send.
func TestRuleSUBServesInTurn(t *testing.T) {
	overAll(t, func(s *scene) {
		sub := open(s, socket.NewSub)
		s.ok(sub.Subscribe(""))
		fair(s, sub, func(int) sending { return waiter{open(s, socket.NewPub), s, new(bool)} })
	})
	overAll(t, func(s *scene) {
		sub := open(s, socket.NewXSub)
		s.ok(sub.Subscribe(""))
		fair(s, sub, func(int) sending { return waiter{open(s, socket.NewXPub), s, new(bool)} })
	})
}

// waiter is a publisher that waits for its first subscriber.
type waiter struct {
	publisher
	s    *scene
	done *bool
}

func (w waiter) Send(ctx context.Context, msg socket.Message) error {
	if !*w.done {
		w.s.ok(w.WaitSubscribers(ctx, "", 1))
		*w.done = true
	}
	return w.publisher.Send(ctx, msg)
}

// Subscriptions are counted where they are made: two need two cancellations, and one too many is an error.
func TestSubscriptionsAreCounted(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		pub, sub := makePub(), makeSub()
		subscribe(s, pub, sub, s.bind(pub), "mark")
		s.ok(sub.Subscribe("A"))
		s.ok(sub.Subscribe("A"))
		s.ok(pub.WaitSubscribers(s.ctx, "A", 1))
		s.ok(sub.Unsubscribe("A"))
		s.ok(sub.Subscribe("barrier"))
		s.ok(pub.WaitSubscribers(s.ctx, "barrier", 1))
		s.send(pub, "A1")
		s.want(sub, "A1")
		s.ok(sub.Unsubscribe("A"))
		s.ok(sub.Subscribe("second barrier"))
		s.ok(pub.WaitSubscribers(s.ctx, "second barrier", 1))
		s.send(pub, "A2")
		s.send(pub, "mark")
		s.want(sub, "mark")
		err := sub.Unsubscribe("A")
		if s.is("Unsubscribe too often", err, socket.ErrState); !strings.Contains(err.Error(), `"A"`) {
			s.Errorf("%v does not name the topic", err)
		}
	})
}

// Without a subscription nothing is received; a subscription works for endpoints connected before and after it.
func TestSubscribeBeforeAndAfter(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		sub, before, after := makeSub(), makePub(), makePub()
		s.connect(sub, s.bind(before))
		s.send(before, "A0")
		s.ok(sub.Subscribe("A"))
		s.connect(sub, s.bind(after))
		for i, pub := range []publisher{before, after} {
			s.ok(pub.WaitSubscribers(s.ctx, "A", 1))
			s.send(pub, fmt.Sprint("A", i))
			s.want(sub, fmt.Sprint("A", i))
		}
		s.nothing(sub)
	})
}

// A publisher may connect, and its subscriber bind.
func TestPublisherConnects(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		pub, sub := makePub(), makeSub()
		s.ok(sub.Subscribe("A"))
		s.connect(pub, s.bind(sub))
		s.ok(pub.WaitSubscribers(s.ctx, "A", 1))
		s.send(pub, "A")
		s.want(sub, "A")
	})
}

// WaitSubscribers counts peers that would get the message, not subscriptions, and ends with its context.
func TestWaitSubscribers(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		pub, one, two := makePub(), makeSub(), makeSub()
		s.link(pub, one, two)
		for _, topic := range []string{"", "a", "ab", "abc"} {
			s.ok(one.Subscribe(topic))
		}
		s.ok(pub.WaitSubscribers(s.ctx, "abc", 1))
		short, cancel := context.WithTimeout(s.ctx, moment)
		defer cancel()
		s.is("WaitSubscribers", pub.WaitSubscribers(short, "abc", 2), context.DeadlineExceeded)
		waited := make(chan error, 1)
		go func() { waited <- pub.WaitSubscribers(s.ctx, "abc", 2) }()
		s.ok(two.Subscribe("abcd")) // too long
		s.ok(two.Subscribe("ab"))
		s.ok(<-waited)
		s.ok(two.Close())
		s.eventually("one of two is gone", func() bool { return len(pub.Peers()) == 1 })
		short, cancel = context.WithTimeout(s.ctx, moment)
		defer cancel()
		s.is("WaitSubscribers", pub.WaitSubscribers(short, "abc", 2), context.DeadlineExceeded)
	})
}

// With PubNoDrop Send waits for the slowest subscriber, TrySend refuses, and nothing is lost.
func TestPubNoDrop(t *testing.T) {
	overPublishers(t, func(s *scene, makePub func(...socket.Options) publisher, makeSub func(...socket.Options) subscriber) {
		options := narrow(3)
		options.PubNoDrop = true
		pub, stalled, reader := makePub(options), makeSub(narrow(3)), makeSub(narrow(socket.Unlimited))
		endpoint := s.bind(pub)
		for i, sub := range []subscriber{stalled, reader} {
			s.ok(sub.Subscribe(""))
			s.connect(sub, endpoint)
			s.ok(pub.WaitSubscribers(s.ctx, "", i+1))
		}
		number := numbered(50_000)
		sent := s.stuff(pub, number) // TrySend has said ErrWouldBlock; the kernel may take one more after its timers
		waited := make(chan error, 1)
		go func() { waited <- pub.Send(s.ctx, number(sent)) }()
		for i := range sent + 1 {
			s.want(stalled, string(number(i).Body()))
		}
		s.ok(<-waited)
		for i := range sent + 1 {
			s.want(reader, string(number(i).Body()))
		}
		if dropped := pub.Stats().Dropped; len(dropped) != 0 {
			s.Errorf("dropped %v", dropped)
		}
	})
}

// A stream that comes back has all subscriptions again, and only the present ones.
func TestSubscriptionsComeBack(t *testing.T) {
	overStreams(t, func(s *scene) {
		endpoint := s.unused()
		sub := open(s, socket.NewSub, socket.Options{ReconnectMin: moment})
		s.ok(sub.Subscribe("old"))
		s.ok(sub.Subscribe("kept"))
		for round := range 3 {
			pub := open(s, socket.NewXPub)
			s.ok(pub.Bind(endpoint))
			if round == 0 {
				s.ok(sub.Connect(endpoint))
			}
			topics := []string{s.recv(pub)[0], s.recv(pub)[0]}
			slices.Sort(topics)
			if want := []string{"\x01kept", []string{"\x01old", "\x01new", "\x01new"}[round]}; !slices.Equal(topics, want) {
				s.Errorf("subscribed to %q, want %q", topics, want)
			}
			s.nothing(pub)
			s.send(pub, "kept", fmt.Sprint(round))
			s.want(sub, "kept", fmt.Sprint(round))
			s.ok(pub.Close())
			if round == 0 { // while nobody is there
				s.eventually("the publisher is gone", func() bool { return sub.Peers()[0].State == socket.PeerConnecting })
				s.ok(sub.Unsubscribe("old"))
				s.ok(sub.Subscribe("new"))
			}
		}
	})
}

// Subscriptions go out above any HWM.
func TestSubscriptionsAboveHWM(t *testing.T) {
	overAll(t, func(s *scene) {
		pub, sub := open(s, socket.NewPub, socket.Options{RecvHWM: 1}), open(s, socket.NewSub, socket.Options{SendHWM: 1})
		for i := range 500 {
			s.ok(sub.Subscribe(fmt.Sprint("before ", i)))
		}
		s.link(pub, sub)
		for i := range 500 {
			s.ok(sub.Subscribe(fmt.Sprint("after ", i)))
		}
		for i := range 500 {
			s.ok(pub.WaitSubscribers(s.ctx, fmt.Sprint("before ", i), 1))
			s.ok(pub.WaitSubscribers(s.ctx, fmt.Sprint("after ", i), 1))
		}
	})
}

// A peer that subscribes to more than it may is dropped; others are served.
func TestSubscriptionLimits(t *testing.T) {
	for name, options := range map[string]socket.Options{
		"topics": {SubscriptionsPerPeer: 3},
		"bytes":  {TopicBytesPerPeer: 20},
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(s *scene) {
				pub := open(s, socket.NewPub, options)
				modest, greedy := open(s, socket.NewSub), open(s, socket.NewSub, socket.Options{ReconnectMin: patience})
				s.link(pub, modest, greedy)
				s.ok(modest.Subscribe("modest"))
				for i := range 4 {
					s.ok(greedy.Subscribe(fmt.Sprint("greedy ", i)))
				}
				s.eventually("the greedy one is gone", func() bool { return len(pub.Peers()) == 1 })
				s.ok(pub.WaitSubscribers(s.ctx, "modest", 1))
				s.send(pub, "greedy 0")
				s.send(pub, "modest")
				s.want(modest, "modest")
				s.nothing(greedy)
			})
		})
	}
}

// A Send that waits for room at a subscriber goes on when that does not want the message any more, or is gone.
func TestWaitsForNobody(t *testing.T) {
	ways := map[string]func(s *scene, sub *socket.Sub) error{
		"unsubscribed": func(s *scene, sub *socket.Sub) error { return sub.Unsubscribe("") },
		"closed":       func(s *scene, sub *socket.Sub) error { return sub.Close() },
	}
	for name, leave := range ways {
		for _, bound := range []bool{false, true} {
			overAll(t, func(s *scene) {
				pub := open(s, socket.NewPub, socket.Options{PubNoDrop: true, SendHWM: 1, Linger: socket.LingerNone})
				sub := open(s, socket.NewSub, socket.Options{RecvHWM: 1, Linger: socket.LingerNone})
				if bound {
					s.link(pub, sub)
				} else {
					s.link(sub, pub)
				}
				s.ok(sub.Subscribe(""))
				s.ok(pub.WaitSubscribers(s.ctx, "", 1))
				number := numbered(100_000)
				s.stuff(pub, number)
				s.waitsUntil(func() error { return pub.Send(s.ctx, number(0)) }, func() { s.ok(leave(s, sub)) }, nil, name)
			})
		}
	}
}

// waitsUntil checks that call waits until cause comes, and then returns want.
func (s *scene) waitsUntil(call func() error, cause func(), want error, what string) {
	s.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	select {
	case err := <-ended:
		s.Fatalf("%s: it did not wait: %v", what, err)
	case <-time.After(moment):
	}
	cause()
	select {
	case err := <-ended:
		s.is(what, err, want)
	case <-s.ctx.Done():
		s.Fatalf("%s: it waits on", what)
	}
}
