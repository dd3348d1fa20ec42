// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// After Close every method that can fail says net.ErrClosed, and none hangs.
func TestUseAfterClose(t *testing.T) {
	overAll(t, func(s *scene) {
		for _, k := range kinds() {
			made := s.made(k)
			endpoint := s.bind(made)
			s.ok(made.Close())
			calls := map[string]error{
				"Close":         made.Close(),
				"Bind":          made.Bind(endpoint),
				"Connect":       made.Connect(endpoint),
				"Unbind":        made.Unbind(endpoint),
				"Disconnect":    made.Disconnect(endpoint),
				"WaitConnected": made.WaitConnected(s.ctx),
				"WaitPeers":     made.WaitPeers(s.ctx, 0),
			}
			if from, sends := made.(sending); sends {
				calls["Send"] = from.Send(s.ctx, message("peer", "x"))
				calls["SendOwned"] = from.SendOwned(s.ctx, message("peer", "x"))
				calls["TrySend"] = from.TrySend(message("peer", "x"))
				calls["Send of one frame"] = from.Send(s.ctx, message("x"))
			}
			if by, receives := made.(receiving); receives {
				var msg socket.Message
				_, calls["Recv"] = by.Recv(s.ctx)
				_, calls["TryRecv"] = by.TryRecv()
				calls["RecvInto"] = by.RecvInto(s.ctx, &msg)
			}
			if sub, subscribes := made.(subscriber); subscribes {
				calls["Subscribe"] = sub.Subscribe("x")
				calls["Unsubscribe"] = sub.Unsubscribe("x")
			}
			if pub, publishes := made.(publisher); publishes {
				calls["WaitSubscribers"] = pub.WaitSubscribers(s.ctx, "x", 0)
			}
			if req, asks := made.(*socket.Req); asks {
				_, calls["Do"] = req.Do(s.ctx, message("x"))
				req.Reset()
			}
			for call, err := range calls {
				s.is(k.name+"."+call, err, net.ErrClosed)
			}
			if p := made.Peers(); len(p) != 0 {
				s.Errorf("%s has peers: %+v", k.name, p)
			}
			made.Stats()
			made.LastEndpoint()
		}
	})
}

// Close ends every call that waits.
func TestCloseEndsWaits(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush, socket.Options{SendHWM: 1, Linger: socket.LingerNone}), open(s, socket.NewPull)
		pub, req := open(s, socket.NewPub), open(s, socket.NewReq, hasty())
		dead := s.unused()
		s.ok(push.Connect(dead))
		s.ok(req.Connect(dead))
		s.send(push, "fills it")
		s.bind(pull)
		waits := map[string]func() error{
			"Send":            func() error { return push.Send(s.ctx, message("x")) },
			"WaitConnected":   func() error { return push.WaitConnected(s.ctx) },
			"Recv":            func() error { _, err := pull.Recv(s.ctx); return err },
			"RecvInto":        func() error { var m socket.Message; return pull.RecvInto(s.ctx, &m) },
			"WaitPeers":       func() error { return pull.WaitPeers(s.ctx, 1) },
			"WaitSubscribers": func() error { return pub.WaitSubscribers(s.ctx, "", 1) },
			"Do":              func() error { _, err := req.Do(s.ctx, message("x")); return err },
			"Do in turn":      func() error { _, err := req.Do(s.ctx, message("x")); return err },
		}
		results := make(map[string]chan error)
		for name, wait := range waits {
			result := make(chan error, 1)
			results[name] = result
			go func() { result <- wait() }()
		}
		ended := make(chan struct{})
		go func() {
			for range pull.Messages(s.ctx) {
				s.Error("a message")
			}
			close(ended)
		}()
		for name, result := range results {
			select {
			case err := <-result:
				s.Errorf("%s did not wait: %v", name, err)
			case <-time.After(moment / 4):
			}
		}
		var lost *socket.LostError
		if err := push.Close(); !errors.As(err, &lost) || lost.Messages != 1 {
			s.Errorf("Close: %v, want one message lost", err)
		}
		req.Close() // whose request may have been queued
		s.closeAll(pull, pub)
		for name, result := range results {
			s.is(name, <-result, net.ErrClosed)
		}
		<-ended
	})
}

