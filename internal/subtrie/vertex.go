// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"encoding/binary"
	"slices"
)

// vertex is one point of a tree. Its topic is the labels from the root to
// here. It is half a cache line, and has no pointers.
type vertex struct {
	value    uint64 // of an occupied vertex: what the tree's owner says
	parent   uint32
	edges    uint32 // number of the table of edges in the slab that form says, or of the one vertex below
	fan      uint8  // how many edges there are; of 256 it is 0
	form     form
	occupied bool // this topic is held
	length   uint8
	short    [labelBytesInline]byte
}

// labelLong is the length of a label that stands elsewhere: short begins with its number.
const labelLong = 255

func (v *vertex) longNumber() uint32 { return binary.LittleEndian.Uint32(v.short[:]) }

// label is never empty, except in the root. It is valid until the tree changes.
func (t *tree) label(v *vertex) []byte {
	if v.length == labelLong {
		return *t.long.at(v.longNumber())
	}
	return v.short[:v.length]
}

// setLabel makes head and tail together the label. Either may be part of a present label.
func (t *tree) setLabel(v *vertex, head, tail []byte) {
	length := len(head) + len(tail)
	if length > labelBytesInline {
		label := make([]byte, 0, length)
		label = append(append(label, head...), tail...)
		if v.length != labelLong {
			v.length = labelLong
			binary.LittleEndian.PutUint32(v.short[:], t.long.take())
		}
		*t.long.at(v.longNumber()) = label
		return
	}
	var short [labelBytesInline]byte
	copy(short[copy(short[:], head):], tail)
	if v.length == labelLong {
		t.long.drop(v.longNumber())
	}
	v.short, v.length = short, uint8(length)
}

// discard gives up a vertex that nothing leads to.
func (t *tree) discard(number uint32) {
	if number == t.recent {
		t.recent, t.recentTopic = root, t.recentTopic[:0]
	}
	if v := t.vertices.at(number); v.length == labelLong {
		t.long.drop(v.longNumber())
	}
	t.vertices.drop(number)
}

// next takes one step down along topic and returns what is left of topic
// there; nil when no topic held below is a prefix of topic.
func (t *tree) next(v *vertex, topic []byte) (*vertex, []byte) {
	if len(topic) == 0 {
		return nil, nil
	}
	number := t.follow(v, topic[0])
	if number == 0 {
		return nil, nil
	}
	below := t.vertices.at(number)
	if below.length == labelLong {
		return t.nextLong(below, topic)
	}
	length := int(below.length)
	if length > len(topic) {
		return nil, nil
	}
	for i := range length {
		if topic[i] != below.short[i] {
			return nil, nil
		}
	}
	return below, topic[length:]
}

func (t *tree) nextLong(below *vertex, topic []byte) (*vertex, []byte) {
	label := t.label(below)
	if len(label) > len(topic) || string(topic[:len(label)]) != string(label) {
		return nil, nil
	}
	return below, topic[len(label):]
}

// appendTopic appends the vertex's whole topic to dst.
func (t *tree) appendTopic(number uint32, dst []byte) []byte {
	length := 0
	for at := number; at != root; at = t.vertices.at(at).parent {
		length += len(t.label(t.vertices.at(at)))
	}
	dst = slices.Grow(dst, length)[:len(dst)+length]
	end := len(dst)
	for at := number; at != root; at = t.vertices.at(at).parent {
		label := t.label(t.vertices.at(at))
		end -= len(label)
		copy(dst[end:], label)
	}
	return dst
}
