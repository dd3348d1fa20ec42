// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// form says how the edges of a vertex are kept, the ways down to the vertices below. An edge's key is the first byte of the
// label of the vertex it leads to. Number 0, which is the root's, means no vertex.
type form uint8

const (
	formNone   form = iota
	formSingle      // one: no table, its number stands in the vertex
	formNarrow
	formMiddle
	formWide
)

// narrow and middle hold edges in ascending order of keys, with zeros behind them.
type narrow struct {
	keys [narrowMax]byte
	to   [narrowMax]uint32
}

type middle struct {
	keys [middleMax]byte
	to   [middleMax]uint32
}

// wide has a place for each key.
type wide [256]uint32

// firstIndex returns which byte of word is the first that equals key; 8 if none does.
func firstIndex(word uint64, key byte) int {
	const low, high = 0x0101010101010101, 0x8080808080808080
	differing := word ^ low*uint64(key)
	return bits.TrailingZeros64((differing-low)&^differing&high) / 8
}

// follow returns the vertex that the edge with that key leads to; of a single edge the caller compares the key.
func (t *tree) follow(v *vertex, key byte) uint32 {
	switch v.form {
	case formSingle:
		return v.edges
	case formNarrow:
		n := t.narrow.at(v.edges)
		if i := firstIndex(binary.LittleEndian.Uint64(n.keys[:]), key); i < narrowMax {
			return n.to[i] // behind the edges the key is 0, and so is the number
		}
	case formMiddle:
		m := t.middle.at(v.edges)
		if i := firstIndex(binary.LittleEndian.Uint64(m.keys[:8]), key); i < 8 {
			return m.to[i]
		}
		if i := firstIndex(binary.LittleEndian.Uint64(m.keys[8:]), key); i < 8 {
			return m.to[8+i]
		}
	case formWide:
		return (*t.wide.at(v.edges))[key]
	}
	return 0
}

// key returns the key of the edge that leads to a vertex.
func (t *tree) key(number uint32) byte { return t.label(t.vertices.at(number))[0] }

// lists returns the table of a narrow or middle vertex.
func (t *tree) lists(v *vertex) (keys []byte, to []uint32) {
	if v.form == formNarrow {
		n := t.narrow.at(v.edges)
		return n.keys[:], n.to[:]
	}
	m := t.middle.at(v.edges)
	return m.keys[:], m.to[:]
}

// link makes an edge from one vertex to another, whose key no other edge has.
func (t *tree) link(from, to uint32) {
	v, key := t.vertices.at(from), t.key(to)
	t.vertices.at(to).parent = from
	switch {
	case v.form == formNone:
		v.form, v.edges = formSingle, to
	case v.form == formSingle || v.form == formNarrow && v.fan == narrowMax || v.form == formMiddle && v.fan == middleMax:
		t.reform(v, v.form+1)
		t.insert(v, key, to)
	default:
		t.insert(v, key, to)
	}
	v.fan++
}

// insert puts an edge into a table that has room.
func (t *tree) insert(v *vertex, key byte, to uint32) {
	if v.form == formWide {
		(*t.wide.at(v.edges))[key] = to
		return
	}
	keys, targets := t.lists(v)
	i := int(v.fan)
	for ; i > 0 && keys[i-1] > key; i-- {
		keys[i], targets[i] = keys[i-1], targets[i-1]
	}
	keys[i], targets[i] = key, to
}

// relink leads the edge with the key of to, which exists, there.
func (t *tree) relink(from, to uint32) {
	v, key := t.vertices.at(from), t.key(to)
	t.vertices.at(to).parent = from
	switch v.form {
	case formSingle:
		v.edges = to
	case formWide:
		(*t.wide.at(v.edges))[key] = to
	default:
		keys, targets := t.lists(v)
		targets[slices.Index(keys, key)] = to
	}
}

// unlink takes the edge to a vertex away.
func (t *tree) unlink(from, to uint32) {
	v, key := t.vertices.at(from), t.key(to)
	v.fan--
	switch v.form {
	case formSingle:
		v.form, v.edges = formNone, 0
		return
	case formWide:
		(*t.wide.at(v.edges))[key] = 0
	default:
		keys, targets := t.lists(v)
		i, end := slices.Index(keys, key), int(v.fan)
		copy(keys[i:end], keys[i+1:])
		copy(targets[i:end], targets[i+1:])
		keys[end], targets[end] = 0, 0
	}
	switch { // with slack, so that coming and going at a border is cheap
	case v.fan == 1:
		t.reform(v, formSingle)
	case v.form == formMiddle && v.fan <= narrowMax-2:
		t.reform(v, formNarrow)
	case v.form == formWide && v.fan <= middleMax-4:
		t.reform(v, formMiddle)
	}
}

// reform moves the edges of a vertex to a table of another form, which has room for them.
func (t *tree) reform(v *vertex, to form) {
	from, table := v.form, v.edges
	if from == formNarrow && to == formMiddle { // the most frequent way, without a look at the vertices below
		v.form, v.edges = to, t.middle.take()
		n, m := t.narrow.at(table), t.middle.at(v.edges)
		copy(m.keys[:], n.keys[:])
		copy(m.to[:], n.to[:])
		t.narrow.drop(table)
		return
	}
	var room [middleMax + 1]uint32
	targets := room[:0]
	for key := -1; ; {
		number := t.after(v, key)
		if number == 0 {
			break
		}
		targets = append(targets, number)
		key = int(t.key(number))
	}
	v.form, v.fan = to, 0
	switch to {
	case formSingle:
		v.edges = targets[0]
	case formNarrow:
		v.edges = t.narrow.take()
	case formMiddle:
		v.edges = t.middle.take()
	case formWide:
		v.edges = t.wide.take()
		*t.wide.at(v.edges) = new(wide)
	}
	if to != formSingle {
		for _, number := range targets {
			t.insert(v, t.key(number), number)
			v.fan++
		}
	}
	v.fan = uint8(len(targets))
	t.dropTable(from, table)
}

func (t *tree) dropTable(f form, table uint32) {
	switch f {
	case formNarrow:
		t.narrow.drop(table)
	case formMiddle:
		t.middle.drop(table)
	case formWide:
		t.wide.drop(table)
	}
}

// after returns where the first edge leads whose key is greater than that; 0 if there is none.
func (t *tree) after(v *vertex, key int) uint32 {
	switch v.form {
	case formSingle:
		if int(t.key(v.edges)) > key {
			return v.edges
		}
	case formNarrow, formMiddle:
		keys, targets := t.lists(v)
		for i := range int(v.fan) {
			if int(keys[i]) > key {
				return targets[i]
			}
		}
	case formWide:
		for _, number := range (*t.wide.at(v.edges))[key+1:] {
			if number != 0 {
				return number
			}
		}
	}
	return 0
}
