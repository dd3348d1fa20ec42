// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

// The recorded conversations are described in testdata/README.md.

type recording struct {
	Constants map[string]string
	Vectors   []vector
}

type vector struct {
	Name    string
	Sockets []struct{ Type, Role, Identity string }
	Chunks  []struct {
		Dir, Hex, Const, Sha256 string
		Len                     int
	}
	Outcome struct {
		Closed     bool
		Received   [][]string
		WellFormed *bool `json:"well_formed"`
	}
	streams map[string][]byte // by direction
}

func recorded(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/libzmq.json")
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for i := range r.Vectors {
		v := &r.Vectors[i]
		v.streams = map[string][]byte{}
		for _, chunk := range v.Chunks {
			b := unhex(t, chunk.Hex+r.Constants[chunk.Const])
			if chunk.Len > 0 {
				b = expand(b, chunk.Len)
				if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != chunk.Sha256 {
					t.Fatalf("%s: a long chunk was not understood", v.Name)
				}
			}
			v.streams[chunk.Dir] = append(v.streams[chunk.Dir], b...)
		}
	}
	return r.Vectors
}

// expand completes a long frame of which only the start is written down.
func expand(start []byte, n int) []byte {
	b := append(make([]byte, 0, n), start...)
	first := start[wire.HeaderBytesMax]
	for i := len(b) - wire.HeaderBytesMax; len(b) < n; i++ {
		if first == 0 {
			b = append(b, byte(i%251))
		} else {
			b = append(b, first)
		}
	}
	return b
}

// older reports whether the vector shows a version before 3.0: libzmq then
// answers in that version too.
func (v *vector) older() bool {
	return strings.HasPrefix(v.Name, "zmtp1-") || strings.HasPrefix(v.Name, "zmtp2-") || strings.HasPrefix(v.Name, "revision-")
}

// spoken are the streams libzmq sent, with the type and identity of its socket.
func (v *vector) spoken(each func(b []byte, socketType, identity string)) {
	for _, socket := range v.Sockets {
		dir := "Z"
		if len(v.Sockets) > 1 {
			dir = map[string]string{"connect": "C", "bind": "B"}[socket.Role]
		}
		each(v.streams[dir], socket.Type, socket.Identity)
	}
}

// What libzmq says completes our handshake, and its traffic is understood to
// the last byte: read, and written again by us, it is the same.
func TestRecordedLibzmq(t *testing.T) {
	done := 0
	for _, v := range recorded(t) {
		if v.older() {
			continue
		}
		v.spoken(func(b []byte, socketType, identity string) {
			s := newStream(configFor(peerTypes[socketType][0], nil), ScannerLimits{})
			s.receive(b)
			switch {
			case v.Name == "null-with-zap-denied":
				if reasonOf(t, s.failed) != Refused || s.failed.(*Error).Detail != "400" {
					t.Errorf("%s: %v", v.Name, s.failed)
				}
				return
			case len(b) <= GreetingBytes:
				if s.failed != nil || s.done {
					t.Errorf("%s: done %v, %v", v.Name, s.done, s.failed)
				}
				return
			case v.Outcome.WellFormed != nil && !*v.Outcome.WellFormed:
				checkDefect(t, &v, s)
				return
			}
			if s.failed != nil || !s.done || len(s.buffer) != 0 {
				t.Errorf("%s: done %v, %d bytes left, %v", v.Name, s.done, len(s.buffer), s.failed)
				return
			}
			done++
			peer := s.handshake.Peer()
			if peer.SocketType != socketType || peer.Major != 3 || peer.Minor != 1 {
				t.Errorf("%s: peer %+v", v.Name, peer)
			}
			if identityMatters(socketType) && !bytes.Equal(peer.Identity, unhex(t, identity)) {
				t.Errorf("%s: identity %x, want %s", v.Name, peer.Identity, identity)
			}
			checkOpening(t, &v, b, socketType, identity)
			checkRewritten(t, &v, b[openingBytes(b):])
		})
	}
	if done < 90 {
		t.Errorf("only %d conversations reached traffic", done)
	}
}

// openingBytes is the length of greeting and READY.
func openingBytes(b []byte) int {
	_, bodyBytes, header := wire.ParseHeader(b[GreetingBytes:])
	return GreetingBytes + header + int(bodyBytes)
}

// checkOpening compares libzmq's greeting and READY with what we say as the
// same socket. Its padding tells the length of its identity to older peers.
func checkOpening(t *testing.T, v *vector, b []byte, socketType, identity string) {
	t.Helper()
	h := NewHandshake(configFor(socketType, unhex(t, identity)))
	if _, err := h.Feed(greetingOf(3, 1, "NULL")); err != nil {
		t.Fatal(err)
	}
	theirs := bytes.Clone(b[:openingBytes(b)])
	clear(theirs[1:9])
	if ours := h.Output(); !bytes.Equal(ours, theirs) {
		t.Errorf("%s: we say %x, libzmq says %x", v.Name, ours, theirs)
	}
}

