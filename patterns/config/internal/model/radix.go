// SPDX-License-Identifier: Apache-2.0

package model

import (
	"iter"
	"math/bits"
	"slices"
	"sort"
	"strings"
)

// radix is a sorted map of what has a name, and never changes once the batch has ended that made it: put and remove return another one
// that shares all but the path to the name. Its shape follows from the names alone, so two that are equal part at the same forks. Keys
// differ in few places, and many siblings stand in one fork: a path is short, and touches little memory.
type radix[V named] struct {
	leaf V        // the only one here
	fork *fork[V] // where several part; an empty map has neither
}

type named interface {
	comparable // a pointer
	name() string
}

// fork is where names part that have their first octets in common. Those need not be kept: a leaf tells them.
type fork[V named] struct {
	depth  int        // octets that all names here have in common
	batch  *edit      // that made this fork and may change it; of a batch that has ended nobody has the pointer
	here   V          // what has no further octets
	labels labels     // the next octets of others
	slots  []radix[V] // what has them, in the same order
}

// edit is the identity of a batch of changes whose states in between nobody sees: it is not empty, so that each has an address.
type edit struct{ _ byte }

// labels is a set of octets.
type labels [4]uint64

func (l *labels) has(label byte) bool { return l[label>>6]>>(label&63)&1 != 0 }

func (l *labels) flip(label byte) { l[label>>6] ^= 1 << (label & 63) }

// below counts the octets of the set that are below another.
func (l *labels) below(label byte) int {
	count := bits.OnesCount64(l[label>>6] & (1<<(label&63) - 1))
	for _, word := range l[:label>>6] {
		count += bits.OnesCount64(word)
	}
	return count
}

