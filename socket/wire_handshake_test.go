// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// wireOwnReady is what a socket of ours without an identity says after its greeting.
func wireOwnReady(socketType string) []byte {
	switch socketType {
	case "REQ", "DEALER", "ROUTER":
		return wireReady(socketType, "Identity", "")
	}
	return wireReady(socketType)
}

// wireGreet exchanges greetings and reads the socket's READY.
func wireGreet(t *testing.T, raw *sockettest.Raw) {
	t.Helper()
	raw.Greet(1)
	raw.ReadReady()
}

// wireRefused checks that the socket answers with ERROR, in printable words, then ends the stream for a reason.
func wireRefused(t *testing.T, s wireSocket, raw *sockettest.Raw, reason string) {
	t.Helper()
	name, data := raw.ReadCommand()
	if name != "ERROR" || len(data) < 2 || int(data[0]) != len(data)-1 {
		t.Errorf("command %s %q, want ERROR", name, data)
	}
	if i := bytes.IndexFunc(data[1:], func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
		t.Errorf("ERROR %q does not print", data)
	}
	wireDropped(t, s, raw, nil, reason)
}

// RFC 23, Connection Metadata: READY says the type, and the identity for those that have one.
func TestConformanceC1(t *testing.T) {
	for _, socketType := range wireTypes() {
		t.Run(socketType, func(t *testing.T) {
			wireBoth(t, socketType, func(t *testing.T, _ wireSocket, raw *sockettest.Raw) {
				raw.Write(sockettest.Greeting(1))
				wireExpect(t, raw, wireJoin(wireOwnGreeting(), wireOwnReady(socketType)))
			})
		})
	}
}

// RFC 23, Connection Metadata: the identity of REQ, DEALER and ROUTER is told, that of others never.
func TestConformanceC2(t *testing.T) {
	longest := strings.Repeat("\xff", 255)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, socketType := range wireTypes() {
			for _, identity := range []string{"alpha", longest} {
				s := wireBound(t, endpoint, socketType, func(o *socket.Options) { o.Identity = []byte(identity) })
				raw := wireDial(t, s)
				want := wireReady(socketType)
				if !bytes.Equal(want, wireOwnReady(socketType)) {
					want = wireReady(socketType, "Identity", identity)
				}
				raw.Write(sockettest.Greeting(1))
				wireExpect(t, raw, wireJoin(wireOwnGreeting(), want))
			}
		}
	})
}

// RFC 23 and 37, NULL: READY comes unasked from either side, and either order works.
func TestConformanceC3(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw) // theirs first
		raw.Write(wireReady("DEALER"))
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
	wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Write(wireJoin(sockettest.Greeting(1), wireReady("DEALER"))) // ours first
		wireExpect(t, raw, wireJoin(wireOwnGreeting(), wireOwnReady("DEALER")))
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// RFC 23 and 37, The Socket-Type Property: each type with each other: legal peers get to traffic, others are told ERROR and
// dropped.
func TestConformanceC4(t *testing.T) {
	others := append(wireTypes(), "SERVER", "CLIENT", "FOO", "pull", "PULL\x00", "")
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, own := range wireTypes() {
			s := wireBound(t, endpoint, own)
			for _, other := range others {
				raw := wireDial(t, s)
				wireGreet(t, raw)
				raw.Write(wireReady(other))
				if slices.Contains(wirePeers(own), other) {
					raw.ExpectOpen()
				} else if name, _ := raw.ReadCommand(); name != "ERROR" || len(raw.ExpectClosed()) > 0 {
					t.Errorf("%s to %s: %s", other, own, name)
				}
				raw.Close()
				sockettest.Until(t, "peer gone", func() bool { return len(s.Peers()) == 0 })
			}
			refused := uint64(len(others) - len(wirePeers(own)))
			if got := s.Stats().ProtocolErrors["incompatible peer"]; got != refused {
				t.Errorf("%s counted %d incompatible peers of %d", own, got, refused)
			}
		}
	})
}

