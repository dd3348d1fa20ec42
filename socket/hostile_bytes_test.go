// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// hostileNoise is octets that look like nothing, the same each time.
func hostileNoise(size int, first byte) []byte {
	random := rand.NewChaCha8([32]byte{first})
	noise := make([]byte, size)
	random.Read(noise) // it never fails
	noise[0] = first
	return noise
}

// Peers that speak something else, or nothing.
func TestHostileGreeting(t *testing.T) {
	cases := []struct {
		name, reason string
		says         []byte
	}{
		{"http", "bad greeting", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"tls", "bad greeting", append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, hostileNoise(500, 0x55)...)},
		{"ssh", "bad greeting", []byte("SSH-2.0-OpenSSH_9.6\r\n")},
		{"redis", "bad greeting", []byte("*1\r\n$4\r\nPING\r\n")},
		{"memcached", "bad greeting", []byte("stats\r\n")},
		{"memcached, binary", "bad greeting", append([]byte{0x80, 0x0b}, make([]byte, 22)...)},
		{"64 KiB of noise", "bad greeting", hostileNoise(64<<10, 0x7f)},
		{"64 KiB of noise that begins well", "", hostileNoise(64<<10, 0xff)},
		{"1 MiB of ones", "mechanism mismatch", bytes.Repeat([]byte{0xff}, 1<<20)},
		{"1.0", "bad greeting", []byte("\x01\x00")},
		{"2.0", "old protocol version", []byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01\x05\x00\x00")},
		{"PLAIN", "mechanism mismatch", sockettest.GreetingOf(3, 1, "PLAIN")},
		{"CURVE", "mechanism mismatch", sockettest.GreetingOf(3, 1, "CURVE")},
		{"unterminated mechanism", "mechanism mismatch", sockettest.GreetingOf(3, 1, "NULLNULLNULLNULLNULL")},
		{"nothing", "handshake timeout", nil},
		{"one octet", "handshake timeout", []byte{0xff}},
		{"a greeting", "handshake timeout", sockettest.Greeting(1)},
		{"a greeting and noise", "", append(sockettest.Greeting(1), hostileNoise(64<<10, 4)...)},
	}
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint, func(o *socket.Options) { o.HandshakeTimeout = 200 * time.Millisecond })
		h.survives(func(t *testing.T) {
			before := h.failures()
			counts := make(map[string]uint64)
			var raws []*sockettest.Raw
			for _, c := range cases {
				raw := sockettest.Dial(t, h.LastEndpoint())
				hostileWrite(raw, c.says)
				raws = append(raws, raw)
				counts[c.reason]++
			}
			h.served()
			for i, raw := range raws {
				if said := raw.ExpectClosed(); len(said) > 0 && said[0] != 0xff {
					t.Errorf("%s: the socket said %.100x", cases[i].name, said)
				}
			}
			sockettest.Until(t, "every stream is counted", func() bool { return h.failures()-before == uint64(len(cases)) })
			delete(counts, "")
			delete(counts, "mechanism mismatch") // some of the noise may be that
			for reason, streams := range counts {
				if got := h.Stats().ProtocolErrors[reason]; got < streams {
					t.Errorf("%d streams dropped for %q, want %d", got, reason, streams)
				}
			}
		})
		h.nothing(t)
	})
}

// failures counts the streams that the target has dropped so far for what they said.
func (h *hostileTarget) failures() uint64 {
	all := uint64(0)
	for _, streams := range h.Stats().ProtocolErrors {
		all += streams
	}
	return all
}

// hostileHeader is a frame header in the long form.
func hostileHeader(flags byte, length uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{flags}, length)
}

const (
	hostileRawBytes     = 4500    // that a raw peer takes until its test is over
	hostileMessageBytes = 1 << 20 // of the target, for these tests
	hostileCommandBytes = 4 << 10
)

// Frames of every length, in every form and state. A claim within the limits costs no memory, one above ends the stream.
func TestHostileFrameLen(t *testing.T) {
	lengths := []uint64{
		0, 1, 255, 256, 1<<31 - 1, 1<<31 + 1, 1<<32 - 1, 1<<32 + 1, 1 << 48, 1 << 49, 1 << 60, 1 << 62, 1<<63 - 1, 1 << 63,
		-38 & (1<<64 - 1), 1<<64 - 1, hostileMessageBytes, hostileMessageBytes + 1, hostileCommandBytes, hostileCommandBytes + 1,
	}
	flags := []byte{0, 1, 4, 5, 8, 16, 32, 64, 128}
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint, func(o *socket.Options) { o.MessageBytes = hostileMessageBytes })
		h.survives(func(t *testing.T) {
			for _, flags := range flags {
				for _, length := range lengths {
					h.claim(t, false, hostileHeader(flags|sockettest.FlagLong, length))
					h.claim(t, true, hostileHeader(flags|sockettest.FlagLong, length))
					if length <= 255 {
						h.claim(t, false, []byte{flags, byte(length)})
						h.claim(t, true, []byte{flags, byte(length)})
					}
				}
			}
			h.served()
			open, made := len(h.Peers())-1, 2*len(flags)*(len(lengths)+4)
			grown := h.grown() - made*hostileRawBytes
			t.Logf("%d streams that claim much and send little take %d octets", open, grown)
			if grown > open*(64<<10) {
				t.Errorf("more than 64 KiB each")
			}
		})
		for _, got := range h.received() {
			if len(got) != 1 || got[0] != "" {
				t.Errorf("delivered %.100q", got)
			}
		}
	})
}

