// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

func TestMessage(t *testing.T) {
	none, one, many := socket.Message{}, socket.NewMessage([]byte("body")), socket.NewMessage([]byte("a"), nil, []byte("c"))
	if none.Len() != 0 || none.Body() != nil {
		t.Errorf("no frames: %d, %q", none.Len(), none.Body())
	}
	if one.Len() != 1 || string(one.Body()) != "body" || string(one.Frame(0)) != "body" {
		t.Errorf("one frame: %q", frames(one))
	}
	if many.Len() != 3 || many.Body() != nil || !slices.Equal(frames(many), []string{"a", "", "c"}) {
		t.Errorf("three frames: %q", frames(many))
	}
	if empty := socket.NewMessage(nil); empty.Len() != 1 || len(empty.Body()) != 0 {
		t.Errorf("one empty frame: %q", frames(empty))
	}
	clone := many.Clone()
	many.Frame(0)[0] = 'x'
	if !slices.Equal(frames(clone), []string{"a", "", "c"}) || none.Clone().Len() != 0 {
		t.Errorf("a clone changed: %q", frames(clone))
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a frame that is not there")
			}
		}()
		one.Frame(1)
	}()
}

// Send copies at every size: the memory is the caller's again when it returns, although the message is still queued.
func TestSendCopies(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush)
		endpoint := s.unused()
		s.ok(push.Connect(endpoint))
		sizes := []int{0, 1, 33, 255, 256, 5000, 70_000, 1 << 20}
		for _, n := range sizes {
			body := bytes.Repeat([]byte("a"), n)
			s.ok(push.Send(s.ctx, socket.NewMessage(body, body)))
			clear(body)
		}
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind(endpoint))
		for _, n := range sizes {
			want := strings.Repeat("a", n)
			s.want(pull, want, want)
		}
	})
}

// What Recv returns is the caller's for good, whatever comes later.
func TestRecvIsForGood(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
		s.link(pull, push)
		body := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), []int{5, 300, 40_000, 100_000}[i%4]) }
		var kept []socket.Message
		for round := range 5 {
			for i := range 8 {
				s.send(push, body(round*8+i), "end")
			}
			for range 8 {
				msg, err := pull.Recv(s.ctx)
				s.ok(err)
				kept = append(kept, msg)
			}
		}
		for i, msg := range kept {
			if !equal(frames(msg), []string{body(i), "end"}) {
				s.Fatalf("message %d is now %.50q", i, frames(msg))
			}
			full := msg.Frame(0)
			if grown := append(full, 'x'); &grown[0] == &full[0] && string(msg.Frame(1)) != "end" {
				s.Fatalf("appending to a frame of message %d changed the next", i)
			}
		}
	})
}

// RecvInto reuses the message's memory, and leaves it alone on error.
func TestRecvInto(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
		s.link(pull, push)
		var msg socket.Message
		sizes := []int{1000, 10, 0, 999, 300_000, 5, 70_000, 300_000}
		for _, n := range sizes {
			s.send(push, strings.Repeat("x", n), "end")
			s.ok(pull.RecvInto(s.ctx, &msg))
			if !equal(frames(msg), []string{strings.Repeat("x", n), "end"}) {
				s.Fatalf("%d octets: %.50q", n, frames(msg))
			}
		}
		s.send(push, strings.Repeat("y", 1000))
		s.ok(pull.RecvInto(s.ctx, &msg))
		first := &msg.Body()[0]
		s.send(push, strings.Repeat("z", 900))
		s.ok(pull.RecvInto(s.ctx, &msg))
		if &msg.Body()[0] != first {
			s.Error("the memory was not reused")
		}
		s.is("RecvInto", pull.RecvInto(shortly(s), &msg), context.DeadlineExceeded)
		if string(msg.Body()) != strings.Repeat("z", 900) {
			s.Errorf("after an error the message is %.50q", msg.Body())
		}
	})
}