// The same for a socket that connects: refusing a type it says ERROR, and comes back, for the peer may have changed.
func TestConformanceC4Connecting(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s, l := wireConnected(t, endpoint, "PULL")
		raw := l.Accept()
		wireGreet(t, raw)
		raw.Write(wireReady("PULL"))
		wireRefused(t, s, raw, "incompatible peer")
		raw = l.Accept()
		raw.Handshake("PUSH")
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// RFC 23, Connection Metadata: property names have no case.
func TestConformanceC5(t *testing.T) {
	for _, name := range []string{"socket-type", "SOCKET-TYPE", "sOcKeT-tYpE"} {
		wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			wireGreet(t, raw)
			raw.Command("READY", sockettest.Properties(name, "PUSH"))
			raw.Send([]byte("m"))
			wireRecv(t, s, "m")
		})
		wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			wireGreet(t, raw)
			raw.Command("READY", sockettest.Properties(name, "PULL"))
			wireRefused(t, s, raw, "incompatible peer")
		})
	}
}

// RFC 23, Connection Metadata: unknown properties are accepted, before and after the known one.
func TestConformanceC6(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Command("READY", sockettest.Properties("X-Foo", "bar", "Socket-Type", "PUSH", "Resource", "a/b", "x-2", "\x00\xff", strings.Repeat("n", 255), ""))
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// RFC 23, The Socket-Type Property: we refuse a READY without it: nobody's traffic would be understood.
func TestConformanceC7(t *testing.T) {
	for _, metadata := range [][]byte{nil, sockettest.Properties("X-Foo", "bar")} {
		wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			wireGreet(t, raw)
			raw.Command("READY", metadata)
			wireRefused(t, s, raw, "incompatible peer")
		})
	}
}

// wireBadMetadata breaks the grammar of RFC 23, The NULL Security Mechanism.
func wireBadMetadata() map[string][]byte {
	good := sockettest.Properties("Socket-Type", "PUSH")
	return map[string][]byte{
		"value beyond the body":   append(slices.Clone(good), "\x01X\x00\x00\x00\x05four"...),
		"value of 2^31":           append(slices.Clone(good), "\x01X\x80\x00\x00\x00"...),
		"value of 2^32-1":         append(slices.Clone(good), "\x01X\xff\xff\xff\xff"...),
		"stray octet":             append(slices.Clone(good), 0x01),
		"stray zero":              append(slices.Clone(good), 0x00),
		"name beyond the body":    append(slices.Clone(good), "\x09X"...),
		"name without value":      append(slices.Clone(good), "\x01X"...),
		"half a size":             append(slices.Clone(good), "\x01X\x00\x00"...),
		"cut off in Socket-Type":  good[:len(good)-1],
		"same name twice":         append(slices.Clone(good), good...),
		"character out of bounds": append(slices.Clone(good), sockettest.Properties("X Y", "")...),
	}
}

// Malformed metadata ends the stream.
func TestConformanceC8(t *testing.T) {
	for name, metadata := range wireBadMetadata() {
		t.Run(name, func(t *testing.T) {
			wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
				wireGreet(t, raw)
				raw.Command("READY", metadata)
				wireRefused(t, s, raw, "malformed metadata")
				wireNothing(t, s)
			})
		})
	}
}

// RFC 23, NULL: a property has a name. We refuse one without.
func TestConformanceC9(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Command("READY", sockettest.Properties("Socket-Type", "PUSH", "", "value"))
		wireRefused(t, s, raw, "malformed metadata")
	})
}

// READY may come in the long form, short as it is.
func TestConformanceC10(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		body := append([]byte("\x05READY"), sockettest.Properties("Socket-Type", "PUSH")...)
		raw.Write(sockettest.Frame(sockettest.FlagCommand|sockettest.FlagLong, body))
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// RFC 23, Error Handling: ERROR is final. A connecting socket tells the application and stays away until it is connected
// anew.
func TestConformanceC11(t *testing.T) {
	for _, reason := range []string{"400", "go away", "", strings.Repeat("r", 255)} {
		sockettest.Wire(t, func(t *testing.T, endpoint string) {
			s, l := wireConnected(t, endpoint, "PULL")
			raw := l.Accept()
			wireGreet(t, raw)
			raw.Command("ERROR", append([]byte{byte(len(reason))}, reason...))
			if got := raw.ExpectClosed(); len(got) > 0 {
				t.Errorf("the socket said %x", got)
			}
			var refused *socket.RefusedError
			if err := s.WaitConnected(wireContext(t)); !errors.As(err, &refused) || refused.Reason != reason || refused.Endpoint != l.Endpoint() {
				t.Errorf("WaitConnected: %v", err)
			}
			if peers := s.Peers(); len(peers) != 1 || peers[0].State != socket.PeerRefused || !errors.As(peers[0].Err, &refused) {
				t.Errorf("peers %+v", peers)
			}
			if l.AcceptWithin(wireMoment) != nil {
				t.Error("it came back")
			}
			if err := s.Connect(l.Endpoint()); err != nil {
				t.Fatal(err)
			}
			raw = l.Accept()
			raw.Handshake("PUSH")
			raw.Send([]byte("m"))
			wireRecv(t, s, "m")
			if err := s.WaitConnected(wireContext(t)); err != nil {
				t.Error("WaitConnected:", err)
			}
		})
	}
}

// A bound socket that gets ERROR drops its peer, keeps nothing of it, and serves others.
func TestConformanceC11Bound(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "PULL")
		raw := wireDial(t, s)
		wireGreet(t, raw)
		raw.Command("ERROR", []byte("\x03400"))
		if got := raw.ExpectClosed(); len(got) > 0 {
			t.Errorf("the socket said %x", got)
		}
		sockettest.Until(t, "peer gone", func() bool { return len(s.Peers()) == 0 })
		wireGoodPeer(t, s)
	})
}