// When Close returns the endpoint is free: it can be bound again at once, again and again.
func TestCloseFreesTheEndpoint(t *testing.T) {
	overAll(t, func(s *scene) {
		endpoint := s.unused()
		push := open(s, socket.NewPush, socket.Options{ReconnectMin: time.Millisecond, ReconnectMax: time.Millisecond})
		if s.scheme != "inproc" {
			s.ok(push.Connect(endpoint))
		}
		for i := range 20 {
			pull := open(s, socket.NewPull)
			s.ok(pull.Bind(endpoint))
			if s.scheme == "inproc" {
				s.ok(push.Connect(endpoint))
			}
			s.ok(pull.WaitPeers(s.ctx, 1))
			if i%2 == 0 {
				s.ok(pull.Unbind(endpoint))
				s.ok(pull.Bind(endpoint))
			}
			s.ok(pull.Close())
		}
		if path, isPath := strings.CutPrefix(endpoint, "ipc://"); isPath {
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				s.Errorf("the socket's file is still there: %v", err)
			}
		}
	})
}

// A hundred senders that each send and close at once lose nothing.
func TestSendAndCloseAtOnce(t *testing.T) {
	overAll(t, func(s *scene) {
		const senders, each = 100, 20
		pull := open(s, socket.NewPull)
		endpoint := s.bind(pull)
		var senderGroup sync.WaitGroup
		for who := range senders {
			senderGroup.Go(func() {
				push, err := socket.NewPush(&socket.Options{Context: s.context})
				if err == nil {
					err = push.Connect(endpoint)
				}
				for i := 0; i < each && err == nil; i++ {
					err = push.Send(s.ctx, message(fmt.Sprint(who), fmt.Sprint(i), strings.Repeat("x", i*100)))
				}
				if err == nil {
					err = push.Close()
				}
				if err != nil {
					s.Error(err)
				}
			})
		}
		next := make(map[string]int)
		for range senders * each {
			got := s.recv(pull)
			if got[1] != fmt.Sprint(next[got[0]]) {
				s.Fatalf("from %s: %s, want %d", got[0], got[1], next[got[0]])
			}
			next[got[0]]++
		}
		senderGroup.Wait()
		s.nothing(pull)
	})
}

// Close hands over all that is queued, however slow the receiver, if linger allows.
func TestLingerForever(t *testing.T) {
	overAll(t, func(s *scene) {
		options := narrow(1000)
		options.Linger = socket.LingerForever
		push, pull := open(s, socket.NewPush, options), open(s, socket.NewPull, narrow(2))
		s.link(pull, push)
		number, sent := numbered(1000), 0
		for ; sent < 500; sent++ { // more than the kernel takes
			s.ok(push.Send(s.ctx, number(sent)))
		}
		closed := make(chan error, 1)
		go func() { closed <- push.Close() }()
		for i := range sent {
			s.want(pull, string(number(i).Body()))
		}
		s.ok(<-closed)
		s.nothing(pull)
	})
}

// What could not be handed over when linger expires is counted by Close.
func TestLingerExpires(t *testing.T) {
	overAll(t, func(s *scene) {
		for _, linger := range []time.Duration{socket.LingerNone, 3 * moment} {
			push := open(s, socket.NewPush, socket.Options{Linger: linger})
			s.ok(push.Connect(s.unused()))
			for i := range 7 {
				s.ok(push.TrySend(numbered(8)(i)))
			}
			start := time.Now()
			err := push.Close()
			if took := time.Since(start); linger > 0 && took < linger || took > patience/2 {
				s.Errorf("linger %v: Close took %v", linger, took)
			}
			var lost *socket.LostError
			if !errors.As(err, &lost) || lost.Messages != 7 || !lost.Timeout() {
				s.Errorf("linger %v: %v, want 7 messages lost", linger, err)
			}
			if n := push.Stats().Dropped[socket.DropLinger]; n != 7 {
				s.Errorf("linger %v: %d counted", linger, n)
			}
		}
	})
	overStreams(t, func(s *scene) { // a peer that does not read
		options := narrow(10)
		options.Linger = 3 * moment
		push, pull := open(s, socket.NewPush, options), open(s, socket.NewPull, narrow(2))
		s.link(pull, push)
		sent := s.stuff(push, numbered(20_000))
		var lost *socket.LostError
		if err := push.Close(); !errors.As(err, &lost) || lost.Messages == 0 || lost.Messages > 10 {
			s.Fatalf("Close: %v", err)
		}
		got := 0
		for ; got < sent-lost.Messages; got++ {
			s.want(pull, string(numbered(20_000)(got).Body()))
		}
		s.gone(pull)
		s.nothing(pull)
	})
}

