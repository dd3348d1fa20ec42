// SPDX-License-Identifier: Apache-2.0

package subtrie

import "bytes"

// tree is the compressed radix tree. Its shape is kept by four rules:
//
//   - a vertex that is not occupied has an edge, except the root;
//   - a vertex that is not occupied and has one edge only is joined with the
//     vertex below, unless the label would exceed labelBytesMax;
//   - no label exceeds labelBytesMax, and each is its own memory, so that a
//     short topic never keeps a long one alive;
//   - an occupied vertex stays the same vertex while it is occupied: splits
//     make a new one above, joins drop the upper one. Holders point at it.
type tree[V any] struct {
	root vertex[V] // the empty topic
}

// find returns the vertex of topic, nil if the tree has none.
func (t *tree[V]) find(topic []byte) *vertex[V] {
	at := &t.root
	for at != nil && len(topic) > 0 {
		at, topic = at.next(topic)
	}
	return at
}

// reach returns the vertex of topic and makes it if need be. The caller must
// occupy it.
func (t *tree[V]) reach(topic []byte) *vertex[V] {
	at := &t.root
	for len(topic) > 0 {
		var below *vertex[V]
		if at.edges != nil {
			below = at.edges.find(topic[0])
		}
		if below == nil {
			return grow(at, topic)
		}
		common := commonBytes(below.label(), topic)
		if common < len(below.label()) {
			below = split(below, common)
		}
		at, topic = below, topic[common:]
	}
	return at
}

// grow adds topic below at, as a chain if it is long.
func grow[V any](at *vertex[V], topic []byte) *vertex[V] {
	for len(topic) > 0 {
		length := min(len(topic), labelBytesMax)
		leaf := &vertex[V]{}
		leaf.setLabel(nil, topic[:length])
		at.add(leaf)
		at, topic = leaf, topic[length:]
	}
	return at
}

// split cuts the label of lower after length bytes and returns the new vertex
// above the cut.
func split[V any](lower *vertex[V], length int) *vertex[V] {
	upper, parent := &vertex[V]{}, lower.parent
	upper.setLabel(nil, lower.label()[:length])
	parent.replace(upper)
	lower.setLabel(nil, lower.label()[length:])
	upper.add(lower)
	// Labels got shorter, so what was too long to join may fit now.
	join(lower)
	join(parent)
	return upper
}

// join drops v when it serves no purpose but to lead to one other vertex, and
// gives that vertex its label.
func join[V any](v *vertex[V]) {
	if v.occupied || v.parent == nil || v.edges == nil || len(v.edges.keys) != 1 {
		return
	}
	below := v.edges.targets[0]
	if len(v.label())+len(below.label()) > labelBytesMax {
		return
	}
	below.setLabel(v.label(), below.label())
	v.parent.replace(below)
}

// prune restores the tree's rules after v has lost its holders.
func (t *tree[V]) prune(v *vertex[V]) {
	for v.parent != nil && !v.occupied && v.edges == nil {
		parent := v.parent
		parent.remove(v)
		v = parent
	}
	join(v)
}

// following returns the vertex after v in byte order of topics, and changes
// topic, which is that of v, into that of the vertex returned. Nil at the end.
func following[V any](v *vertex[V], topic []byte) (*vertex[V], []byte) {
	if v.edges != nil {
		below := v.edges.targets[0]
		return below, append(topic, below.label()...)
	}
	for v.parent != nil {
		label := v.label()
		topic = topic[:len(topic)-len(label)]
		beside := v.parent.edges
		if i := bytes.IndexByte(beside.keys, label[0]) + 1; i < len(beside.keys) {
			return beside.targets[i], append(topic, beside.targets[i].label()...)
		}
		v = v.parent
	}
	return nil, nil
}

// commonBytes counts the bytes at the start that a and b share.
func commonBytes(a, b []byte) int {
	length := min(len(a), len(b))
	for i := range length {
		if a[i] != b[i] {
			return i
		}
	}
	return length
}
