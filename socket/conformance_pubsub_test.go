// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// The rows of sections G and H: publish and subscribe, pipeline and pair, as a scripted peer sees them.

// told reads one subscription or cancellation, in either form, and gives it in message form.
func told(raw *sockettest.Raw) string {
	flags, body := raw.ReadFrame()
	if flags&sockettest.FlagCommand == 0 {
		return string(body)
	}
	for name, octet := range map[string]string{"SUBSCRIBE": "\x01", "CANCEL": "\x00"} {
		if topic, is := bytes.CutPrefix(body, append([]byte{byte(len(name))}, name...)); is {
			return octet + string(topic)
		}
	}
	return fmt.Sprintf("flags %#x, %q", flags, body)
}

func (s *scene) told(raw *sockettest.Raw, want string) {
	s.Helper()
	if got := told(raw); got != want {
		s.Fatalf("told %.100q, want %.100q", got, want)
	}
}

// publisherOf makes a scripted publisher that sub has connected to.
func publisherOf(s *scene, sub anySocket, minor byte) *sockettest.Raw {
	s.Helper()
	l := sockettest.Listen(s.T, s.scheme)
	s.ok(sub.Connect(l.Endpoint()))
	raw := l.Accept()
	if minor == 0 {
		raw.Handshake30("PUB")
	} else {
		raw.Handshake("PUB")
	}
	return raw
}

// To a 3.1 publisher subscriptions are commands.
func TestConformanceG1(t *testing.T) {
	overStreams(t, func(s *scene) {
		sub := open(s, socket.NewSub)
		s.ok(sub.Subscribe("A"))
		raw := publisherOf(s, sub, 1)
		want := func(name, topic string) {
			s.Helper()
			if got, data := raw.ReadCommand(); got != name || string(data) != topic {
				s.Fatalf("%s %q, want %s %q", got, data, name, topic)
			}
		}
		want("SUBSCRIBE", "A")
		s.ok(sub.Subscribe("C\x00\xff"))
		want("SUBSCRIBE", "C\x00\xff")
		s.ok(sub.Unsubscribe("A"))
		want("CANCEL", "A")
		s.ok(sub.Unsubscribe("C\x00\xff"))
		want("CANCEL", "C\x00\xff")
	})
}

// To a 3.0 publisher they are messages.
func TestConformanceG2(t *testing.T) {
	overStreams(t, func(s *scene) {
		sub := open(s, socket.NewSub)
		s.ok(sub.Subscribe("A"))
		raw := publisherOf(s, sub, 0)
		s.reads(raw, "\x01A")
		s.ok(sub.Subscribe("C\x00\xff"))
		s.reads(raw, "\x01C\x00\xff")
		s.ok(sub.Unsubscribe("A"))
		s.reads(raw, "\x00A")
	})
}

// Topics of every length make well-formed frames.
func TestConformanceG3(t *testing.T) {
	overStreams(t, func(s *scene) {
		for minor := range byte(2) {
			sub := open(s, socket.NewXSub)
			raw := publisherOf(s, sub, minor)
			for _, n := range []int{0, 1, 244, 245, 246, 247, 253, 254, 255, 256, 70_000} {
				topic := strings.Repeat("t", n)
				s.ok(sub.Subscribe(topic))
				s.told(raw, "\x01"+topic)
				s.ok(sub.Unsubscribe(topic))
				s.told(raw, "\x00"+topic)
			}
			raw.ExpectOpen()
		}
	})
}

// subscriberOf connects a scripted subscriber.
func subscriberOf(s *scene, pub publisher, endpoint string, topics ...string) *sockettest.Raw {
	s.Helper()
	raw := s.peer(pub, endpoint, "SUB")
	raw.SkipCommands = true
	for _, topic := range topics {
		raw.Command("SUBSCRIBE", []byte(topic))
	}
	raw.ExpectOpen()
	return raw
}

// A publisher takes both forms on one stream.
func TestConformanceG4(t *testing.T) {
	overStreams(t, func(s *scene) {
		for _, pub := range []publisher{open(s, socket.NewPub), open(s, socket.NewXPub)} {
			raw := subscriberOf(s, pub, s.bind(pub), "A")
			raw.Send([]byte("\x01B"))
			s.ok(pub.WaitSubscribers(s.ctx, "A", 1))
			s.ok(pub.WaitSubscribers(s.ctx, "B", 1))
			for _, m := range []string{"C", "B1", "A1"} {
				s.send(pub, m)
			}
			s.reads(raw, "B1")
			s.reads(raw, "A1")
			raw.Send([]byte("\x00A"))
			raw.Command("CANCEL", []byte("B"))
			raw.Command("SUBSCRIBE", []byte("end"))
			s.ok(pub.WaitSubscribers(s.ctx, "end", 1))
			for _, m := range []string{"A2", "B2", "end"} {
				s.send(pub, m)
			}
			s.reads(raw, "end")
		}
	})
}

