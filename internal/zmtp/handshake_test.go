// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

// TestN1 checks RFC 23, The NULL Security Mechanism: READY goes out before one
// comes in. RFC 37 (N2) forbids only messages before both have passed.
func TestN1(t *testing.T) {
	h := NewHandshake(configFor("DEALER", []byte("alpha")))
	h.Output()
	greeting := greetingOf(3, 1, "NULL")
	if _, err := h.Feed(greeting[:63]); err != nil || h.Output() != nil {
		t.Fatalf("READY before the greeting was complete, or %v", err)
	}
	if _, err := h.Feed(greeting[63:]); err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "04 2e 05 5245414459 0b 536f636b65742d54797065 00000006 4445414c4552 08 4964656e74697479 00000005 616c706861")
	if got := h.Output(); !bytes.Equal(got, want) {
		t.Fatalf("READY %x, want %x", got, want)
	}
	if h.Done() {
		t.Fatal("done without the peer's READY")
	}
	if _, err := h.Feed(readyOf("Socket-Type", "ROUTER")); err != nil || !h.Done() {
		t.Fatal(err)
	}
}

func TestReadyWithoutIdentity(t *testing.T) {
	config := configFor("PUSH", []byte("not sent"))
	h := NewHandshake(config)
	h.Output()
	if _, err := h.Feed(greetingOf(3, 0, "NULL")); err != nil {
		t.Fatal(err)
	}
	if got, want := h.Output(), readyOf("Socket-Type", "PUSH"); !bytes.Equal(got, want) {
		t.Errorf("READY %x, want %x", got, want)
	}
}

// What follows READY belongs to the scanner.
func TestHandshakeLeavesTrafficAlone(t *testing.T) {
	h := NewHandshake(configFor("PULL", nil))
	opening := openingOf("PUSH")
	n, err := h.Feed(concat(opening, message("hello")))
	if n != len(opening) || err != nil || !h.Done() {
		t.Fatalf("%d of %d bytes read, %v", n, len(opening), err)
	}
	if n, err := h.Feed(message("hello")); n != 0 || err != nil {
		t.Errorf("%d bytes read after the end, %v", n, err)
	}
	if h.command != nil {
		t.Error("the frame's memory was kept")
	}
}

// TestN3 checks RFC 23 and 37, The Socket-Type Property: a READY that fails
// its validation is answered by ERROR, and nothing of it is kept.
func TestN3(t *testing.T) {
	for _, c := range []struct {
		name     string
		metadata string
		want     Reason
	}{
		{"wrong type", string(metadataOf("Socket-Type", "PULL")), IncompatiblePeer},
		{"unknown type", string(metadataOf("Socket-Type", "FOO")), IncompatiblePeer},
		{"type in lower case", string(metadataOf("Socket-Type", "push")), IncompatiblePeer},
		{"empty type", string(metadataOf("Socket-Type", "")), IncompatiblePeer},
		{"endless type", string(metadataOf("Socket-Type", strings.Repeat("\x00\xff", 5000))), IncompatiblePeer},
		{"no type", string(metadataOf("X-Foo", "bar")), IncompatiblePeer},
		{"nothing", "", IncompatiblePeer},
		{"type twice", string(metadataOf("Socket-Type", "PUSH", "socket-type", "PUSH")), MalformedMetadata},
		{"cut off", string(metadataOf("Socket-Type", "PUSH"))[:18], MalformedMetadata},
		{"stray byte", string(metadataOf("Socket-Type", "PUSH")) + "x", MalformedMetadata},
	} {
		h := NewHandshake(configFor("PULL", nil))
		h.Output()
		if _, err := h.Feed(greetingOf(3, 1, "NULL")); err != nil {
			t.Fatal(err)
		}
		ready := AppendCommand(nil, "READY", []byte(c.metadata))
		n, err := h.Feed(ready)
		if n != len(ready) || reasonOf(t, err) != c.want || h.Done() {
			t.Errorf("%s: %d bytes read, %v", c.name, n, err)
			continue
		}
		out := h.Output()
		_, _, header := wire.ParseHeader(out)
		_, bodyBytes, second := wire.ParseHeader(out[header+26:])
		command, broken := ParseCommand(out[header+26+second:][:bodyBytes])
		if broken != nil || command.Name != CommandError || string(command.Body) != err.Error()[:min(255, len(err.Error()))] {
			t.Errorf("%s: sent %q", c.name, out)
		}
		if h.Peer().SocketType != "" || h.Peer().Properties != nil || h.command != nil {
			t.Errorf("%s: something was kept", c.name)
		}
	}
}

