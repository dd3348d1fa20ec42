// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"strings"
	"testing"
)

// TestG1 checks RFC 23, Version Negotiation: a peer without interest in old
// versions sends its whole greeting unasked, with zero padding.
func TestG1(t *testing.T) {
	h := NewHandshake(configFor("PULL", nil))
	got := h.Output()
	want := unhex(t, "ff 0000000000000000 7f 03 01 4e554c4c 00000000000000000000000000000000 00"+strings.Repeat("00", 31))
	if !bytes.Equal(got, want) {
		t.Fatalf("greeting %x, want %x", got, want)
	}
	if again := h.Output(); again != nil {
		t.Errorf("handed out twice: %x", again)
	}
}

// TestG3 checks RFC 23, Version Negotiation: padding means nothing.
func TestG3(t *testing.T) {
	for _, padding := range []string{"1111111111111111", "0000000000000006", "ffffffffffffffff", "7f030100ff7f0301"} {
		greeting := greetingOf(3, 1, "NULL")
		copy(greeting[1:9], unhex(t, padding))
		wantAccepted(t, greeting)
	}
}

// TestG4 checks RFC 23, Version Negotiation: any version that is not lower
// than ours is accepted. We speak 3.0 too, so that is the lowest.
func TestG4(t *testing.T) {
	for _, version := range [][2]byte{{3, 0}, {3, 1}, {3, 2}, {3, 7}, {3, 9}, {3, 255}, {4, 0}, {4, 7}, {255, 255}} {
		peer := wantAccepted(t, greetingOf(version[0], version[1], "NULL"))
		if peer.Major != version[0] || peer.Minor != version[1] {
			t.Errorf("%v: peer says %d.%d", version, peer.Major, peer.Minor)
		}
		if peer.AtLeast(3, 1) != (version != [2]byte{3, 0}) || !peer.AtLeast(3, 0) || peer.AtLeast(255, 255) != (version[0] == 255) {
			t.Errorf("%v: wrong about being at least 3.1", version)
		}
	}
}

// TestG5 checks RFC 23, Version Negotiation: to a higher peer we go on
// speaking our own version.
func TestG5(t *testing.T) {
	var first []byte
	for _, version := range [][2]byte{{3, 1}, {3, 0}, {3, 9}, {4, 7}, {255, 255}} {
		h := NewHandshake(configFor("DEALER", []byte("me")))
		sent := h.Output()
		if _, err := h.Feed(greetingOf(version[0], version[1], "NULL")); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, h.Output()...)
		if first == nil {
			first = sent
		}
		if !bytes.Equal(sent, first) {
			t.Errorf("to %v: %x, to 3.1: %x", version, sent, first)
		}
	}
}

// TestG6 checks RFC 23, Version Negotiation: who cannot step down to a lower
// version closes, here before the peer's identity is read.
func TestG6(t *testing.T) {
	for major := range byte(3) {
		h := NewHandshake(configFor("ROUTER", nil))
		in := append(greetingOf(major, 5, "")[:12], "\x00\x02id"...)
		n, err := h.Feed(in)
		wantReason(t, err, OldVersion)
		if n != 11 {
			t.Errorf("revision %d: %d bytes were read", major, n)
		}
	}
}

// TestG7 checks RFC 23, Authentication: the mechanism must match to the byte.
func TestG7(t *testing.T) {
	for _, name := range []string{"", "null", "Null", "NUL", "NULL ", "NULLX", "NULL\x00x", "FOO", "PLAIN", "CURVE",
		"NULL                ", "NULLNULLNULLNULLNULL", "\x00NULL", "\xff\xff\xff\xff"} {
		h := NewHandshake(configFor("PULL", nil))
		h.Output()
		_, err := h.Feed(append(greetingOf(3, 1, name), readyOf("Socket-Type", "PUSH")...))
		wantReason(t, err, MechanismMismatch)
		if out := h.Output(); out != nil || h.Done() {
			t.Errorf("%q: sent %x, done %v", name, out, h.Done())
		}
	}
	greeting := greetingOf(3, 1, "NULL")
	greeting[31] = 'x'
	_, err := NewHandshake(configFor("PULL", nil)).Feed(greeting)
	wantReason(t, err, MechanismMismatch)
}

// TestG8 checks RFC 23, Authentication: who has read a whole greeting has also
// sent one, even if it then closes.
func TestG8(t *testing.T) {
	h := NewHandshake(configFor("PULL", nil))
	_, err := h.Feed(greetingOf(3, 1, "FOO"))
	wantReason(t, err, MechanismMismatch)
	if out := h.Output(); !bytes.Equal(out, greetingOf(3, 1, "NULL")) {
		t.Errorf("sent %x", out)
	}
}

