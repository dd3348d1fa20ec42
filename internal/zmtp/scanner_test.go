// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"math"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

// frameLengths are the sizes of HOSTILE FrameLen.
func frameLengths(limit uint64) []uint64 {
	return []uint64{0, 1, 255, 256, limit, limit + 1, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 - 1, 1 << 32, 1<<32 + 1,
		1 << 48, 1 << 49, 1 << 60, 1 << 62, 1<<63 - 1, 1 << 63, 1<<64 - 38, 1<<64 - 1}
}

func TestScanResults(t *testing.T) {
	ping := AppendPing(nil, 3, nil)
	long := string(bytes.Repeat([]byte{'l'}, 300))
	type results []Result
	for _, c := range []struct {
		name string
		b    []byte
		want results
	}{
		{"nothing", nil, results{{}}},
		{"one", message("hello"), results{{Kind: Messages, Messages: 1, Bytes: 7}, {}}},
		{"empty one", message(""), results{{Kind: Messages, Messages: 1, Bytes: 2}, {}}},
		{"many", concat(message("a"), message("b", "", "c"), message(long), message("d")),
			results{{Kind: Messages, Messages: 4, Bytes: 3 + 3 + 2 + 3 + 309 + 3}, {}}},
		{"half a header", []byte{0}, results{{}}},
		{"half a long header", []byte{2, 0, 0, 0, 0, 0, 0, 0}, results{{}}},
		{"half a body", []byte("\x00\x05hel"), results{{Need: 7}}},
		{"half a second part", []byte("\x01\x01a\x00\x05hel"), results{{Need: 10}}},
		{"a whole and a half", []byte("\x00\x01a\x00\x05hel"), results{{Kind: Messages, Messages: 1, Bytes: 3}, {Need: 7}}},
		{"a long claim", longHeader(0, 1<<30), results{{Need: 9 + 1<<30}}},
		{"command", ping, results{{Kind: CommandFrame, CommandBytes: 9, Body: ping[2:]}, {}}},
		{"half a command", ping[:8], results{{Need: 9}}},
		{"messages, command, messages", concat(message("a"), message("b"), ping, message("c")),
			results{{Kind: Messages, Messages: 2, Bytes: 6}, {Kind: CommandFrame, CommandBytes: 9, Body: ping[2:]},
				{Kind: Messages, Messages: 1, Bytes: 3}, {}}},
		{"command inside a message", concat(message("z"), []byte("\x01\x01a"), ping, []byte("\x00\x01b")),
			results{{Kind: Messages, Messages: 1, Bytes: 3}, {Kind: CommandFrame, CommandAt: 3, CommandBytes: 9, Body: ping[2:]},
				{Kind: Messages, Messages: 1, Bytes: 6}, {}}},
		{"two commands inside", concat([]byte("\x01\x01a"), ping, ping, []byte("\x00\x01b")),
			results{{Kind: CommandFrame, CommandAt: 3, CommandBytes: 9, Body: ping[2:]},
				{Kind: CommandFrame, CommandAt: 3, CommandBytes: 9, Body: ping[2:]},
				{Kind: Messages, Messages: 1, Bytes: 6}, {}}},
		{"half a command inside", concat([]byte("\x01\x01a"), ping[:4]), results{{Need: 12}}},
	} {
		for _, limits := range []ScannerLimits{{}, {MessageBytes: 310, MessageFrames: 3}, {MessageBytes: 1 << 50}} {
			if limits.MessageBytes == 310 && c.name == "a long claim" {
				continue
			}
			s := NewScanner(limits)
			b := bytes.Clone(c.b)
			for i, want := range c.want {
				got, err := s.Scan(b)
				if err != nil || got.Kind != want.Kind || got.Messages != want.Messages || got.Bytes != want.Bytes ||
					got.CommandAt != want.CommandAt || got.CommandBytes != want.CommandBytes ||
					got.Need != want.Need || !bytes.Equal(got.Body, want.Body) {
					t.Fatalf("%s, result %d: %+v, %v, want %+v", c.name, i, got, err, want)
				}
				b = append(b[:got.CommandAt:got.CommandAt], b[got.Bytes+got.CommandAt+got.CommandBytes:]...)
			}
		}
	}
}

