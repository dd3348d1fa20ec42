// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// The rows of section F: request and reply as a scripted peer sees them.

// octets turns text frames into what a raw peer speaks.
func octets(frames ...string) [][]byte {
	b := make([][]byte, len(frames))
	for i, f := range frames {
		b[i] = []byte(f)
	}
	return b
}

// reads reads one message at a raw peer, which must be this.
func (s *scene) reads(raw *sockettest.Raw, frames ...string) {
	s.Helper()
	if got := raw.ReadMessage(); !equal(texts(got), frames) {
		s.Fatalf("the peer reads %.200q, want %.200q", got, frames)
	}
}

func texts(frames [][]byte) []string {
	text := make([]string, len(frames))
	for i, f := range frames {
		text[i] = string(f)
	}
	return text
}

// peer connects a raw peer of a type, whose handshake is over when it returns.
func (s *scene) peer(bound anySocket, endpoint, socketType string, properties ...string) *sockettest.Raw {
	s.Helper()
	before := connected(bound)
	raw := sockettest.Dial(s.T, endpoint)
	raw.Handshake(socketType, properties...)
	s.eventually("the raw peer is connected", func() bool { return connected(bound) > before })
	return raw
}

// connected counts the peers past their handshake.
func connected(of anySocket) (n int) {
	for _, p := range of.Peers() {
		if p.State == socket.PeerConnected {
			n++
		}
	}
	return n
}

// REQ puts an empty delimiter in front.
func TestConformanceF1(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq)
		raw := s.peer(req, s.bind(req), "REP")
		s.send(req, "Hello")
		if got := raw.ReadN(9); !bytes.Equal(got, []byte("\x01\x00\x00\x05Hello")) {
			s.Errorf("%x", got)
		}
		raw.Write([]byte("\x01\x00\x00\x05World"))
		s.want(req, "World")
	})
}

// The wrong call fails at once, although the peer is there.
func TestConformanceF2(t *testing.T) {
	overStreams(t, func(s *scene) {
		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		answers := s.peer(req, s.bind(req), "REP")
		asks := s.peer(rep, s.bind(rep), "REQ")
		_, err := req.Recv(s.ctx)
		s.is("REQ: receive before send", err, socket.ErrState)
		s.send(req, "x")
		s.is("REQ: send twice", req.Send(s.ctx, message("y")), socket.ErrState)
		s.is("REP: send before receive", rep.Send(s.ctx, message("y")), socket.ErrState)
		asks.Send(octets("", "question 1")...)
		asks.Send(octets("", "question 2")...)
		s.want(rep, "question 1")
		_, err = rep.Recv(s.ctx)
		s.is("REP: receive twice", err, socket.ErrState)
		s.send(rep, "answer 1")
		s.want(rep, "question 2")
		s.reads(asks, "", "answer 1")
		s.reads(answers, "", "x")
	})
}

// Only the asked peer's reply counts.
func TestConformanceF3(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq)
		endpoint := s.bind(req)
		a, b := s.peer(req, endpoint, "REP"), s.peer(req, endpoint, "REP")
		s.send(req, "to A")
		s.reads(a, "", "to A")
		b.Send(octets("", "unsolicited")...)
		b.ExpectOpen()
		s.queued(req, 1)
		a.Send(octets("", "from A")...)
		s.want(req, "from A")
		s.send(req, "to B")
		s.reads(b, "", "to B")
		b.Send(octets("", "from B")...)
		s.want(req, "from B")
		if n := req.Stats().Dropped[socket.DropStale]; n != 1 {
			s.Errorf("%d stale replies counted, want 1", n)
		}
	})
}

// Four requests to two peers go A B A B.
func TestConformanceF4(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq)
		endpoint := s.bind(req)
		peers := []*sockettest.Raw{s.peer(req, endpoint, "REP"), s.peer(req, endpoint, "REP")}
		for i := range 4 {
			s.send(req, fmt.Sprint(i))
			s.reads(peers[i%2], "", fmt.Sprint(i))
			peers[i%2].Send(octets("", "ok")...)
			s.want(req, "ok")
		}
	})
}

// Without a peer, and with all of them full, sending blocks or fails, and nothing is dropped.
func TestConformanceF5(t *testing.T) {
	for _, k := range kinds() {
		if !strings.Contains("REQ DEALER PUSH PAIR", k.name) {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			overStreams(t, func(s *scene) {
				from := s.made(k, narrow(3)).(sending)
				s.full(from, "nobody is there")
				raw := s.peer(from, s.bind(from), strings.Fields(k.peers)[0])
				reset := func() {
					if req, ok := from.(*socket.Req); ok {
						req.Reset()
					}
				}
				number, sent := numbered(20_000), 0
				sent = s.stuff(from, func(i int) socket.Message { reset(); return number(i) })
				reset()
				s.is("TrySend", from.TrySend(number(sent)), socket.ErrWouldBlock)
				for i := range sent {
					got := raw.ReadMessage()
					if !bytes.Equal(got[len(got)-1], number(i).Body()) {
						s.Fatalf("message %d of %d is %.20q", i, sent, got[len(got)-1])
					}
				}
			})
		})
	}
}