// wireNotReady cannot stand where READY must: what it is, in octets, and the reason counted.
func wireNotReady() map[string][2]string {
	return map[string][2]string{
		"ERROR, reason too long":   {"\x04\x08\x05ERROR\x09a", "malformed command"},
		"ERROR, reason too short":  {"\x04\x09\x05ERROR\x01ab", "malformed command"},
		"ERROR, no reason":         {"\x04\x06\x05ERROR", "malformed command"},
		"unknown command":          {"\x04\x07\x06FOOBAR", "unexpected command"},
		"old damaged ERROR":        {"\x04\x09\x5eRROR\x03400", "malformed command"},
		"empty command":            {"\x04\x00", "malformed command"},
		"command without name":     {"\x04\x01\x00", "malformed command"},
		"name longer than body":    {"\x04\x03\x05RE", "malformed command"},
		"message":                  {"\x00\x01m", "unexpected command"},
		"READY in a message frame": {"\x00\x1b\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH", "unexpected command"},
		"first part of a message":  {"\x01\x01m", "unexpected command"},
		"PING":                     {"\x04\x07\x04PING\x00\x00", "unexpected command"},
		"PONG":                     {"\x04\x05\x04PONG", "unexpected command"},
		"SUBSCRIBE":                {"\x04\x0b\x09SUBSCRIBEA", "unexpected command"},
		"HELLO of another":         {"\x04\x08\x05HELLO\x00\x00", "unexpected command"},
		"READY with MORE":          {"\x05\x1b\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH", "malformed frame"},
		"long command of 2^62":     {"\x06\x40\x00\x00\x00\x00\x00\x00\x00", "frame too large"},
	}
}

// Whatever is not READY ends the handshake, and nothing of it is delivered.
func TestConformanceC12(t *testing.T) {
	for name, c := range wireNotReady() {
		t.Run(name, func(t *testing.T) {
			wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
				wireGreet(t, raw)
				raw.Write([]byte(c[0]))
				wireDropped(t, s, raw, nil, c[1])
				wireNothing(t, s)
			})
		})
	}
}

// After the handshake well-formed commands without a meaning are ignored, and never reach the application.
func TestConformanceC13(t *testing.T) {
	for _, socketType := range []string{"PULL", "DEALER", "XPUB", "XSUB", "PAIR"} {
		wireBoth(t, socketType, func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			peer := wirePeers(socketType)[0]
			raw.Handshake(peer)
			raw.Command("FOOBAR", []byte("data"))
			raw.Command("A", nil)
			raw.Command(strings.Repeat("N", 255), bytes.Repeat([]byte("d"), 1000))
			raw.Command("ERROR", []byte("\x03400"))
			raw.Write(wireReady(peer))
			raw.Write(wireReady("FOO"))
			raw.Command("JOIN", []byte("group"))
			raw.Command("LEAVE", []byte("group"))
			raw.Command("HELLO", nil)
			raw.ExpectOpen()
			wireNothing(t, s)
			raw.Send([]byte("m"))
			wireRecv(t, s, "m")
		})
	}
}

// Malformed ones end the stream.
func TestConformanceC13Malformed(t *testing.T) {
	for name, says := range map[string]string{
		"empty command":         "\x04\x00",
		"command without name":  "\x04\x01\x00",
		"name longer than body": "\x04\x03\x05RE",
		"ERROR without reason":  "\x04\x06\x05ERROR",
		"PONG of 17 octets":     "\x04\x16\x04PONG" + strings.Repeat("c", 17),
	} {
		t.Run(name, func(t *testing.T) {
			wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
				raw.Handshake("PUSH")
				raw.Write(wireJoin(sockettest.Message([]byte("good")), []byte(says), sockettest.Message([]byte("never"))))
				wireDropped(t, s, raw, nil, "malformed command")
				wireRecv(t, s, "good")
				wireNothing(t, s)
			})
		})
	}
}

