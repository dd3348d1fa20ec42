// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/zwire-mq/zwire/socket"
)

// RFC 28, The ROUTER Socket Type: every peer has an identity of its own, which the peer may choose; one that is made up
// begins with zero.
func TestRuleROU1(t *testing.T) {
	overAll(t, func(s *scene) {
		router := open(s, socket.NewRouter)
		endpoint := s.bind(router)
		seen := make(map[string]bool)
		for i := range 5 {
			dealer := open(s, socket.NewDealer)
			s.connect(dealer, endpoint)
			s.send(dealer, fmt.Sprint(i))
			got := s.recv(router)
			identity := got[0]
			if len(identity) != 5 || identity[0] != 0 || seen[identity] || got[1] != fmt.Sprint(i) {
				s.Errorf("received %q", got)
			}
			seen[identity] = true
		}
		for _, chosen := range []string{"a", "\x01\x00", string(bytes.Repeat([]byte{'i'}, 255))} {
			dealer := open(s, socket.NewDealer, socket.Options{Identity: []byte(chosen)})
			s.connect(dealer, endpoint)
			s.send(dealer, "hello")
			s.want(router, chosen, "hello")
		}
		for _, p := range router.Peers() {
			if len(p.Identity) == 5 && !seen[string(p.Identity)] {
				s.Errorf("Peers shows %q, messages %v", p.Identity, seen)
			}
		}
	})
}

// RFC 28, The ROUTER Socket Type: the identity is put in front of what is received, and taken from what is sent.
func TestRuleROU2(t *testing.T) {
	overAll(t, func(s *scene) {
		router := open(s, socket.NewRouter)
		dealers := make([]*socket.Dealer, 3)
		endpoint := s.bind(router)
		for i := range dealers {
			dealers[i] = open(s, socket.NewDealer, socket.Options{Identity: fmt.Appendf(nil, "d%d", i)})
			s.connect(dealers[i], endpoint)
		}
		s.ok(router.WaitPeers(s.ctx, 3))
		for i, dealer := range dealers {
			identity := fmt.Sprintf("d%d", i)
			for _, odd := range oddMessages() {
				s.send(dealer, odd...)
				s.want(router, append([]string{identity}, odd...)...)
				s.send(router, append([]string{identity}, odd...)...)
				s.want(dealer, odd...)
			}
		}
		s.is("Send of an identity alone", router.Send(s.ctx, message("d1")), socket.ErrUnroutable)
	})
}

// RFC 28, The ROUTER Socket Type: what no peer can take is dropped, or an error where that is configured; Send never
// waits unless it is told to.
func TestRuleROU3(t *testing.T) {
	overAll(t, func(s *scene) {
		router, lazy := open(s, socket.NewRouter, narrow(2)), open(s, socket.NewDealer, named("lazy", narrow(2)))
		s.link(router, lazy)
		s.send(router, "stranger", "nobody gets this")
		if n := router.Stats().Dropped[socket.DropUnroutable]; n != 1 {
			s.Errorf("%d unroutable, want 1", n)
		}
		body, sent := make([]byte, 20_000), uint64(0)
		for ; router.Stats().Dropped[socket.DropFull] < 5; sent++ {
			s.ok(router.Send(s.ctx, socket.NewMessage([]byte("lazy"), fmt.Append(nil, sent), body)))
		}
		dropped := router.Stats().Dropped[socket.DropFull]
		for range sent - dropped {
			if _, err := lazy.Recv(s.ctx); err != nil {
				s.Fatalf("%d sent, %d dropped: %v", sent, dropped, err)
			}
		}
		s.nothing(lazy)
	})
	t.Run("mandatory", func(t *testing.T) {
		overAll(t, func(s *scene) {
			options := narrow(2)
			options.RouterMandatory = true
			router, lazy := open(s, socket.NewRouter, options), open(s, socket.NewDealer, named("lazy", narrow(2)))
			s.link(router, lazy)
			for _, send := range []func(socket.Message) error{
				router.TrySend, func(m socket.Message) error { return router.Send(s.ctx, m) },
			} {
				s.is("Send to a stranger", send(message("stranger", "x")), socket.ErrUnroutable)
			}
			number := numbered(20_000)
			addressed := func(i int) socket.Message { return socket.NewMessage([]byte("lazy"), number(i).Body()) }
			sent := s.stuff(router, addressed)
			s.is("TrySend to a full peer", router.TrySend(message("lazy", "x")), socket.ErrWouldBlock)
			waited := make(chan error, 1)
			go func() { waited <- router.Send(s.ctx, addressed(sent)) }()
			for i := range sent + 1 {
				s.want(lazy, string(number(i).Body()))
			}
			s.ok(<-waited)
			if n := router.Stats().Dropped; len(n) != 0 {
				s.Errorf("dropped %v", n)
			}
		})
	})
}

// named adds an identity to options.
func named(identity string, options socket.Options) socket.Options {
	options.Identity = []byte(identity)
	return options
}

// A ROUTER fair-queues what it receives.
func TestRuleROUServesInTurn(t *testing.T) {
	overAll(t, func(s *scene) {
		router := open(s, socket.NewRouter)
		fair(s, router, func(i int) sending {
			return open(s, socket.NewDealer, named(fmt.Sprint(i), socket.Options{}))
		})
	})
}

