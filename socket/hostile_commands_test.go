// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// hostileFate asks for a sign of life behind what was written. alive: it came. said is what the socket said before it, or
// before it ended the stream.
func hostileFate(t *testing.T, raw *sockettest.Raw) (said []byte, alive bool) {
	t.Helper()
	sign := sockettest.Command("PONG", []byte("sign of life"))
	hostileWrite(raw, sockettest.Command("PING", []byte("\x00\x00sign of life")))
	octet := make([]byte, 1)
	for !bytes.HasSuffix(said, sign) {
		_, err := raw.Conn.Read(octet)
		if err != nil {
			if !errors.Is(err, io.EOF) && strings.Contains(err.Error(), "timeout") {
				t.Fatalf("neither alive nor dropped, having said %x", said)
			}
			return said, false
		}
		said = append(said, octet[0])
	}
	return said[:len(said)-len(sign)], true
}

// greeted brings a raw peer to the target that owes its READY.
func (h *hostileTarget) greeted(t *testing.T) *sockettest.Raw {
	t.Helper()
	raw := sockettest.Dial(t, h.LastEndpoint())
	raw.Greet(1)
	raw.ReadReady()
	return raw
}

// Things out of order. What RFC 23 and 37 have no word for ends the stream in the handshake; commands that mean nothing
// are ignored afterwards, as by libzmq.
func TestHostileOrder(t *testing.T) {
	ready := wireReady("DEALER")
	message := sockettest.Message([]byte("m"))
	cases := []struct {
		name, reason string // no reason: it goes on
		greeted      bool   // sent instead of READY, else after it
		says         []byte
	}{
		{"message before READY", "unexpected command", true, message},
		{"READY in a message", "unexpected command", true, append([]byte{0}, ready[1:]...)},
		{"SUBSCRIBE before READY", "unexpected command", true, sockettest.Command("SUBSCRIBE", nil)},
		{"PING before READY", "unexpected command", true, sockettest.Command("PING", []byte("\x00\x00"))},
		{"PONG before READY", "unexpected command", true, sockettest.Command("PONG", nil)},
		{"unknown before READY", "unexpected command", true, sockettest.Command("WHATEVER", nil)},
		{"HELLO", "unexpected command", true, sockettest.Command("HELLO", []byte("\x04user\x04pass"))},
		{"INITIATE", "unexpected command", true, sockettest.Command("INITIATE", nil)},
		{"empty before READY", "malformed command", true, sockettest.Frame(sockettest.FlagCommand, nil)},
		{"READY with more", "malformed frame", true, append([]byte{5}, ready[1:]...)},
		{"greeting twice", "malformed frame", true, sockettest.Greeting(1)},
		{"command with more", "malformed frame", false, append([]byte{5}, sockettest.Command("PING", []byte("\x00\x00"))[1:]...)},
		{"reserved flag", "malformed frame", false, []byte("\x08\x01x")},
		{"empty command", "malformed command", false, sockettest.Frame(sockettest.FlagCommand, nil)},
		{"greeting afterwards", "malformed frame", false, sockettest.Greeting(1)},
		{"READY twice", "", false, ready},
		{"READY of another", "", false, wireReady("PULL", "Identity", hostileGoodPeer)},
		{"ERROR after READY", "", false, sockettest.Command("ERROR", []byte("\x02no"))},
		{"PONG unasked", "", false, sockettest.Command("PONG", []byte("who?"))},
		{"unknown command", "", false, sockettest.Command("WHATEVER", []byte("it is"))},
		{"SUBSCRIBE", "", false, sockettest.Command("SUBSCRIBE", []byte("topic"))},
		{"JOIN", "", false, sockettest.Command("JOIN", []byte("group"))},
		{"MESSAGE", "", false, sockettest.Command("MESSAGE", make([]byte, 40))},
	}
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			counts := make(map[string]uint64)
			for _, c := range cases {
				raw := h.greeted(t)
				if !c.greeted {
					raw.Write(ready)
				}
				raw.Write(append(slices.Clone(c.says), message...))
				if said, alive := hostileFate(t, raw); alive != (c.reason == "") || len(said) > 0 && !bytes.Equal(said, message) {
					t.Errorf("%s: alive is %v, the socket said %x", c.name, alive, said)
				}
				raw.Close()
				counts[c.reason]++
			}
			h.served()
			delete(counts, "")
			for reason, streams := range counts {
				h.counted(t, reason, streams)
			}
		})
		for _, got := range h.received() {
			if !slices.Equal(got, []string{"m"}) {
				t.Errorf("delivered %.100q", got)
			}
		}
	})
}

// hostileProperty is a property that may claim any length.
func hostileProperty(name, value string, claim uint32) []byte {
	b := append([]byte{byte(len(name))}, name...)
	return append(binary.BigEndian.AppendUint32(b, claim), value...)
}

