// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/zwire-mq/zwire/socket"
)

// proxy runs a Proxy until the test stops it.
func proxy(s *scene, front, back socket.Socket) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- socket.Proxy(ctx, front, back) }()
	return func() {
		s.Helper()
		cancel()
		s.is("Proxy", <-ended, context.Canceled)
	}
}

// What the other side can never take is counted there, and what comes behind it goes through.
func TestProxyCannot(t *testing.T) {
	overAll(t, func(s *scene) {
		limits := socket.Options{MessageBytes: 1000, MessageFrames: 3, RouterMandatory: true}
		front, back := open(s, socket.NewRouter, limits), open(s, socket.NewDealer, limits)
		asker, worker := open(s, socket.NewDealer), open(s, socket.NewDealer)
		s.link(front, asker)
		s.link(back, worker)
		stop := proxy(s, front, back)
		s.send(asker, "a", "b", "c") // with the identity there are four
		s.send(asker, strings.Repeat("x", 998))
		s.send(asker, "small")
		got := s.recv(worker)
		if len(got) != 2 || got[1] != "small" {
			s.Errorf("the worker has %.100q", got)
		}
		s.send(worker, "nobody", "x")
		s.send(worker, "alone")
		s.send(worker, got...)
		s.want(asker, "small")
		stop()
		for name, c := range map[string]struct {
			of     anySocket
			reason socket.DropReason
		}{"back": {back, socket.DropTooLarge}, "front": {front, socket.DropUnroutable}} {
			if dropped := c.of.Stats().Dropped; dropped[c.reason] != 2 || len(dropped) != 1 {
				s.Errorf("%s: dropped %v, want 2 that were %s", name, dropped, c.reason)
			}
		}
	})
}

// Requests from many REQ come through ROUTER and DEALER to several REP, and each reply to its asker.
func TestProxyRequests(t *testing.T) {
	overAll(t, func(s *scene) {
		front, back := open(s, socket.NewRouter), open(s, socket.NewDealer)
		in, out := s.bind(front), s.bind(back)
		stop := proxy(s, front, back)
		var served []<-chan error
		var reps []*socket.Rep
		for range 3 {
			rep := open(s, socket.NewRep)
			s.connect(rep, out)
			reps = append(reps, rep)
			served = append(served, serve(s, rep))
		}
		var askers sync.WaitGroup
		for who := range 5 {
			req := open(s, socket.NewReq)
			s.connect(req, in)
			askers.Go(func() {
				for i := range 40 {
					question := []string{fmt.Sprint(who), fmt.Sprint(i), strings.Repeat("x", i*50)}
					var reply socket.Message
					err := req.Send(s.ctx, message(question...))
					if err == nil {
						reply, err = req.Recv(s.ctx)
					}
					if err != nil || !equal(frames(reply), question) {
						s.Errorf("%q, %v", frames(reply), err)
						return
					}
				}
			})
		}
		askers.Wait()
		stop()
		for i, rep := range reps {
			if n := rep.Stats().Received; n == 0 {
				s.Errorf("REP %d was never asked", i)
			}
			s.ok(rep.Close())
			s.ok(<-served[i])
		}
	})
}

// Between XSUB and XPUB messages go down and subscriptions go up, each once, and are cancelled.
func TestProxySubscriptions(t *testing.T) {
	overAll(t, func(s *scene) {
		front, back := open(s, socket.NewXSub), open(s, socket.NewXPub)
		pub := open(s, socket.NewXPub)
		s.connect(front, s.bind(pub))
		out := s.bind(back)
		stop := proxy(s, front, back)
		one, two := open(s, socket.NewSub), open(s, socket.NewSub)
		s.ok(one.Subscribe("A"))
		s.connect(one, out)
		s.want(pub, "\x01A")
		s.ok(two.Subscribe("A"))
		s.ok(two.Subscribe("B"))
		s.connect(two, out)
		s.want(pub, "\x01B")
		s.ok(back.WaitSubscribers(s.ctx, "A", 2))
		for i := range 50 {
			s.send(pub, "A", fmt.Sprint(i))
			s.send(pub, "B", fmt.Sprint(i))
			s.send(pub, "C", fmt.Sprint(i))
		}
		for i := range 50 {
			s.want(one, "A", fmt.Sprint(i))
			s.want(two, "A", fmt.Sprint(i))
			s.want(two, "B", fmt.Sprint(i))
		}
		s.nothing(one)
		s.nothing(two)
		s.ok(two.Close())
		s.want(pub, "\x00B")
		s.ok(one.Unsubscribe("A"))
		s.want(pub, "\x00A")
		stop()
		s.nothing(pub)
	})
}

