// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// wirePing is a PING, whose time-to-live is in tenths of a second.
func wirePing(ttl uint16, context string) []byte {
	return sockettest.Command("PING", append([]byte{byte(ttl >> 8), byte(ttl)}, context...))
}

// RFC 37, Connection Heartbeating: PONG carries the context of its PING, of which 16 octets count.
func TestConformanceD1(t *testing.T) {
	for _, socketType := range wireTypes() {
		wireBoth(t, socketType, func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
			raw.Handshake(wirePeers(socketType)[0])
			for _, c := range []string{"", "abc", strings.Repeat("x", 16), "\x00\xff", "0123456789abcdefXYZ"} {
				raw.Write(wirePing(0, c))
				wireExpect(t, raw, sockettest.Command("PONG", []byte(c[:min(len(c), 16)])))
			}
		})
	}
}

// A PING without its time-to-live ends the stream, and is not answered.
func TestConformanceD2(t *testing.T) {
	for _, data := range []string{"", "\x00"} {
		wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake("DEALER")
			raw.Command("PING", []byte(data))
			wireDropped(t, s, raw, nil, "malformed command")
		})
	}
}

// RFC 37, Connection Heartbeating: a peer that gave itself a time-to-live and falls silent is dropped.
func TestConformanceD3(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "DEALER")
		raw := wireDial(t, s)
		raw.Handshake("DEALER")
		raw.Write(wirePing(2, ""))
		wireDropped(t, s, raw, sockettest.Command("PONG", nil), "peer time-to-live expired")
	})
}

// A long time-to-live is long: libzmq takes 65.6 s for 64 ms. The longest is just as good.
func TestConformanceD4(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "DEALER")
		var peers []*sockettest.Raw
		for _, ttl := range []uint16{656, 65535} {
			raw := wireDial(t, s)
			raw.Handshake("DEALER")
			raw.Write(wirePing(ttl, ""))
			wireExpect(t, raw, sockettest.Command("PONG", nil))
			peers = append(peers, raw)
		}
		peers[0].ExpectQuiet(100 * time.Millisecond)
		for _, raw := range peers {
			raw.ExpectOpen()
		}
	})
}

// A peer that goes on talking outlives its time-to-live, and one that takes it back may be silent. How long each may be
// silent is for TestD5, in virtual time: a round in which this machine itself was silent for too long does not count.
func TestConformanceD5(t *testing.T) {
	sockettest.Leak(t)
	const ttl, beats = 3, 20 // a third longer than the time-to-live
	beat := time.NewTicker(20 * time.Millisecond)
	defer beat.Stop()
	for talkedOn := false; !talkedOn; {
		var peers []*sockettest.Raw // all at once, to save time
		for _, scheme := range []string{"tcp", "ipc"} {
			s := wireBound(t, sockettest.Endpoint(scheme), "PULL")
			for range 2 {
				raw := wireDial(t, s)
				raw.Handshake("PUSH")
				peers = append(peers, raw)
			}
		}
		talkedOn = true
		for i := range beats {
			began := time.Now()
			for j, raw := range peers {
				raw.Conn.SetDeadline(began.Add(wirePatience))
				raw.Conn.Write([][]byte{wirePing(ttl, ""), sockettest.Message([]byte("alive")), sockettest.Command("FOOBAR", nil)}[min(i, 1+j%2)])
			}
			<-beat.C
			talkedOn = talkedOn && time.Since(began) < ttl*100*time.Millisecond/2
		}
		if !talkedOn {
			continue
		}
		for _, raw := range peers {
			raw.Write(wireJoin(wirePing(1, ""), wirePing(0, "")))
			wireExpect(t, raw, bytes.Repeat(sockettest.Command("PONG", nil), 3))
		}
		peers[0].ExpectQuiet(150 * time.Millisecond)
		for _, raw := range peers {
			raw.ExpectOpen()
		}
	}
}