// Metadata that no READY should have.
func TestHostileMetadata(t *testing.T) {
	dealer := sockettest.Properties("Socket-Type", "DEALER")
	identity := func(value string) []byte {
		return append(slices.Clone(dealer), sockettest.Properties("Identity", value)...)
	}
	many := func(count int) []byte {
		b := slices.Clone(dealer)
		for i := range count {
			b = append(b, sockettest.Properties(fmt.Sprint("X", i), "")...)
		}
		return b
	}
	cases := []struct {
		name, reason string // no reason: it is accepted
		metadata     []byte
	}{
		{"nothing", "incompatible peer", nil},
		{"no Socket-Type", "incompatible peer", sockettest.Properties("Identity", "i")},
		{"unknown Socket-Type", "incompatible peer", sockettest.Properties("Socket-Type", "STREAM")},
		{"long Socket-Type", "incompatible peer", sockettest.Properties("Socket-Type", strings.Repeat("DEALER", 9000))},
		{"empty Socket-Type", "incompatible peer", sockettest.Properties("Socket-Type", "")},
		{"lower case value", "incompatible peer", sockettest.Properties("Socket-Type", "dealer")},
		{"lower case name", "", sockettest.Properties("socket-type", "DEALER")},
		{"name of no letters", "malformed metadata", append(slices.Clone(dealer), 0, 0, 0, 0, 0)},
		{"name of 255 letters", "", append(slices.Clone(dealer), sockettest.Properties(strings.Repeat("n", 255), "v")...)},
		{"name of zeros", "malformed metadata", append(slices.Clone(dealer), sockettest.Properties("\x00\x00", "v")...)},
		{"name beyond the end", "malformed metadata", append(slices.Clone(dealer), 9, 'x')},
		{"value beyond the end", "malformed metadata", append(slices.Clone(dealer), hostileProperty("X", "v", 2)...)},
		{"value of 100 MB", "malformed metadata", append(slices.Clone(dealer), hostileProperty("Identity", "v", 100e6)...)},
		{"value of 2^31", "malformed metadata", append(slices.Clone(dealer), hostileProperty("X", "v", 1<<31)...)},
		{"value of 2^32-1", "malformed metadata", append(slices.Clone(dealer), hostileProperty("X", "v", 1<<32-1)...)},
		{"one octet too many", "malformed metadata", append(slices.Clone(dealer), 'x')},
		{"twice", "malformed metadata", append(slices.Clone(dealer), dealer...)},
		{"twice in another case", "malformed metadata", append(slices.Clone(dealer), sockettest.Properties("SOCKET-TYPE", "DEALER")...)},
		{"127 properties more", "", many(127)},
		{"128 properties more", "malformed metadata", many(128)},
		{"9,000 properties", "malformed metadata", many(6500)},
		{"10^5 properties", "frame too large", many(1e5)},
		{"identity of 0", "", identity("")},
		{"identity of 1", "", identity("i")},
		{"identity of 127", "", identity(strings.Repeat("i", 127))},
		{"identity of 128", "", identity(strings.Repeat("i", 128))},
		{"identity of 255", "", identity(strings.Repeat("i", 255))},
		{"identity of 256", "bad identity", identity(strings.Repeat("i", 256))},
		{"identity of 60 kB", "bad identity", identity(strings.Repeat("i", 60000))},
		{"identity of 1 MB", "frame too large", identity(strings.Repeat("i", 1e6))},
		{"zero first in the identity", "bad identity", identity("\x00\x00\x00\x00\x01")},
	}
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			counts := make(map[string]uint64)
			for _, c := range cases {
				raw := h.greeted(t)
				hostileWrite(raw, sockettest.Command("READY", c.metadata))
				said, alive := hostileFate(t, raw)
				refused := c.reason != "" && c.reason != "frame too large"
				if alive != (c.reason == "") || refused != bytes.Contains(said, []byte("\x05ERROR")) && len(said) > 0 {
					t.Errorf("%s: alive is %v, the socket said %q", c.name, alive, said)
				}
				raw.Close()
				counts[c.reason]++
			}
			h.served()
			delete(counts, "")
			for reason, streams := range counts {
				h.counted(t, reason, streams)
			}
		})
		h.nothing(t)
	})
}

// hostileCommands are all commands there are, and one there is not: name and data.
func hostileCommands() [][2]string {
	return [][2]string{
		{"READY", string(sockettest.Properties("Socket-Type", "DEALER", "Identity", "i"))}, {"ERROR", "\x07go away"},
		{"SUBSCRIBE", "topic"}, {"CANCEL", "topic"}, {"JOIN", "group"}, {"LEAVE", "group"}, {"PING", "\x00\x00sixteen octets.."},
		{"PONG", "sixteen octets.."}, {"HELLO", "\x04user\x04pass"}, {"WELCOME", ""}, {"INITIATE", "x"}, {"MESSAGE", "x"}, {"NONSENSE", "x"},
	}
}

