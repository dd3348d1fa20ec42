// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

var commands = []struct {
	name  string
	frame []byte
	wire  string // golden
	want  Command
}{
	{"ping", AppendPing(nil, 0, nil), "04 07 04 50494e47 0000", Command{Name: CommandPing}},
	{"ping with all", AppendPing(nil, 0x0102, []byte("LOL")), "04 0a 04 50494e47 0102 4c4f4c",
		Command{Name: CommandPing, TTL: 0x0102, Body: []byte("LOL")}},
	{"ping cut", AppendPing(nil, 1, []byte("0123456789abcdefXYZ")), "04 17 04 50494e47 0001 30313233343536373839616263646566",
		Command{Name: CommandPing, TTL: 1, Body: []byte("0123456789abcdef")}},
	{"pong", AppendPong(nil, nil), "04 05 04 504f4e47", Command{Name: CommandPong}},
	{"pong with context", AppendPong(nil, []byte("LOL")), "04 08 04 504f4e47 4c4f4c",
		Command{Name: CommandPong, Body: []byte("LOL")}},
	{"subscribe", AppendSubscribe(nil, []byte("A")), "04 0b 09 535542534352494245 41",
		Command{Name: CommandSubscribe, Body: []byte("A")}},
	{"subscribe to all", AppendSubscribe(nil, nil), "04 0a 09 535542534352494245", Command{Name: CommandSubscribe}},
	{"cancel", AppendCancel(nil, []byte("A")), "04 08 06 43414e43454c 41", Command{Name: CommandCancel, Body: []byte("A")}},
	{"error", AppendError(nil, "400"), "04 0a 05 4552524f52 03 343030", Command{Name: CommandError, Body: []byte("400")}},
	{"error without words", AppendError(nil, ""), "04 07 05 4552524f52 00", Command{Name: CommandError}},
	{"ready", AppendCommand(nil, "READY", metadataOf("Socket-Type", "PULL")),
		"04 1a 05 5245414459 0b 536f636b65742d54797065 00000004 50554c4c",
		Command{Name: CommandReady, Body: metadataOf("Socket-Type", "PULL")}},
	{"join", AppendCommand(nil, "JOIN", []byte("g")), "04 06 04 4a4f494e 67", Command{Body: []byte("g")}},
}

