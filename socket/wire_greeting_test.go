// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// wireOwnGreeting is what our sockets say first.
func wireOwnGreeting() []byte { return sockettest.Greeting(1) }

// RFC 23, Greeting: the signature comes unasked.
func TestConformanceA1(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
		if got := raw.ReadN(10); got[0] != 0xff || got[9] != 0x7f {
			t.Errorf("signature %x", got)
		}
	})
}

// RFC 37, Grammar: version, mechanism, as-server, filler.
func TestConformanceA2(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
		raw.Write(sockettest.Greeting(1))
		if got := raw.ReadN(sockettest.GreetingBytes); !bytes.Equal(got, wireOwnGreeting()) {
			t.Errorf("greeting %x, want %x", got, wireOwnGreeting())
		}
	})
}

// A peer that sends its greeting in three steps, waiting in between as libzmq does, gets through.
func TestConformanceA3(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		greeting := sockettest.Greeting(1)
		raw.Write(greeting[:10])
		own := raw.ReadN(11)
		raw.Write(greeting[10:11])
		own = append(own, raw.ReadN(53)...)
		raw.Write(greeting[11:])
		if !bytes.Equal(own, wireOwnGreeting()) {
			t.Errorf("greeting %x", own)
		}
		raw.Write(wireReady("PUSH"))
		raw.ReadReady()
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// Greeting, READY and message come one octet at a time.
func TestConformanceA4(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.WriteEach(wireJoin(sockettest.Greeting(1), wireReady("PUSH"), sockettest.Message([]byte("m"))))
		wireRecv(t, s, "m")
	})
}

// RFC 23, Version Negotiation: padding, as-server and filler mean nothing. Of the tenth octet only one bit counts.
func TestConformanceA5(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(greeting []byte)
	}{
		{"padding of ones", func(g []byte) { copy(g[1:9], bytes.Repeat([]byte{0x11}, 8)) }},
		{"padding of an identity", func(g []byte) { binary.BigEndian.PutUint64(g[1:], 6) }},
		{"as-server", func(g []byte) { g[32] = 1 }},
		{"filler", func(g []byte) { copy(g[33:], bytes.Repeat([]byte{0xaa}, 31)) }},
		{"tenth octet", func(g []byte) { g[9] = 0x01 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
				greeting := sockettest.Greeting(1)
				c.spoil(greeting)
				raw.Write(wireJoin(greeting, wireReady("PUSH"), sockettest.Message([]byte("m"))))
				wireRecv(t, s, "m")
			})
		})
	}
}

// RFC 23, Version Negotiation: a later version is answered with our own.
func TestConformanceA6(t *testing.T) {
	for _, version := range [][2]byte{{3, 7}, {4, 7}, {255, 255}} {
		wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Write(wireJoin(sockettest.GreetingOf(version[0], version[1], "NULL"), wireReady("DEALER")))
			wireExpect(t, raw, wireOwnGreeting())
			raw.ReadReady()
			raw.Send([]byte("in"))
			wireRecv(t, s, "in")
			wireSend(t, s, "out", "")
			wireExpect(t, raw, []byte("\x01\x03out\x00\x00"))
			raw.ExpectOpen()
		})
	}
}

// RFC 23: a peer of 3.0 is accepted and told subscriptions in the form it knows.
func TestConformanceA7(t *testing.T) {
	wireBoth(t, "SUB", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		if err := s.(*socket.Sub).Subscribe("A"); err != nil {
			t.Fatal(err)
		}
		raw.Handshake30("PUB")
		wireExpect(t, raw, []byte("\x00\x02\x01A"))
		raw.Send([]byte("A1"))
		wireRecv(t, s, "A1")
	})
}

// wireForeignMechanisms are names that a NULL socket does not take for its own.
func wireForeignMechanisms() []string {
	return []string{"FOO", "null", "NULL" + "                ", "PLAIN", "CURVE", "", "NULL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00X", "NULLNULLNULLNULLNULL"}
}

// RFC 23, Authentication: the mechanism must be the same, else the stream is closed and no READY comes.
func TestConformanceA8(t *testing.T) {
	for _, mechanism := range wireForeignMechanisms() {
		wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			greeting := sockettest.GreetingOf(3, 1, mechanism)
			raw.Write(greeting[:10])
			own := raw.ReadN(11)
			raw.Write(greeting[10:])
			wireDropped(t, s, raw, wireOwnGreeting()[len(own):], "mechanism mismatch")
		})
	}
}