// A reply without delimiter is never delivered, and REQ goes on.
func TestConformanceF6(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq)
		raw := s.peer(req, s.bind(req), "REP")
		s.send(req, "question")
		s.reads(raw, "", "question")
		raw.Send(octets("bad")...)
		raw.Send(octets("not empty", "bad")...)
		raw.Send(octets("")...)
		raw.Send(octets("", "good")...)
		s.want(req, "good")
		s.send(req, "next")
		s.reads(raw, "", "next")
		raw.Send(octets("", "fine")...)
		s.want(req, "fine")
	})
}

// A reply that came before the request is not its reply.
func TestConformanceF7(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq)
		raw := s.peer(req, s.bind(req), "REP")
		raw.Send(octets("", "early")...)
		s.queued(req, 1)
		s.send(req, "question")
		s.reads(raw, "", "question")
		s.nothing(req)
		raw.Send(octets("", "late")...)
		s.want(req, "late")
	})
}

// A request of Do begins with a frame of four octets, and only a reply that repeats it counts.
func TestConformanceF8(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq)
		raw := s.peer(req, s.bind(req), "REP")
		seen := make(map[string]bool)
		for range 3 {
			answered := make(chan error, 1)
			go func() {
				reply, err := req.Do(s.ctx, message("question"))
				if err == nil && string(reply.Body()) != "right" {
					err = fmt.Errorf("replied %q", frames(reply))
				}
				answered <- err
			}()
			got := texts(raw.ReadMessage())
			if len(got) != 3 || len(got[0]) != 4 || got[1] != "" || got[2] != "question" || seen[got[0]] {
				s.Fatalf("asked %q", got)
			}
			seen[got[0]] = true
			wrong := []byte(got[0])
			wrong[3]++
			raw.Send(wrong, nil, []byte("wrong"))
			raw.Send(octets("", "without")...)
			raw.Send(octets(got[0], "no delimiter")...)
			raw.Send(octets(got[0], "")...)
			raw.Send(octets(got[0], "", "right")...)
			s.ok(<-answered)
		}
	})
}

// Of two requests, the first given up, only the second's answer is delivered.
func TestConformanceF9(t *testing.T) {
	overStreams(t, func(s *scene) {
		req := open(s, socket.NewReq)
		raw := s.peer(req, s.bind(req), "REP")
		s.send(req, "first")
		s.reads(raw, "", "first")
		req.Reset()
		s.send(req, "second")
		second := texts(raw.ReadMessage())
		raw.Send(octets("", "answer to the first")...)
		raw.Send(octets(append(second[:len(second)-1:len(second)-1], "answer to the second")...)...)
		s.want(req, "answer to the second")
	})
}

// REP keeps the envelope for the reply.
func TestConformanceF10(t *testing.T) {
	overStreams(t, func(s *scene) {
		rep := open(s, socket.NewRep)
		raw := s.peer(rep, s.bind(rep), "REQ")
		raw.Send(octets("hop1", "hop2", "", "q1", "q2")...)
		s.want(rep, "q1", "q2")
		s.send(rep, "answer")
		s.reads(raw, "hop1", "hop2", "", "answer")
	})
}

// A request without delimiter is not delivered, and harms nobody.
func TestConformanceF11(t *testing.T) {
	overStreams(t, func(s *scene) {
		rep := open(s, socket.NewRep)
		raw := s.peer(rep, s.bind(rep), "REQ")
		raw.Send(octets("no delimiter")...)
		raw.Send(octets("a", "b", "c")...)
		raw.Send(octets("", "good")...)
		s.want(rep, "good")
		s.send(rep, "answer")
		s.reads(raw, "", "answer")
		raw.ExpectOpen()
	})
}

// Two clients are served in turn, each with its own answers.
func TestConformanceF12(t *testing.T) {
	overStreams(t, func(s *scene) {
		rep := open(s, socket.NewRep)
		endpoint := s.bind(rep)
		clients := []*sockettest.Raw{s.peer(rep, endpoint, "REQ"), s.peer(rep, endpoint, "REQ")}
		for i := range 3 {
			for who, client := range clients {
				client.Send(octets("", fmt.Sprint(who, i))...)
			}
		}
		s.queued(rep, 6)
		last := byte(0)
		for range 6 {
			got := s.recv(rep)
			if got[0][0] == last {
				s.Errorf("client %c twice in a row", last)
			}
			last = got[0][0]
			s.send(rep, got...)
		}
		for who, client := range clients {
			for i := range 3 {
				s.reads(client, "", fmt.Sprint(who, i))
			}
		}
	})
}