// Subscriptions mean something to publishers alone; no other application sees them (libzmq hands them on).
func TestConformanceC14(t *testing.T) {
	for _, socketType := range []string{"PULL", "DEALER", "PAIR", "ROUTER", "REP", "SUB", "XSUB"} {
		wireBoth(t, socketType, func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake(wirePeers(socketType)[0])
			raw.Command("SUBSCRIBE", []byte("A"))
			raw.Command("CANCEL", []byte("A"))
			raw.Command("SUBSCRIBE", nil)
			raw.ExpectOpen()
			wireNothing(t, s)
		})
	}
}

// RFC 37, The Identity Property: an identity has at most 255 octets and does not begin with zero.
func TestConformanceC15(t *testing.T) {
	for _, identity := range []string{"\x00abcd", "\x00", strings.Repeat("i", 256), strings.Repeat("i", 300), strings.Repeat("i", 60000)} {
		wireBoth(t, "ROUTER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			wireGreet(t, raw)
			raw.Write(wireReady("DEALER", "Identity", identity))
			wireRefused(t, s, raw, "bad identity")
			wireNothing(t, s)
		})
	}
	for _, identity := range []string{"i", strings.Repeat("i", 255), "\x01\x00\xff"} {
		wireBoth(t, "ROUTER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake("DEALER", "Identity", identity)
			raw.Send([]byte("m"))
			wireRecv(t, s, identity, "m")
			wireSend(t, s, identity, "reply")
			wireExpect(t, raw, []byte("\x00\x05reply"))
		})
	}
}

// RFC 23, Commands: the length of its name stands before it; there is no separator and no padding.
func TestRuleC1(t *testing.T) {
	wireBoth(t, "SUB", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PUB")
		if err := s.(*socket.Sub).Subscribe("A"); err != nil {
			t.Fatal(err)
		}
		wireExpect(t, raw, []byte("\x04\x0b\x09SUBSCRIBEA"))
		raw.Write([]byte("\x04\x09\x04PING\x00\x00xy"))
		wireExpect(t, raw, []byte("\x04\x07\x04PONGxy"))
	})
}

// RFC 23, The NULL Security Mechanism: READY goes out before theirs is there, and a 3.0 peer may send messages right after
// its own.
func TestRuleN1(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Greet(0)
		raw.ReadReady()
		raw.Write(wireJoin(wireReady("PUSH"), sockettest.Message([]byte("at once"))))
		wireRecv(t, s, "at once")
	})
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Write(wireJoin(sockettest.Greeting(0), wireReady("PUSH"), sockettest.Message([]byte("at once"))))
		wireRecv(t, s, "at once")
	})
}

// RFC 37, The NULL Security Mechanism: no message before both sides are READY; those that wait are not lost.
func TestRuleN2(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s, l := wireConnected(t, endpoint, "PUSH")
		wireSend(t, s, "waits")
		for range 3 {
			raw := l.Accept()
			raw.Write(sockettest.Greeting(1))
			wireExpect(t, raw, wireJoin(wireOwnGreeting(), wireReady("PUSH")))
			raw.ExpectQuiet(wireMoment / 2)
			raw.CloseWrite()
			if got := raw.ExpectClosed(); len(got) > 0 {
				t.Errorf("the socket said %x before READY", got)
			}
		}
		raw := l.Accept()
		raw.Handshake("PULL")
		wireExpect(t, raw, []byte("\x00\x05waits"))
		raw.ExpectOpen()
	})
}

// RFC 23 and 37, The Socket-Type Property: who does not like the peer's READY says ERROR, then disconnects.
func TestRuleN3(t *testing.T) {
	wireBoth(t, "REQ", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Write(wireReady("PUB"))
		wireRefused(t, s, raw, "incompatible peer")
	})
}

