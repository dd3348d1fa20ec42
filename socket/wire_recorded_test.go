// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// Conversations recorded with libzmq, told to live sockets. What the file holds says the README beside it.

type wireVector struct {
	Name    string
	Sockets []struct{ Type, Role, Identity string }
	Chunks  []wireChunk
	Outcome struct {
		Closed     bool
		Received   [][]string
		WellFormed *bool `json:"well_formed"`
	}
}

type wireChunk struct {
	Dir, Hex, Const, Sha256 string
	Len                     int
	octets                  []byte
}

// wireRecorded reads the recorded conversations, but for those of older versions of the protocol.
func wireRecorded(t *testing.T) []wireVector {
	t.Helper()
	text, err := os.ReadFile("../internal/zmtp/testdata/libzmq.json")
	if err != nil {
		t.Fatal(err)
	}
	var recording struct {
		Constants map[string]string
		Vectors   []wireVector
	}
	if err := json.Unmarshal(text, &recording); err != nil {
		t.Fatal(err)
	}
	for _, v := range recording.Vectors {
		for i := range v.Chunks {
			c := &v.Chunks[i]
			c.octets = wireUnhex(t, c.Hex+recording.Constants[c.Const])
			if c.Len == 0 {
				continue
			}
			c.octets = wireExpand(c.octets, c.Len)
			if sum := sha256.Sum256(c.octets); hex.EncodeToString(sum[:]) != c.Sha256 {
				t.Fatalf("%s: a long chunk was not understood", v.Name)
			}
		}
	}
	return slices.DeleteFunc(recording.Vectors, func(v wireVector) bool {
		return strings.HasPrefix(v.Name, "zmtp1-") || strings.HasPrefix(v.Name, "zmtp2-") || strings.HasPrefix(v.Name, "revision-")
	})
}

func wireUnhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wireExpand completes a long frame of which only the start is written down: its body counts up modulo 251 or repeats its
// first octet.
func wireExpand(start []byte, size int) []byte {
	const header = 9
	b := slices.Clone(start)
	for i := len(b) - header; len(b) < size; i++ {
		if start[header] == 0 {
			b = append(b, byte(i%251))
		} else {
			b = append(b, start[header])
		}
	}
	return b
}

// said is all that one direction carries.
func (v *wireVector) said(dir string) []byte {
	var b []byte
	for _, c := range v.Chunks {
		if c.Dir == dir {
			b = append(b, c.octets...)
		}
	}
	return b
}

// wireItem is a command or a message of recorded traffic.
type wireItem struct {
	command string // its name
	data    string // of the command
	frames  []string
}

// wireItems takes traffic apart. A message that is not finished is left out.
func wireItems(b []byte) []wireItem {
	var items []wireItem
	var frames []string
	for len(b) >= 2 {
		flags, size, header := b[0], int(b[1]), 2
		if flags&sockettest.FlagLong != 0 {
			size, header = int(binary.BigEndian.Uint64(b[1:])), 9
		}
		body := string(b[header : header+size])
		b = b[header+size:]
		if flags&sockettest.FlagCommand != 0 {
			end := 1 + int(body[0])
			items = append(items, wireItem{command: body[1:end], data: body[end:]})
			continue
		}
		frames = append(frames, body)
		if flags&sockettest.FlagMore == 0 {
			items = append(items, wireItem{frames: frames})
			frames = nil
		}
	}
	return items
}

// wireOpening is the length of greeting and READY in a stream.
func wireOpening(b []byte) int {
	if len(b) <= sockettest.GreetingBytes {
		return len(b)
	}
	return sockettest.GreetingBytes + 2 + int(b[sockettest.GreetingBytes+1])
}

// wireHearer is the type that passes on most of what such a socket says.
func wireHearer(socketType string) string {
	return map[string]string{
		"REQ": "ROUTER", "REP": "DEALER", "DEALER": "DEALER", "ROUTER": "DEALER", "PUB": "XSUB", "XPUB": "XSUB",
		"SUB": "XPUB", "XSUB": "XPUB", "PUSH": "PULL", "PULL": "PUSH", "PAIR": "PAIR",
	}[socketType]
}