// all yields the octets in order.
func (l labels) all(yield func(label byte) bool) {
	for i, word := range l {
		for ; word != 0; word &= word - 1 {
			if !yield(byte(i<<6 + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

// commonBytes is how long a and b are the same.
func commonBytes(a, b string) int {
	end := min(len(a), len(b))
	for i := range end {
		if a[i] != b[i] {
			return i
		}
	}
	return end
}

func (r radix[V]) empty() bool { return r == radix[V]{} }

// slot returns what has a label.
func (f *fork[V]) slot(label byte) radix[V] {
	if !f.labels.has(label) {
		return radix[V]{}
	}
	return f.slots[f.labels.below(label)]
}

func (r radix[V]) get(name string) (value V, found bool) {
	for r.fork != nil {
		switch f := r.fork; {
		case len(name) > f.depth:
			r = f.slot(name[f.depth])
		case len(name) == f.depth:
			r = radix[V]{leaf: f.here}
		default:
			return value, false
		}
	}
	if r.leaf == value || r.leaf.name() != name {
		return value, false
	}
	return r.leaf, true
}

// first returns the first of a map that is not empty.
func (r radix[V]) first() V {
	var none V
	for r.fork != nil {
		if r.fork.here != none {
			return r.fork.here
		}
		r = r.fork.slots[0]
	}
	return r.leaf
}

// shared is how many octets a name has in common with those of a map, which is not empty, that have most.
func (r radix[V]) shared(name string) int {
	for r.fork != nil && len(name) > r.fork.depth && r.fork.labels.has(name[r.fork.depth]) {
		r = r.fork.slot(name[r.fork.depth])
	}
	return commonBytes(r.first().name(), name)
}

// under returns what begins with a prefix.
func (r radix[V]) under(prefix string) radix[V] {
	for r.fork != nil && r.fork.depth < len(prefix) {
		r = r.fork.slot(prefix[r.fork.depth])
	}
	if r.empty() || !strings.HasPrefix(r.first().name(), prefix) {
		return radix[V]{}
	}
	return r
}

// put takes the place of what has the same name. It changes what the same batch has made, and copies the rest of the path.
func (r radix[V]) put(batch *edit, value V) radix[V] {
	if r.empty() {
		return radix[V]{leaf: value}
	}
	name := value.name()
	return r.place(batch, name, r.shared(name), value)
}

func (r radix[V]) place(batch *edit, name string, shared int, value V) radix[V] {
	switch f := r.fork; {
	case f != nil && f.depth <= shared:
	case f == nil && shared == len(name) && shared == len(r.leaf.name()):
		return radix[V]{leaf: value}
	default: // the name parts from those here before they part
		parting := &fork[V]{depth: shared, batch: batch}
		parting.hang(r.first().name(), r)
		parting.hang(name, radix[V]{leaf: value})
		return radix[V]{fork: parting}
	}
	f := r.fork.editable(batch)
	if len(name) > f.depth && f.labels.has(name[f.depth]) {
		slot := &f.slots[f.labels.below(name[f.depth])]
		*slot = slot.place(batch, name, shared, value)
	} else {
		f.hang(name, radix[V]{leaf: value})
	}
	return radix[V]{fork: f}
}

func (f *fork[V]) editable(batch *edit) *fork[V] {
	if f.batch == batch {
		return f
	}
	changed := *f
	changed.batch, changed.slots = batch, slices.Clone(f.slots)
	return &changed
}

// hang adds what begins with the octets of the fork, and either ends there or has a label that is new to it.
func (f *fork[V]) hang(name string, what radix[V]) {
	if len(name) == f.depth {
		f.here = what.leaf
		return
	}
	at := f.labels.below(name[f.depth])
	f.labels.flip(name[f.depth])
	slots := make([]radix[V], len(f.slots)+1) // a fork seldom grows again
	copy(slots, f.slots[:at])
	slots[at] = what
	copy(slots[at+1:], f.slots[at:])
	f.slots = slots
}

// remove takes out what is there.
func (r radix[V]) remove(batch *edit, name string) radix[V] {
	if r.fork == nil {
		return radix[V]{}
	}
	var none V
	f := r.fork.editable(batch)
	if len(name) == f.depth {
		f.here = none
	} else {
		at := f.labels.below(name[f.depth])
		if f.slots[at] = f.slots[at].remove(batch, name); f.slots[at].empty() {
			f.labels.flip(name[f.depth])
			f.slots = slices.Delete(f.slots, at, at+1)
		}
	}
	switch {
	case len(f.slots) == 0:
		return radix[V]{leaf: f.here}
	case len(f.slots) == 1 && f.here == none:
		return f.slots[0]
	}
	return radix[V]{fork: f}
}

// from yields in the order of names, beginning with the first not below start.
func (r radix[V]) from(start string) iter.Seq[V] {
	return func(yield func(V) bool) {
		if !r.empty() {
			r.walkFrom(start, r.shared(start), yield)
		}
	}
}

func (r radix[V]) walkFrom(start string, shared int, yield func(V) bool) bool {
	f := r.fork
	switch {
	case f == nil || f.depth > shared: // all part from start at one octet
		return r.first().name() < start || r.walk(yield)
	case f.depth == len(start):
		return r.walk(yield)
	}
	at := f.labels.below(start[f.depth])
	if f.labels.has(start[f.depth]) {
		if !f.slots[at].walkFrom(start, shared, yield) {
			return false
		}
		at++
	}
	for _, slot := range f.slots[at:] {
		if !slot.walk(yield) {
			return false
		}
	}
	return true
}

func (r radix[V]) walk(yield func(V) bool) bool {
	var none V
	f := r.fork
	if f == nil {
		return r.leaf == none || yield(r.leaf)
	}
	if f.here != none && !yield(f.here) {
		return false
	}
	for _, slot := range f.slots {
		if !slot.walk(yield) {
			return false
		}
	}
	return true
}

// growing builds a map in linear time.
type growing[V named] struct {
	slots []radix[V] // of the forks that are being made
}

// grow makes a map of values whose names strictly rise.
func grow[V named](values []V) radix[V] {
	var g growing[V]
	return g.grow(values)
}

func (g *growing[V]) grow(values []V) radix[V] {
	switch len(values) {
	case 0:
		return radix[V]{}
	case 1:
		return radix[V]{leaf: values[0]}
	}
	first := values[0].name()
	f := &fork[V]{depth: commonBytes(first, values[len(values)-1].name())}
	if len(first) == f.depth {
		f.here, values = values[0], values[1:]
	}
	begin := len(g.slots)
	for len(values) > 0 {
		label := values[0].name()[f.depth]
		end := sort.Search(len(values), func(i int) bool { return values[i].name()[f.depth] > label })
		f.labels.flip(label)
		g.slots = append(g.slots, g.grow(values[:end]))
		values = values[end:]
	}
	f.slots = slices.Clone(g.slots[begin:])
	g.slots = g.slots[:begin]
	return radix[V]{fork: f}
}

// differ yields the pairs in which two maps differ, in order of names; what they share costs nothing. An absent side is nil. The first
// octets of all names are known to be the same.
func differ[V named](old, new radix[V], known int, yield func(old, new V) bool) bool {
	var none V
	gone := func(value V) bool { return yield(value, none) }
	come := func(value V) bool { return yield(none, value) }
	switch {
	case old == new:
		return true
	case old.empty():
		return new.walk(come)
	case new.empty():
		return old.walk(gone)
	}
	depth := min(old.depth(), new.depth())
	if depth > known {
		a, b := old.first().name(), new.first().name()
		if a[:depth] != b[:depth] {
			if a < b {
				return old.walk(gone) && new.walk(come)
			}
			return new.walk(come) && old.walk(gone)
		}
	}
	if a, b := old.here(depth), new.here(depth); a != b && !yield(a, b) {
		return false
	}
	if o, n := old.fork, new.fork; o != nil && n != nil && o.depth == n.depth && o.labels == n.labels { // mostly
		for i, slot := range o.slots {
			if other := n.slots[i]; slot != other && !differ(slot, other, depth+1, yield) {
				return false
			}
		}
		return true
	}
	a, b := old.labels(depth), new.labels(depth)
	for label := range (labels{a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]}).all {
		if !differ(old.slot(depth, label), new.slot(depth, label), depth+1, yield) {
			return false
		}
	}
	return true
}

// depth is where the names part, or where the only one ends.
func (r radix[V]) depth() int {
	if r.fork == nil {
		return len(r.leaf.name())
	}
	return r.fork.depth
}

// here, labels and slot are those of a fork at a depth, which is not below the map's own: if it is above, the fork that has one label.
func (r radix[V]) here(depth int) (value V) {
	switch {
	case r.depth() > depth:
		return value
	case r.fork == nil:
		return r.leaf
	}
	return r.fork.here
}

func (r radix[V]) labels(depth int) (l labels) {
	switch {
	case r.depth() > depth:
		l.flip(r.first().name()[depth])
	case r.fork != nil:
		l = r.fork.labels
	}
	return l
}

func (r radix[V]) slot(depth int, label byte) radix[V] {
	switch {
	case r.depth() > depth && r.first().name()[depth] == label:
		return r
	case r.depth() > depth || r.fork == nil:
		return radix[V]{}
	}
	return r.fork.slot(label)
}
