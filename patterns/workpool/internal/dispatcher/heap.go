// SPDX-License-Identifier: Apache-2.0

package dispatcher

// heap has the least item first. Items know their place, from 1; 0 is none.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
	place func(T) *int
}

func (h *heap[T]) size() int { return len(h.items) }

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	*h.place(item) = len(h.items)
	h.up(len(h.items) - 1)
}

func (h *heap[T]) pop() T {
	first := h.items[0]
	h.remove(first)
	return first
}

// remove takes an item out, if it is there.
func (h *heap[T]) remove(item T) {
	i := *h.place(item) - 1
	if i < 0 {
		return
	}
	*h.place(item) = 0
	last := len(h.items) - 1
	moved := h.items[last]
	var none T
	h.items[last] = none
	h.items = h.items[:last]
	if i == last {
		return
	}
	h.items[i] = moved
	*h.place(moved) = i + 1
	h.fix(moved)
}

// fix puts an item whose order has changed to its place.
func (h *heap[T]) fix(item T) {
	i := *h.place(item) - 1
	if !h.up(i) {
		h.down(i)
	}
}

func (h *heap[T]) up(i int) (moved bool) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.items[i], h.items[parent]) {
			break
		}
		h.swap(i, parent)
		i, moved = parent, true
	}
	return moved
}

func (h *heap[T]) down(i int) {
	for {
		least := 2*i + 1
		if least >= len(h.items) {
			return
		}
		if right := least + 1; right < len(h.items) && h.less(h.items[right], h.items[least]) {
			least = right
		}
		if !h.less(h.items[least], h.items[i]) {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *heap[T]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	*h.place(h.items[i]), *h.place(h.items[j]) = i+1, j+1
}