// TestN4 checks RFC 23, Error Handling: ERROR is fatal, and its words are told.
func TestN4(t *testing.T) {
	for _, reason := range []string{"400", "go away", "", "\x1b[31m\xff", strings.Repeat("x", 255)} {
		h := NewHandshake(configFor("PULL", nil))
		if _, err := h.Feed(append(greetingOf(3, 1, "NULL"), AppendError(nil, reason)...)); err == nil ||
			err.(*Error).Reason != Refused || err.(*Error).Detail != reason {
			t.Errorf("%q: %v", reason, err)
		} else if strings.ContainsAny(err.Error(), "\x1b\xff") {
			t.Errorf("%q tells %q", reason, err)
		}
		if n, err := h.Feed(readyOf("Socket-Type", "PUSH")); n != 0 || err == nil || h.Done() {
			t.Errorf("%q: went on after ERROR", reason)
		}
	}
}

// TestT1 checks RFC 37, The Socket-Type Property, for every pair of types, and
// with it HOSTILE WrongPeerType.
func TestT1(t *testing.T) {
	for own, peers := range peerTypes {
		for peer := range peerTypes {
			h := NewHandshake(configFor(own, nil))
			h.Output()
			_, err := h.Feed(openingOf(peer))
			if slices.Contains(peers, peer) {
				if err != nil || !h.Done() || h.Peer().SocketType != peer {
					t.Errorf("%s with %s: %v", own, peer, err)
				}
				continue
			}
			if reasonOf(t, err) != IncompatiblePeer || h.Done() || !bytes.Contains(h.Output(), []byte("\x05ERROR")) {
				t.Errorf("%s with %s: %v", own, peer, err)
			}
		}
	}
}

