// SPDX-License-Identifier: Apache-2.0

package pipe

const (
	// chunkBytesMin is the first chunk of a direction: what an idle peer may keep.
	chunkBytesMin = 1 << 10
	// ChunkBytes is the size chunks grow to under load: one write moves it, and the L2 cache holds several.
	ChunkBytes = 64 << 10
	// chunkGrowth is the factor from one chunk to the next while the drainer does not keep up.
	chunkGrowth = 4
	// chunkClasses is the number of pooled sizes, doubling from chunkBytesMin to 64 MiB. Larger chunks go to the collector.
	chunkClasses = 17

	// referenceBytesMin is the smallest body that travels by reference: at 10 kB that costs as much as a copy, at 1 MB a tenth
	// less CPU. referenceHeadMax bounds what is copied in front of it.
	referenceBytesMin = 16 << 10
	referenceHeadMax  = 256

	// ByteMark is where a sender that can wait stops although there is room for more messages: what is queued then still
	// fits the cache, which halves the cost of 10 kB messages.
	ByteMark = 512 << 10

	// holdMessages and holdBytes bound what a writer holds back while a drainer is at work or on its way, and holdAfter is
	// how many messages in a row must have found one before; up to holdRest more, when that turned out to be no burst: fewer
	// were held back than holdAfter messages and holdAfterBytes.
	holdMessages   = 64
	holdBytes      = 16 << 10
	holdAfter      = 16
	holdAfterBytes = 2 << 10
	holdRest       = 1000

	// awaitLooks is how often a drainer looks for what a writer holds back before it asks: some 5 µs, in which a writer at
	// full speed fills holdMessages or holdBytes. awaitHalvings bounds how often that is halved after waiting in vain.
	awaitLooks    = 5000
	awaitHalvings = 5

	// gatherPieces and gatherBytes bound one write: the kernel takes 1024 pieces, and more than 256 KiB wins nothing.
	gatherPieces = 64
	gatherBytes  = 256 << 10

	// cacheLine keeps what different cores write apart: two lines of 64 bytes, since they are fetched in pairs.
	cacheLine = 128
)