// Messages ends silently with the socket, with an error when its context ends, and takes nothing that was not asked for.
func TestMessages(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
		s.link(pull, push)
		for i := range 10 {
			s.send(push, fmt.Sprint(i))
		}
		next := 0
		var clones []socket.Message
		for msg, err := range pull.Messages(s.ctx) {
			s.ok(err)
			if string(msg.Body()) != fmt.Sprint(next) {
				s.Fatalf("message %d is %q", next, msg.Body())
			}
			clones = append(clones, msg.Clone())
			if next++; next == 5 {
				break
			}
		}
		for i, clone := range clones {
			if string(clone.Body()) != fmt.Sprint(i) {
				s.Errorf("clone %d is %q", i, clone.Body())
			}
		}
		s.want(pull, "5") // break took no more than it gave

		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		turns := 0
		for msg, err := range pull.Messages(ctx) {
			turns++
			if turns <= 4 {
				s.ok(err)
				if turns == 4 {
					time.AfterFunc(moment, cancel)
				}
				continue
			}
			s.is("the last turn", err, context.Canceled)
			if msg.Len() != 0 {
				s.Errorf("with the error comes %q", frames(msg))
			}
		}
		if turns != 5 {
			s.Errorf("%d turns, want 4 messages and an error", turns)
		}

		s.send(push, "last")
		turns = 0
		for msg, err := range pull.Messages(s.ctx) {
			turns++
			if err != nil || string(msg.Body()) != "last" {
				s.Errorf("%q, %v", frames(msg), err)
			}
			time.AfterFunc(moment, func() { pull.Close() })
		}
		if turns != 1 {
			s.Errorf("%d turns, want one message and a silent end", turns)
		}
		for range pull.Messages(s.ctx) {
			s.Error("a closed socket has a message")
		}
	})
}

// Messages hands other errors on too: here, REP out of turn.
func TestMessagesOutOfTurn(t *testing.T) {
	overAll(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		s.link(rep, req)
		s.send(req, "question")
		var errs []error
		for _, err := range rep.Messages(s.ctx) {
			errs = append(errs, err)
		}
		if len(errs) != 2 || errs[0] != nil {
			s.Fatalf("%v, want a message and an error", errs)
		}
		s.is("the second turn", errs[1], socket.ErrState)
	})
}

// TrySend and TryRecv do not wait, even while others wait on the same socket.
func TestTryDoesNotWait(t *testing.T) {
	overAll(t, func(s *scene) {
		pair, mute := open(s, socket.NewPair, narrow(2)), open(s, socket.NewPair, narrow(2))
		s.link(pair, mute)
		s.stuff(pair, numbered(20_000))
		ctx, cancel := context.WithCancel(s.ctx)
		ended := make(chan error, 2)
		go func() { ended <- pair.Send(ctx, numbered(20_000)(0)) }()
		go func() { _, err := pair.Recv(ctx); ended <- err }()
		start := time.Now()
		for range 2000 {
			s.is("TrySend", pair.TrySend(message("x")), socket.ErrWouldBlock)
			s.nothing(pair)
		}
		if took := time.Since(start); took > 2*time.Second {
			s.Errorf("4000 calls took %v", took)
		}
		cancel()
		for range 2 {
			s.is("a call that waits", <-ended, context.Canceled)
		}
	})
}

