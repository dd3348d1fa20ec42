// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// RFC 37, The Socket-Type Property: who may talk to whom. The table is symmetric, and it is the truth for every pair, in
// both directions of bind and connect.
func TestWhoTalksToWhom(t *testing.T) {
	for _, a := range kinds() {
		for _, b := range kinds() {
			if a.talksTo(b) != b.talksTo(a) {
				t.Errorf("%s and %s do not agree", a.name, b.name)
			}
		}
	}
	for _, scheme := range []string{"tcp", "inproc"} {
		for _, bound := range kinds() {
			t.Run(scheme+" "+bound.name, func(t *testing.T) {
				play(t, scheme, func(s *scene) {
					for _, other := range kinds() {
						meet(s, bound, other)
					}
				})
			})
		}
	}
}

// meet connects a socket to another, which works only for legal pairs.
func meet(s *scene, a, b kind) {
	s.Helper()
	bound, connecting := s.made(a, hasty()), s.made(b, hasty())
	endpoint := s.bind(bound)
	err := connecting.Connect(endpoint)
	switch {
	case a.talksTo(b):
		if err = errors.Join(err, connecting.WaitConnected(s.ctx), bound.WaitPeers(s.ctx, 1)); err != nil {
			s.Errorf("%s does not talk to %s: %v", b.name, a.name, err)
		}
	case s.scheme == "inproc":
		s.is(b.name+" to "+a.name, err, socket.ErrMismatch)
	default:
		s.ok(err)
		s.eventually(b.name+" sees why it cannot talk to "+a.name, func() bool { return connecting.Peers()[0].Err != nil })
		var refused *socket.RefusedError
		var broken *socket.ProtocolError
		err := connecting.Peers()[0].Err // which of the two says it first is chance
		if !errors.As(err, &refused) && (!errors.As(err, &broken) || broken.Reason != "incompatible peer") {
			s.Errorf("%s connects to %s: %v", b.name, a.name, err)
		}
		for _, p := range append(bound.Peers(), connecting.Peers()...) {
			if p.State == socket.PeerConnected {
				s.Errorf("%s is connected to %s", b.name, a.name)
			}
		}
	}
	s.ok(connecting.Close())
	s.ok(bound.Close())
}

// On inproc, where Connect may come first, it is Bind that finds the mismatch.
func TestMismatchFoundLate(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		early, endpoint := open(s, socket.NewReq), s.unused()
		s.ok(early.Connect(endpoint))
		s.ok(open(s, socket.NewPub).Bind(endpoint))
		s.is("WaitConnected", early.WaitConnected(s.ctx), socket.ErrMismatch)
		if p := early.Peers(); len(p) != 1 || p[0].State != socket.PeerRefused || !errors.Is(p[0].Err, socket.ErrMismatch) {
			s.Errorf("Peers shows %+v", p)
		}
		rep := open(s, socket.NewRep)
		s.connect2(early, rep)
		s.ok(early.Close())
	})
}

// connect2 lets a socket with a dead endpoint talk to another peer.
func (s *scene) connect2(req *socket.Req, rep *socket.Rep) {
	s.Helper()
	s.ok(req.Connect(s.bind(rep)))
	s.ok(req.WaitPeers(s.ctx, 1))
	s.send(req, "question")
	s.want(rep, "question")
}

// WaitConnected waits for every endpoint, and tells why there is no peer when its context ends first.
func TestWaitConnected(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush, hasty())
		s.ok(push.WaitConnected(s.ctx)) // nothing to wait for
		pulls := []*socket.Pull{open(s, socket.NewPull), open(s, socket.NewPull)}
		endpoints := []string{s.unused(), s.unused()}
		for _, endpoint := range endpoints {
			s.ok(push.Connect(endpoint))
		}
		s.ok(pulls[0].Bind(endpoints[0]))
		s.ok(push.WaitPeers(s.ctx, 1))
		s.eventually("the other endpoint has failed", func() bool {
			return s.scheme == "inproc" || slices.ContainsFunc(push.Peers(), func(p socket.Peer) bool { return p.Endpoint == endpoints[1] && p.Err != nil })
		})
		short, cancel := context.WithTimeout(s.ctx, moment)
		defer cancel()
		err := push.WaitConnected(short)
		s.is("WaitConnected", err, context.DeadlineExceeded)
		switch s.scheme {
		case "tcp":
			s.is("WaitConnected", err, syscall.ECONNREFUSED)
		case "ipc":
			s.is("WaitConnected", err, syscall.ENOENT)
		}
		if s.scheme != "inproc" && (err == nil || strings.Count(err.Error(), endpoints[1]) != 1 || strings.Contains(err.Error(), "\n")) {
			s.Errorf("%v does not name %s once, in one line", err, endpoints[1])
		}
		waited := make(chan error, 1)
		go func() { waited <- push.WaitConnected(s.ctx) }()
		s.ok(pulls[1].Bind(endpoints[1]))
		s.ok(<-waited)
	})
}

