// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"fmt"
	"strings"
	"testing"
)

// scanLoads are 64 KiB of one kind of traffic each.
func scanLoads() map[string][]byte {
	const chunkBytes = 64 << 10
	loads := map[string][]byte{}
	for name, one := range map[string][]byte{
		"10B":     message(strings.Repeat("x", 10)),
		"100B":    message(strings.Repeat("x", 100)),
		"1kB":     message(strings.Repeat("x", 1000)),
		"3x10B":   message("", "0123456789", "0123456789"),
		"mixed":   concat(message("0123456789"), message(strings.Repeat("x", 300)), message("a", "b")),
		"command": AppendPing(nil, 0, nil),
	} {
		b := make([]byte, 0, chunkBytes)
		for len(b)+len(one) <= chunkBytes {
			b = append(b, one...)
		}
		loads[name] = b
	}
	return loads
}

// scanAll scans b to its end and returns the messages in it.
func scanAll(s *Scanner, b []byte) int {
	messages := 0
	for {
		result, err := s.Scan(b)
		if err != nil {
			return -1
		}
		switch result.Kind {
		case Messages:
			messages += result.Messages
			b = b[result.Bytes:]
		case CommandFrame:
			messages++
			b = b[result.CommandBytes:]
		default:
			return messages
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	loads := scanLoads()
	loads["large, to come"] = append(message("x"), longHeader(0, 1<<30)...)
	loads["half a part"] = []byte("\x01\x01x\x00\x09y")
	for name, load := range loads {
		for _, limits := range []ScannerLimits{{}, {MessageBytes: 1 << 40, MessageFrames: 1000}} {
			n := testing.AllocsPerRun(10, func() {
				s := NewScanner(limits)
				if scanAll(&s, load) < 0 {
					t.Fatal("refused")
				}
			})
			if n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	}
}

func TestAppendFrameAllocatesNothing(t *testing.T) {
	memory, body := make([]byte, 0, 2000), make([]byte, 1000)
	n := testing.AllocsPerRun(100, func() {
		AppendFrame(AppendFrame(memory, 0, body[:10]), 0, body)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, bytes := range []int{10, 1000} {
		b.Run(fmt.Sprint(bytes, "B"), func(b *testing.B) {
			memory, body := make([]byte, 0, 2*bytes), make([]byte, bytes)
			b.ReportAllocs()
			for b.Loop() {
				AppendFrame(memory, 0, body)
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, name := range []string{"10B", "100B", "1kB", "3x10B", "mixed", "command"} {
		load := scanLoads()[name]
		b.Run(name, func(b *testing.B) {
			s := NewScanner(ScannerLimits{MessageBytes: 1 << 30, MessageFrames: 1 << 20})
			messages := 0
			b.ReportAllocs()
			for b.Loop() {
				messages += scanAll(&s, load)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(messages), "ns/message")
		})
	}
}