// A client that leaves before the reply: sending returns at once, the next request is served.
func TestConformanceF13(t *testing.T) {
	overStreams(t, func(s *scene) {
		rep := open(s, socket.NewRep)
		endpoint := s.bind(rep)
		leaves := s.peer(rep, endpoint, "REQ")
		leaves.Send(octets("", "question")...)
		s.want(rep, "question")
		leaves.Close()
		s.send(rep, "perhaps too late")
		s.gone(rep)
		stays := s.peer(rep, endpoint, "REQ")
		stays.Send(octets("", "question")...)
		s.want(rep, "question")
		s.send(rep, "answer")
		s.reads(stays, "", "answer")
	})
}

// Six messages to three peers: two each; when one stops reading, the others get what it cannot take.
func TestConformanceF14(t *testing.T) {
	overStreams(t, func(s *scene) { roundRobin(s, open(s, socket.NewDealer, patient(narrow(2))), "DEALER") })
}

// patient waits at Close until everything is handed over.
func patient(options socket.Options) socket.Options {
	options.Linger = socket.LingerForever
	return options
}

func roundRobin(s *scene, from sending, socketType string) {
	endpoint := s.bind(from)
	peers := make([]*sockettest.Raw, 3)
	for i := range peers {
		peers[i] = s.peer(from, endpoint, socketType)
	}
	for i := range 7 {
		s.send(from, fmt.Sprint(i))
	}
	for i := range 7 {
		s.reads(peers[i%3], fmt.Sprint(i))
	}
	// Peer 0 does not read for a while; the others never stop.
	const size, half = 20_000, 200
	var readers sync.WaitGroup
	got := make([][]string, 3) // numbers
	read := func(i int) {
		readers.Go(func() {
			for rest := peers[i].ExpectClosed(); len(rest) >= 9+size; rest = rest[9+size:] {
				got[i] = append(got[i], string(rest[9:9+8]))
			}
			peers[i].Close()
		})
	}
	read(1)
	read(2)
	for sent := range 2 * half {
		if sent == half {
			read(0)
		}
		s.ok(from.Send(s.ctx, numbered(size)(sent)))
	}
	s.ok(from.Close())
	readers.Wait()
	before := slices.IndexFunc(append(got[0], "x"), func(number string) bool { return number >= fmt.Sprintf("%08d", half) })
	if before > half/4 || before == len(got[0]) {
		s.Errorf("of %d messages sent while it did not read the first peer got %d, of %d sent later %d", half, before, half, len(got[0])-before)
	}
	all := slices.Concat(got...)
	slices.Sort(all)
	if len(all) != 2*half || len(slices.Compact(all)) != 2*half {
		s.Errorf("%d messages arrived, want each of %d once", len(all), 2*half)
	}
}

// Two senders, one slow reader: a fair mix.
func TestConformanceF15(t *testing.T) {
	overAll(t, func(s *scene) {
		dealer := open(s, socket.NewDealer, socket.Options{RecvHWM: 10})
		fast, slow := open(s, socket.NewDealer, narrow(10)), open(s, socket.NewDealer, narrow(10))
		s.link(dealer, fast, slow)
		var senders sync.WaitGroup
		for name, from := range map[string]sending{"a": fast, "b": slow} {
			senders.Go(func() {
				for range 1000 {
					if err := from.Send(s.ctx, message(name, strings.Repeat("x", 1000))); err != nil {
						s.Error(err)
					}
				}
			})
		}
		counts := make(map[string]int)
		const measured = 200
		for range measured { // slow enough for both to keep their queues filled
			s.eventually("both have messages", func() bool {
				return !slices.ContainsFunc(dealer.Peers(), func(p socket.Peer) bool { return p.RecvQueue == 0 })
			})
			counts[s.recv(dealer)[0]]++
		}
		if counts["a"] < measured/2-1 || counts["b"] < measured/2-1 {
			s.Errorf("of the first %d messages %v", measured, counts)
		}
		for range 2000 - measured {
			s.recv(dealer)
		}
		senders.Wait()
	})
}

// A peer without Identity gets one of its own, which begins with zero.
func TestConformanceF16(t *testing.T) {
	overStreams(t, func(s *scene) {
		router := open(s, socket.NewRouter)
		endpoint := s.bind(router)
		a, b := s.peer(router, endpoint, "DEALER"), s.peer(router, endpoint, "DEALER", "Identity", "")
		a.Send(octets("from a")...)
		identity := s.recv(router)[0]
		b.Send(octets("from b")...)
		other := s.recv(router)[0]
		if len(identity) == 0 || identity[0] != 0 || len(other) == 0 || other[0] != 0 || identity == other {
			s.Errorf("identities %q and %q", identity, other)
		}
		s.send(router, other, "to b")
		s.send(router, identity, "to a")
		s.reads(a, "to a")
		s.reads(b, "to b")
	})
}