func TestCommandGolden(t *testing.T) {
	for _, c := range commands {
		if want := unhex(t, c.wire); !bytes.Equal(c.frame, want) {
			t.Errorf("%s: %x, want %x", c.name, c.frame, want)
			continue
		}
		got, err := ParseCommand(c.frame[2:])
		if err != nil || got.Name != c.want.Name || got.TTL != c.want.TTL || !bytes.Equal(got.Body, c.want.Body) {
			t.Errorf("%s: parsed as %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

// TestC1 checks RFC 23 and 37, Commands: a name is prefixed by its length; the
// older forms, padded to eight characters or ended by a null, name other
// commands.
func TestC1(t *testing.T) {
	for _, body := range []string{"\x08READY   ", "\x06READY\x00", "\x05ready"} {
		if got, err := ParseCommand([]byte(body)); err != nil || got.Name != CommandUnknown {
			t.Errorf("%q: %v, %v", body, got, err)
		}
	}
	for _, body := range []string{"", "\x00", "\x00READY", "\x05", "\x05READ", "READY", "\xffREADY"} {
		_, err := ParseCommand([]byte(body))
		wantReason(t, err, MalformedCommand)
	}
}

// TestC2 checks RFC 23, Commands: mechanisms may bring further commands, so a
// name nobody knows is not malformed.
func TestC2(t *testing.T) {
	for _, name := range []string{"FOO", "HELLO", "JOIN", "X", strings.Repeat("N", 255)} {
		frame := AppendCommand(nil, name, []byte("data"))
		_, _, header := wire.ParseHeader(frame)
		got, err := ParseCommand(frame[header:])
		if err != nil || got.Name != CommandUnknown || string(got.Body) != "data" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestH2 checks RFC 37, Connection Heartbeating: a PONG has the context of its
// PING, which is at most 16 bytes long.
func TestH2(t *testing.T) {
	for n := range ContextBytesMax + 4 {
		context := []byte("0123456789abcdefghijk")[:n]
		body := append([]byte("\x04PING\x00\x00"), context...)
		ping, err := ParseCommand(body)
		if err != nil {
			t.Fatal(err)
		}
		pong := AppendPong(nil, ping.Body)
		kept := context[:min(n, ContextBytesMax)]
		if want := append([]byte{4, byte(5 + len(kept)), 4, 'P', 'O', 'N', 'G'}, kept...); !bytes.Equal(pong, want) {
			t.Errorf("PONG %x to a context of %d bytes", pong, n)
		}
		_, err = ParseCommand(append([]byte("\x04PONG"), context...))
		if n <= ContextBytesMax {
			wantReason(t, err, 0)
		} else {
			wantReason(t, err, MalformedCommand)
		}
	}
}

// Every command cut after every byte is malformed, or a shorter command of
// bytes that were there.
func TestShortCommands(t *testing.T) {
	shortest := map[CommandName]int{CommandPing: 7, CommandPong: 5, CommandSubscribe: 10, CommandCancel: 7, CommandReady: 6}
	for _, c := range commands {
		body := c.frame[2:]
		for n := range body {
			got, err := ParseCommand(body[:n:n])
			legal := c.want.Name != CommandError && n >= shortest[c.want.Name] && n > int(body[0])
			if legal != (err == nil) {
				t.Errorf("%s cut after %d bytes: %v, %v", c.name, n, got, err)
			}
			if err == nil && !bytes.HasSuffix(body[:n], got.Body) {
				t.Errorf("%s cut after %d bytes: body %x", c.name, n, got.Body)
			}
			if err != nil {
				wantReason(t, err, MalformedCommand)
			}
		}
		if c.want.Name == CommandError {
			_, err := ParseCommand(append(bytes.Clone(body), 'x'))
			wantReason(t, err, MalformedCommand)
		}
	}
}

func TestLongTopics(t *testing.T) {
	for _, n := range []int{0, 244, 245, 246, 254, 255, 256, 70000} {
		topic := bytes.Repeat([]byte{'t'}, n)
		for _, c := range []struct {
			frame []byte
			name  CommandName
		}{{AppendSubscribe(nil, topic), CommandSubscribe}, {AppendCancel(nil, topic), CommandCancel}} {
			s := NewScanner(ScannerLimits{})
			result, err := s.Scan(c.frame)
			if err != nil || result.Kind != CommandFrame || result.CommandBytes != len(c.frame) {
				t.Fatalf("topic of %d bytes: %+v, %v", n, result, err)
			}
			got, err := ParseCommand(result.Body)
			if err != nil || got.Name != c.name || !bytes.Equal(got.Body, topic) {
				t.Errorf("topic of %d bytes: %v, %v", n, got.Name, err)
			}
		}
		frame := AppendSubscription(nil, true, topic)
		_, bodyBytes, header := wire.ParseHeader(frame)
		subscribe, got, ok := IsSubscription(frame[header:])
		if int(bodyBytes) != n+1 || !ok || !subscribe || !bytes.Equal(got, topic) {
			t.Errorf("topic of %d bytes in message form: %v, %v", n, subscribe, ok)
		}
	}
}

func TestSubscriptionGolden(t *testing.T) {
	if got, want := AppendSubscription(nil, true, []byte("A")), unhex(t, "00 02 01 41"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if got, want := AppendSubscription(nil, false, nil), unhex(t, "00 01 00"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	for _, c := range []struct {
		frame         string
		subscribe, ok bool
		topic         string
	}{{"\x01A", true, true, "A"}, {"\x00A", false, true, "A"}, {"\x01", true, true, ""}, {"", false, false, ""}, {"\x02A", false, false, ""}} {
		subscribe, topic, ok := IsSubscription([]byte(c.frame))
		if subscribe != c.subscribe || ok != c.ok || string(topic) != c.topic {
			t.Errorf("%q: %v %q %v", c.frame, subscribe, topic, ok)
		}
	}
}

func TestErrorReasonIsCut(t *testing.T) {
	frame := AppendError(nil, strings.Repeat("x", 300))
	got, err := ParseCommand(frame[wire.HeaderBytesMax:])
	if err != nil || len(got.Body) != 255 {
		t.Errorf("%d bytes of reason, %v", len(got.Body), err)
	}
}

func FuzzCommand(f *testing.F) {
	for _, c := range commands {
		f.Add(c.frame[2:])
	}
	for _, b := range recordedCommands(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := ParseCommand(body)
		if err != nil {
			wantReason(t, err, MalformedCommand)
			return
		}
		if !bytes.Contains(body, got.Body) {
			t.Fatalf("%x: body %x", body, got.Body)
		}
		var again []byte
		switch got.Name {
		case CommandUnknown:
			return
		case CommandError:
			again = AppendError(nil, string(got.Body))
		case CommandPing:
			again = AppendPing(nil, got.TTL, got.Body)
		default:
			again = AppendCommand(nil, got.Name.String(), got.Body)
		}
		_, _, header := wire.ParseHeader(again)
		if !bytes.HasPrefix(body, again[header:]) {
			t.Fatalf("%x was written as %x", body, again[header:])
		}
	})
}