// Messages of 16 MiB pass whole, in one frame and in many, one behind the other and both ways.
func TestLargeMessages(t *testing.T) {
	size := 16 << 20
	if raceEnabled {
		size = 4 << 20
	}
	large := make([]byte, size)
	for i := range large {
		large[i] = byte(i * 7 >> 3)
	}
	overAll(t, func(s *scene) {
		here, there := open(s, socket.NewDealer), open(s, socket.NewDealer)
		s.link(here, there)
		cases := [][][]byte{{large}, {large[:size/2], nil, large[size/2:], []byte("end")}, {[]byte("small")}, {large}}
		sent := make(chan error, 1)
		go func() {
			for i, frames := range cases {
				var err error
				if i%2 == 0 {
					err = there.Send(s.ctx, socket.NewMessage(frames...))
				} else {
					err = there.SendOwned(s.ctx, socket.NewMessage(frames...))
				}
				if err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		var msg socket.Message
		for _, want := range cases {
			s.ok(here.RecvInto(s.ctx, &msg))
			if msg.Len() != len(want) {
				s.Fatalf("%d frames, want %d", msg.Len(), len(want))
			}
			for i := range want {
				if !bytes.Equal(msg.Frame(i), want[i]) {
					s.Fatalf("frame %d of %d octets is wrong", i, len(want[i]))
				}
			}
			s.send(here, "ack")
		}
		s.ok(<-sent)
		for range cases {
			s.want(there, "ack")
		}
	})
	overAll(t, func(s *scene) {
		req, rep, pub, sub := open(s, socket.NewReq), open(s, socket.NewRep), open(s, socket.NewPub), open(s, socket.NewSub)
		s.link(rep, req)
		served := serve(s, rep)
		reply, err := req.Do(s.ctx, socket.NewMessage(large))
		s.ok(err)
		if !bytes.Equal(reply.Body(), large) {
			s.Errorf("%d octets came back", len(reply.Body()))
		}
		subscribe(s, pub, sub, s.bind(pub), "")
		s.ok(pub.Send(s.ctx, socket.NewMessage(large)))
		msg, err := sub.Recv(s.ctx)
		s.ok(err)
		if !bytes.Equal(msg.Body(), large) {
			s.Errorf("%d octets published", len(msg.Body()))
		}
		s.ok(rep.Close())
		s.ok(<-served)
	})
}

// After a burst the memory goes back to the collector, with the sockets still open.
func TestBurstGivesMemoryBack(t *testing.T) {
	overAll(t, func(s *scene) {
		free := socket.Options{SendHWM: socket.Unlimited, RecvHWM: socket.Unlimited}
		push, pull := open(s, socket.NewPush, free), open(s, socket.NewPull, free)
		s.link(pull, push)
		s.send(push, "warm")
		s.want(pull, "warm")
		before := heap()
		for i := range 20_000 {
			s.ok(push.TrySend(numbered(1000)(i)))
		}
		if during := heap(); during < before+5<<20 && s.scheme == "inproc" {
			s.Errorf("%d bytes of heap before, %d with 20 MB queued: nothing is measured", before, during)
		}
		var msg socket.Message
		for range 20_000 {
			s.ok(pull.RecvInto(s.ctx, &msg))
		}
		s.nothing(pull)
		s.eventually("the memory is back", func() bool { return heap() < before+512<<10 })
		s.send(push, "still here")
		s.want(pull, "still here")
	})
}

// A small message costs no allocation, sent and received.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	body := make([]byte, 100)
	for _, scheme := range []string{"inproc", "tcp", "ipc"} {
		for _, by := range []string{"RecvInto", "Messages"} {
			t.Run(scheme+" "+by, func(t *testing.T) {
				play(t, scheme, func(s *scene) {
					push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
					s.link(pull, push)
					receive := func(n int) {
						var msg socket.Message
						if by == "RecvInto" {
							for range n {
								s.ok(pull.RecvInto(s.ctx, &msg))
							}
							return
						}
						for _, err := range pull.Messages(s.ctx) {
							s.ok(err)
							if n--; n == 0 {
								return
							}
						}
					}
					const each = 50_000
					begin, received := make(chan int), make(chan struct{})
					go func() {
						for n := range begin {
							receive(n)
							received <- struct{}{}
						}
					}()
					run := func(n int) {
						begin <- n
						for range n {
							s.ok(push.Send(s.ctx, socket.NewMessage(body)))
						}
						<-received
					}
					run(each)
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					run(each)
					runtime.ReadMemStats(&after)
					close(begin)
					if n := float64(after.Mallocs-before.Mallocs) / each; n > 0.02 {
						s.Errorf("%.3f allocations per message", n)
					}
				})
			})
		}
	}
}

// The same for a lock-step exchange, where nothing is amortized by a queue.
func TestNoAllocationsInLockStep(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	over(t, []string{"inproc", "tcp"}, func(s *scene) {
		here, there := open(s, socket.NewPair), open(s, socket.NewPair)
		s.link(here, there)
		echoed := make(chan struct{})
		go func() {
			defer close(echoed)
			var msg socket.Message
			for there.RecvInto(s.ctx, &msg) == nil && there.Send(s.ctx, msg) == nil {
			}
		}()
		body := make([]byte, 16)
		var msg socket.Message
		exchange := func() {
			s.ok(here.Send(s.ctx, socket.NewMessage(body)))
			s.ok(here.RecvInto(s.ctx, &msg))
		}
		const each = 2000
		for range each {
			exchange()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range each {
			exchange()
		}
		runtime.ReadMemStats(&after)
		if n := float64(after.Mallocs-before.Mallocs) / each; n > 0.05 {
			s.Errorf("%.3f allocations per exchange", n)
		}
		s.ok(there.Close())
		<-echoed
	})
}

func TestMessageShown(t *testing.T) {
	for want, msg := range map[string]socket.Message{
		`[]`:                {},
		`[""]`:              message(""),
		`["id\x00" "" "ä"]`: message("id\x00", "", "ä"),
		`["` + strings.Repeat("x", 64) + `"… (65 bytes)]`: message(strings.Repeat("x", 65)),
	} {
		if got := fmt.Sprint(msg); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestMessageFrames(t *testing.T) {
	msg := message("id", "", "body")
	_ = append(msg.Frames(), []byte("not in msg"))
	answer := socket.NewMessage(append([][]byte{[]byte("other")}, msg.Frames()[1:]...)...)
	if got := frames(answer); !equal(got, []string{"other", "", "body"}) || msg.Len() != 3 || len(msg.Frames()) != 3 {
		t.Errorf("%q of %q", got, frames(msg))
	}
	if len((socket.Message{}).Frames()) != 0 {
		t.Error("an empty message has frames")
	}
}
