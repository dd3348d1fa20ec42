// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

// peerTypes is the table of RFC 37, The Socket-Type Property.
var peerTypes = map[string][]string{
	"REQ": {"REP", "ROUTER"}, "REP": {"REQ", "DEALER"},
	"DEALER": {"REP", "DEALER", "ROUTER"}, "ROUTER": {"REQ", "DEALER", "ROUTER"},
	"PUB": {"SUB", "XSUB"}, "XPUB": {"SUB", "XSUB"}, "SUB": {"PUB", "XPUB"}, "XSUB": {"PUB", "XPUB"},
	"PUSH": {"PULL"}, "PULL": {"PUSH"}, "PAIR": {"PAIR"},
}

// configFor is the handshake of a socket of this type.
func configFor(socketType string, identity []byte) HandshakeConfig {
	return HandshakeConfig{
		SocketType:   socketType,
		Identity:     identity,
		SendIdentity: identityMatters(socketType),
		PeerTypes:    peerTypes[socketType],
	}
}

// stream plays the receiving end of one stream as a session would, and writes
// down what a socket would learn, in a form that does not depend on how the
// bytes were cut.
type stream struct {
	handshake *Handshake
	done      bool
	scanner   Scanner
	buffer    []byte
	sent      []byte
	messages  int
	traffic   []byte // messages as they came, and "<COMMAND body>" where a command was
	failed    error
	need      int
}

func newStream(config HandshakeConfig, limits ScannerLimits) *stream {
	s := &stream{handshake: NewHandshake(config), scanner: NewScanner(limits)}
	s.sent = s.handshake.Output()
	return s
}

// trafficOnly is a stream past its handshake.
func trafficOnly(limits ScannerLimits) *stream {
	return &stream{done: true, scanner: NewScanner(limits)}
}

func (s *stream) receive(piece []byte) {
	if s.failed != nil {
		return
	}
	if !s.done {
		var n int
		n, s.failed = s.handshake.Feed(piece)
		s.sent = append(s.sent, s.handshake.Output()...)
		s.done = s.handshake.Done()
		piece = piece[n:]
		if !s.done {
			return
		}
	}
	s.buffer = append(s.buffer, piece...)
	for s.failed == nil && s.scan() {
	}
}

// scan takes one result of the scanner; false: nothing is left to take.
func (s *stream) scan() bool {
	var result Result
	result, s.failed = s.scanner.Scan(s.buffer)
	switch result.Kind {
	case Messages:
		s.messages += result.Messages
		s.traffic = append(s.traffic, s.buffer[:result.Bytes]...)
		s.buffer = append(s.buffer[:0], s.buffer[result.Bytes:]...)
		return true
	case CommandFrame:
		s.traffic = append(s.traffic, '<')
		s.traffic = append(s.traffic, result.Body...)
		s.traffic = append(s.traffic, '>')
		s.buffer = append(s.buffer[:result.CommandAt], s.buffer[result.CommandAt+result.CommandBytes:]...)
		return true
	}
	s.need = result.Need
	return false
}

// same reports how two streams that received the same bytes differ.
func (s *stream) same(t *testing.T, other *stream, cuts ...int) {
	t.Helper()
	if s.done != other.done || s.messages != other.messages || s.need != other.need ||
		string(s.traffic) != string(other.traffic) || string(s.sent) != string(other.sent) ||
		s.failed == nil && string(s.buffer) != string(other.buffer) || !sameError(s.failed, other.failed) {
		t.Fatalf("cut at %v: done %v, %d messages, need %d, traffic %q, error %v; in one piece: %v, %d, %d, %q, %v", cuts,
			other.done, other.messages, other.need, other.traffic, other.failed,
			s.done, s.messages, s.need, s.traffic, s.failed)
	}
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

// reasonOf is the reason in err; 0 for nil.
func reasonOf(t *testing.T, err error) Reason {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is not an *Error", err)
	}
	return e.Reason
}

func wantReason(t *testing.T, err error, want Reason) {
	t.Helper()
	if got := reasonOf(t, err); got != want {
		t.Fatalf("error %v, want reason %q", err, want)
	}
}

// unhex reads hex digits; spaces do not count.
func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// greetingOf is a peer's whole greeting.
func greetingOf(major, minor byte, mechanism string) []byte {
	b := append([]byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, major, minor}, mechanism...)
	return append(b, make([]byte, 64-len(b))...)
}

// readyOf is a READY frame with these properties: name, value, name, value.
func readyOf(pairs ...string) []byte {
	return AppendCommand(nil, "READY", metadataOf(pairs...))
}

func metadataOf(pairs ...string) []byte {
	var metadata []byte
	for i := 0; i+1 < len(pairs); i += 2 {
		metadata = AppendProperty(metadata, pairs[i], []byte(pairs[i+1]))
	}
	return metadata
}

// openingOf is all that a peer of this type sends before traffic.
func openingOf(socketType string) []byte {
	return append(greetingOf(3, 1, "NULL"), readyOf("Socket-Type", socketType)...)
}

func concat(pieces ...[]byte) []byte {
	var all []byte
	for _, piece := range pieces {
		all = append(all, piece...)
	}
	return all
}

// message is a message's frames as they go over the wire.
func message(frames ...string) []byte {
	var b []byte
	for i, frame := range frames {
		flags := wire.FlagMore
		if i == len(frames)-1 {
			flags = 0
		}
		b = AppendFrame(b, flags, []byte(frame))
	}
	return b
}