// checkRewritten reads traffic frame by frame and writes it again.
func checkRewritten(t *testing.T, v *vector, b []byte) {
	t.Helper()
	var again []byte
	for rest := b; len(rest) > 0; {
		flags, bodyBytes, header := wire.ParseHeader(rest)
		body := rest[header : header+int(bodyBytes)]
		rest = rest[header+int(bodyBytes):]
		if flags&wire.FlagCommand == 0 {
			again = AppendFrame(again, flags, body)
			continue
		}
		command, err := ParseCommand(body)
		if err != nil || command.Name == CommandUnknown {
			t.Errorf("%s: command %x: %v, %v", v.Name, body, command, err)
		}
		switch command.Name {
		case CommandPing:
			again = AppendPing(again, command.TTL, command.Body)
		case CommandPong:
			again = AppendPong(again, command.Body)
		case CommandSubscribe:
			again = AppendSubscribe(again, command.Body)
		case CommandCancel:
			again = AppendCancel(again, command.Body)
		}
	}
	if !bytes.Equal(again, b) {
		t.Errorf("%s: %x was written as %x", v.Name, b, again)
	}
}

// checkDefect is for topics of about 255 bytes, which some versions of libzmq
// send with a size of eight bytes but without wire.FlagLong: we see garbage, and
// must not mistake it for a subscription.
func checkDefect(t *testing.T, v *vector, s *stream) {
	t.Helper()
	command := bytes.Contains(s.traffic, []byte("SUBSCRIBE"))
	if !s.done || command || s.failed == nil && len(s.buffer) == 0 && s.messages < 2 {
		t.Errorf("%s: %d messages, %q, %v", v.Name, s.messages, s.traffic, s.failed)
	}
}

// verdicts are the recorded peers that we refuse. Those marked strict libzmq
// lets pass.
var verdicts = map[string]struct {
	reason Reason
	strict bool
}{
	"greeting-first-octet-fe":            {BadGreeting, true},
	"greeting-http":                      {BadGreeting, true},
	"greeting-zero-octet":                {BadGreeting, false},
	"greeting-tenth-octet-7e":            {OldVersion, false},
	"zmtp1-peer-anonymous":               {BadGreeting, true},
	"zmtp1-peer-identity":                {BadGreeting, true},
	"zmtp1-peer-long-identity-header":    {OldVersion, true},
	"zmtp1-sub-phantom":                  {BadGreeting, true},
	"zmtp2-peer":                         {OldVersion, true},
	"zmtp2-sub-peer":                     {OldVersion, true},
	"zmtp2-connect-sub":                  {OldVersion, true},
	"zmtp2-wrong-type":                   {OldVersion, true},
	"revision-0-peer":                    {OldVersion, true},
	"revision-2-peer":                    {OldVersion, true},
	"greeting-unknown-mechanism":         {MechanismMismatch, false},
	"greeting-lowercase-mechanism":       {MechanismMismatch, false},
	"greeting-mechanism-mismatch":        {MechanismMismatch, false},
	"greeting-mechanism-not-zero-padded": {MechanismMismatch, false},
	"mechanism-mismatch-connecting":      {MechanismMismatch, false},
	"mechanism-mismatch-binding":         {MechanismMismatch, false},
	"ready-wrong-socket-type":            {IncompatiblePeer, false},
	"ready-unknown-socket-type":          {IncompatiblePeer, false},
	"ready-lowercase-type-value":         {IncompatiblePeer, false},
	"ready-without-socket-type":          {IncompatiblePeer, true},
	"ready-lowercase-property-name":      {IncompatiblePeer, true},
	"ready-empty-property-name":          {MalformedMetadata, true},
	"ready-trailing-octet":               {MalformedMetadata, false},
	"ready-truncated-value":              {MalformedMetadata, false},
	"ready-as-message-frame":             {UnexpectedCommand, true},
	"router-identity-zero-first":         {BadIdentity, true},
	"router-identity-300-octets":         {BadIdentity, true},
	"error-command-400":                  {Refused, false},
	"error-command-text":                 {Refused, false},
	"error-command-malformed":            {MalformedCommand, false},
	"handshake-unknown-command":          {UnexpectedCommand, false},
	"handshake-message-before-ready":     {UnexpectedCommand, false},
	"handshake-empty-command":            {MalformedCommand, false},
	"ping-before-ready":                  {UnexpectedCommand, false},
	"frame-reserved-bits":                {MalformedFrame, true},
	"frame-more-and-command":             {MalformedFrame, true},
	"frame-size-2-63":                    {FrameTooLarge, false},
	"maxmsgsize-exceeded":                {MessageTooLarge, false},
	"traffic-malformed-command":          {MalformedCommand, true},
	"traffic-empty-command":              {MalformedCommand, true},
}