// wireHeard is what the application of such a socket gets of the traffic, without an identity.
func wireHeard(socketType string, traffic []wireItem) [][]string {
	var heard [][]string
	topics := make(map[string]bool)
	change := func(subscribe bool, topic string) {
		if topics[topic] != subscribe {
			topics[topic] = subscribe
			form := map[bool]string{true: "\x01", false: "\x00"}[subscribe]
			heard = append(heard, []string{form + topic})
		}
	}
	for _, item := range traffic {
		publisher := socketType == "XPUB"
		switch {
		case publisher && item.command == "SUBSCRIBE":
			change(true, item.data)
		case publisher && item.command == "CANCEL":
			change(false, item.data)
		case item.command != "":
		case publisher && len(item.frames) == 1 && strings.HasPrefix(item.frames[0], "\x01"):
			change(true, item.frames[0][1:])
		case publisher && len(item.frames) == 1 && strings.HasPrefix(item.frames[0], "\x00"):
			change(false, item.frames[0][1:])
		default:
			heard = append(heard, item.frames)
		}
	}
	return heard
}

// wireReplay is a conversation and those who repeat it.
type wireReplay struct {
	*testing.T
	v          *wireVector
	s          wireSocket
	raw        *sockettest.Raw
	socketType string
	own, peer  string // directions: the socket, the raw peer

	heard    int    // octets of the socket read so far
	received int    // messages of the outcome received so far
	asker    string // ROUTER: the identity of its peer
}

// What libzmq said, in its pieces, is told to our sockets: they complete the handshake, understand all, and say what they
// must.
func TestRecordedLibzmqToLiveSockets(t *testing.T) {
	for _, v := range wireRecorded(t) {
		for _, party := range v.Sockets {
			dir := "Z"
			if len(v.Sockets) > 1 {
				dir = map[string]string{"connect": "C", "bind": "B"}[party.Role]
			}
			if len(v.said(dir)) < sockettest.GreetingBytes {
				continue // it had closed; how we do is told by the peer's side, below
			}
			t.Run(v.Name+"/"+party.Type, func(t *testing.T) {
				sockettest.Wire(t, func(t *testing.T, endpoint string) {
					ours := wireHearer(party.Type)
					s, raw := wireStand(t, endpoint, ours, party.Role == "connect", func(*socket.Options) {})
					r := &wireReplay{T: t, v: &v, s: s, raw: raw, socketType: ours, peer: dir}
					r.tell(string(wireUnhex(t, party.Identity)))
				})
			})
		}
	}
}

// wireStand opens a socket, bound or connected, and a raw peer.
func wireStand(t *testing.T, endpoint, socketType string, bind bool, change func(*socket.Options)) (wireSocket, *sockettest.Raw) {
	t.Helper()
	if bind {
		s := wireBound(t, endpoint, socketType, change)
		return s, wireDial(t, s)
	}
	s, l := wireConnected(t, endpoint, socketType, change)
	return s, l.Accept()
}

// tell says what libzmq said. identity is libzmq's own.
func (r *wireReplay) tell(identity string) {
	for _, c := range r.v.Chunks {
		if c.Dir == r.peer {
			r.raw.Write(c.octets)
		}
	}
	wireExpect(r.T, r.raw, wireJoin(wireOwnGreeting(), wireOwnReady(r.socketType)))
	said := r.v.said(r.peer)
	if len(said) == sockettest.GreetingBytes {
		return
	}
	switch {
	case r.v.Name == "null-with-zap-denied":
		r.raw.ExpectClosed()
		sockettest.Until(r, "refused", func() bool { return len(wireStates(r.s, socket.PeerRefused)) == 1 })
		return
	case r.v.Outcome.WellFormed != nil && !*r.v.Outcome.WellFormed:
		r.tellBroken()
		return
	}
	traffic := wireItems(said[wireOpening(said):])
	for _, item := range traffic {
		if item.command == "PING" {
			wireExpect(r.T, r.raw, sockettest.Command("PONG", []byte(item.data[2:])))
		}
	}
	for _, frames := range wireHeard(r.socketType, traffic) {
		if r.socketType != "ROUTER" {
			wireRecv(r.T, r.s, frames...)
			continue
		}
		got, err := r.s.(wireReceiver).Recv(wireContext(r.T))
		if err != nil || !slices.Equal(wireFrames(got)[1:], frames) || identity != "" && string(got.Frame(0)) != identity {
			r.Errorf("received %q, %v; want %q from %q", wireFrames(got), err, frames, identity)
		}
	}
	r.raw.ExpectOpen()
	if r.socketType != "PUSH" {
		wireNothing(r.T, r.s)
	}
}

