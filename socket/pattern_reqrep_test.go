// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// RFC 28, The REQ Socket Type: send and receive strictly alternate.
func TestRuleREQ1(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		s.link(rep, req)
		for range 3 {
			_, err := req.Recv(s.ctx)
			s.is("Recv before Send", err, socket.ErrState)
			_, err = req.TryRecv()
			s.is("TryRecv before Send", err, socket.ErrState)
			s.send(req, "question")
			s.is("Send after Send", req.Send(s.ctx, message("again")), socket.ErrState)
			s.is("TrySend after Send", req.TrySend(message("again")), socket.ErrState)
			s.is("SendOwned after Send", req.SendOwned(s.ctx, message("again")), socket.ErrState)
			s.want(rep, "question")
			s.send(rep, "answer")
			s.want(req, "answer")
		}
		_, err := req.Recv(s.ctx)
		s.is("Recv after Recv", err, socket.ErrState)
	})
}

// RFC 28, The REQ Socket Type: a request is an empty delimiter frame, then one or more data frames.
func TestRuleREQ2(t *testing.T) {
	overAll(t, func(s *scene) {
		req, router := open(s, socket.NewReq, socket.Options{Identity: []byte("asker")}), open(s, socket.NewRouter)
		s.link(router, req)
		for _, request := range [][]string{{"Hello"}, {""}, {"a", "", "b"}} {
			s.send(req, request...)
			s.want(router, append([]string{"asker", ""}, request...)...)
			s.send(router, append([]string{"asker", ""}, request...)...)
			s.want(req, request...)
		}
		s.is("Send without frames", req.Send(s.ctx, socket.NewMessage()), socket.ErrEmpty)
		s.send(req, "still my turn")
		s.want(router, "asker", "", "still my turn")
	})
}

// RFC 28, The REQ Socket Type: a reply counts only from the peer that was asked last; the rest is silently discarded.
func TestRuleREQ3(t *testing.T) {
	overAll(t, func(s *scene) {
		req := open(s, socket.NewReq, socket.Options{Identity: []byte("q")})
		routers := []*socket.Router{open(s, socket.NewRouter), open(s, socket.NewRouter)}
		for _, router := range routers {
			s.connect(req, s.bind(router))
			s.ok(router.WaitPeers(s.ctx, 1))
			s.send(router, "q", "", "before anything was asked")
		}
		arrived := func(unasked int) {
			s.Helper()
			s.eventually("what nobody asked for has arrived", func() bool {
				return int(req.Stats().Dropped[socket.DropStale])+waiting(req) == unasked
			})
		}
		arrived(2)
		for round := range 4 {
			asked, other := routers[round%2], routers[1-round%2]
			s.send(req, "question")
			s.want(asked, "q", "", "question")
			s.send(other, "q", "", "not asked")
			arrived(3 + 2*round)
			s.nothing(req)
			s.send(asked, "q", "", "answer", fmt.Sprint(round))
			s.want(req, "answer", fmt.Sprint(round))
			s.send(asked, "q", "", "answer", "twice")
			arrived(4 + 2*round)
		}
		s.nothing(routers[0])
		s.nothing(routers[1])
	})
}

// RFC 28, The REQ Socket Type: requests go round-robin over the connected peers.
func TestRuleREQ4(t *testing.T) {
	overAll(t, func(s *scene) {
		req := open(s, socket.NewReq)
		reps := make([]*socket.Rep, 3)
		for i := range reps {
			reps[i] = open(s, socket.NewRep)
			s.connect(req, s.bind(reps[i]))
		}
		order := ""
		for range 9 {
			s.send(req, "who?")
			asked := 0
			s.eventually("a request has arrived", func() bool {
				for asked = range reps {
					if _, err := reps[asked].TryRecv(); err == nil {
						return true
					}
				}
				return false
			})
			s.send(reps[asked], "me")
			s.want(req, "me")
			order += fmt.Sprint(asked)
		}
		if order[:3] != order[3:6] || order[:3] != order[6:] || !strings.Contains("012 120 201 021 210 102", order[:3]) {
			s.Errorf("asked in the order %s", order)
		}
	})
}

// RFC 28, The REQ Socket Type: with no peer that takes it, sending blocks or fails; nothing is dropped.
func TestRuleREQ5(t *testing.T) {
	overAll(t, func(s *scene) {
		req := open(s, socket.NewReq, socket.Options{SendHWM: 2})
		s.full(req, "nobody is there")
		endpoint := s.unused()
		sent := make(chan error, 1)
		go func() { sent <- req.Send(s.ctx, message("waited")) }()
		s.ok(req.Connect(endpoint))
		s.ok(<-sent)
		rep := open(s, socket.NewRep)
		s.ok(rep.Bind(endpoint))
		s.want(rep, "waited")
		s.send(rep, "answer")
		s.want(req, "answer")
	})
}

