// SPDX-License-Identifier: Apache-2.0

package wire

import "testing"

// headers are one of each form.
func headers() []struct {
	name      string
	bodyBytes int
} {
	return []struct {
		name      string
		bodyBytes int
	}{{"short", 10}, {"long", 1000}}
}

func TestHeadersAllocateNothing(t *testing.T) {
	var b [HeaderBytesMax]byte
	for _, h := range headers() {
		read := 0
		n := testing.AllocsPerRun(100, func() {
			PutHeader(b[:], FlagMore, h.bodyBytes)
			_, bodyBytes, _ := ParseHeader(b[:])
			read += int(bodyBytes)
		})
		if n != 0 || read != 101*h.bodyBytes {
			t.Errorf("%s: %v allocations, %d bytes read", h.name, n, read)
		}
	}
}

func BenchmarkPutHeader(b *testing.B) {
	for _, h := range headers() {
		b.Run(h.name, func(b *testing.B) {
			var header [HeaderBytesMax]byte
			b.ReportAllocs()
			for b.Loop() {
				PutHeader(header[:], 0, h.bodyBytes)
			}
		})
	}
}

func BenchmarkParseHeader(b *testing.B) {
	for _, h := range headers() {
		b.Run(h.name, func(b *testing.B) {
			var header [HeaderBytesMax]byte
			PutHeader(header[:], 0, h.bodyBytes)
			b.ReportAllocs()
			for b.Loop() {
				ParseHeader(header[:])
			}
		})
	}
}