// RFC 23, Authentication: also a peer that says everything at once gets the whole greeting before the end.
func TestConformanceA9(t *testing.T) {
	for _, mechanism := range wireForeignMechanisms() {
		wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Write(sockettest.GreetingOf(3, 1, mechanism))
			wireDropped(t, s, raw, wireOwnGreeting(), "mechanism mismatch")
		})
	}
}

// RFC 23, Security Considerations: who stalls in the handshake is dropped at its deadline.
func TestConformanceA10(t *testing.T) {
	cases := []struct{ says, hears []byte }{
		{nil, wireOwnGreeting()},
		{sockettest.Greeting(1)[:10], wireOwnGreeting()},
		{sockettest.Greeting(1), wireJoin(wireOwnGreeting(), wireReady("PULL"))},
		{wireJoin(sockettest.Greeting(1), wireReady("PUSH")[:9]), wireJoin(wireOwnGreeting(), wireReady("PULL"))},
	}
	deadline := func(o *socket.Options) { o.HandshakeTimeout = 200 * time.Millisecond }
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		bound, connected := wireBound(t, endpoint, "PULL", deadline), wireOpen(t, "PULL", deadline)
		var atBound, atConnected []*sockettest.Raw
		for _, c := range cases {
			raw := wireDial(t, bound)
			raw.Write(c.says)
			atBound = append(atBound, raw)
			l := sockettest.Listen(t, endpoint)
			if err := connected.Connect(l.Endpoint()); err != nil {
				t.Fatal(err)
			}
			raw = l.Accept()
			raw.Write(c.says)
			atConnected = append(atConnected, raw)
		}
		for i, c := range cases {
			wireDropped(t, bound, atBound[i], c.hears, "handshake timeout")
			wireDropped(t, connected, atConnected[i], c.hears, "handshake timeout")
		}
		sockettest.Until(t, "peers gone", func() bool { return len(bound.Peers()) == 0 })
		if got := bound.Stats().ProtocolErrors["handshake timeout"]; got != uint64(len(cases)) {
			t.Errorf("%d timeouts", got)
		}
	})
}

// What is no greeting is dropped, and others are served.
func TestConformanceA11(t *testing.T) {
	random := make([]byte, 64<<10)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	random[0] = 0x16 // one in 256 would look like a signature at first
	for _, c := range []struct {
		name, reason string
		says         []byte
	}{
		{"zero", "bad greeting", []byte{0}},
		{"http", "bad greeting", []byte("GET / HTTP/1.1\r\n\r\n")},
		{"random", "bad greeting", random},
		{"ones", "mechanism mismatch", bytes.Repeat([]byte{0xff}, 1<<20)},
		{"even tenth octet", "old protocol version", []byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7e")},
	} {
		t.Run(c.name, func(t *testing.T) {
			sockettest.Wire(t, func(t *testing.T, endpoint string) {
				s := wireBound(t, endpoint, "PULL")
				raw := wireDial(t, s)
				raw.ReadN(sockettest.GreetingBytes)
				raw.Conn.SetWriteDeadline(time.Now().Add(wirePatience))
				raw.Conn.Write(c.says) // the socket may be gone before the end
				wireDropped(t, s, raw, nil, c.reason)
				wireGoodPeer(t, s)
			})
		})
	}
}

// RFC 23, Error Handling: a close before the greeting is temporary. The socket comes back, not sooner than it may.
func TestConformanceA12(t *testing.T) {
	const pause = 20 * time.Millisecond
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s, l := wireConnected(t, endpoint, "DEALER", func(o *socket.Options) { o.ReconnectMin, o.ReconnectMax = pause, pause })
		for range 3 {
			raw := l.Accept()
			closed := time.Now()
			raw.Close()
			raw = l.Accept()
			if waited := time.Since(closed); waited < pause {
				t.Errorf("came back after %v", waited)
			}
			raw.Close()
		}
		raw := l.Accept()
		raw.Handshake("DEALER")
		wireSend(t, s, "m")
		wireExpect(t, raw, []byte("\x00\x01m"))
	})
}

// RFC 23, Version Negotiation: all 64 octets are sent at once, whether or not the peer says anything.
func TestRuleG1(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
		wireExpect(t, raw, wireOwnGreeting())
		raw.ExpectQuiet(wireMoment)
	})
}

