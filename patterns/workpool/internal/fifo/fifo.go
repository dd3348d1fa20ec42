// SPDX-License-Identifier: Apache-2.0

// Package fifo is a queue in memory.
package fifo

// Queue has its first item first. The zero value is empty.
type Queue[T any] struct {
	items []T
	head  int
}

// movedMin is from how many taken items on it pays to move the others.
const movedMin = 1024

// Len is how many items there are.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }

// Push adds an item at the end.
func (q *Queue[T]) Push(item T) { q.items = append(q.items, item) }

// Keep takes out the items that are not kept.
func (q *Queue[T]) Keep(kept func(T) bool) {
	n := 0
	for _, item := range q.items[q.head:] {
		if kept(item) {
			q.items[n] = item
			n++
		}
	}
	clear(q.items[n:])
	q.items, q.head = q.items[:n], 0
}

// First is the item that Pop takes next; there must be one.
func (q *Queue[T]) First() T { return q.items[q.head] }

// Pop takes the first item; there must be one.
func (q *Queue[T]) Pop() T {
	item := q.items[q.head]
	var none T
	q.items[q.head] = none
	q.head++
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > movedMin && q.head > len(q.items)/2: // it moves fewer than have been taken
		kept := copy(q.items, q.items[q.head:])
		clear(q.items[kept:])
		q.items, q.head = q.items[:kept], 0
	}
	return item
}
