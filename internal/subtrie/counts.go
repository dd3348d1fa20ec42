// SPDX-License-Identifier: Apache-2.0

package subtrie

import "iter"

// Counts is the set of topics an application subscribed to, each with how
// often it did. The zero value is empty and ready; never copy one in use.
type Counts struct {
	topics   tree // the value of a vertex is the count
	distinct int
}

// Add counts one more subscription to topic. first: it is the only one.
func (c *Counts) Add(topic []byte) (first bool) {
	at := c.topics.vertices.at(c.topics.reach(topic))
	first = !at.occupied
	at.value++
	if first {
		c.topics.occupy(at)
		c.distinct++
	}
	return first
}

// Remove counts one less. held: there was one. last: it was the only one.
func (c *Counts) Remove(topic []byte) (last, held bool) {
	number, ok := c.topics.find(topic)
	if !ok {
		return false, false
	}
	at := c.topics.vertices.at(number)
	if !at.occupied {
		return false, false
	}
	at.value--
	if at.value > 0 {
		return false, true
	}
	at.occupied = false
	c.distinct--
	c.topics.prune(number)
	return true, true
}

// Match says whether a topic in the set is a prefix of frame. It does not
// allocate. It notes where it was, so only All may run beside it.
func (c *Counts) Match(frame []byte) bool {
	for at, rest := c.topics.begin(frame); at != nil; at, rest = c.topics.next(at, rest) {
		if at.occupied {
			return true
		}
	}
	return false
}

// All yields each topic once, in byte order. A topic is valid until the next
// turn; the set must not change meanwhile.
func (c *Counts) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var topic []byte
		number, ok := uint32(root), c.topics.top() != nil
		for ok {
			if c.topics.vertices.at(number).occupied && !yield(topic) {
				return
			}
			number, topic, ok = c.topics.following(number, topic)
		}
	}
}

// Len is the number of distinct topics.
func (c *Counts) Len() int { return c.distinct }
