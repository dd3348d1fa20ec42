// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/zwire-mq/zwire/socket"
)

// load is one step of a hot path over inproc. It leaves the sockets as it found them, so that it can go on for ever. All
// is done by one goroutine: what the calls cost when nobody waits and no cache line moves.
type load struct {
	name     string
	messages int // received by somebody
	open     func(stage) (run func())
}

// start opens the sockets of a load, and lets chunks grow to their size.
func (l load) start(t testing.TB) (run func()) {
	run = l.open(newStage(t))
	for range 50 {
		run()
	}
	return run
}

// stage is where a load stands.
type stage struct {
	testing.TB
	context context.Context
	options *socket.Options
}

func newStage(t testing.TB) stage {
	c, err := socket.NewContext(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithCancel(t.Context()) // one that can end, as users have
	t.Cleanup(cancel)
	return stage{t, ctx, &socket.Options{Context: c}}
}

func (s stage) must(err error) {
	if err != nil {
		s.Fatal(err)
	}
}

// made is the socket of a constructor.
func made[S any](s stage, open func(*socket.Options) (S, error)) S {
	made, err := open(s.options)
	s.must(err)
	return made
}

func loads() []load {
	var all []load
	for _, bytes := range []int{10, 100, 1000} {
		all = append(all, load{fmt.Sprintf("push/%dB", bytes), 500, func(s stage) func() { return pushLoad(s, make([]byte, bytes)) }})
	}
	topic, body := []byte("market.x"), make([]byte, 92)
	all = append(all, load{"push/8B+92B", 500, func(s stage) func() { return pushLoad(s, topic, body) }})
	for _, peers := range []int{1, 8, 64, 256} {
		msg := fmt.Appendf(nil, "market.%093d", 0)
		all = append(all, load{fmt.Sprintf("pub/%d", peers), 50 * peers, func(s stage) func() { return pubLoad(s, peers, msg) }})
	}
	all = append(all, load{"pub/1/8B+92B", 50, func(s stage) func() { return pubLoad(s, 1, topic, body) }})
	return append(all,
		load{"pub/nobody", 50, nobodyLoad},
		load{"router/echo", 200, routerLoad},
		load{"req/rep", 2, repLoad},
	)
}

// pushLoad sends 500 messages, then receives them.
func pushLoad(s stage, frames ...[]byte) func() {
	pull, push := made(s, socket.NewPull), made(s, socket.NewPush)
	s.must(pull.Bind("inproc://x"))
	s.must(push.Connect("inproc://x"))
	msg := socket.NewMessage(frames...)
	var got socket.Message
	return func() {
		for range 500 {
			s.must(push.Send(s.context, msg))
		}
		for range 500 {
			s.must(pull.RecvInto(s.context, &got))
		}
	}
}

// pubLoad sends 50 messages of 100 B, which each of the subscribers then receives.
func pubLoad(s stage, peers int, frames ...[]byte) func() {
	pub := made(s, socket.NewPub)
	s.must(pub.Bind("inproc://x"))
	subs := make([]*socket.Sub, peers)
	for i := range subs {
		subs[i] = made(s, socket.NewSub)
		s.must(subs[i].Subscribe("market."))
		s.must(subs[i].Connect("inproc://x"))
	}
	s.must(pub.WaitSubscribers(s.context, "market.oil", peers))
	msg := socket.NewMessage(frames...)
	var got socket.Message
	return func() {
		for range 50 {
			s.must(pub.Send(s.context, msg))
		}
		for _, sub := range subs {
			for range 50 {
				s.must(sub.RecvInto(s.context, &got))
			}
		}
	}
}

// nobodyLoad sends 50 messages that nobody has subscribed to.
func nobodyLoad(s stage) func() {
	pub, sub := made(s, socket.NewPub), made(s, socket.NewSub)
	s.must(pub.Bind("inproc://x"))
	s.must(sub.Subscribe("market."))
	s.must(sub.Connect("inproc://x"))
	s.must(pub.WaitSubscribers(s.context, "market.oil", 1))
	msg := socket.NewMessage(fmt.Appendf(nil, "weather.%092d", 0))
	return func() {
		for range 50 {
			s.must(pub.Send(s.context, msg))
		}
	}
}

// routerLoad has a ROUTER answer 100 messages of 100 B.
func routerLoad(s stage) func() {
	router, dealer := made(s, socket.NewRouter), made(s, socket.NewDealer)
	s.must(router.Bind("inproc://x"))
	s.must(dealer.Connect("inproc://x"))
	msg := socket.NewMessage(make([]byte, 100))
	var asked, got socket.Message
	return func() {
		for range 100 {
			s.must(dealer.Send(s.context, msg))
		}
		for range 100 {
			s.must(router.RecvInto(s.context, &asked))
			s.must(router.Send(s.context, asked))
		}
		for range 100 {
			s.must(dealer.RecvInto(s.context, &got))
		}
	}
}

// repLoad is one question of 16 B and its answer.
func repLoad(s stage) func() {
	rep, req := made(s, socket.NewRep), made(s, socket.NewReq)
	s.must(rep.Bind("inproc://x"))
	s.must(req.Connect("inproc://x"))
	msg := socket.NewMessage(make([]byte, 16))
	var asked, got socket.Message
	return func() {
		s.must(req.Send(s.context, msg))
		s.must(rep.RecvInto(s.context, &asked))
		s.must(rep.Send(s.context, asked))
		s.must(req.RecvInto(s.context, &got))
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // now: when AllocsPerRun does it, pools lose what they have
	for _, l := range loads() {
		run := l.start(t)
		if n := testing.AllocsPerRun(50, run); n > 0 {
			t.Errorf("%s: %v allocations for %d messages", l.name, n, l.messages)
		}
	}
}

// TestRecvAllocates counts what a message costs that the receiver may keep: its memory, and its bytes if they are more than a
// few.
func TestRecvAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := newStage(t)
	push, pull := made(s, socket.NewPush), made(s, socket.NewPull)
	s.must(pull.Bind("inproc://x"))
	s.must(push.Connect("inproc://x"))
	for _, c := range []struct {
		bytes int
		want  float64
	}{{0, 1}, {14, 1}, {15, 2}, {100, 2}} {
		var kept []socket.Message
		msg := socket.NewMessage(make([]byte, c.bytes))
		for n := range 3 { // chunks grow
			if got := testing.AllocsPerRun(50, func() {
				s.must(push.Send(s.context, msg))
				m, err := pull.Recv(s.context)
				s.must(err)
				kept = append(kept[:min(len(kept), 9)], m)
			}); n == 2 && got != c.want {
				t.Errorf("%d B: %v allocations, want %v", c.bytes, got, c.want)
			}
		}
		for _, m := range kept {
			if len(m.Body()) != c.bytes {
				t.Errorf("%d B: kept are %d", c.bytes, len(m.Body()))
			}
		}
	}
}

func BenchmarkSendRecv(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) {
			run := l.start(b)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*l.messages), "ns/message")
		})
	}
}

// BenchmarkRoundTrip is REQ and REP in two goroutines: the calls of req/rep, and the two wakes between them.
func BenchmarkRoundTrip(b *testing.B) {
	s := newStage(b)
	rep, req := made(s, socket.NewRep), made(s, socket.NewReq)
	s.must(rep.Bind("inproc://x"))
	s.must(req.Connect("inproc://x"))
	msg := socket.NewMessage(make([]byte, 16))
	var answering sync.WaitGroup
	answering.Go(func() {
		var asked socket.Message
		for rep.RecvInto(s.context, &asked) == nil {
			rep.Send(s.context, asked)
		}
	})
	var got socket.Message
	b.ReportAllocs()
	for b.Loop() {
		s.must(req.Send(s.context, msg))
		s.must(req.RecvInto(s.context, &got))
	}
	rep.Close()
	answering.Wait()
}