// TestF1 checks RFC 23, Socket Semantics: messages come whole or not at all,
// wherever the stream ends.
func TestF1(t *testing.T) {
	all := concat(message("one"), message("two", "", "three"), message("", ""),
		message("1", "2", "3", "4", string(make([]byte, 256))), message("end"))
	ends := map[int]int{}
	for at, messages := 0, 0; at < len(all); {
		flags, bodyBytes, header := wire.ParseHeader(all[at:])
		at += header + int(bodyBytes)
		if flags&wire.FlagMore == 0 {
			messages++
			ends[at] = messages
		}
	}
	messages, end := 0, 0
	for n := range len(all) + 1 {
		if ends[n] > 0 {
			messages, end = ends[n], n
		}
		s := trafficOnly(ScannerLimits{})
		s.receive(all[:n])
		if s.failed != nil || s.messages != messages || !bytes.Equal(s.traffic, all[:end]) || len(s.buffer) != n-end {
			t.Fatalf("after %d bytes: %d messages in %q, want %d, %v", n, s.messages, s.traffic, messages, s.failed)
		}
	}
}

// TestF2 checks RFC 23, Socket Semantics, as far as the scanner has a part in
// it: each byte of a message is handed on once, in order.
func TestF2(t *testing.T) {
	var all, want []byte
	for i := range 600 {
		m := message(string(make([]byte, i)), string([]byte{byte(i)}))
		want = append(want, m...)
		all = append(all, m...)
		all = AppendPong(all, nil)
	}
	s := trafficOnly(ScannerLimits{})
	for rest := all; len(rest) > 0; {
		n := min(len(rest), 777)
		s.receive(rest[:n])
		rest = rest[n:]
	}
	if got := bytes.ReplaceAll(s.traffic, []byte("<\x04PONG>"), nil); s.failed != nil || s.messages != 600 || !bytes.Equal(got, want) {
		t.Errorf("%d messages in %d bytes, want 600 in %d, %v", s.messages, len(got), len(want), s.failed)
	}
}

// TestF3 checks RFC 23, Traffic, and what libzmq does beyond it: a command may
// stand at any boundary between frames.
func TestF3(t *testing.T) {
	frames := [][]byte{[]byte("\x01\x03one"), []byte("\x01\x00"), AppendFrame(nil, wire.FlagMore, make([]byte, 300)), []byte("\x00\x01x")}
	ping := AppendPing(nil, 0, []byte("ctx"))
	for at := range len(frames) + 1 {
		s := trafficOnly(ScannerLimits{})
		s.receive(concat(concat(frames[:at]...), ping, concat(frames[at:]...)))
		command := concat([]byte("<"), ping[2:], []byte(">"))
		want := append(bytes.Clone(command), concat(frames...)...)
		if at == len(frames) {
			want = concat(concat(frames...), command)
		}
		if s.failed != nil || s.messages != 1 || !bytes.Equal(s.traffic, want) {
			t.Errorf("PING before frame %d: %q, %v", at, s.traffic, s.failed)
		}
	}
}

// Reserved flag bits and MORE on a command end the stream: RFC 23, Framing
// forbids them, and the one choice of this package is to be strict.
func TestScanFlags(t *testing.T) {
	legal := map[byte]bool{0: true, 1: true, 2: true, 3: true, 4: true, 6: true}
	for flags := range 256 {
		for _, before := range []string{"", "\x00\x01a", "\x01\x01a"} {
			for _, after := range []string{"", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
				s := trafficOnly(ScannerLimits{})
				s.receive([]byte(before + string([]byte{byte(flags)}) + after))
				if legal[byte(flags)] != (s.failed == nil) {
					t.Errorf("flags %#x after %q: %v", flags, before, s.failed)
				} else if s.failed != nil {
					wantReason(t, s.failed, MalformedFrame)
				}
				if before == "\x00\x01a" && s.messages == 0 {
					t.Errorf("flags %#x: the message before them was lost", flags)
				}
			}
		}
	}
}

