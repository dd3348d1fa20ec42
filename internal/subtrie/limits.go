// SPDX-License-Identifier: Apache-2.0

package subtrie

const (
	// labelBytesMax bounds what splitting or joining vertices copies, so
	// that a peer cannot turn one short command into megabytes of copying.
	// A longer topic becomes a chain of vertices, at about 15 % overhead.
	labelBytesMax = 1024

	// labelBytesInline is what fits beside a vertex's other fields in 32
	// bytes. Among many topics most labels are shorter: only the few bytes
	// in which a topic differs from its neighbours.
	labelBytesInline = 12

	// narrowMax and middleMax are how many edges the smaller tables hold: as
	// many bytes as one comparison of words looks at, and two.
	narrowMax = 8
	middleMax = 16

	// slabBlock is how many values a block of a slab holds: large enough that
	// the list of blocks stays in the cache, small enough to be given back.
	// slabBlockMin is what the first one begins with.
	slabBlock    = 1024
	slabBlockMin = 4

	// recentBytesMax bounds the topic of the vertex that the next walk may begin at.
	recentBytesMax = 128

	// climbMost is how far above that vertex it may begin too: of numbered topics every tenth turns off one step above the
	// last one, every hundredth two.
	climbMost = 2
	// stepsMin is how many steps a match must have saved for its place to be noted.
	stepsMin = 3

	// missesMost is after how many matches that begin elsewhere only one in as many is noted: they have no order.
	missesMost = 16

	// openMin is the first capacity of a slab's list of open blocks: two lines of the cache.
	openMin = 32

	// peersMin is the first capacity of the list of peers.
	peersMin = 8

	// holdingsBlock is the same for the list of a peer's topics.
	holdingsBlock = 1024

	// removalBytes is how much topic costs as much as one subscription when
	// a leaving peer's subscriptions are removed in slices.
	removalBytes = 1024

	// shrinkAbove is the capacity below which a list is not worth shrinking.
	shrinkAbove = 16
)