// tellBroken ends a stream in which a topic came with eight octets of size but without the bit that says so, libzmq's
// defect. It must not pass for a subscription.
func (r *wireReplay) tellBroken() {
	r.raw.CloseWrite()
	r.raw.ExpectClosed()
	for {
		got, err := r.s.(wireReceiver).TryRecv()
		if err != nil {
			return
		}
		if got.Len() > 1 || len(got.Frame(0)) > 200 {
			r.Errorf("received %q", wireFrames(got))
		}
	}
}

// wireVerdicts are the recorded peers that we drop, and why; libzmq lets some of them pass.
func wireVerdicts() map[string]string {
	return map[string]string{
		"greeting-first-octet-fe":            "bad greeting",
		"greeting-http":                      "bad greeting",
		"greeting-zero-octet":                "bad greeting",
		"greeting-tenth-octet-7e":            "old protocol version",
		"greeting-unknown-mechanism":         "mechanism mismatch",
		"greeting-lowercase-mechanism":       "mechanism mismatch",
		"greeting-mechanism-mismatch":        "mechanism mismatch",
		"greeting-mechanism-not-zero-padded": "mechanism mismatch",
		"mechanism-mismatch-connecting":      "mechanism mismatch",
		"mechanism-mismatch-binding":         "mechanism mismatch",
		"ready-wrong-socket-type":            "incompatible peer",
		"ready-unknown-socket-type":          "incompatible peer",
		"ready-lowercase-type-value":         "incompatible peer",
		"ready-without-socket-type":          "incompatible peer",
		"ready-lowercase-property-name":      "incompatible peer",
		"ready-empty-property-name":          "malformed metadata",
		"ready-trailing-octet":               "malformed metadata",
		"ready-truncated-value":              "malformed metadata",
		"ready-as-message-frame":             "unexpected command",
		"router-identity-zero-first":         "bad identity",
		"router-identity-300-octets":         "bad identity",
		"error-command-400":                  "",
		"error-command-text":                 "",
		"error-command-malformed":            "malformed command",
		"handshake-unknown-command":          "unexpected command",
		"handshake-message-before-ready":     "unexpected command",
		"handshake-empty-command":            "malformed command",
		"ping-before-ready":                  "unexpected command",
		"frame-reserved-bits":                "malformed frame",
		"frame-more-and-command":             "malformed frame",
		"frame-size-2-63":                    "message too large",
		"maxmsgsize-exceeded":                "message too large",
		"traffic-malformed-command":          "malformed command",
		"traffic-empty-command":              "malformed command",
	}
}

// wireNotReplayed are conversations that one peer and one socket of ours cannot have.
func wireNotReplayed() map[string]string {
	return map[string]string{
		"req-correlate":                    "no such option; the id is an octet string of libzmq's making",
		"probe-router":                     "no such option",
		"xpub-welcome-msg":                 "no such option",
		"xpub-verboser":                    "no such option",
		"router-duplicate-identity":        "two peers",
		"router-handover":                  "two peers",
		"pair-second-peer":                 "two peers",
		"sub-duplicates-31":                "we tell a topic once: TestRuleB3",
		"xsub-app-subscription":            "we send a command to a 3.1 peer: TestRuleFrameFlags",
		"sub-topic-246-to-3.1":             "libzmq's frame is broken",
		"sub-topic-255-to-3.1":             "libzmq's frame is broken",
		"sub-topic-255-to-3.0":             "libzmq's frame is broken",
		"null-with-zap-denied":             "no ZAP with NULL",
		"ping-sent":                        "time: TestConformanceD6",
		"ping-ttl-below-100ms":             "time: TestConformanceD6",
		"ping-sent-to-30-peer":             "time",
		"heartbeat-timeout":                "time: TestConformanceD7",
		"greeting-handshake-timeout":       "time: TestConformanceA10",
		"ready-missing-timeout":            "time: TestConformanceA10",
		"ping-between-frames-sent":         "its octets are not recorded",
		"ipc-zap-address":                  "it has no peer's octets",
		"peer-closes-before-greeting":      "TestConformanceA12",
		"sub-resubscribes-after-reconnect": "two streams",
	}
}