// Only the first frame counts, and messages are whole.
func TestConformanceG5(t *testing.T) {
	overStreams(t, func(s *scene) {
		pub := open(s, socket.NewPub)
		raw := subscriberOf(s, pub, s.bind(pub), "A")
		s.ok(pub.WaitSubscribers(s.ctx, "A", 1))
		for _, m := range [][]string{{"Z"}, {"A1"}, {"A", "x"}, {"Z", "A"}, {"A"}} {
			s.send(pub, m...)
		}
		s.reads(raw, "A1")
		s.reads(raw, "A", "x")
		s.reads(raw, "A")
	})
}

// One copy per peer, however many of its topics match.
func TestConformanceG6(t *testing.T) {
	overStreams(t, func(s *scene) {
		pub := open(s, socket.NewPub)
		raw := subscriberOf(s, pub, s.bind(pub), "A", "A1", "")
		s.ok(pub.WaitSubscribers(s.ctx, "end", 1)) // to the last topic, so it has heard of the others
		s.send(pub, "A1")
		s.send(pub, "end")
		s.reads(raw, "A1")
		s.reads(raw, "end")
	})
}

// A publisher keeps a set per peer: one CANCEL ends any number of equal SUBSCRIBEs (PROTOCOL 14).
func TestConformanceG7(t *testing.T) {
	overStreams(t, func(s *scene) {
		pub := open(s, socket.NewPub)
		raw := subscriberOf(s, pub, s.bind(pub), "A", "A", "end")
		raw.Command("CANCEL", []byte("A"))
		raw.ExpectOpen()
		raw.Command("SUBSCRIBE", []byte("last"))
		s.ok(pub.WaitSubscribers(s.ctx, "last", 1))
		s.send(pub, "A")
		s.send(pub, "end")
		s.reads(raw, "end")
	})
}

// Equal subscriptions of the application are counted, and told once.
func TestConformanceG8(t *testing.T) {
	overStreams(t, func(s *scene) {
		sub := open(s, socket.NewSub)
		raw := publisherOf(s, sub, 1)
		s.ok(sub.Subscribe("A"))
		s.ok(sub.Subscribe("A"))
		s.told(raw, "\x01A")
		s.ok(sub.Unsubscribe("A"))
		raw.Send([]byte("A1"))
		s.want(sub, "A1")
		raw.ExpectOpen() // it has said nothing more
		s.ok(sub.Unsubscribe("A"))
		s.told(raw, "\x00A")
		s.ok(sub.Subscribe("end"))
		s.told(raw, "\x01end")
		raw.Send([]byte("A2"))
		raw.Send([]byte("end"))
		s.want(sub, "end")
	})
}

// After a lost stream all topics are told anew, and nothing else.
func TestConformanceG9(t *testing.T) {
	overStreams(t, func(s *scene) {
		sub := open(s, socket.NewSub, socket.Options{ReconnectMin: time.Millisecond})
		l := sockettest.Listen(s.T, s.scheme)
		s.ok(sub.Connect(l.Endpoint()))
		topics := []string{"", "A", "B\x00"}
		for _, topic := range topics {
			s.ok(sub.Subscribe(topic))
		}
		for round := range 3 {
			raw := l.Accept()
			raw.Handshake("PUB")
			var got []string
			for range topics {
				got = append(got, strings.TrimPrefix(told(raw), "\x01"))
			}
			slices.Sort(got)
			if !slices.Equal(got, topics) {
				s.Fatalf("round %d: told %q", round, got)
			}
			raw.ExpectOpen()
			raw.Send([]byte("A"), []byte(fmt.Sprint(round)))
			s.want(sub, "A", fmt.Sprint(round))
			raw.Close()
		}
	})
}

// What is no subscription harms nobody.
func TestConformanceG10(t *testing.T) {
	overStreams(t, func(s *scene) {
		pub := open(s, socket.NewPub)
		raw := subscriberOf(s, pub, s.bind(pub), "A")
		raw.Send(octets("a message")...)
		raw.Send(octets("of", "two frames")...)
		raw.Send(octets("")...)
		raw.Send(octets("\x00never")...)
		raw.Command("CANCEL", []byte("never either"))
		raw.Command("SUBSCRIBE", []byte("end"))
		s.ok(pub.WaitSubscribers(s.ctx, "end", 1))
		s.send(pub, "A")
		s.reads(raw, "A")
	})
}