// A host that does not exist is the reason that WaitConnected gives.
func TestMissingHost(t *testing.T) {
	play(t, "tcp", func(s *scene) {
		push := open(s, socket.NewPush, hasty())
		s.ok(push.Connect("tcp://no-such-host.invalid:5555"))
		ctx, cancel := context.WithCancel(s.ctx)
		waited := make(chan error, 1)
		go func() { waited <- push.WaitConnected(ctx) }()
		s.eventually("the first attempt has failed", func() bool { return push.Stats().StreamErrors > 0 })
		cancel()
		err := <-waited
		s.is("WaitConnected", err, context.Canceled)
		var lookup *net.DNSError
		if !errors.As(err, &lookup) || lookup.Name != "no-such-host.invalid" {
			s.Errorf("WaitConnected: %v, want the lookup's error", err)
		}
	})
}

// WaitPeers counts connected and accepted peers.
func TestWaitPeers(t *testing.T) {
	overAll(t, func(s *scene) {
		hub := open(s, socket.NewDealer)
		s.ok(hub.WaitPeers(s.ctx, 0))
		short, cancel := context.WithTimeout(s.ctx, moment)
		defer cancel()
		s.is("WaitPeers", hub.WaitPeers(short, 1), context.DeadlineExceeded)
		accepted, dialed := open(s, socket.NewDealer), open(s, socket.NewDealer)
		endpoint := s.bind(hub)
		waited := make(chan error, 1)
		go func() { waited <- hub.WaitPeers(s.ctx, 2) }()
		s.connect(accepted, endpoint)
		s.connect(hub, s.bind(dialed))
		s.ok(<-waited)
		s.ok(accepted.Close())
		s.eventually("one is gone", func() bool { return len(hub.Peers()) == 1 })
		short, cancel = context.WithTimeout(s.ctx, moment)
		defer cancel()
		s.is("WaitPeers", hub.WaitPeers(short, 2), context.DeadlineExceeded)
	})
}

// Peers lists each peer with what is known of it.
func TestPeers(t *testing.T) {
	overAll(t, func(s *scene) {
		router, dealer := open(s, socket.NewRouter, named("r", socket.Options{})), open(s, socket.NewDealer, named("d", hasty()))
		endpoint := s.link(router, dealer)
		check := func(of anySocket, identity string, receives int) {
			s.Helper()
			peers := of.Peers()
			if len(peers) != 1 {
				s.Fatalf("%d peers: %+v", len(peers), peers)
			}
			p := peers[0]
			if p.Endpoint != endpoint || string(p.Identity) != identity || p.State != socket.PeerConnected || p.Err != nil || p.RecvQueue != receives {
				s.Errorf("%+v, want %s at %s, %d received", p, identity, endpoint, receives)
			}
		}
		check(router, "d", 0)
		check(dealer, "r", 0)
		for range 3 {
			s.send(dealer, "x")
		}
		s.queued(router, 3)
		check(router, "d", 3)
		s.recv(router)
		check(router, "d", 2)
		waits := s.unused()
		s.ok(dealer.Connect(waits))
		for range 10 {
			s.ok(dealer.TrySend(message("x")))
		}
		for _, p := range dealer.Peers() {
			if p.Endpoint == waits && (p.State != socket.PeerConnecting || p.SendQueue != 5) {
				s.Errorf("%+v, want connecting, with half of 10 messages", p)
			}
		}
		if s.scheme != "inproc" {
			s.eventually("the reason is shown", func() bool {
				for _, p := range dealer.Peers() {
					if p.Endpoint == waits {
						return p.Err != nil
					}
				}
				return false
			})
		}
	})
}

