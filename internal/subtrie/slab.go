// SPDX-License-Identifier: Apache-2.0

package subtrie

import "math/bits"

// slab holds values that are known by number instead of by pointer: half the size, no allocation each, and nothing for the
// garbage collector to follow. A number stays the same while its value lives; a pointer from at does so until the next take,
// since the first block begins small and moves as it grows. The zero value is empty and ready.
//
// A block without values is given back, so memory follows what is in use like that of a heap with large pages.
type slab[T any] struct {
	blocks [][]T
	usage  []usage  // of each block
	open   []uint32 // blocks with room, in no order; the last one is filled first
	vacant []uint32 // numbers of blocks that were given back
	count  int
}

// usage is what of one block is taken.
type usage struct {
	taken  [slabBlock / 64]uint64 // a bit for each value
	full   int                    // words of taken in front that are full, at least
	count  int
	openAt int // place in open; -1: full
}

// at returns the value with that number.
func (s *slab[T]) at(number uint32) *T { return &s.blocks[number/slabBlock][number%slabBlock] }

// take returns the number of a new value, which is zero. Pointers to other values are void afterwards.
func (s *slab[T]) take() uint32 {
	if len(s.open) == 0 {
		s.extend()
	}
	block := s.open[len(s.open)-1]
	u := &s.usage[block]
	for u.taken[u.full] == ^uint64(0) {
		u.full++
	}
	offset := u.full*64 + bits.TrailingZeros64(^u.taken[u.full])
	if offset >= len(s.blocks[block]) {
		s.grow(block)
	}
	u.taken[offset/64] |= 1 << (offset % 64)
	s.count++
	if u.count++; u.count == slabBlock {
		u.openAt = -1
		s.open = s.open[:len(s.open)-1]
	}
	return block*slabBlock + uint32(offset)
}

// extend opens a block. The only one begins small.
func (s *slab[T]) extend() {
	size := slabBlock
	if s.count == 0 {
		size = slabBlockMin
	}
	values := make([]T, size)
	clear(values) // fresh memory that is read before it is written costs two page faults, the second with a call to all cores
	block := uint32(len(s.blocks))
	if last := len(s.vacant) - 1; last >= 0 {
		block = s.vacant[last]
		s.vacant = s.vacant[:last]
		s.blocks[block] = values
	} else {
		s.blocks = append(s.blocks, values)
		s.usage = append(s.usage, usage{})
	}
	s.usage[block] = usage{openAt: len(s.open)}
	if s.open == nil { // each take reads it: it shall not share a cache line with what others write
		s.open = make([]uint32, 0, openMin)
	}
	s.open = append(s.open, block)
}

// grow doubles a block that began small.
func (s *slab[T]) grow(block uint32) {
	larger := make([]T, 2*len(s.blocks[block]))
	copy(larger, s.blocks[block])
	s.blocks[block] = larger
}

// drop takes a value out; its number will be another's.
func (s *slab[T]) drop(number uint32) {
	block, offset := number/slabBlock, number%slabBlock
	var zero T
	s.blocks[block][offset] = zero
	u := &s.usage[block]
	u.taken[offset/64] &^= 1 << (offset % 64)
	u.full = min(u.full, int(offset/64))
	s.count--
	if u.count--; u.count == 0 {
		s.giveBack(block)
		return
	}
	if u.openAt < 0 {
		u.openAt = len(s.open)
		s.open = append(s.open, block)
	}
}

// giveBack lets go of a block without values.
func (s *slab[T]) giveBack(block uint32) {
	if s.count == 0 {
		*s = slab[T]{}
		return
	}
	if at := s.usage[block].openAt; at >= 0 {
		last := len(s.open) - 1
		s.open[at] = s.open[last]
		s.usage[s.open[at]].openAt = at
		s.open = s.open[:last]
	}
	s.blocks[block] = nil
	s.vacant = append(s.vacant, block)
}