// A subscriber that does not read loses whole messages, one that reads none, and Send never waits; with PubNoDrop it does,
// and nothing is lost.
func TestConformanceG11(t *testing.T) {
	number := numbered(20_000)
	overStreams(t, func(s *scene) {
		pub := open(s, socket.NewPub, narrow(3))
		s.ok(pub.Send(s.ctx, number(0))) // to nobody
		endpoint := s.bind(pub)
		stalled, reader := subscriberOf(s, pub, endpoint, ""), subscriberOf(s, pub, endpoint, "")
		s.ok(pub.WaitSubscribers(s.ctx, "", 2))
		sent := 0
		for ; pub.Stats().Dropped[socket.DropFull] < 5; sent++ {
			s.ok(pub.Send(s.ctx, number(sent)))
			s.reads(reader, string(number(sent).Body()))
		}
		last := ""
		for range sent - int(pub.Stats().Dropped[socket.DropFull]) {
			got := texts(stalled.ReadMessage())
			if len(got) != 1 || len(got[0]) != 20_000 || got[0][:8] <= last {
				s.Fatalf("%.20q after %s", got, last)
			}
			last = got[0][:8]
		}
		stalled.ExpectOpen()
	})
	overStreams(t, func(s *scene) {
		options := narrow(3)
		options.PubNoDrop = true
		pub := open(s, socket.NewPub, options)
		stalled := subscriberOf(s, pub, s.bind(pub), "")
		s.ok(pub.WaitSubscribers(s.ctx, "", 1))
		sent := s.stuff(pub, number)
		s.is("TrySend", pub.TrySend(number(sent)), socket.ErrWouldBlock)
		for i := range sent {
			s.reads(stalled, string(number(i).Body()))
		}
	})
}

// What cannot be sent or received does not compile.
func TestConformanceG12(t *testing.T) {
	senders, receivers := []string{"Send", "SendOwned", "TrySend"}, []string{"Recv", "RecvInto", "TryRecv", "Messages"}
	hasNot(t, new(socket.Sub), senders...)
	hasNot(t, new(socket.Pull), senders...)
	hasNot(t, new(socket.Pub), receivers...)
	hasNot(t, new(socket.Push), receivers...)
}

// A SUB delivers only what it asked for, whatever it is sent.
func TestConformanceG13(t *testing.T) {
	overStreams(t, func(s *scene) {
		sub := open(s, socket.NewSub)
		s.ok(sub.Subscribe("A"))
		raw := publisherOf(s, sub, 1)
		for _, m := range [][]string{{"B"}, {""}, {"B", "A"}, {"\x01A"}, {"A1", "B"}} {
			raw.Send(octets(m...)...)
		}
		s.want(sub, "A1", "B")
		s.nothing(sub)
	})
}

// The application of an XPUB sees the first of equal subscriptions and the last cancellation, all of them in verbose mode.
func TestConformanceG14(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		t.Run(fmt.Sprint("verbose ", verbose), func(t *testing.T) {
			overStreams(t, func(s *scene) {
				pub := open(s, socket.NewXPub, socket.Options{XPubVerbose: verbose})
				endpoint := s.bind(pub)
				first := subscriberOf(s, pub, endpoint, "A", "A", "B")
				s.want(pub, "\x01A")
				if verbose {
					s.want(pub, "\x01A")
				}
				s.want(pub, "\x01B")
				second := subscriberOf(s, pub, endpoint, "A")
				s.ok(pub.WaitSubscribers(s.ctx, "A", 2))
				if verbose {
					s.want(pub, "\x01A")
				}
				first.Close()
				s.want(pub, "\x00B")
				s.nothing(pub)
				second.Close()
				s.want(pub, "\x00A")
				s.gone(pub)
				s.nothing(pub)
			})
		})
	}
}

// Verbose or not, two SUBSCRIBE and two CANCEL of one peer end in one cancellation.
func TestConformanceG15(t *testing.T) {
	overStreams(t, func(s *scene) {
		pub := open(s, socket.NewXPub, socket.Options{XPubVerbose: true})
		raw := subscriberOf(s, pub, s.bind(pub), "A", "A")
		raw.Command("CANCEL", []byte("A"))
		raw.Command("CANCEL", []byte("A"))
		raw.Send(octets("end")...)
		for _, want := range []string{"\x01A", "\x01A", "\x00A", "end"} {
			s.want(pub, want)
		}
	})
}

// What the application of an XSUB sends reaches the publisher: subscriptions in either form, all else unchanged.
func TestConformanceG18(t *testing.T) {
	overStreams(t, func(s *scene) {
		sub := open(s, socket.NewXSub)
		raw := publisherOf(s, sub, 1)
		s.send(sub, "\x01A")
		s.told(raw, "\x01A")
		s.send(sub, "\x00A")
		s.told(raw, "\x00A")
		for _, user := range [][]string{{"hello"}, {"many", "", "frames"}, {""}, {"\x02"}} {
			s.send(sub, user...)
			s.reads(raw, user...)
		}
	})
}

