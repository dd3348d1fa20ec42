// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"bytes"
	"slices"
)

// vertex is one point of a tree. Its topic is the labels from the root to
// here. 64 bytes with a publisher's value.
type vertex[V any] struct {
	long     *[]byte // the label, when it does not fit short
	length   uint16  // of the label when it is in short
	occupied bool    // this topic is held; value means something
	short    [labelBytesInline]byte
	parent   *vertex[V] // nil in the root
	edges    *edges[V]  // nil in a leaf
	value    V
}

// label is never empty, except in the root.
func (v *vertex[V]) label() []byte {
	if v.long != nil {
		return *v.long
	}
	return v.short[:v.length]
}

// setLabel makes head and tail together the label. The tail may be part of
// the present label, the head must not.
func (v *vertex[V]) setLabel(head, tail []byte) {
	length := len(head) + len(tail)
	if length > labelBytesInline {
		label := make([]byte, 0, length)
		label = append(append(label, head...), tail...)
		v.long = &label
		return
	}
	copy(v.short[len(head):], tail) // first: it may move within short
	copy(v.short[:], head)
	v.long, v.length = nil, uint16(length)
}

// next takes one step down along topic and returns what is left of topic
// there; nil when no topic held below is a prefix of topic.
func (v *vertex[V]) next(topic []byte) (*vertex[V], []byte) {
	if v.edges == nil || len(topic) == 0 {
		return nil, nil
	}
	below := v.edges.find(topic[0])
	if below == nil {
		return nil, nil
	}
	label := below.label()
	if !bytes.HasPrefix(topic, label) {
		return nil, nil
	}
	return below, topic[len(label):]
}

// appendTopic appends the vertex's whole topic to dst.
func (v *vertex[V]) appendTopic(dst []byte) []byte {
	length := 0
	for at := v; at != nil; at = at.parent {
		length += len(at.label())
	}
	dst = slices.Grow(dst, length)[:len(dst)+length]
	end := len(dst)
	for at := v; at != nil; at = at.parent {
		label := at.label()
		end -= len(label)
		copy(dst[end:], label)
	}
	return dst
}

// edges are the ways down from a vertex. Never copied: keys may lie in room.
type edges[V any] struct {
	keys    []byte       // first byte of each target's label, ascending
	targets []*vertex[V] // in the order of keys
	room    [edgesInline]byte
}

func (e *edges[V]) find(key byte) *vertex[V] {
	if i := bytes.IndexByte(e.keys, key); i >= 0 {
		return e.targets[i]
	}
	return nil
}

// add leads to target, whose first byte no other target has.
func (v *vertex[V]) add(target *vertex[V]) {
	if v.edges == nil {
		v.edges = &edges[V]{}
		v.edges.keys = v.edges.room[:0]
	}
	e, key := v.edges, target.label()[0]
	i, _ := slices.BinarySearch(e.keys, key)
	if len(e.targets) == cap(e.targets) {
		// Less slack than append: most vertices with edges keep their few.
		wider := make([]*vertex[V], len(e.targets), len(e.targets)+len(e.targets)/4+1)
		copy(wider, e.targets)
		e.targets = wider
	}
	e.keys = slices.Insert(e.keys, i, key)
	e.targets = slices.Insert(e.targets, i, target)
	target.parent = v
}

// replace puts target where the vertex with the same first byte was.
func (v *vertex[V]) replace(target *vertex[V]) {
	i := bytes.IndexByte(v.edges.keys, target.label()[0])
	v.edges.targets[i] = target
	target.parent = v
}

// remove takes the edge to target away.
func (v *vertex[V]) remove(target *vertex[V]) {
	e := v.edges
	if len(e.keys) == 1 {
		v.edges = nil
		return
	}
	i := bytes.IndexByte(e.keys, target.label()[0])
	e.keys = slices.Delete(e.keys, i, i+1)
	e.targets = shrink(slices.Delete(e.targets, i, i+1))
	if len(e.keys) == edgesInline/2 {
		e.keys = append(e.room[:0], e.keys...) // gives a list of its own back
	}
}

// shrink gives memory back once three quarters of it are unused.
func shrink[E any](list []E) []E {
	if cap(list) <= shrinkAbove || len(list) > cap(list)/4 {
		return list
	}
	return append(make([]E, 0, 2*len(list)), list...)
}