// Frames that have no place before READY: CONFORMANCE C12, HOSTILE Order.
func TestHandshakeOrder(t *testing.T) {
	ready := readyOf("Socket-Type", "PUSH")
	long := append(longHeader(wire.FlagCommand, uint64(len(ready)-2)), ready[2:]...)
	for _, c := range []struct {
		name  string
		frame []byte
		want  Reason
	}{
		{"long form of a short READY", long, 0},
		{"READY as a message", AppendFrame(nil, 0, ready[2:]), UnexpectedCommand},
		{"READY with MORE", AppendFrame(nil, wire.FlagCommand|wire.FlagMore, ready[2:]), MalformedFrame},
		{"READY with reserved flags", append([]byte{0x0C}, ready[1:]...), MalformedFrame},
		{"message", message("hello"), UnexpectedCommand},
		{"subscription", AppendSubscription(nil, true, nil), UnexpectedCommand},
		{"SUBSCRIBE", AppendSubscribe(nil, []byte("A")), UnexpectedCommand},
		{"PING", AppendPing(nil, 1, nil), UnexpectedCommand},
		{"PONG", AppendPong(nil, nil), UnexpectedCommand},
		{"unknown", AppendCommand(nil, "FOO", nil), UnexpectedCommand},
		{"HELLO", AppendCommand(nil, "HELLO", []byte("\x01a\x01b")), UnexpectedCommand},
		{"empty", AppendFrame(nil, wire.FlagCommand, nil), MalformedCommand},
		{"empty name", AppendFrame(nil, wire.FlagCommand, []byte("\x00")), MalformedCommand},
		{"lying name", AppendFrame(nil, wire.FlagCommand, []byte("\x06READY")), MalformedCommand},
		{"malformed ERROR", AppendFrame(nil, wire.FlagCommand, []byte("\x05ERROR\x20ab")), MalformedCommand},
	} {
		h := NewHandshake(configFor("PULL", nil))
		_, err := h.Feed(append(greetingOf(3, 1, "NULL"), c.frame...))
		if reasonOf(t, err) != c.want || h.Done() != (c.want == 0) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// HOSTILE FrameLen in the handshake: a claim above the limit is refused as
// soon as the header is there, one below it costs only what comes.
func TestHandshakeFrameLengths(t *testing.T) {
	for _, bodyBytes := range frameLengths(HandshakeCommandBytesMax) {
		for _, flags := range []byte{0, wire.FlagMore, wire.FlagCommand, wire.FlagCommand | wire.FlagMore, 0x08, 0x84} {
			h := NewHandshake(configFor("PULL", nil))
			header := longHeader(flags, bodyBytes)
			in := concat(greetingOf(3, 1, "NULL"), header)
			if bodyBytes > 0 {
				in = append(in, 5)
			}
			n, err := h.Feed(in)
			want, wantN := Reason(0), len(in)
			switch {
			case flags > wire.FlagCommand || flags == wire.FlagCommand|wire.FlagMore:
				want, wantN = MalformedFrame, 65
			case flags != wire.FlagCommand:
				want, wantN = UnexpectedCommand, 65
			case bodyBytes > HandshakeCommandBytesMax:
				want, wantN = FrameTooLarge, 73
			case bodyBytes == 0, bodyBytes == 1:
				want = MalformedCommand
			}
			if n != wantN || reasonOf(t, err) != want {
				t.Errorf("flags %d, %d bytes: %d bytes read, %v", flags, bodyBytes, n, err)
			}
			if cap(h.command) > 64 {
				t.Errorf("%d bytes claimed, memory for %d", bodyBytes, cap(h.command))
			}
		}
	}
}

func TestHandshakeTakesTheLargestReady(t *testing.T) {
	metadata := metadataOf("Socket-Type", "PUSH", "X-Large", "")
	value := bytes.Repeat([]byte{'v'}, HandshakeCommandBytesMax-6-len(metadata))
	for extra, want := range []Reason{0, FrameTooLarge} {
		metadata := metadataOf("Socket-Type", "PUSH", "X-Large", string(value)+strings.Repeat("v", extra))
		h := NewHandshake(configFor("PULL", nil))
		_, err := h.Feed(append(greetingOf(3, 1, "NULL"), AppendCommand(nil, "READY", metadata)...))
		wantReason(t, err, want)
	}
}

// What the handshake keeps of the peer is its own.
func TestPeerIsACopy(t *testing.T) {
	h := NewHandshake(configFor("ROUTER", nil))
	in := append(greetingOf(3, 1, "NULL"), readyOf("Socket-Type", "DEALER", "Identity", "me")...)
	if _, err := h.Feed(in); err != nil {
		t.Fatal(err)
	}
	clear(in)
	if peer := h.Peer(); peer.SocketType != "DEALER" || string(peer.Identity) != "me" || peer.Properties[1].Name != "Identity" {
		t.Errorf("%+v", peer)
	}
}

// twoStep is a mechanism of two rounds: ASK is answered by TELL with the
// metadata.
type twoStep struct{}

func (twoStep) Name() string { return "TWOSTEP" }

func (twoStep) NewExchange(metadata []byte, accept func([]byte) error) Exchange {
	return &twoStepExchange{metadata: metadata, accept: accept}
}

type twoStepExchange struct {
	metadata    []byte
	accept      func([]byte) error
	asked, told bool
}

func (e *twoStepExchange) Start(dst []byte) []byte { return AppendCommand(dst, "ASK", nil) }

func (e *twoStepExchange) Command(dst, body []byte) ([]byte, error) {
	switch {
	case string(body) == "\x03ASK" && !e.asked:
		e.asked = true
		return AppendCommand(dst, "TELL", e.metadata), nil
	case bytes.HasPrefix(body, []byte("\x04TELL")) && !e.told:
		if err := e.accept(body[5:]); err != nil {
			return dst, err
		}
		e.told = true
		return dst, nil
	}
	return AppendError(dst, "what?"), &Error{Reason: UnexpectedCommand}
}

func (e *twoStepExchange) Done() bool { return e.asked && e.told }

// Two handshakes with a mechanism from outside, each fed the other's output.
func TestMechanismSeam(t *testing.T) {
	var sides [2]*Handshake
	for i, socketType := range []string{"REQ", "REP"} {
		config := configFor(socketType, []byte("me"))
		config.Mechanism = twoStep{}
		sides[i] = NewHandshake(config)
	}
	for range 6 {
		for i, side := range sides {
			out := side.Output()
			if n, err := sides[1-i].Feed(out); n != len(out) || err != nil {
				t.Fatalf("%d of %d bytes read, %v", n, len(out), err)
			}
		}
	}
	if !sides[0].Done() || !sides[1].Done() || string(sides[1].Peer().Identity) != "me" || sides[0].Peer().SocketType != "REP" {
		t.Errorf("%+v, %+v", sides[0].Peer(), sides[1].Peer())
	}
	config := configFor("REQ", nil)
	config.Mechanism = twoStep{}
	h := NewHandshake(config)
	h.Output()
	_, err := h.Feed(append(greetingOf(3, 1, "TWOSTEP"), readyOf("Socket-Type", "REP")...))
	wantReason(t, err, UnexpectedCommand)
	if !bytes.HasSuffix(h.Output(), []byte("what?")) {
		t.Error("the mechanism's ERROR was not handed out")
	}
}

func FuzzHandshake(f *testing.F) {
	for _, b := range recordedStreams(f) {
		f.Add(b[:min(len(b), 2000)], uint8(7))
	}
	f.Add(openingOf("PUSH"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		config := HandshakeConfig{SocketType: "ROUTER", PeerTypes: []string{"DEALER", "PUSH"}, SendIdentity: true}
		whole := newStream(config, ScannerLimits{})
		whole.receive(b)
		cut := newStream(config, ScannerLimits{})
		for rest := b; len(rest) > 0; {
			n := min(len(rest), 1+int(piece))
			cut.receive(rest[:n])
			rest = rest[n:]
		}
		whole.same(t, cut, int(piece))
		if held := cap(whole.handshake.command); held > 2*len(b)+64 {
			t.Fatalf("%d bytes held for %d received", held, len(b))
		}
		peer := whole.handshake.Peer()
		if whole.done != slices.Contains(config.PeerTypes, peer.SocketType) || len(peer.Identity) > IdentityBytesMax {
			t.Fatalf("done %v with %+v", whole.done, peer)
		}
		if whole.failed != nil && !whole.done {
			reasonOf(t, whole.failed)
		}
	})
}