// hostileShort is what becomes of a command in traffic whose body ends early.
func hostileShort(name string, body []byte) (alive bool, answer []byte) {
	if len(body) < 1+len(name) {
		return false, nil
	}
	data := body[1+len(name):]
	switch name {
	case "ERROR":
		return len(data) > 0 && len(data) == 1+int(data[0]), nil
	case "PING":
		if len(data) < 2 {
			return false, nil
		}
		return true, sockettest.Command("PONG", data[2:])
	}
	return true, nil
}

// Commands that end after each of their octets, in the handshake and after it: the frame is whole, what is in it is not.
func TestHostileShortCommands(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			for _, c := range hostileCommands() {
				whole := append(append([]byte{byte(len(c[0]))}, c[0]...), c[1]...)
				for end := range len(whole) + 1 {
					raw := h.greeted(t)
					raw.Write(sockettest.Frame(sockettest.FlagCommand, whole[:end]))
					said, alive := hostileFate(t, raw)
					if ready := c[0] == "READY" && (end == len(whole) || end == 28); alive != ready || bytes.Contains(said, []byte("PONG")) {
						t.Errorf("in the handshake, %q: alive is %v, the socket said %q", whole[:end], alive, said)
					}
					raw.Close()

					raw = h.dial(t)
					raw.Write(sockettest.Frame(sockettest.FlagCommand, whole[:end]))
					said, alive = hostileFate(t, raw)
					if wantAlive, want := hostileShort(c[0], whole[:end]); alive != wantAlive || !bytes.Equal(said, want) {
						t.Errorf("in traffic, %q: alive is %v, the socket said %q, want %v and %q", whole[:end], alive, said, wantAlive, want)
					}
					raw.Close()
				}
			}
			for _, c := range []struct {
				name, data string
				alive      bool
			}{
				{"PONG", strings.Repeat("c", 17), false},
				{"PONG", strings.Repeat("c", 3000), false},
				{"PING", "\xff\xff" + strings.Repeat("c", 17), true},
				{"PING", "\xff\xff" + strings.Repeat("c", 3000), true},
				{"PING", "\xff\xff" + strings.Repeat("c", 5000), false},
			} {
				raw := h.dial(t)
				raw.Command(c.name, []byte(c.data))
				if said, alive := hostileFate(t, raw); alive != c.alive || alive && !bytes.Equal(said, sockettest.Command("PONG", []byte(strings.Repeat("c", 16)))) {
					t.Errorf("%s with %d octets: alive is %v, the socket said %q", c.name, len(c.data), alive, said)
				}
				raw.Close()
			}
			h.served()
		})
		h.nothing(t)
	})
}

// Every socket type meets a peer of every type: those it does not talk to are told so and dropped, others are not.
func TestHostileWrongPeerType(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, kind := range wireTypes() {
			s := hostileBound(t, sockettest.Endpoint(endpoint[:3]), kind)
			wrong := uint64(0)
			for _, peer := range append(wireTypes(), "STREAM", "RADIO", "", "PEER") {
				raw := wireDial(t, s)
				raw.Greet(1)
				raw.ReadReady()
				raw.Write(wireReady(peer))
				said, alive := hostileFate(t, raw)
				raw.Close()
				if right := slices.Contains(wirePeers(kind), peer); alive != right || !right && !bytes.HasPrefix(said[min(2, len(said)):], []byte("\x05ERROR")) {
					t.Errorf("%s meets %s: alive is %v, it said %q", kind, peer, alive, said)
				} else if !right {
					wrong++
				}
			}
			hostileCounted(t, s, "incompatible peer", wrong)
			sockettest.Until(t, "all are gone", func() bool { return len(s.Peers()) == 0 })
		}
	})
}

// A peer that answers our handshake, as the one who connects, with ERROR, many times over: nothing of it is kept.
func TestHostileDenyStorm(t *testing.T) {
	streams := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			before := h.Stats()
			for range streams {
				raw := h.greeted(t)
				raw.Command("ERROR", []byte("\x02no"))
				raw.ExpectClosed()
				raw.Close()
			}
			h.served()
			h.ended(t, before, streams)
		})
		h.nothing(t)
	})
}

// ended waits until the target has counted the end of so many streams more than before.
func (h *hostileTarget) ended(t *testing.T, before socket.Stats, streams int) {
	t.Helper()
	end := time.Now().Add(hostilePatience)
	for pace := time.NewTicker(time.Millisecond); ; <-pace.C {
		after := h.Stats()
		ended := hostileEnded(after) - hostileEnded(before)
		if ended == uint64(streams) {
			return
		}
		if ended > uint64(streams) || time.Now().After(end) {
			t.Fatalf("%d streams have ended, want %d: %+v before, %+v after", ended, streams, before, after)
		}
	}
}

// hostileEnded counts the streams that have ended for any reason.
func hostileEnded(stats socket.Stats) uint64 {
	ended := stats.StreamErrors
	for _, streams := range stats.ProtocolErrors {
		ended += streams
	}
	return ended
}
