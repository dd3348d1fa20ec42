// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

var headers = []struct {
	flags     byte
	bodyBytes int
	wire      string
}{
	{0, 0, "00 00"},
	{0, 1, "00 01"},
	{wire.FlagMore, 0, "01 00"},
	{wire.FlagMore, 255, "01 ff"},
	{wire.FlagLong, 255, "00 ff"},
	{0, 256, "02 0000000000000100"},
	{wire.FlagMore, 256, "03 0000000000000100"},
	{wire.FlagCommand, 5, "04 05"},
	{wire.FlagCommand | wire.FlagLong, 5, "04 05"},
	{wire.FlagCommand, 65536, "06 0000000000010000"},
	{0, 1<<31 - 1, "02 000000007fffffff"},
}

func TestHeaderGolden(t *testing.T) {
	for _, h := range headers {
		var b [wire.HeaderBytesMax]byte
		n := wire.PutHeader(b[:], h.flags, h.bodyBytes)
		if want := unhex(t, h.wire); !bytes.Equal(b[:n], want) {
			t.Errorf("header of %d bytes, flags %d: %x, want %x", h.bodyBytes, h.flags, b[:n], want)
		}
		if n != wire.HeaderBytes(h.bodyBytes) {
			t.Errorf("wire.HeaderBytes(%d) = %d, want %d", h.bodyBytes, wire.HeaderBytes(h.bodyBytes), n)
		}
		flags, bodyBytes, m := wire.ParseHeader(b[:])
		if flags&^wire.FlagLong != h.flags&^wire.FlagLong || bodyBytes != uint64(h.bodyBytes) || m != n {
			t.Errorf("parsed %x as flags %d, %d bytes, header %d", b[:n], flags, bodyBytes, m)
		}
		for cut := range n {
			if _, _, m := wire.ParseHeader(b[:cut]); m != 0 {
				t.Errorf("%x: a header of %d bytes", b[:cut], m)
			}
		}
	}
}

func TestParseHeaderTakesAnySize(t *testing.T) {
	for _, want := range []uint64{0, 2, 255, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		b := longHeader(0, want)
		flags, bodyBytes, n := wire.ParseHeader(b)
		if flags != wire.FlagLong || bodyBytes != want || n != wire.HeaderBytesMax {
			t.Errorf("%x: flags %d, %d bytes, header %d", b, flags, bodyBytes, n)
		}
	}
}

func TestAppendFrameGolden(t *testing.T) {
	got := AppendFrame([]byte("x"), wire.FlagMore, []byte("Hello"))
	if want := unhex(t, "78 01 05 48656c6c6f"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	long := bytes.Repeat([]byte{7}, 256)
	got = AppendFrame(nil, 0, long)
	if want := append(unhex(t, "02 0000000000000100"), long...); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// longHeader writes sizes that PutHeader never would.
func longHeader(flags byte, bodyBytes uint64) []byte {
	b := []byte{flags | wire.FlagLong, 0, 0, 0, 0, 0, 0, 0, 0}
	for i := range 8 {
		b[8-i] = byte(bodyBytes >> (8 * i))
	}
	return b
}

func FuzzHeader(f *testing.F) {
	for _, h := range headers {
		f.Add(unhex(f, h.wire))
	}
	f.Add(longHeader(0xFF, 1<<64-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		flags, bodyBytes, n := wire.ParseHeader(b)
		if n == 0 {
			if len(b) >= wire.HeaderBytesMax {
				t.Fatalf("no header in %x", b)
			}
			return
		}
		if flags != b[0] || n > len(b) || n == wire.HeaderBytesMin && bodyBytes > wire.ShortBodyMax {
			t.Fatalf("%x: flags %d, %d bytes, header %d", b, flags, bodyBytes, n)
		}
		if bodyBytes > 1<<31-1 {
			return
		}
		var again [wire.HeaderBytesMax]byte
		m := wire.PutHeader(again[:], flags, int(bodyBytes))
		_, sameBytes, k := wire.ParseHeader(again[:m])
		if sameBytes != bodyBytes || k != m || m > n {
			t.Fatalf("%x was written as %x", b[:n], again[:m])
		}
	})
}