// On inproc the figures are exact at any time, although the sender holds messages back and the receiver credit.
func TestPeersOfABurst(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		push, pull := open(s, socket.NewPush, hasty()), open(s, socket.NewPull)
		s.link(pull, push)
		check := func(queued int) {
			s.Helper()
			if got := push.Peers()[0].SendQueue; got != queued {
				s.Errorf("%d messages to be sent, want %d", got, queued)
			}
			if got := pull.Peers()[0].RecvQueue; got != queued {
				s.Errorf("%d messages to be received, want %d", got, queued)
			}
		}
		for round := range 2 { // queued one at a time, then many
			for i := range 300 {
				s.send(push, "x")
				if round == 0 {
					check(i + 1)
				}
			}
			check(300)
			for i := range 300 {
				s.recv(pull)
				if round == 0 || i%100 == 50 {
					check(300 - i - 1)
				}
			}
			check(0)
		}
	})
}

// Sockets that look at each other while both send do not wait for each other.
func TestPeersOfEachOther(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		a, b := open(s, socket.NewPair, hasty()), open(s, socket.NewPair, hasty())
		s.link(a, b)
		var all sync.WaitGroup
		for _, p := range []*socket.Pair{a, b} {
			all.Go(func() {
				for range 1000 {
					p.TrySend(message("x"))
					p.Peers()
				}
			})
			all.Go(func() {
				for range 1000 {
					p.TryRecv()
					p.Peers()
				}
			})
		}
		all.Wait()
	})
}

// What was queued for a socket that then refuses the pipe is counted as lost; what was queued for one that took it is not.
func TestStatsOfARefusedPipe(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		endpoint := s.unused()
		first, second := open(s, socket.NewPair), open(s, socket.NewPair)
		for _, p := range []*socket.Pair{first, second} {
			s.ok(p.Connect(endpoint))
			for range 3 {
				s.send(p, "x")
			}
		}
		bound := open(s, socket.NewPair)
		s.ok(bound.Bind(endpoint))
		s.eventually("the second is refused", func() bool { return second.Peers()[0].State == socket.PeerRefused })
		if got := second.Stats().Dropped[socket.DropPeerGone]; got != 3 {
			s.Errorf("%d messages lost, want 3", got)
		}
		for range 3 {
			s.want(bound, "x")
		}
		s.ok(bound.Close())
		s.eventually("the first is left", func() bool { return first.Peers()[0].State == socket.PeerConnecting })
		if got := first.Stats().Dropped; len(got) > 0 {
			s.Errorf("lost %v", got)
		}
	})
}

// A sender that parts with a peer in the middle of a burst leaves it all that was sent.
func TestDropInABurst(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		router := open(s, socket.NewRouter, socket.Options{RouterHandover: true})
		first, second := open(s, socket.NewDealer, named("d", hasty())), open(s, socket.NewDealer, named("d", hasty()))
		endpoint := s.link(router, first)
		for range 150 {
			s.send(router, "d", "x")
		}
		s.connect(second, endpoint)
		s.eventually("the first is left", func() bool { return first.Peers()[0].State == socket.PeerRefused })
		for range 150 {
			s.want(first, "x")
		}
		s.nothing(first)
	})
}

func TestPeerStateNames(t *testing.T) {
	want := []string{"connecting", "handshaking", "connected", "refused", "closed"}
	for i, state := range []socket.PeerState{socket.PeerConnecting, socket.PeerHandshaking, socket.PeerConnected, socket.PeerRefused, socket.PeerClosed} {
		if state.String() != want[i] {
			t.Errorf("%d is called %s, want %s", state, state, want[i])
		}
	}
}

// Stats counts what went out and in, and every drop by its reason.
func TestStats(t *testing.T) {
	overAll(t, func(s *scene) {
		router, dealer := open(s, socket.NewRouter), open(s, socket.NewDealer, named("d", socket.Options{}))
		s.link(router, dealer)
		for range 5 {
			s.send(dealer, "x")
			s.recv(router)
		}
		s.nothing(router)
		s.send(router, "nobody", "x")
		s.send(router, "d", "x")
		s.recv(dealer)
		s.is("Send", dealer.Send(s.ctx, socket.NewMessage()), socket.ErrEmpty)
		if got := dealer.Stats(); got.Sent != 5 || got.Received != 1 || len(got.Dropped)+len(got.ProtocolErrors) != 0 || got.StreamErrors != 0 {
			s.Errorf("DEALER %+v", got)
		}
		if got := router.Stats(); got.Sent != 2 || got.Received != 5 || got.Dropped[socket.DropUnroutable] != 1 || len(got.Dropped) != 1 {
			s.Errorf("ROUTER %+v", got)
		}
		got := router.Stats()
		got.Dropped[socket.DropFull] = 7 // a copy
		if router.Stats().Dropped[socket.DropFull] != 0 {
			s.Error("Stats hands out its own map")
		}
	})
}