// HOSTILE FrameLen in traffic: after nothing, after a message, inside one.
func TestFrameLengths(t *testing.T) {
	const limit = 1 << 20
	for _, limits := range []ScannerLimits{{}, {MessageBytes: limit, CommandBytes: limit}} {
		bytesMax, commandMax := uint64(math.MaxInt64), uint64(CommandBytesMax)
		if limits.MessageBytes > 0 {
			bytesMax, commandMax = limit, limit
		}
		for _, before := range []string{"", "\x00\x01a", "\x01\x01a"} {
			unfinished := len(before) % 3 // of a part before
			if before == "\x01\x01a" {
				unfinished = 3
			}
			for _, bodyBytes := range frameLengths(limit) {
				for _, flags := range []byte{0, wire.FlagMore, wire.FlagCommand} {
					want := Reason(0)
					switch {
					case bodyBytes >= 1<<63:
						want = MalformedFrame
					case flags == wire.FlagCommand && bodyBytes > commandMax:
						want = FrameTooLarge
					case flags != wire.FlagCommand && bodyBytes+uint64(unfinished/3) > bytesMax:
						want = MessageTooLarge
					case bodyBytes > uint64(math.MaxInt-9-unfinished):
						want = FrameTooLarge
					}
					s := trafficOnly(limits)
					s.receive(append([]byte(before), longHeader(flags, bodyBytes)...))
					if got := reasonOf(t, s.failed); got != want {
						t.Errorf("%d bytes, flags %d, after %q: %v, want %v", bodyBytes, flags, before, s.failed, want)
					}
					if want == 0 && bodyBytes > 0 && s.need != unfinished+9+int(bodyBytes) {
						t.Errorf("%d bytes, flags %d, after %q: need %d", bodyBytes, flags, before, s.need)
					}
				}
			}
		}
	}
}

// CONFORMANCE B7: the limit itself passes, one byte more is refused when the
// header is read, however the message is cut into frames.
func TestMessageBytesLimit(t *testing.T) {
	const limit = 1000
	for _, c := range []struct {
		name string
		b    []byte
		want Reason
	}{
		{"one frame", append(longHeader(0, limit), make([]byte, limit)...), 0},
		{"one frame, too large", longHeader(0, limit+1), MessageTooLarge},
		{"two frames", append(message("x", string(make([]byte, limit-1))), 0), 0},
		{"two frames, too large", append([]byte("\x01\x01x"), longHeader(0, limit)...), MessageTooLarge},
		{"an envelope", message("", "hop", "", string(make([]byte, limit-3))), 0},
		{"starts anew", concat(message(string(make([]byte, limit))), message(string(make([]byte, limit)))), 0},
		{"starts anew after parts", concat(message("a", string(make([]byte, limit-1))), message("b", string(make([]byte, limit-1)))), 0},
	} {
		s := trafficOnly(ScannerLimits{MessageBytes: limit})
		s.receive(c.b)
		if got := reasonOf(t, s.failed); got != c.want || c.want == 0 && s.messages == 0 {
			t.Errorf("%s: %d messages, %v", c.name, s.messages, s.failed)
		}
	}
	for limit := range int64(300) {
		for n := range 257 {
			s := trafficOnly(ScannerLimits{MessageBytes: limit + 1})
			s.receive(concat(message("z"), message(string(make([]byte, n)))))
			want := Reason(0)
			if int64(n) > limit+1 {
				want = MessageTooLarge
			}
			if got := reasonOf(t, s.failed); got != want {
				t.Fatalf("limit %d, %d bytes: %v", limit+1, n, s.failed)
			}
		}
	}
}

// HOSTILE EndlessMultipart and TinyFrames: parts without end meet both limits.
func TestEndlessMultipart(t *testing.T) {
	for _, c := range []struct {
		name   string
		frame  []byte
		limits ScannerLimits
		frames int // that are accepted
		want   Reason
	}{
		{"frames of one byte", []byte("\x01\x01x"), ScannerLimits{MessageFrames: 1000}, 1000, TooManyFrames},
		{"bytes", []byte("\x01\x01x"), ScannerLimits{MessageBytes: 3016}, 16 + 1000, MessageTooLarge},
		{"empty frames", []byte("\x01\x00"), ScannerLimits{MessageBytes: 2000}, 16 + 1000, MessageTooLarge},
		{"empty frames, long form", longHeader(wire.FlagMore, 0), ScannerLimits{MessageBytes: 900}, 16 + 100, MessageTooLarge},
		{"one frame", []byte("\x01\x00"), ScannerLimits{MessageFrames: 1}, 1, TooManyFrames},
	} {
		s := trafficOnly(c.limits)
		s.receive(message("before"))
		frames := -1
		for range 2000 {
			if s.failed == nil {
				frames++
				s.receive(c.frame)
			}
		}
		if reasonOf(t, s.failed) != c.want || frames != c.frames || s.messages != 1 {
			t.Errorf("%s: %d frames accepted, %v", c.name, frames, s.failed)
		}
	}
}

