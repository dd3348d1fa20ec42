// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// coder goes over the fields of a message, one method for each type: it either appends them, and then only reads what the
// pointers point to, or fills them in. So a message is described once, and its two directions cannot differ. After the first
// failure of a decoding coder what is in the fields has no meaning.
type coder struct {
	decoding bool
	lean     bool   // decoding leaves out of records what a node does not need
	bytes    []byte // what was encoded, or what is left to decode
	field    string // the path to the first that is wrong
	reason   string // what is wrong with it; empty: nothing
	version  bool   // it is a version
}

func (c *coder) fail(field, reason string, arguments ...any) {
	if c.reason == "" {
		c.field, c.reason = field, fmt.Sprintf(reason, arguments...)
	}
}

// take returns the next octets while decoding, nil if they are not there.
func (c *coder) take(field string, count int) []byte {
	switch {
	case c.reason != "":
		return nil
	case count > len(c.bytes):
		c.fail(field, "needs %d octets of the %d that are left", count, len(c.bytes))
		return nil
	}
	taken := c.bytes[:count:count]
	c.bytes = c.bytes[count:]
	return taken
}

func (c *coder) number(field string, n *uint64) {
	if !c.decoding {
		c.bytes = binary.AppendUvarint(c.bytes, *n)
		return
	}
	if len(c.bytes) > 0 && c.bytes[0] < 0x80 && c.reason == "" {
		*n, c.bytes = uint64(c.bytes[0]), c.bytes[1:]
		return
	}
	value, length := binary.Uvarint(c.bytes)
	switch {
	case c.reason != "":
	case length == 0:
		c.fail(field, "the frame ends in a number")
	case length < 0:
		c.fail(field, "a number above 64 bits")
	case length > 1 && c.bytes[length-1] == 0:
		c.fail(field, "a number in more octets than it needs")
	default:
		*n, c.bytes = value, c.bytes[length:]
	}
}

func (c *coder) flag(field string, b *bool) {
	if !c.decoding {
		octet := byte(0)
		if *b {
			octet = 1
		}
		c.bytes = append(c.bytes, octet)
		return
	}
	if octet := c.take(field, 1); octet != nil {
		if octet[0] > 1 {
			c.fail(field, "%d is neither 0 nor 1", octet[0])
		}
		*b = octet[0] == 1
	}
}

// choice is one octet from 1 to last.
func (c *coder) choice(field string, octet *uint8, last uint8) {
	if !c.decoding {
		c.bytes = append(c.bytes, *octet)
		return
	}
	if read := c.take(field, 1); read != nil {
		if read[0] < 1 || read[0] > last {
			c.fail(field, "%d is unknown", read[0])
		}
		*octet = read[0]
	}
}

// length returns a decoded length or count, 0 when it is above max or when elements of so many octets are not there.
func (c *coder) length(field string, max, elementBytes int) int {
	var n uint64
	c.number(field, &n)
	switch {
	case c.reason != "":
		return 0
	case n > uint64(max):
		c.fail(field, "%d, at most %d", n, max)
		return 0
	case n > uint64(len(c.bytes)/elementBytes):
		c.fail(field, "%d do not fit into the %d octets that are left", n, len(c.bytes))
		return 0
	}
	return int(n)
}

func (c *coder) octets(field string, b *[]byte, max int) {
	if !c.decoding {
		c.bytes = binary.AppendUvarint(c.bytes, uint64(len(*b)))
		c.bytes = append(c.bytes, *b...)
		return
	}
	if *b = c.take(field, c.length(field, max, 1)); len(*b) == 0 {
		*b = nil
	}
}

func (c *coder) word(field string, s *string, max int) {
	if !c.decoding {
		c.bytes = binary.AppendUvarint(c.bytes, uint64(len(*s)))
		c.bytes = append(c.bytes, *s...)
		return
	}
	*s = string(c.take(field, c.length(field, max, 1)))
}

// text is for people: better cut than refused.
func (c *coder) text(field string, s *string) {
	if c.decoding || len(*s) <= TextBytesMax {
		c.word(field, s, TextBytesMax)
		return
	}
	end := TextBytesMax
	for end > TextBytesMax-utf8.UTFMax && !utf8.RuneStart((*s)[end]) {
		end--
	}
	cut := (*s)[:end]
	c.word(field, &cut, TextBytesMax)
}

// duration takes a negative one, which a clock that was set back can bring about, for 0.
func (c *coder) duration(field string, d *time.Duration) {
	n := uint64(max(*d, 0))
	c.number(field, &n)
	if n > math.MaxInt64 {
		c.fail(field, "a duration of %d ns", n)
		return
	}
	if c.decoding {
		*d = time.Duration(n)
	}
}

// noTime stands for the zero Time, which is outside of what nanoseconds since 1970 reach.
const noTime = math.MinInt64

// instant is in zigzag order: 0, -1, 1, -2 and so on are 0, 1, 2, 3.
func (c *coder) instant(field string, t *time.Time) {
	signed := int64(noTime)
	if !c.decoding && !t.IsZero() {
		signed = t.UnixNano()
	}
	n := uint64(signed)<<1 ^ uint64(signed>>63)
	c.number(field, &n)
	if !c.decoding || c.reason != "" {
		return
	}
	if signed = int64(n>>1) ^ -int64(n&1); signed == noTime {
		*t = time.Time{}
		return
	}
	*t = time.Unix(0, signed).UTC()
}

func (c *coder) digest(field string, d *model.Digest) {
	if !c.decoding {
		c.bytes = d.Append(c.bytes)
		return
	}
	if taken := c.take(field, model.DigestBytes); taken != nil {
		*d = model.DigestOf(taken)
	}
}

func (c *coder) authority(field string, a *model.AuthorityID) {
	if !c.decoding {
		c.bytes = append(c.bytes, a[:]...)
		return
	}
	copy(a[:], c.take(field, authorityBytes))
}

func (c *coder) epoch(field string, e *model.Epoch) {
	c.number(field, &e.Number)
	c.authority(field, &e.Authority)
}

// greeting is the version of the protocol. What follows it is of no meaning when it is another one.
func (c *coder) greeting(version *uint64) {
	c.number("Version", version)
	if c.decoding && c.reason == "" && *version != Version {
		c.version = true
		c.fail("Version", "%d, this is version %d", *version, Version)
	}
}

// bounds of a list: how many elements, and the least octets that one takes.
type bounds struct{ count, bytesMin int }

func list[T any](c *coder, field string, elements *[]T, bound bounds, one func(*coder, *T)) {
	if !c.decoding {
		c.bytes = binary.AppendUvarint(c.bytes, uint64(len(*elements)))
	} else if count := c.length(field, bound.count, bound.bytesMin); count == 0 {
		*elements = nil
	} else if count <= cap(*elements) {
		*elements = (*elements)[:count] // of a message that was released: each field is set anew
	} else {
		*elements = make([]T, count)
	}
	for i := range *elements {
		if one(c, &(*elements)[i]); c.reason != "" {
			c.field = strings.TrimSuffix(fmt.Sprintf("%s[%d].%s", field, i, c.field), ".")
			return
		}
	}
}