// RFC 23, Error Handling: ERROR is fatal: the stream is closed and the endpoint left alone; see also C11.
func TestRuleN4(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s, l := wireConnected(t, endpoint, "DEALER")
		other := sockettest.Listen(t, endpoint)
		if err := s.Connect(other.Endpoint()); err != nil {
			t.Fatal(err)
		}
		raw := l.Accept()
		raw.Greet(1)
		raw.Command("ERROR", []byte("\x02no"))
		raw.ReadReady()
		raw.ExpectClosed()
		good := other.Accept()
		good.Handshake("DEALER")
		sockettest.Until(t, "refused", func() bool { return len(wireStates(s, socket.PeerRefused)) == 1 })
		for range 4 { // all go where they are wanted
			wireSend(t, s, "m")
			wireExpect(t, good, []byte("\x00\x01m"))
		}
		if l.AcceptWithin(wireMoment) != nil {
			t.Error("it came back")
		}
	})
}

// wireStates are the peers in a state.
func wireStates(s wireSocket, state socket.PeerState) []socket.Peer {
	return slices.DeleteFunc(s.Peers(), func(p socket.Peer) bool { return p.State != state })
}

// RFC 23, Error Handling: a close is temporary wherever it comes, and the socket comes back, after longer and longer.
func TestRuleN5(t *testing.T) {
	const first, longest = 2 * time.Millisecond, 16 * time.Millisecond
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s, l := wireConnected(t, endpoint, "PULL", func(o *socket.Options) { o.ReconnectMin, o.ReconnectMax = first, longest })
		says := wireJoin(sockettest.Greeting(1), wireReady("PUSH"))
		pause := first
		for _, cut := range []int{0, 1, 10, 11, 63, 64, 65, len(says) - 1} {
			raw := l.Accept()
			raw.Write(says[:cut])
			closed := time.Now()
			if cut%2 == 0 {
				raw.Close()
			} else {
				raw.Reset()
			}
			raw = l.Accept()
			if waited := time.Since(closed); waited < pause {
				t.Errorf("came back after %v, not %v", waited, pause)
			}
			pause = min(2*pause, longest)
			raw.Close()
			pause = min(2*pause, longest)
		}
		raw := l.Accept()
		raw.Write(says)
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// RFC 23, Connection Metadata: names have no case; see C5 for Socket-Type.
func TestRuleP1(t *testing.T) {
	wireBoth(t, "ROUTER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Command("READY", sockettest.Properties("IDENTITY", "me", "SOCKET-TYPE", "DEALER"))
		raw.Send([]byte("m"))
		wireRecv(t, s, "me", "m")
	})
}

// RFC 23, Connection Metadata: a name is never empty, a value may be.
func TestRuleP2(t *testing.T) {
	wireBoth(t, "ROUTER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Command("READY", sockettest.Properties("Socket-Type", "DEALER", "X-Empty", "", "Identity", ""))
		raw.Send([]byte("m"))
		got, err := s.(wireReceiver).Recv(wireContext(t))
		if err != nil || got.Len() != 2 || len(got.Frame(0)) != 5 || got.Frame(0)[0] != 0 {
			t.Errorf("%q, %v: want an identity made up for a peer without", wireFrames(got), err)
		}
	})
	wireBoth(t, "ROUTER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Command("READY", sockettest.Properties("", "", "Socket-Type", "DEALER"))
		wireRefused(t, s, raw, "malformed metadata")
	})
}

// RFC 37, The Identity Property: it does not begin with zero; but from types that have none it is ignored, whatever it is.
func TestRuleP6(t *testing.T) {
	wireBoth(t, "ROUTER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Write(wireReady("REQ", "Identity", "\x00"))
		wireRefused(t, s, raw, "bad identity")
	})
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PUSH", "Identity", "\x00"+strings.Repeat("i", 300))
		raw.Send([]byte("m"))
		wireRecv(t, s, "m")
	})
}

// RFC 37, The Resource Property: every resource is accepted.
func TestRuleP7(t *testing.T) {
	for _, resource := range []string{"a", "a/b/c", "", "$_@.&+-/1", strings.Repeat("r/", 5000), "not legal at all \x00"} {
		wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake("PUSH", "Resource", resource)
			raw.Send([]byte("m"))
			wireRecv(t, s, "m")
		})
	}
}

// RFC 37, The Socket-Type Property: who may talk is enforced, with ERROR. C4 has all pairs.
func TestRuleT1(t *testing.T) {
	wireBoth(t, "XPUB", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		wireGreet(t, raw)
		raw.Write(wireJoin(wireReady("PULL"), sockettest.Message([]byte("\x01A"))))
		wireRefused(t, s, raw, "incompatible peer")
		wireNothing(t, s)
	})
}