// Our sockets in libzmq's place: what its peers said is told to ours, what its applications did is done again, and ours say
// what libzmq said, octet by octet but for the padding of the greeting.
func TestRecordedPeersToLiveSockets(t *testing.T) {
	skip := wireNotReplayed()
	replayed := 0
	for _, v := range wireRecorded(t) {
		if skip[v.Name] != "" || len(v.Sockets) == 0 {
			continue
		}
		for _, party := range v.Sockets {
			own, peer := "Z", "P"
			if len(v.Sockets) > 1 {
				own, peer = "B", "C"
				if party.Role == "connect" {
					own, peer = "C", "B"
				}
			}
			replayed++
			t.Run(v.Name+"/"+party.Type, func(t *testing.T) {
				sockettest.Wire(t, func(t *testing.T, endpoint string) {
					s, raw := wireStand(t, endpoint, party.Type, party.Role == "bind", func(o *socket.Options) {
						o.Identity = wireUnhex(t, party.Identity)
						if v.Name == "maxmsgsize-exceeded" {
							o.MessageBytes = 1000
						}
					})
					r := &wireReplay{T: t, v: &v, s: s, raw: raw, socketType: party.Type, own: own, peer: peer}
					r.run()
				})
			})
		}
	}
	if replayed < 80 {
		t.Errorf("only %d conversations were replayed", replayed)
	}
}

func (r *wireReplay) run() {
	reason, dropped := wireVerdicts()[r.v.Name]
	if dropped {
		r.drop(reason)
		return
	}
	chunks := r.v.Chunks
	for len(chunks) > 0 {
		// All that one side said without a word of the other.
		n := slices.IndexFunc(chunks, func(c wireChunk) bool { return c.Dir != chunks[0].Dir })
		if n < 0 {
			n = len(chunks)
		}
		var block []byte
		for _, c := range chunks[:n] {
			block = append(block, c.octets...)
		}
		if chunks[0].Dir == r.peer {
			r.raw.Write(block)
		} else {
			r.expect(block)
		}
		chunks = chunks[n:]
	}
	r.end()
}

// drop tells everything, and the socket must end the stream before or after it has said what libzmq says.
func (r *wireReplay) drop(reason string) {
	r.raw.Conn.Write(r.v.said(r.peer)) // it may be gone before the end
	said := r.raw.ExpectClosed()
	if !bytes.HasPrefix(said, wireOwnGreeting()) {
		r.Errorf("the socket said %x", said)
	}
	if reason != "" {
		wireReason(r.T, r.s, reason)
	}
	for _, frames := range r.v.Outcome.Received {
		// Strict as we are, we may have dropped it before what libzmq let pass.
		got, err := r.s.(wireReceiver).TryRecv()
		if err == nil && !slices.Equal(wireFrames(got), r.unhex(frames)) {
			r.Errorf("received %q", wireFrames(got))
		}
	}
}

// expect lets the application do what libzmq's did, and compares.
func (r *wireReplay) expect(block []byte) {
	r.Helper()
	if left := wireOpening(r.v.said(r.own)) - r.heard; left > 0 && left < len(block) {
		r.expect(block[:left])
		r.expect(block[left:])
		return
	} else if left <= 0 {
		r.sync()
		for _, item := range wireItems(block) {
			r.act(item)
		}
	}
	got := r.raw.ReadN(len(block))
	want := slices.Clone(block)
	for i := range want {
		if at := r.heard + i; at >= 1 && at < 9 {
			want[i] = 0 // padding
		}
	}
	r.heard += len(block)
	if !bytes.Equal(got, want) {
		r.Fatalf("we say %.200x, libzmq said %.200x", got, want)
	}
}