// fair checks that by takes one message from each of three peers in turn, although one floods it.
func fair(s *scene, by receiving, peer func(i int) sending) {
	peers := make([]sending, 3)
	endpoint := s.bind(by)
	for i := range peers {
		peers[i] = peer(i)
		s.connect(peers[i], endpoint)
	}
	for i, count := range []int{300, 10, 10} {
		for n := range count {
			s.send(peers[i], fmt.Sprint(i), fmt.Sprint(n))
		}
	}
	s.queued(by, 320)
	counts := map[string]int{}
	for range 30 {
		got := s.recv(by)
		who, n := got[len(got)-2], got[len(got)-1]
		if n != fmt.Sprint(counts[who]) {
			s.Fatalf("from %s: %s, want %d", who, n, counts[who])
		}
		counts[who]++
	}
	for who, n := range counts {
		if n != 10 {
			s.Errorf("%d of the first 30 from %s, want 10", n, who)
		}
	}
	for range 290 {
		s.recv(by)
	}
	s.nothing(by)
}

// Of two peers with one identity the first keeps it; with RouterHandover the latest gets it. The other is dropped, and
// never served.
func TestRouterHandover(t *testing.T) {
	for _, handover := range []bool{false, true} {
		t.Run(fmt.Sprint(handover), func(t *testing.T) {
			overAll(t, func(s *scene) {
				router := open(s, socket.NewRouter, socket.Options{RouterHandover: handover})
				options := named("name", hasty())
				options.ReconnectMin = patience // the loser stays away
				first := open(s, socket.NewDealer, options)
				endpoint := s.link(router, first)
				s.send(first, "first")
				s.want(router, "name", "first")

				second := open(s, socket.NewDealer, options)
				winner := first
				if handover {
					s.connect(second, endpoint)
					winner = second
				} else {
					s.ok(second.Connect(endpoint))
				}
				s.eventually("one of the two is dropped", func() bool { return len(router.Peers()) == 1 })
				s.send(winner, "served")
				s.want(router, "name", "served")
				s.send(router, "name", "to the winner")
				s.want(winner, "to the winner")
				if !handover {
					s.nothing(second)
				}
			})
		})
	}
}

// A peer that leaves and comes back under its name has a new queue.
func TestRouterPeerComesBack(t *testing.T) {
	overAll(t, func(s *scene) {
		router := open(s, socket.NewRouter, narrow(10))
		dealer := open(s, socket.NewDealer, named("name", narrow(1)))
		endpoint := s.link(router, dealer)
		for i := 0; router.Stats().Dropped[socket.DropFull] == 0; i++ {
			s.send(router, "name", fmt.Sprint(i), string(make([]byte, 20_000)))
		}
		dealer.Close()
		s.gone(router)
		s.send(router, "name", "while nobody is there")
		if n := router.Stats().Dropped[socket.DropUnroutable]; n != 1 {
			s.Errorf("%d unroutable, want 1", n)
		}
		back := open(s, socket.NewDealer, named("name", socket.Options{}))
		s.connect(back, endpoint)
		s.send(back, "here again")
		s.want(router, "name", "here again")
		s.send(router, "name", "welcome")
		s.want(back, "welcome")
	})
}

// A ROUTER can connect, and two ROUTERs know each other by name.
func TestRouterToRouter(t *testing.T) {
	overAll(t, func(s *scene) {
		a, b := open(s, socket.NewRouter, named("a", socket.Options{})), open(s, socket.NewRouter, named("b", socket.Options{}))
		s.link(a, b)
		s.send(a, "b", "from a")
		s.want(b, "a", "from a")
		s.send(b, "a", "from b")
		s.want(a, "b", "from b")
	})
}

// With RouterMandatory a Send that waits for a peer ends with an error when that peer leaves.
func TestRouterMandatoryPeerLeaves(t *testing.T) {
	overAll(t, func(s *scene) {
		options := narrow(2)
		options.RouterMandatory = true
		router, lazy := open(s, socket.NewRouter, options), open(s, socket.NewDealer, named("lazy", narrow(2)))
		s.link(router, lazy)
		number := numbered(20_000)
		addressed := func(i int) socket.Message { return socket.NewMessage([]byte("lazy"), number(i).Body()) }
		s.stuff(router, addressed)
		waited := make(chan error, 1)
		go func() { waited <- router.Send(s.ctx, addressed(0)) }()
		lazy.Close()
		if err := <-waited; err != nil && !errors.Is(err, socket.ErrUnroutable) || errors.Is(err, context.DeadlineExceeded) {
			s.Error("Send to a peer that leaves: ", err)
		}
		s.gone(router)
		s.is("Send to a peer that has left", router.Send(s.ctx, addressed(0)), socket.ErrUnroutable)
	})
}

// A Send that waits for room at a peer that then is gone fails like one that comes later.
func TestMandatoryWaitsForNobody(t *testing.T) {
	for _, bound := range []bool{false, true} {
		overAll(t, func(s *scene) {
			router := open(s, socket.NewRouter, socket.Options{RouterMandatory: true, SendHWM: 1, Linger: socket.LingerNone})
			dealer := open(s, socket.NewDealer, named("d", socket.Options{RecvHWM: 1, Linger: socket.LingerNone}))
			if bound {
				s.link(router, dealer)
			} else {
				s.link(dealer, router)
			}
			s.ok(router.WaitPeers(s.ctx, 1))
			number := func(i int) socket.Message { return socket.NewMessage([]byte("d"), numbered(100_000)(i).Body()) }
			s.stuff(router, number)
			s.waitsUntil(func() error { return router.Send(s.ctx, number(0)) }, func() { s.ok(dealer.Close()) }, socket.ErrUnroutable, "closed")
		})
	}
}
