// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestMetadataGolden(t *testing.T) {
	got := metadataOf("Socket-Type", "DEALER", "Identity", "")
	want := unhex(t, "0b 536f636b65742d54797065 00000006 4445414c4552 08 4964656e74697479 00000000")
	if !bytes.Equal(got, want) {
		t.Fatalf("%x, want %x", got, want)
	}
	properties, err := ParseMetadata(want)
	if err != nil || len(properties) != 2 || properties[0].Name != "Socket-Type" ||
		string(properties[0].Value) != "DEALER" || properties[1].Name != "Identity" || len(properties[1].Value) != 0 {
		t.Fatalf("%v, %v", properties, err)
	}
	if properties, err := ParseMetadata(nil); len(properties) != 0 || err != nil {
		t.Fatalf("no metadata: %v, %v", properties, err)
	}
}

func TestMetadataTruncations(t *testing.T) {
	whole := metadataOf("Socket-Type", "PULL", "X-Empty", "", "X-Last", "v")
	boundary := map[int]bool{0: true, 20: true, 32: true}
	for n := range whole {
		_, err := ParseMetadata(whole[:n:n])
		if boundary[n] != (err == nil) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

// The rows of HOSTILE Metadata that a parser alone can judge.
func TestMetadataHostile(t *testing.T) {
	long := strings.Repeat("n", 255)
	many := func(n int) string {
		var b []byte
		for i := range n {
			b = AppendProperty(b, fmt.Sprintf("X-%d", i), nil)
		}
		return string(b)
	}
	for _, c := range []struct {
		name, metadata string
		want           Reason
	}{
		{"name of 255 bytes", string(metadataOf(long, "v")), 0},
		{"empty value", string(metadataOf("X-Foo", "")), 0},
		{"all characters of a name", string(metadataOf("azAZ09-_.+", "v")), 0},
		{"as many as allowed", many(PropertiesMax), 0},
		{"empty name", "\x00\x00\x00\x00\x00", MalformedMetadata},
		{"only a name length", "\xff", MalformedMetadata},
		{"name longer than the rest", "\x05abc", MalformedMetadata},
		{"space in a name", string(metadataOf("X Foo", "v")), MalformedMetadata},
		{"zero in a name", string(metadataOf("X\x00", "v")), MalformedMetadata},
		{"letters beyond ASCII", string(metadataOf("Gr\xfc\xdfe", "v")), MalformedMetadata},
		{"value one byte longer than the rest", "\x01X\x00\x00\x00\x02v", MalformedMetadata},
		{"value of 100 MB claimed", "\x01X\x05\xf5\xe1\x00v", MalformedMetadata},
		{"value of 2^31-1 claimed", "\x01X\x7f\xff\xff\xffv", MalformedMetadata},
		{"value of 2^31 claimed", "\x01X\x80\x00\x00\x00v", MalformedMetadata},
		{"value of 2^32-1 claimed", "\x01X\xff\xff\xff\xffv", MalformedMetadata},
		{"stray byte", string(metadataOf("X", "v")) + "\x01", MalformedMetadata},
		{"twice the same", string(metadataOf("X-A", "1", "X-A", "1")), MalformedMetadata},
		{"twice, in another case", string(metadataOf("Socket-Type", "PUSH", "SOCKET-type", "PULL")), MalformedMetadata},
		{"one too many", many(PropertiesMax + 1), MalformedMetadata},
		{"a hundred thousand", many(100_000), MalformedMetadata},
	} {
		properties, err := ParseMetadata([]byte(c.metadata))
		if got := reasonOf(t, err); got != c.want || err != nil && properties != nil {
			t.Errorf("%s: %d properties, %v", c.name, len(properties), err)
		}
	}
}

// TestP1 checks RFC 23, Connection Metadata: names compare without case.
func TestP1(t *testing.T) {
	for _, name := range []string{"Socket-Type", "socket-type", "SOCKET-TYPE"} {
		h := NewHandshake(configFor("PULL", nil))
		_, err := h.Feed(append(greetingOf(3, 1, "NULL"), readyOf(name, "PUSH")...))
		if err != nil || !h.Done() || h.Peer().SocketType != "PUSH" {
			t.Errorf("%s: %v", name, err)
		}
		h = NewHandshake(configFor("PULL", nil))
		_, err = h.Feed(append(greetingOf(3, 1, "NULL"), readyOf(name, "PUB")...))
		wantReason(t, err, IncompatiblePeer)
	}
}

// TestP2 checks RFC 23, Connection Metadata: names may not be empty, values
// may.
func TestP2(t *testing.T) {
	_, err := ParseMetadata([]byte("\x00\x00\x00\x00\x01v"))
	wantReason(t, err, MalformedMetadata)
	_, err = ParseMetadata(metadataOf("X", ""))
	wantReason(t, err, 0)
}

// TestP4 checks RFC 23, The NULL Security Mechanism: unknown properties are
// allowed; P3 and P7 name two kinds of them.
func TestP4(t *testing.T) {
	h := NewHandshake(configFor("PULL", nil))
	_, err := h.Feed(append(greetingOf(3, 1, "NULL"),
		readyOf("X-Foo", "bar", "Socket-Type", "PUSH", "Resource", "a/b", "Whatever", "")...))
	if err != nil || !h.Done() {
		t.Fatal(err)
	}
	properties := h.Peer().Properties
	if len(properties) != 4 || properties[0].Name != "X-Foo" || string(properties[0].Value) != "bar" {
		t.Errorf("%v", properties)
	}
}

// TestP6 checks RFC 37, Connection Metadata, and the rows of HOSTILE Metadata
// about identities: 0 to 255 bytes, not starting with zero, and of no meaning
// from types other than REQ, DEALER and ROUTER.
func TestP6(t *testing.T) {
	for _, c := range []struct {
		peer     string
		identity []byte
		want     Reason
		kept     bool
	}{
		{"DEALER", nil, 0, true},
		{"DEALER", []byte("a"), 0, true},
		{"REQ", []byte("a\x00b"), 0, true},
		{"ROUTER", bytes.Repeat([]byte{'i'}, 127), 0, true},
		{"DEALER", bytes.Repeat([]byte{0xFF}, 128), 0, true},
		{"DEALER", bytes.Repeat([]byte{'i'}, 255), 0, true},
		{"DEALER", bytes.Repeat([]byte{'i'}, 256), BadIdentity, false},
		{"DEALER", []byte("\x00abcd"), BadIdentity, false},
		{"REQ", []byte("\x00"), BadIdentity, false},
		{"PUSH", []byte("name"), 0, false},
		{"PUSH", []byte("\x00abcd"), 0, false},
	} {
		h := NewHandshake(HandshakeConfig{SocketType: "ROUTER", PeerTypes: []string{"REQ", "DEALER", "ROUTER", "PUSH"}})
		_, err := h.Feed(append(greetingOf(3, 1, "NULL"),
			readyOf("Socket-Type", c.peer, "Identity", string(c.identity))...))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s, identity of %d bytes: %v", c.peer, len(c.identity), err)
		}
		want := c.identity
		if !c.kept {
			want = nil
		}
		if got := h.Peer().Identity; !bytes.Equal(got, want) {
			t.Errorf("%s: identity %x, want %x", c.peer, got, want)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add(metadataOf("Socket-Type", "PUSH"))
	f.Add(metadataOf("Socket-Type", "DEALER", "Identity", "me", "X-Foo", ""))
	f.Add([]byte("\x01X\xff\xff\xff\xffv"))
	for _, b := range recordedMetadata(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		properties, err := ParseMetadata(b)
		if err != nil {
			wantReason(t, err, MalformedMetadata)
			return
		}
		var again []byte
		for _, p := range properties {
			again = AppendProperty(again, p.Name, p.Value)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x was written as %x", b, again)
		}
	})
}