// RFC 23, Version Negotiation: padding is never interpreted: none of its octets changes what follows.
func TestRuleG3(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
		greeting := sockettest.Greeting(1)
		for i := range 8 {
			greeting[1+i] = byte(rand.Uint32())
		}
		t.Logf("padding %x", greeting[1:9])
		raw.Write(wireJoin(greeting, wireReady("DEALER")))
		raw.ReadN(sockettest.GreetingBytes)
		raw.ReadReady()
		raw.ExpectOpen()
	})
}

// RFC 23, Version Negotiation: any version from 3.0 on is accepted.
func TestRuleG4(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "PULL")
		for _, version := range [][2]byte{{3, 0}, {3, 1}, {3, 2}, {3, 255}, {4, 0}, {127, 0}, {128, 9}, {255, 0}} {
			raw := wireDial(t, s)
			raw.Write(wireJoin(sockettest.GreetingOf(version[0], version[1], "NULL"), wireReady("PUSH"), sockettest.Message([]byte("m"))))
			wireRecv(t, s, "m")
			raw.Close()
		}
	})
}

// RFC 23, Version Negotiation: to a peer of an equal or higher version we talk our own: 3.1 with its commands.
func TestRuleG5(t *testing.T) {
	for _, version := range [][2]byte{{3, 1}, {3, 2}, {4, 0}} {
		wireBoth(t, "SUB", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Write(wireJoin(sockettest.GreetingOf(version[0], version[1], "NULL"), wireReady("PUB")))
			wireExpect(t, raw, wireJoin(wireOwnGreeting(), wireReady("SUB")))
			if err := s.(*socket.Sub).Subscribe("A"); err != nil {
				t.Fatal(err)
			}
			wireExpect(t, raw, sockettest.Command("SUBSCRIBE", []byte("A")))
		})
	}
}

// RFC 23, Version Negotiation: who speaks a lower version, which we do not, is disconnected.
func TestRuleG6(t *testing.T) {
	for _, c := range []struct {
		name string
		says []byte
	}{
		{"2.0", []byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01\x05\x00\x00")},
		{"revision 0", []byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x00\x05")},
		{"revision 2", []byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x02")},
		{"1.0, long identity header", []byte("\xff\x00\x00\x00\x00\x00\x00\x00\x04\x00two")},
	} {
		t.Run(c.name, func(t *testing.T) {
			wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
				raw.Write(c.says)
				wireDropped(t, s, raw, wireOwnGreeting(), "old protocol version")
			})
		})
	}
	t.Run("1.0, short identity header", func(t *testing.T) {
		wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Write([]byte("\x04\x00one"))
			wireDropped(t, s, raw, wireOwnGreeting(), "bad greeting")
		})
	})
}

// RFC 23, Authentication: one mechanism alone is accepted, to the last octet.
func TestRuleG7(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "PULL")
		for at := range 20 {
			greeting := sockettest.Greeting(1)
			greeting[12+at] ^= 0x20
			raw := wireDial(t, s)
			raw.Write(greeting)
			if got := raw.ExpectClosed(); !bytes.Equal(got, wireOwnGreeting()) {
				t.Errorf("octet %d: the socket said %x", at, got)
			}
		}
		wireGoodPeer(t, s)
	})
}

// RFC 23, Authentication: who has read a full greeting has also sent one, whatever was in it.
func TestRuleG8(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
		raw.Write(wireJoin(sockettest.GreetingOf(3, 1, "CURVE"), bytes.Repeat([]byte{0xee}, 5000)))
		if got := raw.ExpectClosed(); !bytes.Equal(got, wireOwnGreeting()) {
			t.Errorf("the socket said %x", got)
		}
	})
}

// RFC 23, The NULL Security Mechanism: as-server is zero, on both sides.
func TestRuleG9(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
		if got := raw.ReadN(sockettest.GreetingBytes)[32]; got != 0 {
			t.Errorf("as-server %d", got)
		}
	})
}

// RFC 23, Security Considerations: there is no way down to 2.0 or 1.0, so none around a mechanism: the identity frame
// and the messages of an older peer are never looked at.
func TestRuleG11(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "PULL")
		for _, says := range []string{
			"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01\x08\x00\x00\x00\x01m", // 2.0 PUSH
			"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x02\x00m",             // 1.0
			"\x01\x00\x02\x00m", // 1.0
		} {
			raw := wireDial(t, s)
			raw.Write([]byte(says))
			if got := raw.ExpectClosed(); !bytes.Equal(got, wireOwnGreeting()) {
				t.Errorf("%x: the socket said %x", says, got)
			}
		}
		wireGoodPeer(t, s)
		wireNothing(t, s)
	})
}
