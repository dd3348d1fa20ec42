// SPDX-License-Identifier: Apache-2.0

package subtrie

import "bytes"

// tree is the compressed radix tree. The zero value is empty. Its shape is
// kept by these rules:
//
//   - a vertex that is not occupied has an edge, except the root, and a tree
//     of nothing else has no root either: it is the zero value;
//   - a vertex that is not occupied and has one edge only is joined with the
//     vertex below, unless the label would exceed labelBytesMax;
//   - no label exceeds labelBytesMax, and each is its own memory, so that a
//     short topic never keeps a long one alive;
//   - an occupied vertex keeps its number while it is occupied: splits
//     make a new one above, joins drop the upper one. Holders know it.
type tree struct {
	vertices slab[vertex]
	narrow   slab[narrow]
	middle   slab[middle]
	wide     slab[*wide]
	long     slab[[]byte] // labels

	// The vertex above the one that was found or made last, and its topic: the next topic often goes through it too. While
	// a vertex lives its topic stays the same.
	recent      uint32
	recentTopic []byte
	bare        bool   // no vertex from the root to recent, which is one, is occupied
	missed      uint32 // matches in a row that did not go through recent
}

// root is the number of the vertex of the empty topic: the first that was taken.
const root = 0

// top returns the root, nil if there is none.
func (t *tree) top() *vertex {
	if len(t.vertices.blocks) == 0 {
		return nil
	}
	return t.vertices.at(root)
}

// find returns the vertex of topic. ok: the tree has one.
func (t *tree) find(topic []byte) (number uint32, ok bool) {
	if t.top() == nil {
		return 0, false
	}
	number, rest := t.enter(topic)
	above := number
	for len(rest) > 0 {
		below := t.follow(t.vertices.at(number), rest[0])
		if below == 0 {
			return 0, false
		}
		label := t.label(t.vertices.at(below))
		if !bytes.HasPrefix(rest, label) {
			return 0, false
		}
		above, number, rest = number, below, rest[len(label):]
	}
	t.leave(above, topic[:len(topic)-len(t.label(t.vertices.at(number)))], false)
	return number, true
}

// enter returns from where to look for topic, recent or a little above it, and what is left of topic there.
func (t *tree) enter(topic []byte) (number uint32, rest []byte) {
	n := len(t.recentTopic)
	if n == 0 {
		return root, topic
	}
	if len(topic) > n && string(topic[:n]) == string(t.recentTopic) {
		return t.recent, topic[n:]
	}
	common := min(commonBytes(topic, t.recentTopic), len(topic)-1)
	number = t.recent
	for range climbMost {
		v := t.vertices.at(number)
		n -= len(t.label(v))
		if number = v.parent; n <= common {
			return number, topic[n:]
		}
	}
	return root, topic
}

// leave notes a vertex to enter by, whose topic that is. bare: it is known to be that.
func (t *tree) leave(number uint32, topic []byte, bare bool) {
	if number == t.recent {
		t.bare = t.bare || bare
		return
	}
	if len(topic) > recentBytesMax {
		return
	}
	if t.recentTopic == nil {
		t.recentTopic = make([]byte, 0, recentBytesMax)
	}
	t.recent, t.recentTopic, t.bare = number, append(t.recentTopic[:0], topic...), bare
}

// occupy notes that somebody holds the topic of a vertex.
func (t *tree) occupy(v *vertex) {
	v.occupied = true
	if v.form != formNone {
		t.bare = false // it may stand on the way to recent
	}
}

// begin returns a vertex on the way along topic, above which none is occupied, and what is left of topic there; nil if there
// is none below that could be.
func (t *tree) begin(topic []byte) (*vertex, []byte) {
	from, rest := uint32(root), topic
	if t.bare {
		from, rest = t.enter(topic)
	}
	if from != root {
		t.missed = 0
		if from == t.recent {
			return t.vertices.at(from), rest
		}
	} else if v := t.top(); v == nil || v.occupied {
		return v, topic
	}
	v := t.vertices.at(from)
	for steps := 0; ; steps++ {
		below, left := t.next(v, rest)
		if below != nil && !below.occupied {
			v, rest = below, left
			continue
		}
		if steps > 0 && (from != root || t.worthNoting(steps)) {
			number := t.follow(t.vertices.at(v.parent), t.label(v)[0])
			t.leave(number, topic[:len(topic)-len(rest)], true)
		}
		return below, left
	}
}