// RFC 28, The REP Socket Type: receive and send strictly alternate.
func TestRuleREP1(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		s.link(rep, req)
		for range 3 {
			s.is("Send before Recv", rep.Send(s.ctx, message("early")), socket.ErrState)
			s.is("TrySend before Recv", rep.TrySend(message("early")), socket.ErrState)
			s.send(req, "question")
			s.want(rep, "question")
			_, err := rep.Recv(s.ctx)
			s.is("Recv after Recv", err, socket.ErrState)
			_, err = rep.TryRecv()
			s.is("TryRecv after Recv", err, socket.ErrState)
			s.send(rep, "answer")
			s.want(req, "answer")
		}
		s.is("Send after Send", rep.Send(s.ctx, message("twice")), socket.ErrState)
	})
}

// RFC 28, The REP Socket Type: a request is any number of address frames, an empty delimiter and one or more data frames;
// without these it is no request.
func TestRuleREP2(t *testing.T) {
	overAll(t, func(s *scene) {
		dealer, rep := open(s, socket.NewDealer), open(s, socket.NewRep)
		s.link(rep, dealer)
		for _, bad := range [][]string{{"no delimiter"}, {"none", "here"}, {""}, {"address", ""}} {
			s.send(dealer, bad...)
		}
		s.send(dealer, "hop 1", "hop 2", "", "question 1", "", "question 2")
		s.want(rep, "question 1", "", "question 2")
		s.send(rep, "answer")
		s.want(dealer, "hop 1", "hop 2", "", "answer")
		if n := rep.Stats().Dropped[socket.DropMalformed]; n != 4 {
			s.Errorf("%d counted as malformed, want 4", n)
		}
	})
}

// RFC 28, The REP Socket Type: the envelope up to the delimiter is set aside and goes back in front of the reply.
func TestRuleREP3(t *testing.T) {
	overAll(t, func(s *scene) {
		dealer, rep := open(s, socket.NewDealer), open(s, socket.NewRep)
		s.link(rep, dealer)
		long := strings.Repeat("address", 100)
		for _, envelope := range [][]string{{}, {"one"}, {"\x00", "\xff\x01"}, {long, "two", long}} {
			s.send(dealer, append(envelope, "", "question", "second part")...)
			s.want(rep, "question", "second part")
			s.send(rep, "answer", "", "its end")
			s.want(dealer, append(envelope, "", "answer", "", "its end")...)
		}
	})
}

// RFC 28, The REP Socket Type: when the asker is gone, or takes no more, the reply is discarded; sending never blocks.
func TestRuleREP4(t *testing.T) {
	overAll(t, func(s *scene) {
		asker, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		endpoint := s.link(rep, asker)
		s.send(asker, "question")
		s.want(rep, "question")
		asker.Close()
		s.gone(rep)
		s.send(rep, "nobody reads this")
		if n := rep.Stats().Dropped[socket.DropAskerGone]; n != 1 {
			s.Errorf("%d dropped for an asker that is gone, want 1", n)
		}
		next := open(s, socket.NewReq)
		s.connect(next, endpoint)
		s.send(next, "next question")
		s.want(rep, "next question")
		s.send(rep, "next answer")
		s.want(next, "next answer")
	})
	t.Run("full", func(t *testing.T) {
		overAll(t, func(s *scene) {
			rep := open(s, socket.NewRep, narrow(2))
			lazy := open(s, socket.NewDealer, narrow(2))
			s.link(rep, lazy)
			reply := strings.Repeat("r", 30_000)
			s.eventually("a reply is dropped", func() bool {
				s.send(lazy, "", "question")
				s.want(rep, "question")
				s.send(rep, reply)
				return rep.Stats().Dropped[socket.DropFull] > 0
			})
		})
	})
}

// RFC 28, The REP Socket Type: requests are fair-queued, and each reply goes to its asker.
func TestRuleREPServesInTurn(t *testing.T) {
	overAll(t, func(s *scene) {
		rep := open(s, socket.NewRep)
		askers := []*socket.Dealer{open(s, socket.NewDealer), open(s, socket.NewDealer)}
		s.link(rep, askers[0], askers[1])
		for i := range 5 {
			for who, asker := range askers {
				s.send(asker, "", fmt.Sprint(who), fmt.Sprint(i))
			}
		}
		s.queued(rep, 10)
		last := ""
		for range 10 {
			got := s.recv(rep)
			if got[0] == last {
				s.Errorf("asker %s was served twice in a row", last)
			}
			last = got[0]
			s.send(rep, got...)
		}
		for who, asker := range askers {
			for i := range 5 {
				s.want(asker, "", fmt.Sprint(who), fmt.Sprint(i))
			}
		}
	})
}

