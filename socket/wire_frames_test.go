// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// wireBody is a body of so many octets, none like its neighbours.
func wireBody(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return string(b)
}

// wireHeader is flags and size in the long form.
func wireHeader(flags byte, size uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{flags}, size)
}

// RFC 23, Framing: one octet of size up to 255, eight from there on.
func TestConformanceB1(t *testing.T) {
	wireBoth(t, "PUSH", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PULL")
		for _, size := range []int{0, 1, 254, 255, 256, 8192, 65536, 1 << 20} {
			header := []byte{0, byte(size)}
			if size > 255 {
				header = wireHeader(sockettest.FlagLong, uint64(size))
			}
			wireSend(t, s, wireBody(size))
			wireExpect(t, raw, header)
			if got := raw.ReadN(size); string(got) != wireBody(size) {
				t.Errorf("another body of %d octets", size)
			}
		}
		raw.ExpectOpen()
	})
}

// RFC 23, Framing: MORE stands on all frames but the last, at any size.
func TestConformanceB2(t *testing.T) {
	wireBoth(t, "PUSH", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PULL")
		wireSend(t, s, "one", "", "three")
		wireExpect(t, raw, []byte("\x01\x03one\x01\x00\x00\x05three"))
		wireSend(t, s, wireBody(300), "", wireBody(256))
		wireExpect(t, raw, wireJoin(wireHeader(3, 300), []byte(wireBody(300)), []byte("\x01\x00"), wireHeader(2, 256), []byte(wireBody(256))))
		raw.ExpectOpen()
	})
}

// RFC 23, Framing: the long form holds any size.
func TestConformanceB3(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PUSH")
		raw.Write(wireJoin(wireHeader(2, 2), []byte("hi"), wireHeader(2, 0), wireHeader(3, 0), wireHeader(2, 1), []byte("!")))
		wireRecv(t, s, "hi")
		wireRecv(t, s, "")
		wireRecv(t, s, "", "!")
	})
}

// However the stream is cut, messages arrive whole.
func TestConformanceB4(t *testing.T) {
	wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("PUSH")
		want := []string{"a", "", wireBody(300)}
		octets := wireJoin(sockettest.Message([]byte("a"), nil, []byte(wireBody(300))), sockettest.Message([]byte("next")))
		raw.WriteEach(octets)
		wireRecv(t, s, want...)
		wireRecv(t, s, "next")
		for _, cut := range []int{1, 2, 3, 4, 5, 6, 13, 14, 15, 300, len(octets) - 1} {
			raw.Write(octets[:cut])
			raw.Write(octets[cut:])
			wireRecv(t, s, want...)
			wireRecv(t, s, "next")
		}
	})
}

// Flags that RFC 23, Framing, has no use for end the stream: no sender of them is known.
func TestConformanceB5(t *testing.T) {
	for _, flags := range []byte{0x05, 0x07, 0x08, 0x10, 0x20, 0x40, 0x80, 0x09, 0x0c, 0xf8, 0xff} {
		wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
			raw.Handshake("PUSH")
			raw.Write(wireJoin(sockettest.Message([]byte("good")), []byte{flags, 1, 'x'}, sockettest.Message([]byte("never"))))
			wireDropped(t, s, raw, nil, "malformed frame")
			wireRecv(t, s, "good")
			wireNothing(t, s)
		})
	}
}

// RFC 23, Socket Semantics: of a message that is cut off nothing is delivered.
func TestConformanceB6(t *testing.T) {
	for _, part := range [][]byte{[]byte("\x01\x04part"), []byte("\x01\x04part\x00"), []byte("\x01\x04part\x00\x03en")} {
		sockettest.Wire(t, func(t *testing.T, endpoint string) {
			s := wireBound(t, endpoint, "PULL")
			raw := wireDial(t, s)
			raw.Handshake("PUSH")
			raw.Write(wireJoin(sockettest.Message([]byte("whole")), part))
			raw.CloseWrite()
			raw.ExpectClosed()
			wireRecv(t, s, "whole")
			wireGoodPeer(t, s)
			wireNothing(t, s)
		})
	}
}

// A frame above the limit ends the stream when its header is there; the limit is on the message.
func TestConformanceB7(t *testing.T) {
	limit := func(o *socket.Options) { o.MessageBytes = 1000 }
	first := wireBody(1000)
	for _, c := range []struct {
		name string
		says []byte
	}{
		{"frame", wireHeader(2, 1001)},
		{"frame with more", wireHeader(3, 1001)},
		{"two frames", wireJoin(sockettest.Frame(sockettest.FlagMore, []byte(wireBody(600))), wireHeader(2, 401))},
	} {
		t.Run(c.name, func(t *testing.T) {
			wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
				raw.Handshake("PUSH")
				raw.Send([]byte(first))
				raw.Send([]byte(first[:600]), []byte(first[600:]))
				wireRecv(t, s, first)
				wireRecv(t, s, first[:600], first[600:])
				raw.Write(c.says)
				wireDropped(t, s, raw, nil, "message too large")
				wireNothing(t, s)
			}, limit)
		})
	}
}

