// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// RFC 28, The REQ Socket Type: what a ROUTER's application gets is an empty frame and the request, before a request was given up
// and after; and the reply to that one is never taken for another's.
func TestDoToARouter(t *testing.T) {
	overAll(t, func(s *scene) {
		for _, bound := range []string{"router", "req"} {
			req, router := open(s, socket.NewReq), open(s, socket.NewRouter)
			if bound == "router" {
				s.link(router, req)
			} else {
				s.link(req, router)
			}
			asked := func(text string) []string {
				s.Helper()
				got := s.recv(router)
				front := len(got) - 1
				if front < 1 || got[front-1] != "" || got[front] != text || bound == "router" && front != 2 {
					s.Fatalf("the ROUTER received %q for %q", got, text)
				}
				return got[:front:front]
			}
			for i := range 5 {
				late, now := fmt.Sprint("late ", i), fmt.Sprint("now ", i)
				ctx, giveUp := context.WithCancel(s.ctx)
				ended := make(chan error, 1)
				go func() { _, err := req.Do(ctx, message(late)); ended <- err }()
				first := asked(late)
				giveUp()
				s.is("Do", <-ended, context.Canceled)
				s.send(router, append(first, "reply to "+late)...)
				go func() {
					reply, err := req.Do(s.ctx, message(now))
					if err == nil && string(reply.Body()) != "reply to "+now {
						err = fmt.Errorf("replied %q", frames(reply))
					}
					ended <- err
				}()
				second := asked(now)
				s.send(router, append(first, "once more")...)
				s.send(router, append(second, "reply to "+now)...)
				s.ok(<-ended)
			}
			s.ok(req.Close())
			s.ok(router.Close())
		}
	})
}

// Requests that were given up before there was a peer are not handled when one comes, nor does Close wait for them.
func TestGivenUpBeforeItWent(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		endpoint := s.unused()
		s.ok(req.Connect(endpoint))
		const requests = 20
		for i := range requests {
			ctx, cancel := context.WithCancel(s.ctx)
			ended := make(chan error, 1)
			go func() { _, err := req.Do(ctx, message(fmt.Sprint(i))); ended <- err }()
			s.eventually("it is queued", func() bool { return sendQueue(req) == 1 })
			cancel()
			s.is("Do", <-ended, context.Canceled)
			s.eventually("it is taken back", func() bool { return sendQueue(req) == 0 })
		}
		if got := req.Stats().Dropped; got[socket.DropGivenUp] != requests || len(got) != 1 {
			s.Errorf("dropped %v, want %d that were given up", got, requests)
		}
		s.ok(rep.Bind(endpoint))
		served := serve(s, rep)
		reply, err := req.Do(s.ctx, message("the only one"))
		s.ok(err)
		if string(reply.Body()) != "the only one" {
			s.Errorf("replied %q", frames(reply))
		}
		if got := rep.Stats().Received; got != 1 {
			s.Errorf("%d requests were handled, want 1", got)
		}
		s.ok(rep.Close())
		s.ok(<-served)
	})
}

// A request without a number that is given up takes its stream along, to a REP too: what is left of it shall not be answered later.
func TestPlainGivenUp(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		req := hostileNew(t, "REQ", func(o *socket.Options) { o.ReconnectMin = time.Millisecond }).(*socket.Req)
		l := sockettest.Listen(t, endpoint)
		if err := req.Connect(l.Endpoint()); err != nil {
			t.Fatal(err)
		}
		raw := l.Accept()
		raw.Handshake("REP")
		wireSend(t, req, "first")
		if got := texts(raw.ReadMessage()); !equal(got, []string{"", "first"}) {
			t.Fatalf("asked %q", got)
		}
		req.Reset()
		raw.ExpectClosed()
		raw = l.Accept()
		raw.Handshake("REP")
		wireSend(t, req, "second")
		asked := texts(raw.ReadMessage())
		raw.Send(octets(append(asked[:len(asked)-1:len(asked)-1], "answer")...)...)
		wireRecv(t, req, "answer")
	})
}

// Giving up does not dial sooner.
func TestGivingUpKeepsTheBackOff(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq, socket.Options{ReconnectMin: time.Hour, ReconnectMax: time.Hour, Linger: socket.LingerNone})
		s.ok(req.Connect(s.unused()))
		s.eventually("a dial has failed", func() bool { return req.Stats().StreamErrors == 1 })
		for range 100 {
			s.send(req, "question")
			req.Reset()
		}
		if got := req.Stats(); got.StreamErrors != 1 || got.Dropped[socket.DropGivenUp] != 100 {
			s.Errorf("%d dials, want 1; dropped %v", got.StreamErrors, got.Dropped)
		}
	})
}

// A request may be given up just when its name is bound.
func TestGivingUpWhileBound(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		for range 300 {
			req, router, endpoint := open(s, socket.NewReq), open(s, socket.NewRouter), s.unused()
			s.ok(req.Connect(endpoint))
			s.send(req, "given up")
			bound := make(chan error, 1)
			go func() { bound <- router.Bind(endpoint) }()
			req.Reset()
			s.ok(<-bound)
			s.send(req, "question")
			for {
				msg, err := router.Recv(s.ctx)
				s.ok(err)
				if string(msg.Frame(2)) == "question" {
					s.ok(router.Send(s.ctx, msg))
					break
				}
			}
			s.want(req, "question")
			s.ok(req.Close())
			s.ok(router.Close())
		}
	})
}

