// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"testing"

	"github.com/zwire-mq/zwire/internal/wire"
)

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