// A message waits for a peer that comes while the sender lingers.
func TestLingerForALatePeer(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush, socket.Options{ReconnectMin: time.Millisecond})
		endpoint := s.unused()
		s.ok(push.Connect(endpoint))
		for i := range 3 {
			s.ok(push.TrySend(message("early", fmt.Sprint(i))))
		}
		closed := make(chan error, 1)
		go func() { closed <- push.Close() }()
		select {
		case err := <-closed:
			s.Fatalf("Close did not linger: %v", err)
		case <-time.After(2 * moment):
		}
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind(endpoint))
		for i := range 3 {
			s.want(pull, "early", fmt.Sprint(i))
		}
		s.ok(<-closed)
	})
}

// Close of a socket with nothing queued does not linger, with peers and without.
func TestCloseAtOnce(t *testing.T) {
	overAll(t, func(s *scene) {
		for _, linger := range []time.Duration{0, socket.LingerForever, socket.LingerNone} {
			options := socket.Options{Linger: linger}
			bound, connected, alone := open(s, socket.NewDealer, options), open(s, socket.NewDealer, options), open(s, socket.NewDealer, options)
			s.link(bound, connected)
			s.ok(alone.Connect(s.unused()))
			s.send(connected, "x")
			s.want(bound, "x")
			start := time.Now()
			s.closeAll(alone, connected, bound)
			if took := time.Since(start); took > time.Second {
				s.Errorf("linger %v: closing took %v", linger, took)
			}
		}
	})
}

// Close takes back a dial that is under way, and leaves no descriptor.
func TestCloseWhileDialing(t *testing.T) {
	play(t, "tcp", func(s *scene) {
		push := open(s, socket.NewPush, hasty())
		for range 20 {
			s.ok(push.Connect("tcp://192.0.2.1:9")) // nobody answers there (RFC 5737)
		}
		s.is("WaitConnected", push.WaitConnected(shortly(s)), context.DeadlineExceeded)
		start := time.Now()
		s.ok(push.Close())
		if took := time.Since(start); took > time.Second {
			s.Errorf("closing took %v", took)
		}
	})
}

// shortly is a context that ends in a moment.
func shortly(s *scene) context.Context {
	ctx, cancel := context.WithTimeout(s.ctx, moment)
	s.Cleanup(cancel)
	return ctx
}

// Close ends a handshake that a silent peer holds up.
func TestCloseDuringHandshake(t *testing.T) {
	overStreams(t, func(s *scene) {
		silent := sockettest.Listen(s.T, s.scheme)
		dealer := open(s, socket.NewDealer)
		s.ok(dealer.Connect(silent.Endpoint()))
		silent.Accept()
		sockettest.Dial(s.T, s.bind(dealer)).ReadN(1)
		s.eventually("both are shaking hands", func() bool { return len(dealer.Peers()) == 2 })
		start := time.Now()
		s.ok(dealer.Close())
		if took := time.Since(start); took > time.Second {
			s.Errorf("closing took %v", took)
		}
	})
}

// Unbind frees the endpoint; peers that were accepted stay. Twice is an error.
func TestUnbind(t *testing.T) {
	overAll(t, func(s *scene) {
		pull, push, late := open(s, socket.NewPull), open(s, socket.NewPush), open(s, socket.NewPush, hasty())
		endpoint := s.link(pull, push)
		s.ok(pull.Unbind(endpoint))
		s.is("Unbind once more", pull.Unbind(endpoint), socket.ErrUnknownEndpoint)
		s.send(push, "still here")
		s.want(pull, "still here")
		s.ok(late.Connect(endpoint))
		s.is("WaitConnected", late.WaitConnected(shortly(s)), context.DeadlineExceeded)
		other := open(s, socket.NewPull)
		if s.scheme != "ipc" { // whose directory went with it
			s.ok(other.Bind(endpoint))
			s.ok(late.WaitConnected(s.ctx))
			s.send(late, "to the other")
			s.want(other, "to the other")
		}
		s.nothing(pull)
	})
}