// RFC 37, Connection Heartbeating: our own PINGs, with the time-to-live in tenths of a second, rounded down.
func TestConformanceD6(t *testing.T) {
	for ttl, tenths := range map[time.Duration]uint16{1990 * time.Millisecond: 19, 99 * time.Millisecond: 0, 65500 * time.Millisecond: 655} {
		wireBoth(t, "DEALER", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
			raw.Handshake("DEALER")
			for range 3 {
				wireExpect(t, raw, wirePing(tenths, ""))
				raw.Command("PONG", nil)
			}
		}, func(o *socket.Options) {
			o.HeartbeatInterval, o.HeartbeatTimeout, o.HeartbeatTTL = 10*time.Millisecond, wirePatience, ttl
		})
	}
}

// RFC 37, Connection Heartbeating: a peer that answers no PING by anything is dropped, and dialed again.
func TestConformanceD7(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s, l := wireConnected(t, endpoint, "DEALER", func(o *socket.Options) {
			o.HeartbeatInterval, o.HeartbeatTimeout = 40*time.Millisecond, 100*time.Millisecond
		})
		raw := l.Accept()
		raw.Handshake("DEALER")
		if said := raw.ExpectClosed(); !bytes.HasPrefix(said, wirePing(0, "")) || len(bytes.ReplaceAll(said, wirePing(0, ""), nil)) > 0 {
			t.Errorf("the socket said %x", said)
		}
		wireReason(t, s, "heartbeat timeout")
		l.Accept().Greet(1)
	})
}

// A PONG that nobody asked for is ignored.
func TestConformanceD8(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PUSH")
		raw.Command("PONG", nil)
		raw.Command("PONG", []byte("0123456789abcdef"))
		raw.ExpectOpen()
		wireNothing(t, s)
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// libzmq pings peers of 3.0, and wants its answer.
func TestConformanceD9(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
		raw.Handshake30("DEALER")
		raw.Write(wirePing(0, "c"))
		wireExpect(t, raw, sockettest.Command("PONG", []byte("c")))
	})
}

// RFC 37, Connection Heartbeating: every PING is answered, in order, between and inside messages, however many come.
func TestRuleH2(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("DEALER")
		var says, hears []byte
		for i := range 20 {
			c := string(rune('a' + i))
			says = append(says, wireJoin([]byte("\x01\x01a"), wirePing(0, c), []byte("\x00\x01b"))...)
			hears = append(hears, sockettest.Command("PONG", []byte(c))...)
		}
		raw.Write(says)
		wireExpect(t, raw, hears)
		for range 20 {
			wireRecv(t, s, "a", "b")
		}
	})
}

// RFC 23, Socket Semantics: every type binds and connects.
func TestRuleW1(t *testing.T) {
	for _, socketType := range wireTypes() {
		wireBoth(t, socketType, func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake(wirePeers(socketType)[0])
			raw.ExpectOpen()
			if err := s.WaitPeers(wireContext(t), 1); err != nil {
				t.Error(err)
			}
		})
	}
	sockettest.Wire(t, func(t *testing.T, endpoint string) { // one socket does both
		s, l := wireConnected(t, endpoint, "PULL")
		if err := s.Bind(endpoint); err != nil {
			t.Fatal(err)
		}
		for _, raw := range []*sockettest.Raw{l.Accept(), wireDial(t, s)} {
			raw.Handshake("PUSH")
			raw.Send([]byte("m"))
			wireRecv(t, s, "m")
		}
	})
}

// RFC 23, Socket Semantics: to connect does not wait for anybody; the socket comes when there is somebody, and again.
func TestRuleW2(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		l := sockettest.Listen(t, endpoint)
		l.Close()
		s := wireOpen(t, "DEALER")
		if err := s.Connect(l.Endpoint()); err != nil {
			t.Fatal(err)
		}
		wireSend(t, s, "early")
		sockettest.Until(t, "a failed dial", func() bool { return s.Stats().StreamErrors > 0 })
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := s.WaitConnected(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("WaitConnected:", err)
		}
		l = sockettest.ListenAt(t, l.Endpoint())
		raw := l.Accept()
		raw.Handshake("DEALER")
		wireExpect(t, raw, []byte("\x00\x05early"))
		raw.Reset()
		raw = l.Accept()
		raw.Handshake("DEALER")
		wireSend(t, s, "late")
		wireExpect(t, raw, []byte("\x00\x04late"))
	})
}