// claim sends a frame header, and nothing behind it, before or after READY, and checks what becomes of the stream.
func (h *hostileTarget) claim(t *testing.T, ready bool, header []byte) {
	t.Helper()
	length := uint64(header[1])
	if len(header) > 2 {
		length = binary.BigEndian.Uint64(header[1:])
	}
	kind := header[0] &^ sockettest.FlagLong
	dropped := kind > sockettest.FlagCommand
	switch {
	case !ready:
		dropped = dropped || kind != sockettest.FlagCommand || length > 64<<10 || length == 0
	case kind == sockettest.FlagCommand:
		dropped = dropped || length > hostileCommandBytes || length == 0
	default:
		dropped = dropped || length > hostileMessageBytes
	}
	raw := sockettest.Dial(t, h.LastEndpoint())
	if ready {
		raw.Handshake("DEALER")
	} else {
		raw.Greet(1)
		raw.ReadReady()
	}
	raw.Write(header)
	if dropped {
		h.dropped(t, raw, fmt.Sprintf("ready %v, header %x", ready, header))
	}
}

// dropped checks that the target ends a stream.
func (h *hostileTarget) dropped(t *testing.T, raw *sockettest.Raw, what string) {
	t.Helper()
	if said := raw.ExpectClosed(); len(said) > 0 {
		t.Errorf("%s: the socket said %.100x", what, said)
	}
	raw.Close()
}

// Many peers that claim the limit and send an octet.
func TestHostileClaimNoData(t *testing.T) {
	peers := hostileCount(t, 1000)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			for range peers {
				h.dial(t).Write(append(hostileHeader(sockettest.FlagLong, 64<<20), 'x'))
			}
			h.served()
			h.served() // so that all has been read
			grown := h.grown()
			t.Logf("%d peers take %d octets each, with the raw peers themselves", peers, grown/peers)
			if grown > peers*(128<<10) {
				t.Errorf("%d peers that claim much and send little take %d octets", peers, grown)
			}
		})
		h.nothing(t)
	})
}

// Frames that are always followed by another.
func TestHostileEndlessMultipart(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, c := range []struct {
			name, reason string
			frame        []byte
			change       func(*socket.Options)
		}{
			{"frames", "too many frames", []byte("\x01\x01x"), func(*socket.Options) {}},
			{"empty frames", "too many frames", []byte("\x01\x00"), func(*socket.Options) {}},
			{"octets", "message too large", sockettest.Frame(sockettest.FlagMore, make([]byte, 100<<10)), func(o *socket.Options) { o.MessageBytes = 1 << 20 }},
			{"headers", "message too large", []byte("\x01\x00"), func(o *socket.Options) { o.MessageBytes, o.MessageFrames = 1<<20, socket.Unlimited }},
		} {
			t.Run(c.name, func(t *testing.T) {
				h := hostileOpen(t, sockettest.Endpoint(endpoint[:3]), c.change)
				h.survives(func(t *testing.T) {
					peers := uint64(hostileCount(t, 5))
					for range peers {
						raw := h.dial(t)
						hostileWrite(raw, bytes.Repeat(c.frame, 4<<20/len(c.frame)))
						raw.ExpectClosed()
						raw.Close()
					}
					h.served()
					h.counted(t, c.reason, peers)
				})
				h.nothing(t)
			})
		}
	})
}

// Messages that break off, again and again.
func TestHostileHalfMultipart(t *testing.T) {
	streams := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			half := append(sockettest.Frame(sockettest.FlagMore, []byte("half")), sockettest.Frame(sockettest.FlagMore, make([]byte, 3000))...)
			for i := range streams {
				raw := h.dial(t)
				raw.Write(half[:1+i%len(half)])
				if i%2 == 0 {
					raw.Reset()
				} else {
					raw.Close()
				}
			}
			h.served()
		})
		h.nothing(t)
		if stats := h.Stats(); stats.StreamErrors != uint64(streams) {
			t.Errorf("%d streams broke off, counted %+v", streams, stats)
		}
	})
}
