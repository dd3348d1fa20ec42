// SPDX-License-Identifier: Apache-2.0

package model

import (
	"hash/maphash"
	"iter"
)

// treap is a sorted map that never changes once the batch has ended that made it: put and remove return another one that shares all
// but the path to the key. A node's rank is drawn from its key by a seed of this process, so that nobody can choose keys that make
// it deep.
type treap[V any] struct {
	key         string
	value       V
	rank        uint64
	left, right *treap[V]
	edit        *edit // the batch that made this node and may change it; of a batch that has ended nobody has the pointer
}

// edit is the identity of a batch of changes whose states in between nobody sees: it is not empty, so that each has an address.
type edit struct{ _ byte }

var rankSeed = maphash.MakeSeed()

func newTreap[V any](key string, value V) *treap[V] {
	return &treap[V]{key: key, value: value, rank: maphash.String(rankSeed, key)}
}

func (t *treap[V]) get(key string) (value V, found bool) {
	for t != nil {
		switch {
		case key < t.key:
			t = t.left
		case key > t.key:
			t = t.right
		default:
			return t.value, true
		}
	}
	return value, false
}

// put changes what the same batch has made, and copies the rest of the path.
func (t *treap[V]) put(batch *edit, key string, value V) *treap[V] {
	if t == nil {
		made := newTreap(key, value)
		made.edit = batch
		return made
	}
	if t.edit != batch {
		changed := *t
		t, changed.edit = &changed, batch
	}
	switch {
	case key < t.key:
		t.left = t.left.put(batch, key, value)
		if up := t.left; up.rank > t.rank {
			t.left, up.right = up.right, t
			return up
		}
	case key > t.key:
		t.right = t.right.put(batch, key, value)
		if up := t.right; up.rank > t.rank {
			t.right, up.left = up.left, t
			return up
		}
	default:
		t.value = value
	}
	return t
}

func (t *treap[V]) remove(key string) *treap[V] {
	if t == nil {
		return nil
	}
	changed := *t
	switch {
	case key < t.key:
		changed.left = t.left.remove(key)
	case key > t.key:
		changed.right = t.right.remove(key)
	default:
		return join(t.left, t.right)
	}
	return &changed
}

// join makes one of two where all keys of the first are below those of the second.
func join[V any](low, high *treap[V]) *treap[V] {
	switch {
	case low == nil:
		return high
	case high == nil:
		return low
	case low.rank > high.rank:
		changed := *low
		changed.right = join(low.right, high)
		return &changed
	}
	changed := *high
	changed.left = join(low, high.left)
	return &changed
}

// from yields keys and values in order, beginning with the first key not below start.
func (t *treap[V]) from(start string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for node := range t.nodes(start) {
			if !yield(node.key, node.value) {
				return
			}
		}
	}
}

func (t *treap[V]) nodes(start string) iter.Seq[*treap[V]] {
	return func(yield func(*treap[V]) bool) { t.walk(start, yield) }
}

func (t *treap[V]) walk(start string, yield func(*treap[V]) bool) bool {
	if t == nil {
		return true
	}
	if t.key < start {
		return t.right.walk(start, yield)
	}
	return t.left.walk(start, yield) && yield(t) && t.right.walk("", yield)
}

// growing builds a treap from keys in strictly rising order, in linear time.
type growing[V any] struct {
	spine []*treap[V] // the rightmost path, from the root
}

func (g *growing[V]) add(key string, value V) {
	node := newTreap(key, value)
	end := len(g.spine)
	for end > 0 && g.spine[end-1].rank < node.rank {
		end--
	}
	if end < len(g.spine) {
		node.left = g.spine[end]
	}
	if end > 0 {
		g.spine[end-1].right = node
	}
	g.spine = append(g.spine[:end], node)
}

func (g *growing[V]) treap() *treap[V] {
	if len(g.spine) == 0 {
		return nil
	}
	return g.spine[0]
}

// split parts a treap into what is below key, the node of key or nil, and what is above.
func (t *treap[V]) split(key string) (low, at, high *treap[V]) {
	if t == nil {
		return nil, nil, nil
	}
	if key == t.key {
		return t.left, t, t.right
	}
	changed := *t
	if key < t.key {
		low, at, changed.left = t.left.split(key)
		return low, at, &changed
	}
	changed.right, at, high = t.right.split(key)
	return &changed, at, high
}

// differ yields the pairs in which two treaps differ, in order of keys; what they share costs nothing. An absent side is nil.
func differ[V any](old, new *treap[V], yield func(old, new *treap[V]) bool) bool {
	switch {
	case old == new:
		return true
	case new == nil:
		return old.walk("", func(node *treap[V]) bool { return yield(node, nil) })
	case old == nil:
		return new.walk("", func(node *treap[V]) bool { return yield(nil, node) })
	}
	low, at, high := old.split(new.key)
	return differ(low, new.left, yield) && yield(at, new) && differ(high, new.right, yield)
}