// RFC 23, Wire Analysis: without encryption messages travel as message frames, whatever is in them.
func TestRuleW4(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("DEALER")
		for _, body := range []string{"\x05READY", "\x04PING\x00\x00", "\x05ERROR\x03400", "\x09SUBSCRIBEA", ""} {
			wireSend(t, s, body, body)
			wireExpect(t, raw, sockettest.Message([]byte(body), []byte(body)))
			raw.Send([]byte(body), []byte(body))
			wireRecv(t, s, body, body)
		}
		raw.ExpectOpen()
	})
}

// RFC 23 and 37, The Publish-Subscribe Pattern: the publisher filters.
func TestRuleB1(t *testing.T) {
	for _, socketType := range []string{"PUB", "XPUB"} {
		wireBoth(t, socketType, func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake("SUB")
			wireSend(t, s, "A before")
			raw.Command("SUBSCRIBE", []byte("A"))
			raw.ExpectOpen()
			wireSubscribed(t, s, "A")
			wireSend(t, s, "B", "A")
			wireSend(t, s, "")
			wireSend(t, s, "a")
			wireSend(t, s, "A1", "x")
			wireExpect(t, raw, []byte("\x01\x02A1\x00\x01x"))
			raw.Send([]byte("\x00A")) // either form on one stream, as libzmq mixes them
			raw.Send([]byte("\x01C"))
			wireSubscribed(t, s, "C")
			wireSend(t, s, "A2")
			wireSend(t, s, "C2")
			wireExpect(t, raw, []byte("\x00\x02C2"))
			raw.ExpectOpen()
		})
	}
}

// wireSubscribed waits until somebody would get what begins with topic.
func wireSubscribed(t *testing.T, s wireSocket, topic string) {
	t.Helper()
	publisher := s.(interface {
		WaitSubscribers(ctx context.Context, topic string, n int) error
	})
	if err := publisher.WaitSubscribers(wireContext(t), topic, 1); err != nil {
		t.Fatal(err)
	}
}

// RFC 23 and 37, The Publish-Subscribe Pattern: a topic matches what begins with it, octet by octet; the empty one all.
func TestRuleB2(t *testing.T) {
	for _, c := range []struct{ topic, yes, no string }{
		{"A", "A", "B"},
		{"AB", "ABC", "A"},
		{"\x00", "\x00\x01", "\x01"},
		{"\xff\x00", "\xff\x00\xff", "\xff"},
		{strings.Repeat("t", 300), strings.Repeat("t", 301), strings.Repeat("t", 299)},
		{"", "", ""},
	} {
		wireBoth(t, "PUB", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake("SUB")
			raw.Command("SUBSCRIBE", []byte(c.topic))
			wireSubscribed(t, s, c.topic)
			if c.topic != "" {
				wireSend(t, s, c.no, c.topic)
			}
			wireSend(t, s, c.yes, "match")
			wireExpect(t, raw, sockettest.Message([]byte(c.yes), []byte("match")))
		})
	}
}

// RFC 23 and 37, The Publish-Subscribe Pattern: subscriptions are counted. We do that where they are made; towards a peer
// they are a set, as libzmq has it: its subscribers cancel once for many.
func TestRuleB3(t *testing.T) {
	wireBoth(t, "SUB", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PUB")
		sub := s.(*socket.Sub)
		for _, change := range []func(string) error{sub.Subscribe, sub.Subscribe, sub.Unsubscribe} {
			if err := change("A"); err != nil {
				t.Fatal(err)
			}
		}
		raw.Send([]byte("A1"))
		wireRecv(t, s, "A1")
		wireExpect(t, raw, sockettest.Command("SUBSCRIBE", []byte("A")))
		raw.ExpectOpen() // no CANCEL yet
		if err := sub.Unsubscribe("A"); err != nil {
			t.Fatal(err)
		}
		wireExpect(t, raw, sockettest.Command("CANCEL", []byte("A")))
		raw.Send([]byte("A2"))
		raw.ExpectOpen()
		wireNothing(t, s)
	})
	wireBoth(t, "PUB", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("SUB")
		raw.Command("SUBSCRIBE", []byte("A"))
		raw.Command("SUBSCRIBE", []byte("A"))
		raw.Command("CANCEL", []byte("A"))
		raw.Command("SUBSCRIBE", []byte("end"))
		wireSubscribed(t, s, "end")
		wireSend(t, s, "A1")
		wireSend(t, s, "end")
		wireExpect(t, raw, []byte("\x00\x03end"))
	})
}

