// SPDX-License-Identifier: Apache-2.0

package subtrie

const (
	// labelBytesMax bounds what splitting or joining vertices copies, so
	// that a peer cannot turn one short command into megabytes of copying.
	// A longer topic becomes a chain of vertices, at about 15 % overhead.
	labelBytesMax = 1024

	// labelBytesInline is what fits beside a publisher's other fields in 64
	// bytes. Among many topics most labels are shorter: only the few bytes
	// in which a topic differs from its neighbours.
	labelBytesInline = 13

	// edgesInline is how many edges need no memory of their own for their
	// keys; it makes the edges of a vertex 64 bytes.
	edgesInline = 16

	// removalBytes is how much topic costs as much as one subscription when
	// a leaving peer's subscriptions are removed in slices.
	removalBytes = 1024

	// shrinkAbove is the capacity below which a list is not worth shrinking.
	shrinkAbove = 16
)