// Unbind takes an endpoint as it was given to Bind too.
func TestUnbindAsGiven(t *testing.T) {
	overAll(t, func(s *scene) {
		pull := open(s, socket.NewPull)
		given := sockettest.Endpoint(s.scheme)
		s.ok(pull.Bind(given))
		s.ok(pull.Unbind(given))
		s.is("Unbind once more", pull.Unbind(given), socket.ErrUnknownEndpoint)
	})
}

// Disconnect hands over what is queued, then the endpoint is unknown; others are not touched.
func TestDisconnect(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush)
		gone, stays := open(s, socket.NewPull), open(s, socket.NewPull)
		endpoint := s.bind(gone)
		s.connect(push, endpoint)
		s.connect(push, s.bind(stays))
		for i := range 10 {
			s.send(push, fmt.Sprint(i))
		}
		s.ok(push.Disconnect(endpoint))
		s.is("Disconnect once more", push.Disconnect(endpoint), socket.ErrUnknownEndpoint)
		s.is("Disconnect of what was never connected", push.Disconnect(s.unused()), socket.ErrUnknownEndpoint)
		for range 5 {
			s.recv(gone)
			s.recv(stays)
		}
		s.gone(gone)
		for i := range 10 {
			s.send(push, fmt.Sprint(i))
			s.want(stays, fmt.Sprint(i))
		}
		s.nothing(gone)
		s.connect(push, endpoint)
		if n := len(push.Peers()); n != 2 {
			s.Errorf("%d peers after Connect, want 2", n)
		}
	})
}

// Disconnect counts what it could not hand over.
func TestDisconnectLoses(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush, hasty())
		endpoint := s.unused()
		s.ok(push.Connect(endpoint))
		for i := range 4 {
			s.ok(push.TrySend(numbered(8)(i)))
		}
		var lost *socket.LostError
		if err := push.Disconnect(endpoint); !errors.As(err, &lost) || lost.Messages != 4 || !strings.Contains(err.Error(), endpoint) {
			s.Errorf("Disconnect: %v, want 4 messages lost", err)
		}
		s.full(push, "to nobody")
		if n := push.Stats().Dropped[socket.DropLinger]; n != 4 {
			s.Errorf("%d counted", n)
		}
	})
}

// Messages that have arrived can be received after their sender has closed, or was disconnected.
func TestReceiveAfterTheSenderLeft(t *testing.T) {
	overAll(t, func(s *scene) {
		pull, push := open(s, socket.NewPull), open(s, socket.NewPush)
		endpoint := s.bind(push)
		s.connect(pull, endpoint)
		s.ok(push.WaitPeers(s.ctx, 1))
		for i := range 100 {
			s.send(push, fmt.Sprint(i))
		}
		s.queued(pull, 100)
		s.ok(pull.Disconnect(endpoint))
		s.ok(push.Close())
		for i := range 100 {
			s.want(pull, fmt.Sprint(i))
		}
		s.nothing(pull)
	})
}

// Contexts isolate: the same inproc name in two of them is two names, and Close closes the sockets of one.
func TestContextsIsolate(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		other, err := socket.NewContext(&socket.ContextOptions{Loops: 1})
		s.ok(err)
		endpoint := s.unused()
		here := open(s, socket.NewPull)
		s.ok(here.Bind(endpoint))
		there, err := socket.NewPull(&socket.Options{Context: other})
		s.ok(err)
		s.ok(there.Bind(endpoint))
		push, err := socket.NewPush(&socket.Options{Context: other})
		s.ok(err)
		s.ok(push.Connect(endpoint))
		s.send(push, "there")
		s.want(there, "there")
		s.nothing(here)
		received := make(chan error, 1)
		go func() {
			_, err := there.Recv(s.ctx)
			received <- err
		}()
		s.ok(other.Close())
		s.is("Recv", <-received, net.ErrClosed)
		s.is("Send", push.Send(s.ctx, message("x")), net.ErrClosed)
		_, err = socket.NewPull(&socket.Options{Context: other})
		s.is("NewPull", err, net.ErrClosed)
		s.ok(other.Close()) // nothing is left to close
		late := open(s, socket.NewPush)
		s.ok(late.Connect(endpoint))
		s.send(late, "here")
		s.want(here, "here")
	})
}