// sync waits until the socket has read what it was told, unless that makes it speak.
func (r *wireReplay) sync() {
	r.Helper()
	if said := string(r.v.said(r.own)); !strings.Contains(said, "\x04PONG") {
		r.raw.ExpectOpen()
		r.raw.ExpectOpen() // what came with the first PING has been handed over when the second is read
	}
}

// act does what makes a socket say item.
func (r *wireReplay) act(item wireItem) {
	r.Helper()
	subscriber, _ := r.s.(interface {
		Subscribe(topic string) error
		Unsubscribe(topic string) error
	})
	var err error
	switch {
	case item.command == "PONG":
	case item.command == "SUBSCRIBE":
		err = subscriber.Subscribe(item.data)
	case item.command == "CANCEL":
		err = subscriber.Unsubscribe(item.data)
	case r.socketType == "SUB" && item.frames[0][0] == 1:
		err = subscriber.Subscribe(item.frames[0][1:])
	case r.socketType == "SUB":
		err = subscriber.Unsubscribe(item.frames[0][1:])
	case r.socketType == "REQ":
		wireSend(r.T, r.s, item.frames[1:]...)
	case r.socketType == "REP":
		r.recv()
		wireSend(r.T, r.s, item.frames[slices.Index(item.frames, "")+1:]...)
	case r.socketType == "ROUTER":
		r.recv()
		wireSend(r.T, r.s, append([]string{r.asker}, item.frames...)...)
	case r.socketType == "PUB":
		wireSubscribed(r.T, r.s, item.frames[0])
		wireSend(r.T, r.s, item.frames...)
	default:
		wireSend(r.T, r.s, item.frames...)
	}
	if err != nil {
		r.Fatal(err)
	}
}

// recv receives the next message of the outcome, or any if the outcome does not say.
func (r *wireReplay) recv() {
	r.Helper()
	got, err := r.s.(wireReceiver).Recv(wireContext(r.T))
	if err != nil {
		r.Fatal(err)
	}
	if r.socketType == "ROUTER" {
		r.asker = string(got.Frame(0))
	}
	if want := r.v.Outcome.Received; r.received < len(want) {
		if f := wireFrames(got); !slices.Equal(f, r.unhex(want[r.received])) {
			r.Fatalf("received %q, libzmq's application %q", f, want[r.received])
		}
	}
	r.received++
}

func (r *wireReplay) unhex(frames []string) []string {
	r.Helper()
	var all []string
	for _, f := range frames {
		all = append(all, string(wireUnhex(r.T, f)))
	}
	return all
}

// end receives what is left, and looks whether the stream still stands.
func (r *wireReplay) end() {
	want := r.v.Outcome.Received
	switch r.v.Name {
	case "traffic-subscribe-to-pull": // a command that libzmq hands on, and for which its application took the message
		want = [][]string{{"6d"}}
		r.v.Outcome.Received = want
	case "xpub-cancel-unknown": // libzmq hands on a cancellation of nothing
		want = nil
	}
	for r.received < len(want) {
		r.recv()
	}
	switch {
	case len(r.v.said(r.peer)) <= sockettest.GreetingBytes:
	case r.v.Name == "peer-half-close" || r.v.Name == "multipart-cut-off":
		r.raw.CloseWrite()
		r.raw.ExpectClosed()
	default:
		r.raw.ExpectOpen()
	}
	if _, receives := r.s.(wireReceiver); receives && want != nil && r.socketType != "XPUB" {
		wireNothingMore(r.T, r.s)
	}
}

// wireNothingMore is wireNothing for sockets that are not in turn to receive.
func wireNothingMore(t *testing.T, s wireSocket) {
	t.Helper()
	if got, err := s.(wireReceiver).TryRecv(); err == nil {
		t.Errorf("received %q", wireFrames(got))
	}
}
