// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"math"
	"testing"
)

// The header of RFC 23, Framing: flags, then the size in one octet or, with LONG, in eight, most significant first.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		flags byte
		size  int
		want  []byte
	}{
		{0, 0, []byte{0x00, 0}},
		{0, 1, []byte{0x00, 1}},
		{FlagMore, 5, []byte{0x01, 5}},
		{0, 255, []byte{0x00, 255}},
		{0, 256, []byte{0x02, 0, 0, 0, 0, 0, 0, 1, 0}},
		{FlagMore, 1 << 16, []byte{0x03, 0, 0, 0, 0, 0, 1, 0, 0}},
		{FlagCommand, 26, []byte{0x04, 26}},
		{FlagCommand, 300, []byte{0x06, 0, 0, 0, 0, 0, 0, 1, 44}},
		{0, 0x0102030405060708, []byte{0x02, 1, 2, 3, 4, 5, 6, 7, 8}},
		{0, math.MaxInt, []byte{0x02, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{FlagMore, 0, []byte{0x01, 0}},
		{FlagMore, 255, []byte{0x01, 255}},
		{FlagCommand, 1 << 16, []byte{0x06, 0, 0, 0, 0, 0, 1, 0, 0}},
		{FlagLong, 5, []byte{0x00, 5}}, // LONG is for PutHeader alone to set
		{FlagLong, 255, []byte{0x00, 255}},
		{FlagCommand | FlagLong, 5, []byte{0x04, 5}},
		{FlagMore | FlagLong, 256, []byte{0x03, 0, 0, 0, 0, 0, 0, 1, 0}},
	} {
		dst := bytes.Repeat([]byte{0xee}, HeaderBytesMax+1)
		n := PutHeader(dst, c.flags, c.size)
		if got := dst[:n]; !bytes.Equal(got, c.want) {
			t.Errorf("flags %d, size %d: % x, want % x", c.flags, c.size, got, c.want)
		}
		if n != HeaderBytes(c.size) {
			t.Errorf("size %d: %d bytes written, %d announced", c.size, n, HeaderBytes(c.size))
		}
		for _, b := range dst[n:] {
			if b != 0xee {
				t.Errorf("flags %d, size %d: wrote behind the header", c.flags, c.size)
			}
		}
		if flags, size, parsed := ParseHeader(c.want); parsed != n || size != uint64(c.size) || flags != c.want[0] {
			t.Errorf("% x reads as flags %d, size %d, %d bytes", c.want, flags, size, parsed)
		}
		for cut := range c.want {
			if flags, size, n := ParseHeader(c.want[:cut]); flags != 0 || size != 0 || n != 0 {
				t.Errorf("% x, cut to %d, reads as flags %d, size %d, %d bytes", c.want, cut, flags, size, n)
			}
		}
	}
}

// What no honest peer sends is read as it stands: to judge it is for others.
func TestForeignHeaders(t *testing.T) {
	for _, c := range []struct {
		in    []byte
		flags byte
		size  uint64
		n     int
	}{
		{[]byte{0xf8, 7, 9}, 0xf8, 7, 2},
		{[]byte{0x02, 0, 0, 0, 0, 0, 0, 0, 5, 1}, 0x02, 5, 9}, // long, and need not be
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0xff, math.MaxUint64, 9},
		{[]byte{0x02, 0x80, 0, 0, 0, 0, 0, 0, 0}, 0x02, 1 << 63, 9},
	} {
		if flags, size, n := ParseHeader(c.in); flags != c.flags || size != c.size || n != c.n {
			t.Errorf("% x reads as flags %#x, size %d, %d bytes", c.in, flags, size, n)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, seed := range [][]byte{
		nil, {0}, {0, 0}, {1, 255}, {2}, {2, 0, 0, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 0, 0, 1, 0}, {6, 255, 255, 255, 255, 255, 255, 255, 255, 0},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		flags, size, n := ParseHeader(in)
		switch {
		case n == 0:
			if len(in) >= HeaderBytesMax || len(in) >= HeaderBytesMin && in[0]&FlagLong == 0 {
				t.Fatalf("% x has a header", in)
			}
			return
		case n > len(in) || n != HeaderBytesMin && n != HeaderBytesMax || n == HeaderBytesMax != (flags&FlagLong != 0):
			t.Fatalf("% x: header of %d bytes with flags %#x", in, n, flags)
		case flags != in[0]:
			t.Fatalf("% x: flags %#x", in, flags)
		}
		if again, sizeAgain, nAgain := ParseHeader(in[:n]); again != flags || sizeAgain != size || nAgain != n {
			t.Fatalf("% x reads otherwise when nothing follows", in)
		}
		if size > math.MaxInt {
			return
		}
		// What is written reads the same; it is shorter if the peer's form was longer than need be.
		var dst [HeaderBytesMax]byte
		written := PutHeader(dst[:], flags, int(size))
		back, backSize, backN := ParseHeader(dst[:written])
		if back&^FlagLong != flags&^FlagLong || backSize != size || backN != written || written > n {
			t.Fatalf("% x comes back as % x", in[:n], dst[:written])
		}
	})
}