// A peer's Identity is in front of its messages, and never on the wire.
func TestConformanceF17(t *testing.T) {
	overStreams(t, func(s *scene) {
		router := open(s, socket.NewRouter)
		raw := s.peer(router, s.bind(router), "DEALER", "Identity", "cli")
		raw.Send(octets("one", "two")...)
		s.want(router, "cli", "one", "two")
		s.send(router, "cli", "", "three")
		if got := raw.ReadN(9); !bytes.Equal(got, []byte("\x01\x00\x00\x05three")) {
			s.Errorf("%x", got)
		}
	})
}

// An unknown identity: Send returns at once, with an error if that is configured.
func TestConformanceF18(t *testing.T) {
	overStreams(t, func(s *scene) {
		for mandatory, want := range map[bool]error{false: nil, true: socket.ErrUnroutable} {
			router := open(s, socket.NewRouter, socket.Options{RouterMandatory: mandatory})
			raw := s.peer(router, s.bind(router), "DEALER", "Identity", "cli")
			s.is("Send", router.Send(s.ctx, message("who", "x")), want)
			s.send(router, "cli", "y")
			s.reads(raw, "y")
		}
	})
}

// A peer that does not read: Send does not block, and what it then reads is whole and in order.
func TestConformanceF19(t *testing.T) {
	overStreams(t, func(s *scene) {
		router := open(s, socket.NewRouter, narrow(3))
		raw := s.peer(router, s.bind(router), "DEALER", "Identity", "lazy")
		sent := 0
		for ; router.Stats().Dropped[socket.DropFull] < 5; sent++ {
			s.ok(router.Send(s.ctx, socket.NewMessage([]byte("lazy"), numbered(20_000)(sent).Body())))
		}
		last := ""
		for range sent - int(router.Stats().Dropped[socket.DropFull]) {
			got := texts(raw.ReadMessage())
			if len(got) != 1 || len(got[0]) != 20_000 || got[0][:8] <= last {
				s.Fatalf("%.20q after %s", got, last)
			}
			last = got[0][:8]
		}
		raw.ExpectOpen()
	})
}

// Two peers with one identity: the first keeps it, or with RouterHandover the second gets it; the loser is closed.
func TestConformanceF20(t *testing.T) {
	for _, handover := range []bool{false, true} {
		t.Run(fmt.Sprint(handover), func(t *testing.T) {
			overStreams(t, func(s *scene) {
				router := open(s, socket.NewRouter, socket.Options{RouterHandover: handover})
				endpoint := s.bind(router)
				first := s.peer(router, endpoint, "DEALER", "Identity", "cli")
				second := sockettest.Dial(s.T, endpoint)
				second.Handshake("DEALER", "Identity", "cli")
				winner, loser := first, second
				if handover {
					winner, loser = second, first
				}
				loser.ExpectClosed()
				winner.Send(octets("hello")...)
				s.want(router, "cli", "hello")
				s.send(router, "cli", "welcome")
				s.reads(winner, "welcome")
				s.nothing(router)
			})
		})
	}
}

// A peer that comes back under its name has a new queue: the old messages are gone.
func TestConformanceF21(t *testing.T) {
	overStreams(t, func(s *scene) {
		router := open(s, socket.NewRouter, narrow(10))
		endpoint := s.bind(router)
		first := s.peer(router, endpoint, "DEALER", "Identity", "cli")
		for i := 0; router.Stats().Dropped[socket.DropFull] == 0; i++ {
			s.ok(router.Send(s.ctx, socket.NewMessage([]byte("cli"), numbered(20_000)(i).Body())))
		}
		first.Close()
		s.gone(router)
		second := s.peer(router, endpoint, "DEALER", "Identity", "cli")
		s.send(router, "cli", "new")
		s.reads(second, "new")
	})
}

// A cancelled Recv has taken no message.
func TestCancelledRecvTakesNothing(t *testing.T) {
	overAll(t, func(s *scene) {
		pull, push := open(s, socket.NewPull), open(s, socket.NewPush)
		s.link(pull, push)
		done, cancel := context.WithCancel(s.ctx)
		cancel()
		s.send(push, "x")
		s.queued(pull, 1)
		_, err := pull.Recv(done)
		s.is("Recv", err, context.Canceled)
		var msg socket.Message
		s.is("RecvInto", pull.RecvInto(done, &msg), context.Canceled)
		s.want(pull, "x")
		s.is("Send", push.Send(done, message("y")), context.Canceled)
		s.send(push, "z")
		s.want(pull, "z")
	})
}
