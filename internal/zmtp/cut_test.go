// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

// conversation is all that a peer sends: greeting, READY, messages of one to
// five parts and commands between and inside them.
func conversation() []byte {
	return concat(openingOf("DEALER"),
		message("a"),
		AppendPing(nil, 3, []byte("c")),
		[]byte("\x01\x01b"), AppendPong(nil, nil), []byte("\x00\x00"),
		append(longHeader(0, 1), 'l'),
		message("1", "", "3", "4", "5"))
}

// HOSTILE Cut: the stream ends after every single byte, and only whole
// messages are seen.
func TestCutOff(t *testing.T) {
	all := conversation()
	whole := newStream(configFor("ROUTER", nil), ScannerLimits{})
	whole.receive(all)
	if whole.failed != nil || whole.messages != 4 || len(whole.buffer) != 0 {
		t.Fatalf("%d messages, %v", whole.messages, whole.failed)
	}
	opening := len(openingOf("DEALER"))
	for n := range all {
		s := newStream(configFor("ROUTER", nil), ScannerLimits{})
		s.receive(all[:n])
		if s.failed != nil || s.done != (n >= opening) || s.messages > whole.messages || !bytes.HasPrefix(whole.traffic, s.traffic) {
			t.Fatalf("after %d bytes: done %v, %q, %v", n, s.done, s.traffic, s.failed)
		}
		if n > opening {
			checkAgainstReference(t, all[opening:n], ScannerLimits{}, n)
		}
	}
}

// HOSTILE Cut: every chunking with up to 3 cuts gives the same result as one
// piece; with -short up to 2.
func TestCutsMakeNoDifference(t *testing.T) {
	t.Parallel()
	all := conversation()
	whole := newStream(configFor("ROUTER", nil), ScannerLimits{})
	whole.receive(all)
	check := func(i, j, k int) {
		s := newStream(configFor("ROUTER", nil), ScannerLimits{})
		s.receive(all[:i])
		s.receive(all[i:j])
		s.receive(all[j:k])
		s.receive(all[k:])
		whole.same(t, s, i, j, k)
	}
	for i := range all {
		for j := i; j < len(all); j++ {
			if testing.Short() {
				check(i, j, len(all))
				continue
			}
			for k := j; k < len(all); k++ {
				check(i, j, k)
			}
		}
	}
}

// The same for streams that fail: the reason and what came before it do not
// depend on the cuts.
func TestCutsMakeNoDifferenceToErrors(t *testing.T) {
	t.Parallel()
	ready := readyOf("Socket-Type", "DEALER")
	traffic := concat(greetingOf(3, 1, "NULL"), ready, message("a", "b"))
	for _, all := range [][]byte{
		[]byte("GET / HTTP/1.1"),
		greetingOf(3, 1, "FOO"),
		append(greetingOf(2, 1, "NULL"), ready...),
		concat(greetingOf(3, 1, "NULL"), message("a"), ready),
		concat(greetingOf(3, 1, "NULL"), longHeader(wire.FlagCommand, 1<<20), ready),
		concat(greetingOf(3, 1, "NULL"), readyOf("Socket-Type", "PUB"), ready),
		concat(greetingOf(3, 1, "NULL"), AppendError(nil, "no"), ready),
		concat(traffic, []byte("\x08\x00\x00\x00")),
		concat(traffic, []byte("\x01\x00\x01\x00\x00\x00\x00\x00")),
		concat(traffic, []byte("\x01\x01x"), AppendPong(nil, nil), longHeader(0, 30), message("z")),
		concat(traffic, longHeader(wire.FlagCommand, 1<<40), message("z")),
	} {
		limits := ScannerLimits{MessageBytes: 20, MessageFrames: 2}
		whole := newStream(configFor("ROUTER", nil), limits)
		whole.receive(all)
		if whole.failed == nil {
			t.Fatalf("%q: accepted", all)
		}
		for i := range all {
			for j := i; j < len(all); j++ {
				s := newStream(configFor("ROUTER", nil), limits)
				s.receive(all[:i])
				s.receive(all[i:j])
				s.receive(all[j:])
				whole.same(t, s, i, j)
			}
		}
	}
}
