// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"bytes"
	"testing"
)

// FuzzTrie reads a program: an operation and a peer in one byte, a topic's
// length in the next, and the topic, some of it stretched.
func FuzzTrie(f *testing.F) {
	f.Add([]byte("\x00\x01A\x10\x02AB\x04\x02AB\x08\x03ABC\x0c\x00"))
	f.Add([]byte("\x00\x81A\x00\x82AB\x00\x83ABA\x04\x82AB\x04\x81A\x08\x83ABA"))
	f.Add([]byte("\x01\x00\x02\x00\x0d\x01"))
	f.Fuzz(func(t *testing.T, program []byte) {
		program = program[:min(len(program), 1000)]
		b := newPair(t)
		var counts Counts
		for len(program) >= 2 && len(b.want) < 200 {
			operation, p, length := program[0]>>2&3, int(program[0]&3), int(program[1]&15)
			stretch := program[1]&128 != 0
			program = program[2:]
			raw := program[:min(length, len(program))]
			program = program[len(raw):]
			if stretch {
				raw = bytes.ReplaceAll(raw, []byte("A"), bytes.Repeat([]byte("A"), labelBytesMax-1))
			}
			switch topic := string(raw); operation {
			case 0:
				b.add(topic, p)
				counts.Add(raw)
			case 1:
				b.remove(topic, p)
				counts.Remove(raw)
			case 2:
				b.match(topic)
				counts.Match(raw)
			default:
				b.removePeer(p, length)
			}
		}
		checkTrie(t, &b.trie)
		checkTree(t, &counts.topics, func(uint32, *vertex) {})
		for p := range 4 {
			b.removePeer(p, 2)
		}
		checkEmpty(t, &b.trie)
	})
}