// RFC 23, Error Handling: after ERROR an endpoint is not tried again by itself; a new Connect does it.
func TestRefused(t *testing.T) {
	overStreams(t, func(s *scene) {
		l := sockettest.Listen(s.T, s.scheme)
		push := open(s, socket.NewPush, socket.Options{ReconnectMin: time.Millisecond, Linger: socket.LingerNone})
		s.ok(push.Connect(l.Endpoint()))
		s.ok(push.TrySend(message("queued")))
		refuse := func(why string) {
			s.Helper()
			peer := l.Accept()
			peer.Greet(1)
			peer.Command("ERROR", append([]byte{byte(len(why))}, why...))
			peer.ReadCommand()
			peer.ExpectClosed()
			err := push.WaitConnected(s.ctx)
			var refused *socket.RefusedError
			if !errors.As(err, &refused) || refused.Reason != why || refused.Endpoint != l.Endpoint() {
				s.Errorf("WaitConnected: %v", err)
			}
			if p := push.Peers(); len(p) != 1 || p[0].State != socket.PeerRefused || !errors.As(p[0].Err, &refused) {
				s.Errorf("Peers shows %+v", p)
			}
		}
		refuse("go away")
		if l.AcceptWithin(moment) != nil {
			s.Error("it came back by itself")
		}
		s.full(push, "to nobody")
		s.ok(push.Connect(l.Endpoint()))
		refuse("go away, I said")
		s.ok(push.Connect(l.Endpoint()))
		peer := l.Accept()
		peer.Handshake("PULL")
		s.ok(push.WaitConnected(s.ctx))
		if p := push.Peers(); len(p) != 1 || p[0].State != socket.PeerConnected || p[0].Err != nil {
			s.Errorf("Peers shows %+v", p)
		}
		s.send(push, "hello")
		if got := peer.ReadMessage(); string(got[0]) != "hello" {
			s.Errorf("%q", got)
		}
	})
}

// TestPeersChanged: whoever listens hears of a stream that begins, of one that ends, and of Close.
func TestPeersChanged(t *testing.T) {
	dealer, err := socket.NewDealer(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dealer.Close()
	router, err := socket.NewRouter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer router.Close()
	if err := router.Bind("tcp://127.0.0.1:*"); err != nil {
		t.Fatal(err)
	}
	until := func(state socket.PeerState) {
		t.Helper()
		for deadline := time.After(10 * time.Second); ; {
			change := dealer.PeersChanged()
			if peers := dealer.Peers(); len(peers) == 1 && peers[0].State == state {
				return
			}
			select {
			case <-change:
			case <-deadline:
				t.Fatalf("no word of %v: %+v", state, dealer.Peers())
			}
		}
	}
	if err := dealer.Connect(router.LastEndpoint()); err != nil {
		t.Fatal(err)
	}
	until(socket.PeerConnected)
	router.Close()
	until(socket.PeerConnecting)
	change := dealer.PeersChanged()
	dealer.Close()
	<-change
}

func TestPeerAddresses(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
		endpoint := s.unused()
		s.ok(push.Connect(endpoint))
		if got := push.Peers()[0].Address; got != "" {
			s.Errorf("nobody is at %q", got)
		}
		s.ok(pull.Bind(endpoint))
		s.ok(push.WaitConnected(s.ctx))
		s.ok(pull.WaitPeers(s.ctx, 1))
		there, here := push.Peers()[0].Address, pull.Peers()[0].Address
		switch s.scheme {
		case "tcp":
			if "tcp://"+there != endpoint || !strings.HasPrefix(here, "127.0.0.1:") || here == there {
				s.Errorf("at %q and %q of %s", there, here, endpoint)
			}
		case "inproc":
			if there != "" || here != "" {
				s.Errorf("at %q and %q", there, here)
			}
		}
	})
}