// A frame is walked once, however the bytes trickle in: the scanner starts at
// the frame where it stopped.
func TestScanRemembers(t *testing.T) {
	s := NewScanner(ScannerLimits{})
	var b []byte
	for i := range 1000 {
		b = append(b, "\x01\x01x"...)
		if result, err := s.Scan(b); err != nil || result.Kind != NeedMore {
			t.Fatalf("%+v, %v", result, err)
		}
		if s.offset != len(b) || s.frames != int64(i+1) {
			t.Fatalf("after %d frames at %d, want %d", s.frames, s.offset, len(b))
		}
	}
	clear(b) // nothing of this is looked at again
	b = append(b, "\x00\x01x\x00"...)
	if result, err := s.Scan(b); err != nil || result.Messages != 1 || result.Bytes != len(b)-1 || s.offset != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
}

// reference is a slow reading of the same rules: what a stream brings, in the
// form of stream.traffic.
func reference(b []byte, limits ScannerLimits) (traffic []byte, messages, left int, reason Reason) {
	var message []byte
	frames, bodies := int64(0), int64(0)
	for len(b) > 0 {
		if b[0] > 6 || b[0] == 5 {
			return traffic, messages, 0, MalformedFrame
		}
		header, size := 2, uint64(0)
		if b[0]&2 != 0 {
			header = 9
		}
		if len(b) < header {
			break
		}
		for _, digit := range b[1:header] {
			size = size<<8 | uint64(digit)
		}
		commandBytes := int64(CommandBytesMax)
		if limits.CommandBytes > 0 {
			commandBytes = limits.CommandBytes
		}
		charge := uint64(bodies)
		if frames >= 16 {
			charge += uint64(header)
		}
		switch {
		case size > math.MaxInt64:
			return traffic, messages, 0, MalformedFrame
		case b[0]&4 != 0 && size > uint64(commandBytes):
			return traffic, messages, 0, FrameTooLarge
		case b[0]&4 == 0 && limits.MessageFrames > 0 && frames+1 > limits.MessageFrames:
			return traffic, messages, 0, TooManyFrames
		case b[0]&4 == 0 && limits.MessageBytes > 0 && charge+size > uint64(limits.MessageBytes):
			return traffic, messages, 0, MessageTooLarge
		case b[0]&4 == 0 && limits.MessageBytes <= 0 && charge+size > math.MaxInt64:
			return traffic, messages, 0, MessageTooLarge
		case size > uint64(math.MaxInt-len(message)-header):
			return traffic, messages, 0, FrameTooLarge
		}
		if uint64(len(b)-header) < size {
			break
		}
		frame := b[:header+int(size)]
		b = b[len(frame):]
		if frame[0]&4 != 0 {
			traffic = append(append(append(traffic, '<'), frame[header:]...), '>')
			continue
		}
		message = append(message, frame...)
		frames++
		bodies = int64(charge + size)
		if frame[0]&1 == 0 {
			traffic = append(traffic, message...)
			messages++
			message, frames, bodies = nil, 0, 0
		}
	}
	return traffic, messages, len(message) + len(b), 0
}

func checkAgainstReference(t *testing.T, b []byte, limits ScannerLimits, piece int) {
	t.Helper()
	s := trafficOnly(limits)
	for rest := b; len(rest) > 0 && s.failed == nil; {
		n := min(len(rest), piece)
		s.receive(rest[:n])
		rest = rest[n:]
	}
	traffic, messages, left, reason := reference(b, limits)
	if !bytes.Equal(s.traffic, traffic) || s.messages != messages || reasonOf(t, s.failed) != reason ||
		reason == 0 && len(s.buffer) != left {
		t.Fatalf("%x in pieces of %d, limits %+v: %d messages, %d bytes left, %q, %v; want %d, %d, %q, %v", b, piece, limits,
			s.messages, len(s.buffer), s.traffic, s.failed, messages, left, traffic, reason)
	}
}

func FuzzScanner(f *testing.F) {
	for _, b := range recordedTraffic(f) {
		f.Add(b[:min(len(b), 2000)], uint16(0), uint8(0), uint8(3))
		f.Add(b[:min(len(b), 2000)], uint16(100), uint8(2), uint8(255))
	}
	f.Add(bytes.Repeat([]byte("\x01\x00"), 40), uint16(10), uint8(0), uint8(0))
	f.Add(longHeader(0, 1<<63), uint16(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, messageBytes uint16, messageFrames, piece uint8) {
		limits := ScannerLimits{MessageBytes: int64(messageBytes), MessageFrames: int64(messageFrames), CommandBytes: int64(messageBytes)}
		checkAgainstReference(t, b, limits, 1+int(piece))
		checkAgainstReference(t, b, ScannerLimits{}, 1+int(piece))
	})
}
