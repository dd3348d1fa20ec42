// SPDX-License-Identifier: Apache-2.0

package zmtp

import "strconv"

// GreetingBytes is the size of the greeting that starts each direction.
const GreetingBytes = 64

// The greeting (RFC 23, Grammar): signature of ten bytes whose padding means
// nothing, version, mechanism, as-server, filler.
const (
	greetingFirst       = 0xFF
	greetingTenth       = 0x7F
	greetingTenthAt     = 9
	greetingMajorAt     = 10
	greetingMinorAt     = 11
	greetingMechanismAt = 12
	greetingMechanismTo = greetingMechanismAt + MechanismNameBytesMax

	versionMajor = 3
	versionMinor = 1
)

// appendGreeting appends our greeting, whole: who sends it in steps does so
// for peers of ZMTP 1.0 and 2.0. as-server stays zero: with NULL it must, and
// in other mechanisms the roles come from each side's own configuration.
func appendGreeting(dst []byte, mechanism string) []byte {
	var greeting [GreetingBytes]byte
	greeting[0] = greetingFirst
	greeting[greetingTenthAt] = greetingTenth
	greeting[greetingMajorAt] = versionMajor
	greeting[greetingMinorAt] = versionMinor
	copy(greeting[greetingMechanismAt:greetingMechanismTo], mechanism)
	return append(dst, greeting[:]...)
}

// greeting collects the peer's greeting.
type greeting struct {
	bytes  [GreetingBytes]byte
	filled int
}

func (g *greeting) complete() bool { return g.filled == GreetingBytes }

func (g *greeting) major() byte { return g.bytes[greetingMajorAt] }

func (g *greeting) minor() byte { return g.bytes[greetingMinorAt] }

// feed takes what in has of the greeting, and judges each field as soon as it
// is complete: a peer that speaks something else may never send 64 bytes.
func (g *greeting) feed(in []byte, mechanism string) (n int, err error) {
	for n < len(in) && !g.complete() {
		took := copy(g.bytes[g.filled:g.nextField()], in[n:])
		g.filled += took
		n += took
		if err := g.check(mechanism); err != nil {
			return n, err
		}
	}
	return n, nil
}

// nextField is where the field ends that is being filled.
func (g *greeting) nextField() int {
	for _, end := range [...]int{1, greetingTenthAt + 1, greetingMajorAt + 1, greetingMechanismTo} {
		if g.filled < end {
			return end
		}
	}
	return GreetingBytes
}

// check judges the field that ends where the greeting is filled to, if one
// does. Of the tenth byte only bit 0 tells versions apart (RFC 23, Detecting
// ZMTP 1.0 and 2.0 Peers).
func (g *greeting) check(mechanism string) error {
	switch g.filled {
	case 1:
		if g.bytes[0] != greetingFirst {
			return &Error{BadGreeting, "first byte " + strconv.Itoa(int(g.bytes[0]))}
		}
	case greetingTenthAt + 1:
		if g.bytes[greetingTenthAt]&1 == 0 {
			return &Error{OldVersion, "1.0"}
		}
	case greetingMajorAt + 1:
		if g.major() < versionMajor {
			return &Error{OldVersion, "revision " + strconv.Itoa(int(g.major()))}
		}
	case greetingMechanismTo:
		var want [MechanismNameBytesMax]byte
		copy(want[:], mechanism)
		got := g.bytes[greetingMechanismAt:greetingMechanismTo]
		if string(got) != string(want[:]) {
			return &Error{MechanismMismatch, "peer says " + quote(got) + ", we say " + mechanism}
		}
	}
	return nil
}