// Two publishers are both told, and both served.
func TestConformanceG19(t *testing.T) {
	overStreams(t, func(s *scene) {
		sub := open(s, socket.NewXSub)
		one, two := publisherOf(s, sub, 1), publisherOf(s, sub, 0)
		s.ok(sub.Subscribe("A"))
		for who, raw := range []*sockettest.Raw{one, two} {
			s.told(raw, "\x01A")
			for i := range 5 {
				raw.Send(octets("A", fmt.Sprint(who), fmt.Sprint(i))...)
			}
		}
		s.queued(sub, 10)
		last := ""
		for range 10 {
			got := s.recv(sub)
			if got[1] == last {
				s.Errorf("publisher %s twice in a row", last)
			}
			last = got[1]
		}
	})
}

// A hundred thousand topics come and go in bounded time, and the memory comes back.
func TestConformanceG20(t *testing.T) {
	overStreams(t, func(s *scene) {
		topics := messagesEach(100_000)
		pub := open(s, socket.NewPub)
		endpoint := s.bind(pub)
		var subscriptions bytes.Buffer
		for i := range topics {
			topic := fmt.Sprintf("%d/a topic like any other/%d", i%97, i)
			subscriptions.Write(sockettest.Command("SUBSCRIBE", []byte(topic)))
		}
		subscriptions.Write(sockettest.Command("SUBSCRIBE", []byte("end")))
		before := heap()
		for range 2 {
			raw := s.peer(pub, endpoint, "SUB")
			raw.Write(subscriptions.Bytes())
			s.ok(pub.WaitSubscribers(s.ctx, "end", 1))
			s.send(pub, "0/a topic like any other/97")
			s.send(pub, "96/a topic like any other/97")
			s.send(pub, "end")
			s.reads(raw, "0/a topic like any other/97")
			s.reads(raw, "end")
			raw.Close()
			s.gone(pub)
		}
		s.eventually("the memory is back", func() bool { return heap() < before+2<<20 })
		s.send(pub, "end")
	})
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Seven messages to three peers: 0 3 6, 1 4, 2 5; a peer that does not read is left out, and used again later.
func TestConformanceH1(t *testing.T) {
	overStreams(t, func(s *scene) { roundRobin(s, open(s, socket.NewPush, patient(narrow(2))), "PULL") })
}

// One of three senders floods; the others are served in turn.
func TestConformanceH2(t *testing.T) {
	overStreams(t, func(s *scene) {
		pull := open(s, socket.NewPull)
		endpoint := s.bind(pull)
		for who, count := range []int{500, 20, 20} {
			raw := s.peer(pull, endpoint, "PUSH")
			var all []byte
			for i := range count {
				all = append(all, sockettest.Message(octets(fmt.Sprint(who), fmt.Sprint(i))...)...)
			}
			raw.Write(all)
		}
		s.queued(pull, 540)
		counts := make(map[string]int)
		for range 60 {
			got := s.recv(pull)
			if got[1] != fmt.Sprint(counts[got[0]]) {
				s.Fatalf("%q, want number %d", got, counts[got[0]])
			}
			counts[got[0]]++
		}
		if counts["0"] != 20 || counts["1"] != 20 || counts["2"] != 20 {
			s.Errorf("of the first 60 messages %v", counts)
		}
	})
}

// A second peer of a PAIR is closed and never heard; the first is not disturbed.
func TestConformanceH3(t *testing.T) {
	overStreams(t, func(s *scene) {
		pair := open(s, socket.NewPair)
		endpoint := s.bind(pair)
		first := s.peer(pair, endpoint, "PAIR")
		second := sockettest.Dial(s.T, endpoint)
		second.Write(slices.Concat(sockettest.Greeting(1), sockettest.Command("READY", sockettest.Properties("Socket-Type", "PAIR")), sockettest.Message(octets("intruder")...)))
		second.ExpectClosed()
		first.Send(octets("hello")...)
		s.want(pair, "hello")
		s.send(pair, "welcome")
		s.reads(first, "welcome")
		s.nothing(pair)
	})
}

// When the first has left the next is served.
func TestConformanceH4(t *testing.T) {
	overStreams(t, func(s *scene) {
		pair := open(s, socket.NewPair)
		endpoint := s.bind(pair)
		for i := range 3 {
			raw := s.peer(pair, endpoint, "PAIR")
			raw.Send(octets("hello", fmt.Sprint(i))...)
			s.want(pair, "hello", fmt.Sprint(i))
			s.send(pair, "welcome", fmt.Sprint(i))
			s.reads(raw, "welcome", fmt.Sprint(i))
			raw.Close()
			s.gone(pair)
		}
	})
}