// Between PULL and PUSH nothing is lost or turned round, although the receiver is slow and every queue is small.
func TestProxyPipeline(t *testing.T) {
	overAll(t, func(s *scene) {
		source, sink := open(s, socket.NewPush, narrow(2)), open(s, socket.NewPull, narrow(2))
		front, back := open(s, socket.NewPull, narrow(2)), open(s, socket.NewPush, narrow(2))
		s.connect(source, s.bind(front))
		s.connect(sink, s.bind(back))
		stop := proxy(s, front, back)
		number := numbered(10_000)
		sent := s.stuff(source, number) // the way through is full
		waited := make(chan error, 1)
		go func() { waited <- source.Send(s.ctx, number(sent)) }()
		for i := range sent + 1 {
			s.want(sink, string(number(i).Body()))
		}
		s.ok(<-waited)
		stop()
		s.nothing(sink)
		s.send(source, "stays in front")
		s.want(front, "stays in front")
	})
}

// A Proxy ends when one of its sockets is closed, and says that there is nothing to do for two that have no way.
func TestProxyEnds(t *testing.T) {
	overAll(t, func(s *scene) {
		front, back := open(s, socket.NewRouter), open(s, socket.NewDealer)
		s.bind(front)
		ended := make(chan error, 1)
		go func() { ended <- socket.Proxy(s.ctx, front, back) }()
		s.ok(front.Close())
		s.is("Proxy", <-ended, net.ErrClosed)
		s.is("Proxy of a closed socket", socket.Proxy(s.ctx, back, front), net.ErrClosed)
		done, cancel := context.WithCancel(s.ctx)
		cancel()
		s.is("Proxy with a context that is over", socket.Proxy(done, open(s, socket.NewPull), open(s, socket.NewPush)), context.Canceled)
		if err := socket.Proxy(s.ctx, open(s, socket.NewPush), open(s, socket.NewPush)); err == nil || s.ctx.Err() != nil {
			s.Errorf("Proxy of two PUSH: %v", err)
		}
	})
}

// Where messages go one way, the sending side that is closed ends a Proxy as well, at once.
func TestProxyOneWayEnds(t *testing.T) {
	overAll(t, func(s *scene) {
		source, sink := open(s, socket.NewPush), open(s, socket.NewPull)
		front, back := open(s, socket.NewPull), open(s, socket.NewPush)
		s.link(front, source)
		s.link(back, sink)
		ended := make(chan error, 1)
		go func() { ended <- socket.Proxy(s.ctx, front, back) }()
		s.send(source, "through")
		s.want(sink, "through")
		s.ok(back.Close())
		s.is("Proxy", <-ended, net.ErrClosed)
		s.send(source, "too late")
		s.want(front, "too late")
	})
}

// A message that waits for room when a Proxy ends, because ctx does or the side that it came from is closed, is counted.
func TestProxyEndsWithAMessage(t *testing.T) {
	overAll(t, func(s *scene) {
		for _, want := range []error{context.Canceled, net.ErrClosed} {
			source, front, back := open(s, socket.NewPush), open(s, socket.NewPull), open(s, socket.NewPush)
			s.link(front, source)
			ctx, cancel := context.WithCancel(s.ctx)
			ended := make(chan error, 1)
			go func() { ended <- socket.Proxy(ctx, front, back) }()
			s.send(source, "it waits")
			s.eventually("it is taken", func() bool { return front.Stats().Received == 1 })
			if want == context.Canceled {
				cancel()
			} else {
				s.ok(front.Close())
			}
			s.is("Proxy", <-ended, want)
			if got := back.Stats().Dropped; got[socket.DropGivenUp] != 1 || len(got) != 1 {
				s.Errorf("dropped %v", got)
			}
			cancel()
		}
	})
}

// PAIR and DEALER forward both ways.
func TestProxyBothWays(t *testing.T) {
	overAll(t, func(s *scene) {
		left, right := open(s, socket.NewPair), open(s, socket.NewDealer)
		front, back := open(s, socket.NewPair), open(s, socket.NewDealer)
		s.connect(left, s.bind(front))
		s.connect(right, s.bind(back))
		stop := proxy(s, front, back)
		for _, odd := range oddMessages() {
			s.send(left, odd...)
			s.want(right, odd...)
			s.send(right, odd...)
			s.want(left, odd...)
		}
		stop()
	})
}