// The context's Close lingers for its sockets and joins their errors.
func TestContextCloseLingers(t *testing.T) {
	overAll(t, func(s *scene) {
		own, err := socket.NewContext(nil)
		s.ok(err)
		pull := open(s, socket.NewPull)
		if s.scheme != "inproc" {
			endpoint := s.bind(pull)
			push, err := socket.NewPush(&socket.Options{Context: own})
			s.ok(err)
			s.ok(push.Connect(endpoint))
			for i := range 50 {
				s.send(push, fmt.Sprint(i))
			}
		}
		lossy, err := socket.NewPush(&socket.Options{Context: own, Linger: socket.LingerNone})
		s.ok(err)
		s.ok(lossy.Connect(s.unused()))
		s.ok(lossy.TrySend(message("lost")))
		var lost *socket.LostError
		if err := own.Close(); !errors.As(err, &lost) || lost.Messages != 1 {
			s.Errorf("Close: %v, want one message lost", err)
		}
		if s.scheme != "inproc" {
			for i := range 50 {
				s.want(pull, fmt.Sprint(i))
			}
		}
	})
}

// A peer that has not read yet what a socket that closes has written may PING meanwhile: the answer would come too late, and must
// not end the stream.
func TestPingAfterFarewell(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		push := hostileNew(t, "PUSH", func(o *socket.Options) { o.Linger = socket.LingerForever }).(*socket.Push)
		l := sockettest.Listen(t, endpoint)
		if err := push.Connect(l.Endpoint()); err != nil {
			t.Fatal(err)
		}
		raw := l.Accept()
		raw.Handshake("PULL")
		wireSend(t, push, "last")
		closed := make(chan error, 1)
		go func() { closed <- push.Close() }()
		if got := texts(raw.ReadMessage()); !equal(got, []string{"last"}) {
			t.Fatalf("received %q", got)
		}
		raw.ExpectClosed() // for writing
		for range 2 {
			raw.Command("PING", []byte{0, 0})
			select {
			case err := <-closed:
				t.Fatal("Close has not waited for the peer: ", err)
			case <-time.After(moment):
			}
		}
		raw.Close()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// Two sockets, and the receiver has a heartbeat and is slower than the sender.
func TestHeartbeatFarewell(t *testing.T) {
	overStreams(t, func(s *scene) {
		const messages, body = 50, 8000
		pull := open(s, socket.NewPull, socket.Options{RecvHWM: 1, HeartbeatInterval: time.Millisecond, HeartbeatTimeout: time.Minute})
		push := open(s, socket.NewPush)
		s.connect(push, s.bind(pull))
		closed := make(chan error, 1)
		go func() {
			for range messages {
				if err := push.Send(s.ctx, message(strings.Repeat("x", body))); err != nil {
					s.Error(err)
				}
			}
			closed <- push.Close()
		}()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range messages {
			<-tick.C
			if msg, err := pull.Recv(s.ctx); err != nil || len(msg.Body()) != body {
				s.Fatalf("message %d: %v", i, err)
			}
		}
		s.ok(<-closed)
	})
}

// Disconnect and Close may come while Connect to a name that nobody has bound is at work.
func TestDisconnectWhileConnecting(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		const endpoint = "inproc://nobody"
		for i := range 3000 {
			push := open(s, socket.NewPush)
			connected := make(chan error, 1)
			go func() { connected <- push.Connect(endpoint) }()
			for range i % 50 {
				runtime.Gosched()
			}
			for push.Disconnect(endpoint) != nil {
				runtime.Gosched()
			}
			s.ok(<-connected)
			s.ok(push.Close())
		}
	})
}