// An exchange over ipc is the same as over tcp, octet by octet, in both directions.
func TestConformanceK5(t *testing.T) {
	heard := make(map[string][]byte)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		scheme, _, _ := strings.Cut(endpoint, ":")
		s := wireBound(t, endpoint, "ROUTER", func(o *socket.Options) { o.Identity = []byte("srv") })
		raw := wireDial(t, s)
		raw.Write(wireJoin(sockettest.Greeting(1), wireReady("DEALER", "Identity", "cli")))
		raw.Send([]byte("in"), nil, []byte(wireBody(300)))
		wireRecv(t, s, "cli", "in", "", wireBody(300))
		raw.Write(wirePing(0, "context"))
		opening := wireJoin(wireOwnGreeting(), wireReady("ROUTER", "Identity", "srv"), sockettest.Command("PONG", []byte("context")))
		heard[scheme] = raw.ReadN(len(opening))
		wireSend(t, s, "cli", "out", "", wireBody(70000))
		heard[scheme] = append(heard[scheme], bytes.Join(raw.ReadMessage(), []byte("|"))...)
		raw.CloseWrite()
		heard[scheme] = append(heard[scheme], raw.ExpectClosed()...)

		q, l := wireConnected(t, endpoint, "REQ")
		wireSend(t, q, "question")
		raw = l.Accept()
		raw.Write(wireJoin(sockettest.Greeting(1), wireReady("REP"), sockettest.Message(nil, []byte("answer"))))
		heard[scheme] = append(heard[scheme], raw.ReadN(sockettest.GreetingBytes)...)
		raw.ReadReady()
		heard[scheme] = append(heard[scheme], bytes.Join(raw.ReadMessage(), []byte("|"))...)
	})
	if !bytes.Equal(heard["tcp"], heard["ipc"]) || len(heard["tcp"]) < 70000 {
		t.Errorf("over tcp %.200x\nover ipc %.200x", heard["tcp"], heard["ipc"])
	}
}

// RFC 23, Error Handling: a peer that breaks the protocol is dropped, dialed again after a pause, and reported.
func TestConformanceL2(t *testing.T) {
	for name, c := range map[string]struct{ says, reason string }{
		"flags":     {"\xf8\x01x", "malformed frame"},
		"size":      {"\x02\xff\xff\xff\xff\xff\xff\xff\xff", "malformed frame"},
		"too large": {"\x02\x00\x00\x00\x00\xff\xff\xff\xff", "message too large"},
		"command":   {"\x04\x00", "malformed command"},
	} {
		t.Run(name, func(t *testing.T) {
			const pause = 10 * time.Millisecond
			sockettest.Wire(t, func(t *testing.T, endpoint string) {
				s, l := wireConnected(t, endpoint, "DEALER", func(o *socket.Options) { o.ReconnectMin, o.ReconnectMax = pause, 10*pause })
				raw := l.Accept()
				raw.Handshake("DEALER")
				broken := time.Now()
				raw.Write([]byte(c.says))
				wireDropped(t, s, raw, nil, c.reason)
				sockettest.Until(t, "reported", func() bool {
					var broke *socket.ProtocolError
					peers := s.Peers()
					return len(peers) == 1 && errors.As(peers[0].Err, &broke) && broke.Reason == c.reason
				})
				raw = l.Accept()
				if waited := time.Since(broken); waited < pause {
					t.Errorf("came back after %v", waited)
				}
				raw.Handshake("DEALER")
				raw.Send([]byte("m"))
				wireRecv(t, s, "m")
			})
		})
	}
}

// RFC 23, Socket Semantics: what came before the end is delivered, then the stream is closed. It comes again if it was ours.
func TestConformanceL12(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("DEALER")
		raw.Send([]byte("last"), []byte("words"))
		raw.Send([]byte(wireBody(100000)))
		raw.CloseWrite()
		if said := raw.ExpectClosed(); len(said) > 0 {
			t.Errorf("the socket said %x", said)
		}
		wireRecv(t, s, "last", "words")
		wireRecv(t, s, wireBody(100000))
		wireNothing(t, s)
	})
}