// TestG9 checks RFC 23, The NULL Security Mechanism and Topology: as-server is
// 0 with NULL, and the peer's means nothing; nor does its filler.
func TestG9(t *testing.T) {
	if out := NewHandshake(configFor("PULL", nil)).Output(); out[32] != 0 {
		t.Errorf("as-server is %d", out[32])
	}
	greeting := greetingOf(3, 1, "NULL")
	greeting[32] = 1
	wantAccepted(t, greeting)
	for i := 33; i < 64; i++ {
		greeting[i] = 0xAA
	}
	wantAccepted(t, greeting)
}

// TestG11 checks RFC 23, Security Considerations: a secured socket falls back
// neither to NULL nor to an older version.
func TestG11(t *testing.T) {
	for name, in := range map[string][]byte{
		"NULL": openingOf("PUSH"),
		"2.0":  append(greetingOf(1, 8, "")[:12], "\x00\x00"...),
		"1.0":  []byte("\x01\x00"),
		"both": append(greetingOf(3, 1, "NULL"), greetingOf(3, 1, "TWOSTEP")...),
	} {
		config := configFor("PULL", nil)
		config.Mechanism = twoStep{}
		h := NewHandshake(config)
		if _, err := h.Feed(in); err == nil || h.Done() {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestD1 checks RFC 23, Detecting ZMTP 1.0 and 2.0 Peers: with any mechanism
// they are closed, and D2: at byte 0, 9 or 10 of what they send.
func TestD1(t *testing.T) {
	for _, mechanism := range []Mechanism{nil, twoStep{}} {
		for _, c := range []struct {
			name, in string
			n        int
			want     Reason
		}{
			{"1.0, anonymous", "\x01\x00\x00\x00\x00\x00", 1, BadGreeting},
			{"1.0, long header", "\xff\x00\x00\x00\x00\x00\x00\x00\x04\x00abc", 10, OldVersion},
			{"1.0, tenth byte 7e", "\xff\x00\x00\x00\x00\x00\x00\x00\x04\x7eabc", 10, OldVersion},
			{"revision 0", "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x00abc", 11, OldVersion},
			{"2.0", "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01\x05\x00\x00", 11, OldVersion},
			{"revision 2", "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x02\x05\x00\x00", 11, OldVersion},
		} {
			config := configFor("ROUTER", nil)
			config.Mechanism = mechanism
			n, err := NewHandshake(config).Feed([]byte(c.in))
			if n != c.n || reasonOf(t, err) != c.want {
				t.Errorf("%s: %d bytes read, %v", c.name, n, err)
			}
		}
	}
}

// The rows of HOSTILE Greeting/garbage.
func TestGreetingGarbage(t *testing.T) {
	for name, in := range map[string]string{
		"http":      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"tls":       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"ssh":       "SSH-2.0-OpenSSH_9.6\r\n",
		"redis":     "*1\r\n$4\r\nPING\r\n",
		"memcached": "stats\r\n",
		"zero":      "\x00",
		"fe":        "\xfe" + strings.Repeat("\x00", 63),
		"all ff":    strings.Repeat("\xff", 1<<20),
	} {
		h := NewHandshake(configFor("PULL", nil))
		n, err := h.Feed([]byte(in))
		if err == nil || n > 32 {
			t.Errorf("%s: %d bytes read, %v", name, n, err)
		}
		if m, again := h.Feed([]byte(in)); m != 0 || again != err {
			t.Errorf("%s: after the error %d bytes read, %v", name, m, again)
		}
	}
}

func TestGreetingTruncations(t *testing.T) {
	for n := range GreetingBytes {
		h := NewHandshake(configFor("PULL", nil))
		h.Output()
		m, err := h.Feed(greetingOf(3, 1, "NULL")[:n])
		if m != n || err != nil || h.Done() || h.Output() != nil {
			t.Errorf("after %d bytes: read %d, %v", n, m, err)
		}
	}
}

// wantAccepted completes a handshake that starts with this greeting.
func wantAccepted(t *testing.T, greeting []byte) Peer {
	t.Helper()
	h := NewHandshake(configFor("PULL", nil))
	in := append(bytes.Clone(greeting), readyOf("Socket-Type", "PUSH")...)
	if n, err := h.Feed(in); n != len(in) || err != nil || !h.Done() {
		t.Errorf("%x: %d bytes read, %v", greeting, n, err)
	}
	return h.Peer()
}