// A ROUTER that answers late, or never, and a REQ that has little patience: each reply is that of its request, nothing gets stuck.
func TestStressGivingUp(t *testing.T) {
	overAll(t, func(s *scene) {
		req, router := open(s, socket.NewReq), open(s, socket.NewRouter)
		s.link(router, req)
		go func() {
			var kept []socket.Message
			for i := 0; ; i++ {
				msg, err := router.Recv(s.ctx)
				if err != nil {
					return
				}
				switch kept = append(kept, msg); i % 4 {
				case 0: // never, or with another one
				case 1:
					for _, msg := range kept {
						router.Send(s.ctx, msg)
					}
					kept = nil
				default:
					router.Send(s.ctx, msg)
				}
			}
		}()
		good := 0
		for i := 0; good < 200; i++ {
			text := fmt.Sprint(i)
			ctx, cancel := context.WithTimeout(s.ctx, time.Duration(i%7)*100*time.Microsecond+time.Millisecond)
			reply, err := req.Do(ctx, message(text))
			cancel()
			s.ok(s.ctx.Err())
			if err == nil {
				if string(reply.Body()) != text {
					s.Fatalf("request %s, reply %q", text, frames(reply))
				}
				good++
			}
		}
		s.ok(router.Close())
	})
}

// A socket that has connected to a name finds whoever binds it next, and says meanwhile that nobody is there.
func TestNamesBoundAgain(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		push, endpoint := open(s, socket.NewPush), s.unused()
		s.ok(push.Connect(endpoint))
		for i := range 5 {
			pull := open(s, socket.NewPull)
			s.ok(pull.Bind(endpoint))
			s.ok(push.WaitConnected(s.ctx))
			s.send(push, fmt.Sprint(i))
			s.want(pull, fmt.Sprint(i))
			s.ok(pull.Close())
			s.eventually("it waits again", func() bool {
				peers := push.Peers()
				return len(peers) == 1 && peers[0].State == socket.PeerConnecting && peers[0].Endpoint == endpoint
			})
			ctx, cancel := context.WithCancel(s.ctx)
			cancel()
			s.is("WaitConnected", push.WaitConnected(ctx), context.Canceled)
		}
		s.send(push, "for the next")
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind(endpoint))
		s.want(pull, "for the next")
		s.ok(push.Disconnect(endpoint))
		s.ok(pull.Close())
		if peers := push.Peers(); len(peers) > 0 {
			s.Errorf("after Disconnect there is %v", peers)
		}
		s.is("Disconnect again", push.Disconnect(endpoint), socket.ErrUnknownEndpoint)
	})
}

// Subscriptions, requests and identities find the next binder of a name too.
func TestTypesBoundAgain(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		sub, req, dealer := open(s, socket.NewSub), open(s, socket.NewReq), open(s, socket.NewDealer, named("d", socket.Options{}))
		news, service, hub := s.unused(), s.unused(), s.unused()
		s.ok(sub.Subscribe("a"))
		s.ok(sub.Connect(news))
		s.ok(req.Connect(service))
		s.ok(dealer.Connect(hub))
		for range 3 {
			pub, rep, router := open(s, socket.NewPub), open(s, socket.NewRep), open(s, socket.NewRouter)
			s.ok(pub.Bind(news))
			s.ok(pub.WaitSubscribers(s.ctx, "a", 1))
			s.send(pub, "b")
			s.send(pub, "a")
			s.want(sub, "a")
			s.ok(pub.Close())

			s.ok(rep.Bind(service))
			s.send(req, "question")
			s.want(rep, "question")
			s.ok(rep.Close())
			_, err := req.Recv(s.ctx)
			s.is("Recv", err, socket.ErrPeerGone)

			s.ok(router.Bind(hub))
			s.ok(router.WaitPeers(s.ctx, 1))
			s.send(router, "d", "x")
			s.want(dealer, "x")
			s.ok(router.Close())
		}
	})
}

// Who is refused on inproc knows why, for good, until it connects anew.
func TestRefusedOnInproc(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		refused := func(first, second, bound anySocket, endpoint string, why error) {
			s.Helper()
			s.is("WaitConnected", second.WaitConnected(s.ctx), why)
			if peers := second.Peers(); len(peers) != 1 || peers[0].State != socket.PeerRefused {
				s.Errorf("peers %v", peers)
			}
			if got := bound.Stats().Refused; got != 1 {
				s.Errorf("%d refused, want 1", got)
			}
			s.ok(first.Disconnect(endpoint))
			s.ok(second.Connect(endpoint))
			s.ok(second.WaitConnected(s.ctx))
		}
		router := open(s, socket.NewRouter)
		first, second := open(s, socket.NewDealer, named("d", socket.Options{})), open(s, socket.NewDealer, named("d", socket.Options{}))
		endpoint := s.link(router, first)
		s.ok(second.Connect(endpoint))
		refused(first, second, router, endpoint, socket.ErrIdentityTaken)

		pair, one, two := open(s, socket.NewPair), open(s, socket.NewPair), open(s, socket.NewPair)
		endpoint = s.link(pair, one)
		s.ok(two.Connect(endpoint))
		refused(one, two, pair, endpoint, socket.ErrSecondPeer)
	})
}
