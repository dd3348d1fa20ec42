// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// audience is a publisher and its subscribers, each to its own topics.
type audience struct {
	*scene
	pub    *socket.Pub
	subs   []*socket.Sub
	topics [][]string
	sent   [][]string // to each, not received yet
}

func newAudience(s *scene, options socket.Options, topics ...[]string) *audience {
	a := &audience{scene: s, pub: open(s, socket.NewPub, options), topics: topics, sent: make([][]string, len(topics))}
	endpoint := s.bind(a.pub)
	for _, own := range topics {
		sub := open(s, socket.NewSub, options)
		a.subs = append(a.subs, sub)
		s.connect(sub, endpoint)
		for _, topic := range own {
			s.ok(sub.Subscribe(topic))
		}
	}
	for _, own := range topics {
		for _, topic := range own {
			s.ok(a.pub.WaitSubscribers(s.ctx, topic, a.among(topic)))
		}
	}
	return a
}

// subscribe returns when the publisher knows.
func (a *audience) subscribe(i int, topic string) {
	a.Helper()
	a.ok(a.subs[i].Subscribe(topic))
	a.topics[i] = append(a.topics[i], topic)
	a.ok(a.pub.WaitSubscribers(a.ctx, topic, a.among(topic)))
}

// among returns how many want a message.
func (a *audience) among(message string) (wanted int) {
	for i := range a.topics {
		if a.wants(i, message) {
			wanted++
		}
	}
	return wanted
}

func (a *audience) wants(i int, message string) bool {
	for _, topic := range a.topics[i] {
		if strings.HasPrefix(message, topic) {
			return true
		}
	}
	return false
}

func (a *audience) publish(message string) {
	a.Helper()
	a.send(a.pub, message)
	for i := range a.topics {
		if a.wants(i, message) {
			a.sent[i] = append(a.sent[i], message)
		}
	}
}

// take receives all that was sent, in order. Nothing else is sent meanwhile.
func (a *audience) take() {
	a.Helper()
	for i, sub := range a.subs {
		for _, message := range a.sent[i] {
			a.want(sub, message)
		}
		a.sent[i] = nil
	}
}

// The last message of a burst, of any length, is not held up: it comes without another one behind it.
func TestStressBurstsToMany(t *testing.T) {
	overAll(t, func(s *scene) {
		a := newAudience(s, narrow(socket.Unlimited), []string{""}, []string{""}, []string{""}, []string{"", "b"})
		number := 0
		for range sockettest.Soaked(t, 60, 2000) {
			for range 1 + rand.IntN(400) {
				a.publish(fmt.Sprint("burst ", number))
				number++
			}
			a.take()
		}
	})
}

// everything is what that many subscribers to all there is want.
func everything(subscribers int) (topics [][]string) {
	for range subscribers {
		topics = append(topics, []string{""})
	}
	return topics
}

// A burst may end with nothing held back, and then a single message must not be.
func TestBurstsOfAnyLength(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		for n := range 400 {
			a := newAudience(s, narrow(socket.Unlimited), everything(1+n%2)...)
			for i := range n / 2 {
				a.publish(fmt.Sprint(i))
			}
			a.take()
			for _, sub := range a.subs {
				a.nothing(sub) // a receiver that finds nothing asks for what is held back
			}
			a.publish("one more")
			a.take()
			s.closeAll(a.pub)
			for _, sub := range a.subs {
				s.closeAll(sub)
			}
		}
	})
}

// Bursts to all, to some and to one follow each other, while topics come and go: each subscriber gets what it wants, in order.
func TestStressBurstsToSome(t *testing.T) {
	overAll(t, func(s *scene) {
		a := newAudience(s, narrow(socket.Unlimited), []string{""}, []string{"a"}, []string{"ab", "c"}, []string{"abc", "d"})
		prefixes := []string{"abc", "ab", "a", "b", "c", "d", "e"}
		for number := range sockettest.Soaked(t, 100, 3000) {
			prefix := prefixes[rand.IntN(len(prefixes))]
			for i := range 1 + rand.IntN(120) {
				a.publish(fmt.Sprint(prefix, number, " ", i))
			}
			if number%5 == 0 {
				topic := fmt.Sprint("e", number)
				a.subscribe(1+rand.IntN(len(a.subs)-1), topic) // the first wants all already
				for i := range 40 {
					a.publish(fmt.Sprint(topic, " ", i))
				}
			}
			if number%3 == 0 {
				a.take()
			}
		}
		a.take()
	})
}

// What is held back counts: a queue takes exactly as many messages as it may.
func TestBurstsAndHighWaterMark(t *testing.T) {
	for _, subscribers := range []int{1, 3} {
		play(t, "inproc", func(s *scene) {
			a := newAudience(s, narrow(150), everything(subscribers)...)
			for i := range 1000 {
				a.send(a.pub, fmt.Sprint(i))
			}
			if dropped := a.pub.Stats().Dropped[socket.DropFull]; dropped != uint64(700*subscribers) {
				t.Errorf("%d messages dropped, want %d", dropped, 700*subscribers)
			}
			if sent := a.pub.Stats().Sent; sent != 1000 {
				t.Errorf("%d messages sent, want 1000", sent)
			}
			for _, p := range a.pub.Peers() {
				if p.SendQueue != 300 {
					t.Errorf("%d messages are queued for a peer, want 300", p.SendQueue)
				}
			}
			for _, sub := range a.subs {
				for i := range 300 {
					a.want(sub, fmt.Sprint(i))
				}
				a.nothing(sub)
			}
		})
	}
}

// What is on its way when its topic is cancelled does not arrive any more, in the middle of a burst either.
func TestCancelledOnTheWay(t *testing.T) {
	overAll(t, func(s *scene) {
		a := newAudience(s, narrow(socket.Unlimited), []string{"a", "b"})
		var got socket.Message
		next := func(want string) {
			t.Helper()
			if s.ok(a.subs[0].RecvInto(s.ctx, &got)); string(got.Body()) != want {
				t.Errorf("got %q, want %q", got.Body(), want)
			}
		}
		for i := range 200 {
			a.send(a.pub, fmt.Sprint("a", i))
			a.send(a.pub, fmt.Sprint("b", i))
		}
		for i := range 50 {
			next(fmt.Sprint("a", i))
			next(fmt.Sprint("b", i))
		}
		s.ok(a.subs[0].Unsubscribe("b"))
		for i := range 150 {
			next(fmt.Sprint("a", 50+i))
		}
		a.nothing(a.subs[0])
	})
}

// Close hands over what is held back.
func TestBurstsAndClose(t *testing.T) {
	overAll(t, func(s *scene) {
		for range sockettest.Soaked(t, 10, 300) {
			options := narrow(socket.Unlimited)
			options.Linger = socket.LingerForever
			a := newAudience(s, options, []string{""}, []string{""}, []string{""})
			for i := range 1 + rand.IntN(200) {
				a.publish(fmt.Sprint(i))
			}
			closed := make(chan error, 1)
			go func() { closed <- a.pub.Close() }()
			a.take()
			s.ok(<-closed)
			for _, sub := range a.subs {
				s.ok(sub.Close())
			}
		}
	})
}