// Do is one call to send and receive, and may be made from many goroutines.
func TestDoFromManyGoroutines(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		s.link(rep, req)
		served := serve(s, rep)
		var askers sync.WaitGroup
		for who := range 8 {
			askers.Go(func() {
				for i := range 50 {
					question := fmt.Sprint(who, " asks ", i)
					reply, err := req.Do(s.ctx, message(question))
					if err != nil {
						s.Error(err)
						return
					}
					if string(reply.Body()) != question {
						s.Errorf("asked %q, answered %q", question, reply.Body())
					}
				}
			})
		}
		askers.Wait()
		s.ok(rep.Close())
		s.ok(<-served)
	})
}

// serve echoes until the socket is closed.
func serve(s *scene, rep *socket.Rep) <-chan error {
	served := make(chan error, 1)
	go func() {
		for msg, err := range rep.Messages(s.ctx) {
			if err == nil {
				err = rep.Send(s.ctx, msg)
			}
			if err != nil {
				served <- err
				return
			}
		}
		served <- nil
	}()
	return served
}

// When the context of Do ends the request is given up: the socket can be used again, and the late reply never comes.
func TestDoIsGivenUp(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		s.link(rep, req)
		for i := range 5 {
			ctx, cancel := context.WithCancel(s.ctx)
			failed := make(chan error, 1)
			go func() {
				_, err := req.Do(ctx, message("too slow", fmt.Sprint(i)))
				failed <- err
			}()
			s.want(rep, "too slow", fmt.Sprint(i))
			cancel()
			s.is("Do", <-failed, context.Canceled)
			s.send(rep, "too late")

			answered := make(chan error, 1)
			go func() {
				reply, err := req.Do(s.ctx, message("next"))
				if err == nil && string(reply.Body()) != "in time" {
					err = fmt.Errorf("replied %q", frames(reply))
				}
				answered <- err
			}()
			s.want(rep, "next")
			s.send(rep, "in time")
			s.ok(<-answered)
		}
		if n := req.Stats().Dropped[socket.DropStale]; n != 5 {
			s.Errorf("%d late replies counted, want 5", n)
		}
	})
}

// A Do that waits for its turn, or for a peer, ends with its context and has sent nothing.
func TestDoEndsWhileItWaits(t *testing.T) {
	overAll(t, func(s *scene) {
		req := open(s, socket.NewReq)
		short, cancel := context.WithTimeout(s.ctx, moment)
		defer cancel()
		_, err := req.Do(short, message("nobody"))
		s.is("Do without a peer", err, context.DeadlineExceeded)

		rep := open(s, socket.NewRep)
		s.connect(req, s.bind(rep))
		first := make(chan error, 1)
		go func() {
			_, err := req.Do(s.ctx, message("first"))
			first <- err
		}()
		s.want(rep, "first")
		short, cancel = context.WithTimeout(s.ctx, moment)
		defer cancel()
		_, err = req.Do(short, message("second"))
		s.is("Do while another waits", err, context.DeadlineExceeded)
		s.send(rep, "answer")
		s.ok(<-first)
		s.nothing(rep)
	})
}

// When the asked peer is gone, Do and Recv say so, and the socket can ask the next one.
func TestAskedPeerIsGone(t *testing.T) {
	overAll(t, func(s *scene) {
		req := open(s, socket.NewReq)
		leaving := open(s, socket.NewRep)
		endpoint := s.unused()
		s.ok(leaving.Bind(endpoint))
		s.connect(req, endpoint)

		failed := make(chan error, 1)
		go func() {
			_, err := req.Do(s.ctx, message("question"))
			failed <- err
		}()
		s.want(leaving, "question")
		leaving.Close()
		s.is("Do", <-failed, socket.ErrPeerGone)

		next := open(s, socket.NewRep)
		s.ok(next.Bind(endpoint))
		if s.scheme == "inproc" { // an inproc pipe is not made anew
			s.ok(req.Connect(endpoint))
		}
		s.ok(req.WaitConnected(s.ctx))
		s.send(req, "next question")
		s.want(next, "next question")
		next.Close()
		_, err := req.Recv(s.ctx)
		s.is("Recv", err, socket.ErrPeerGone)
		_, err = req.Recv(s.ctx)
		s.is("Recv once more", err, socket.ErrState)
	})
}

// The reply of a peer that leaves right after it is still received.
func TestAnswerOfALeavingPeer(t *testing.T) {
	overAll(t, func(s *scene) {
		for range 20 {
			req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
			s.link(rep, req)
			s.send(req, "question")
			s.want(rep, "question")
			s.send(rep, "last words")
			s.ok(rep.Close())
			s.want(req, "last words")
			s.ok(req.Close())
		}
	})
}