// worthNoting reports whether the place should be noted where a match that began at the root has come after some steps.
func (t *tree) worthNoting(steps int) bool {
	t.missed++
	return steps >= stepsMin && (t.missed < missesMost || t.missed%missesMost == 0)
}

// depth returns on how many bytes of topic it depends that the walk along it ends at v, which has edges and where rest is left
// of it; -1 if on where it ends.
func (t *tree) depth(v *vertex, topic, rest []byte) int {
	if len(rest) == 0 {
		return -1
	}
	at := len(topic) - len(rest)
	if below := t.follow(v, rest[0]); below != 0 {
		common := commonBytes(t.label(t.vertices.at(below)), rest)
		if common == len(rest) {
			return -1
		}
		at += common
	}
	return at + 1
}

// reach returns the vertex of topic and makes it if need be. The caller must
// occupy it.
func (t *tree) reach(topic []byte) uint32 {
	if t.top() == nil {
		t.vertices.take()
	}
	at, rest := t.enter(topic)
	for len(rest) > 0 {
		below := t.follow(t.vertices.at(at), rest[0])
		common := 0
		if below != 0 {
			common = commonBytes(t.label(t.vertices.at(below)), rest)
		}
		if common == 0 { // no edge, or a single one with another key
			t.leave(at, topic[:len(topic)-len(rest)], false)
			return t.grow(at, rest)
		}
		if common < len(t.label(t.vertices.at(below))) {
			below = t.split(below, common)
		}
		at, rest = below, rest[common:]
	}
	return at
}

// grow adds topic below at, as a chain if it is long.
func (t *tree) grow(at uint32, topic []byte) uint32 {
	for len(topic) > 0 {
		length := min(len(topic), labelBytesMax)
		leaf := t.vertices.take()
		t.setLabel(t.vertices.at(leaf), nil, topic[:length])
		t.link(at, leaf)
		at, topic = leaf, topic[length:]
	}
	return at
}

// split cuts the label of lower after length bytes and returns the new vertex
// above the cut.
func (t *tree) split(lower uint32, length int) uint32 {
	upper := t.vertices.take()
	v := t.vertices.at(lower)
	parent, label := v.parent, t.label(v)
	t.setLabel(t.vertices.at(upper), nil, label[:length])
	t.setLabel(v, nil, label[length:])
	t.relink(parent, upper)
	t.link(upper, lower)
	// Labels got shorter, so what was too long to join may fit now.
	t.join(lower)
	t.join(parent)
	return upper
}

// join drops a vertex when it serves no purpose but to lead to one other vertex, and
// gives that vertex its label.
func (t *tree) join(number uint32) {
	v := t.vertices.at(number)
	if v.occupied || number == root || v.form != formSingle {
		return
	}
	below := t.vertices.at(v.edges)
	if len(t.label(v))+len(t.label(below)) > labelBytesMax {
		return
	}
	t.setLabel(below, t.label(v), t.label(below))
	t.relink(v.parent, v.edges)
	t.discard(number)
}

// prune restores the tree's rules after a vertex has lost its holders.
func (t *tree) prune(number uint32) {
	for {
		v := t.vertices.at(number)
		if v.occupied || v.form != formNone {
			break
		}
		if number == root {
			*t = tree{}
			return
		}
		parent := v.parent
		t.unlink(parent, number)
		t.discard(number)
		number = parent
	}
	t.join(number)
}

// following returns the vertex after that in byte order of topics, and changes
// topic, which is its topic, into that of the vertex returned. ok is false at the end.
func (t *tree) following(number uint32, topic []byte) (next uint32, longer []byte, ok bool) {
	v := t.vertices.at(number)
	if below := t.after(v, -1); below != 0 {
		return below, append(topic, t.label(t.vertices.at(below))...), true
	}
	for number != root {
		label := t.label(v)
		topic = topic[:len(topic)-len(label)]
		parent := t.vertices.at(v.parent)
		if beside := t.after(parent, int(label[0])); beside != 0 {
			return beside, append(topic, t.label(t.vertices.at(beside))...), true
		}
		number, v = v.parent, parent
	}
	return 0, nil, false
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
