// SPDX-License-Identifier: Apache-2.0

package wire

import "github.com/zwire-mq/zwire/patterns/config/internal/model"

// Bounds of one message, beside those of package model. What a sender puts together has to stay within them.
const (
	// FrameBytesMax leaves room beside the largest transaction for the lengths of its keys and values and for the heads of all
	// trees, so that one record fits into any message that carries records.
	FrameBytesMax = model.TransactionBytesMax + 1<<20
	// EntriesMax and RecordsMax keep what a message of many tiny ones takes in memory near what it takes on the wire.
	EntriesMax, RecordsMax = 1 << 16, 1 << 16
	// NodesMax is far above what one authority can serve.
	NodesMax = 1 << 16
	// EndpointBytesMax has room for the path of a local socket and for a long name of a host.
	EndpointBytesMax = 1024
	// TextBytesMax bounds what is for people to read. Longer texts are cut when they are encoded.
	TextBytesMax = 4096
)

const (
	// ChunkBytes is what entries or records of one chunk, and of one part of an Install, add up to before the next begins: enough
	// to make the cost of a message small, little enough for a heartbeat not to wait long behind it.
	ChunkBytes = 256 << 10
	// ChunksAhead is how many chunks of an answer an authority sends without More, of the usual length; of longer ones it sends fewer:
	// enough to keep a network busy, and a bound on what waits for a slow reader.
	ChunksAhead = 8
)

// The least that elements of a list take on the wire, so that a count can be checked against what is left of a frame.
const (
	stringBytesMin    = 1
	headBytesMin      = stringBytesMin + 1 + model.DigestBytes
	entryBytesMin     = 5
	opBytesMin        = 4
	conditionBytesMin = 2
	recordBytesMin    = 6 + epochBytesMin
	nodeBytesMin      = 7
	epochBytesMin     = 1 + authorityBytes
	authorityBytes    = len(model.AuthorityID{})
)