// Reset makes Send in turn again, ends a Recv that waits, and its late reply never comes.
func TestReset(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		s.link(rep, req)
		req.Reset() // nothing under way
		s.send(req, "given up")
		s.want(rep, "given up")
		failed := make(chan error, 1)
		go func() {
			_, err := req.Recv(s.ctx)
			failed <- err
		}()
		select {
		case err := <-failed:
			s.Fatal("Recv did not wait: ", err)
		case <-time.After(moment):
		}
		req.Reset()
		s.is("Recv", <-failed, socket.ErrState)
		s.send(req, "once more")
		s.send(rep, "too late")
		s.want(rep, "once more")
		s.send(rep, "in time")
		s.want(req, "in time")
	})
}

// A request comes through a chain of ROUTER and DEALER.
func TestDoThroughRouters(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		front, back := open(s, socket.NewRouter), open(s, socket.NewDealer)
		s.link(front, req)
		s.link(back, rep)
		served := serve(s, rep)
		ctx, cancel := context.WithCancel(s.ctx)
		ended := make(chan error, 1)
		go func() { ended <- socket.Proxy(ctx, front, back) }()
		for i := range 20 {
			reply, err := req.Do(s.ctx, message("question", fmt.Sprint(i)))
			s.ok(err)
			if !equal(frames(reply), []string{"question", fmt.Sprint(i)}) {
				s.Fatalf("replied %q", frames(reply))
			}
		}
		cancel()
		s.is("Proxy", <-ended, context.Canceled)
		s.ok(rep.Close())
		s.ok(<-served)
	})
}

// RFC 28, The DEALER Socket Type: messages are not changed, out or in.
func TestRuleDEA1(t *testing.T) {
	overAll(t, func(s *scene) {
		one, other := open(s, socket.NewDealer), open(s, socket.NewDealer)
		s.link(one, other)
		for _, frames := range oddMessages() {
			s.send(other, frames...)
			s.want(one, frames...)
			s.send(one, frames...)
			s.want(other, frames...)
		}
	})
}

// oddMessages are what a careless hand might change.
func oddMessages() [][]string {
	return [][]string{
		{""}, {"", ""}, {"", "", "x"}, {"x", "", ""}, {"\x00"}, {"\x01topic"}, {"\x04\x05READY"}, {"\xff\x00", "\x7f"},
		{strings.Repeat("a", 255)}, {strings.Repeat("b", 256)}, {strings.Repeat("c", 70_000), "", strings.Repeat("d", 255)},
		strings.Split(strings.Repeat("many ", 300), " "),
	}
}

// RFC 28, The DEALER Socket Type: round-robin over the peers whose queue is not full; with none, block or fail; never drop.
func TestRuleDEA2(t *testing.T) {
	overAll(t, func(s *scene) {
		dealer := open(s, socket.NewDealer, narrow(2))
		s.full(dealer, "nobody is there")
		balance(s, dealer, func() receiving {
			return open(s, socket.NewDealer, narrow(2))
		})
	})
}

// balance checks that from, whose HWM is 2, shares out its messages and loses none.
func balance(s *scene, from sending, peer func() receiving) {
	peers := make([]receiving, 3)
	for i := range peers {
		peers[i] = peer()
		s.connect(from, s.bind(peers[i]))
	}
	for i := range 6 {
		s.send(from, fmt.Sprint(i))
	}
	for i := range 6 { // two each, in turn
		s.want(peers[i%3], fmt.Sprint(i))
	}
	// Now the first stops reading. Everything goes to the others, and nothing is lost when all stop.
	number := numbered(8000)
	reading, stop := context.WithCancel(s.ctx)
	got := make(chan string, 1000)
	for _, p := range peers[1:] {
		go func() {
			for msg, err := p.Recv(reading); err == nil; msg, err = p.Recv(reading) {
				got <- string(msg.Frame(0)[:8])
			}
			got <- ""
		}()
	}
	sent := 0
	for ; sent < 400; sent++ {
		s.ok(from.Send(s.ctx, number(sent)))
	}
	stop()
	counts := make(map[string]int)
	for stopped := 0; stopped < 2; {
		if one := <-got; one != "" {
			counts[one]++
		} else {
			stopped++
		}
	}
	sent += s.stuff(from, func(i int) socket.Message { return number(sent + i) })
	s.eventually("everything has arrived", func() bool {
		for _, p := range peers {
			if msg, err := p.TryRecv(); err == nil {
				counts[string(msg.Frame(0)[:8])]++
			}
		}
		return len(counts) == sent
	})
	for one, count := range counts {
		if count != 1 {
			s.Fatalf("message %s arrived %d times", one, count)
		}
	}
}