// closedLater are peers that libzmq closed for what only a socket or a clock
// can know.
var closedLater = map[string]bool{
	"greeting-handshake-timeout": true, "ready-missing-timeout": true, "peer-half-close": true,
	"req-bad-reply-no-delimiter": true,
}

// What scripted peers said to libzmq is told to us in its place.
func TestRecordedPeers(t *testing.T) {
	for _, v := range recorded(t) {
		b := v.streams["P"]
		if len(b) == 0 {
			continue
		}
		limits := ScannerLimits{}
		if v.Name == "maxmsgsize-exceeded" {
			limits.MessageBytes = 1000
		}
		s := newStream(configFor(v.Sockets[0].Type, nil), limits)
		s.receive(b)
		err := s.failed
		if err == nil {
			err = commandError(s.traffic)
		}
		verdict, refused := verdicts[v.Name]
		if got := reasonOf(t, err); got != verdict.reason {
			t.Errorf("%s: %v, want %v", v.Name, err, verdict.reason)
		}
		closed := v.Outcome.Closed
		if closed && !refused && !closedLater[v.Name] || refused && closed == verdict.strict {
			t.Errorf("%s: closed by libzmq %v, refused %v", v.Name, closed, refused)
		}
		if !refused && !v.older() && len(b) > GreetingBytes && !s.done {
			t.Errorf("%s: not done", v.Name)
		}
		checkReceived(t, &v, s)
	}
}

// commandError is what the first malformed command in traffic gives.
func commandError(traffic []byte) error {
	for _, body := range commandsIn(traffic) {
		if _, err := ParseCommand(body); err != nil {
			return err
		}
	}
	return nil
}

// commandsIn finds the commands in stream.traffic, which holds small messages
// only here.
func commandsIn(traffic []byte) [][]byte {
	var bodies [][]byte
	for {
		_, after, found := bytes.Cut(traffic, []byte("<"))
		body, rest, closed := bytes.Cut(after, []byte(">"))
		if !found || !closed {
			return bodies
		}
		bodies = append(bodies, body)
		traffic = rest
	}
}

// checkReceived compares messages with what libzmq's application got, for the
// types that neither add nor drop frames.
func checkReceived(t *testing.T, v *vector, s *stream) {
	t.Helper()
	switch v.Name {
	case "traffic-subscribe-to-pull", // a command that libzmq hands on
		"pair-second-peer", // libzmq's application got the first peer's
		"frame-reserved-bits", "frame-more-and-command":
		return
	}
	switch v.Sockets[0].Type {
	case "PULL", "DEALER", "PAIR":
	default:
		return
	}
	if !s.done || v.Outcome.Received == nil {
		return
	}
	var want []byte
	for _, frames := range v.Outcome.Received {
		for i, frame := range frames {
			flags := wire.FlagMore
			if i == len(frames)-1 {
				flags = 0
			}
			want = AppendFrame(want, flags, unhex(t, frame))
		}
	}
	got := s.traffic
	for _, body := range commandsIn(got) {
		got = bytes.Replace(got, concat([]byte("<"), body, []byte(">")), nil, 1)
	}
	if s.messages != len(v.Outcome.Received) || v.Name != "frame-long-form-small-body" && !bytes.Equal(got, want) {
		t.Errorf("%s: %d messages in %x, libzmq's application got %x", v.Name, s.messages, got, want)
	}
}

// recordedStreams are all streams there are, for fuzzing.
func recordedStreams(t testing.TB) [][]byte {
	var all [][]byte
	for _, v := range recorded(t) {
		for _, dir := range []string{"Z", "P", "B", "C"} {
			if len(v.streams[dir]) > 0 {
				all = append(all, v.streams[dir])
			}
		}
	}
	return all
}

// recordedTraffic is what the streams bring after READY.
func recordedTraffic(t testing.TB) [][]byte {
	var all [][]byte
	for _, b := range recordedStreams(t) {
		if len(b) > GreetingBytes+wire.HeaderBytesMax && openingBytes(b) < len(b) {
			all = append(all, b[openingBytes(b):])
		}
	}
	return all
}

// recordedCommands are the bodies of all commands in the handshakes and of
// those that start the traffic.
func recordedCommands(t testing.TB) [][]byte {
	var all [][]byte
	add := func(b []byte) {
		flags, bodyBytes, header := wire.ParseHeader(b)
		if flags&wire.FlagCommand != 0 && uint64(len(b)-header) >= bodyBytes {
			all = append(all, b[header:header+int(bodyBytes)])
		}
	}
	for _, b := range recordedStreams(t) {
		if len(b) > GreetingBytes {
			add(b[GreetingBytes:])
		}
	}
	for _, b := range recordedTraffic(t) {
		add(b)
	}
	return all
}

// recordedMetadata is what every READY says.
func recordedMetadata(t testing.TB) [][]byte {
	var all [][]byte
	for _, body := range recordedCommands(t) {
		if metadata, found := bytes.CutPrefix(body, []byte("\x05READY")); found {
			all = append(all, metadata)
		}
	}
	return all
}