// A size is a claim: none is believed before the octets are there, and 2^63 is no size (RFC 23, Framing).
func TestConformanceB8(t *testing.T) {
	unlimited := func(o *socket.Options) { o.MessageBytes, o.QueueBytes = socket.Unlimited, socket.Unlimited }
	for _, c := range []struct {
		name, reason string // no reason: it waits
		size         uint64
		change       func(*socket.Options)
	}{
		{"2^63-1, default limit", "message too large", math.MaxInt64, func(*socket.Options) {}},
		{"2^64-1, default limit", "malformed frame", math.MaxUint64, func(*socket.Options) {}},
		{"2^63, no limit", "malformed frame", 1 << 63, unlimited},
		{"2^64-1, no limit", "malformed frame", math.MaxUint64, unlimited},
		{"2^63-1, no limit", "frame too large", math.MaxInt64, unlimited},
		{"2^62, no limit", "", 1 << 62, unlimited},
	} {
		t.Run(c.name, func(t *testing.T) {
			wireBoth(t, "PULL", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
				raw.Handshake("PUSH")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				raw.Write(wireHeader(2, c.size))
				if c.reason == "" {
					raw.Write([]byte(wireBody(10000)))
					raw.CloseWrite() // else it would wait for ever
					raw.ExpectClosed()
				} else {
					wireDropped(t, s, raw, nil, c.reason)
				}
				runtime.ReadMemStats(&after)
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
					t.Errorf("allocated %d octets for a claim", grown)
				}
				wireNothing(t, s)
			}, c.change)
		})
	}
}

// libzmq puts commands between the frames of a message, and wants them answered there.
func TestConformanceB9(t *testing.T) {
	wireBoth(t, "DEALER", func(t *testing.T, s wireSocket, raw *sockettest.Raw) {
		raw.Handshake("DEALER")
		raw.Write([]byte("\x01\x05part1"))
		raw.ExpectOpen() // a PING and its PONG
		raw.Write([]byte("\x01\x00"))
		raw.ExpectOpen()
		raw.Write([]byte("\x00\x05part3"))
		wireRecv(t, s, "part1", "", "part3")
		raw.Write(wireJoin([]byte("\x01\x01a"), sockettest.Command("PING", []byte("\x00\x00c")), []byte("\x00\x01b")))
		wireRecv(t, s, "a", "b")
		wireExpect(t, raw, sockettest.Command("PONG", []byte("c")))
	})
}

// A message without end meets the limit on frames.
func TestConformanceB10(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "PULL")
		raw := wireDial(t, s)
		raw.Handshake("PUSH")
		raw.Conn.SetWriteDeadline(time.Now().Add(wirePatience))
		raw.Conn.Write(bytes.Repeat([]byte("\x01\x00"), 1e6)) // the socket is gone before the end
		wireDropped(t, s, raw, nil, "too many frames")
		wireGoodPeer(t, s)

		raw = wireDial(t, s)
		raw.Handshake("PUSH")
		raw.Write(append(bytes.Repeat([]byte("\x01\x00"), 4095), 0, 0))
		wireRecv(t, s, make([]string, 4096)...) // the limit itself
	})
}

// RFC 23, Framing: MORE is never set on commands and reserved bits never at all: every frame we send has one of the six
// legal values, and a command of more than 255 octets the long form.
func TestRuleFrameFlags(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "XSUB")
		raw := wireDial(t, s)
		raw.Write(sockettest.Greeting(1))
		raw.ReadN(sockettest.GreetingBytes)
		raw.Write(wireReady("XPUB"))
		topic := strings.Repeat("t", 300)
		read := func(flags byte) {
			t.Helper()
			if got, body := raw.ReadFrame(); got != flags {
				t.Fatalf("flags %#x on %.100q, want %#x", got, body, flags)
			}
		}
		read(4) // READY
		x := s.(*socket.XSub)
		for _, topic := range []string{"t", topic} {
			if err := x.Subscribe(topic); err != nil {
				t.Fatal(err)
			}
		}
		read(4)
		read(6)
		wireSend(t, s, "user", topic, "", topic)
		read(1)
		read(3)
		read(1)
		read(2)
		wireSend(t, s, "user")
		read(0)
		raw.Command("PING", []byte("\x00\x00"))
		read(4)
		for _, topic := range []string{"t", topic} {
			if err := x.Unsubscribe(topic); err != nil {
				t.Fatal(err)
			}
		}
		read(4)
		read(6)
	})
}

// RFC 23, Socket Semantics: a message is delivered whole or not at all, and queued until its last frame is there.
func TestRuleF1(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "PULL")
		slow, fast := wireDial(t, s), wireDial(t, s)
		slow.Handshake("PUSH")
		fast.Handshake("PUSH")
		slow.Write([]byte("\x01\x03one\x01\x03two"))
		slow.ExpectOpen() // both frames have been read
		fast.Send([]byte("x"), []byte("y"))
		wireRecv(t, s, "x", "y") // neither waits for the other nor mixes with it
		wireNothing(t, s)
		slow.Write([]byte("\x00\x05three"))
		wireRecv(t, s, "one", "two", "three")

		push := wireBound(t, endpoint, "PUSH")
		raw := wireDial(t, push)
		raw.Handshake("PULL")
		wireSend(t, push, "one", "", wireBody(70000))
		if got := raw.ReadMessage(); len(got) != 3 || len(got[2]) != 70000 {
			t.Errorf("%d frames", len(got))
		}
	})
}

// RFC 23, Socket Semantics: between two peers every message is delivered at most once, in order, both ways.
func TestRuleF2(t *testing.T) {
	const messages = 1000 // which fit into the queue
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		s := wireBound(t, endpoint, "DEALER", func(o *socket.Options) { o.SendHWM = messages })
		raw := wireDial(t, s)
		raw.Handshake("DEALER")
		var octets []byte
		number := func(i int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(i))) }
		for i := range messages {
			octets = append(octets, sockettest.Message([]byte(number(i)), []byte(wireBody(i%400)))...)
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			raw.Conn.Write(octets) // an error shows below
		}()
		for i := range messages {
			wireRecv(t, s, number(i), wireBody(i%400))
		}
		<-sent
		wireNothing(t, s)
		for i := range messages {
			wireSend(t, s, number(i), wireBody(i%400))
		}
		wireExpect(t, raw, octets)
		raw.ExpectOpen()
	})
}
