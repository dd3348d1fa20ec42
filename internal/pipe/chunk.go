// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/zwire-mq/zwire/internal/wire"
)

// A Chunk is a piece of memory that holds messages as they go over the wire. Whoever fills it and every segment that
// refers to it hold a reference; with the last one it goes back to its pool.
//
// A chunk made by Refer stands for one message whose last body is somebody else's memory: offsets count head, then Buf.
type Chunk struct {
	Buf  []byte // all of it; len == cap
	refs atomic.Int32
	head []byte // of a message by reference: all that stands before its last body
}

// address tells chunks apart without keeping them from the collector.
//
// unsafe: the number is compared and never turned back.
func (c *Chunk) address() uintptr { return uintptr(unsafe.Pointer(c)) }

// chunkPools holds free chunks by size class. The collector empties it after a burst.
var chunkPools [chunkClasses]sync.Pool

// chunkClass returns the smallest class that holds n bytes.
func chunkClass(n int) int {
	if n <= chunkBytesMin {
		return 0
	}
	return bits.Len(uint(n-1)) - bits.Len(uint(chunkBytesMin-1))
}

// NewChunk returns a chunk of at least n bytes with one reference.
func NewChunk(n int) *Chunk {
	class := chunkClass(n)
	if class >= chunkClasses {
		c := &Chunk{Buf: make([]byte, n)}
		c.refs.Store(1)
		return c
	}
	c, _ := chunkPools[class].Get().(*Chunk)
	if c == nil {
		c = &Chunk{Buf: make([]byte, chunkBytesMin<<class)}
	}
	c.refs.Store(1)
	return c
}

// referencePool holds chunks that Refer makes, with the memory of their heads.
var referencePool = sync.Pool{New: func() any { return &Chunk{head: make([]byte, 0, referenceHeadMax)} }}

// Refer returns a chunk, with one reference, that stands for a message without copying its last frame; nil if the copy
// would cost less, or the rest of the message is too long. The frame must never change again.
func Refer(head []byte, frames [][]byte) *Chunk {
	last := len(frames) - 1
	if last < 0 || len(frames[last]) < referenceBytesMin {
		return nil
	}
	n := len(head) + wire.HeaderBytesMax
	for _, f := range frames[:last] {
		n += wire.HeaderBytes(len(f)) + len(f)
	}
	if n > referenceHeadMax {
		return nil
	}
	c := referencePool.Get().(*Chunk)
	c.head = c.head[:n]
	at := copy(c.head, head)
	for _, f := range frames[:last] {
		at += wire.PutHeader(c.head[at:], wire.FlagMore, len(f))
		at += copy(c.head[at:], f)
	}
	wire.PutHeader(c.head[at:], 0, len(frames[last]))
	c.Buf = frames[last]
	c.refs.Store(1)
	return c
}

// Len returns how many bytes a chunk stands for.
func (c *Chunk) Len() int { return len(c.head) + len(c.Buf) }

// appendTo appends the bytes from from to end to pieces.
func (c *Chunk) appendTo(pieces [][]byte, from, end int) [][]byte {
	n := len(c.head)
	if from < n {
		pieces = append(pieces, c.head[from:min(end, n)])
		from = n
	}
	if from < end {
		pieces = append(pieces, c.Buf[from-n:end-n])
	}
	return pieces
}

// messageBytes returns the size of the message at offset at.
func (c *Chunk) messageBytes(at int) int {
	if len(c.head) > 0 {
		return c.Len()
	}
	return messageBytes(c.Buf[at:])
}

// Retain adds a reference. The caller holds one.
func (c *Chunk) Retain() { c.refs.Add(1) }

// Release drops a reference; the caller must not touch the chunk afterwards.
func (c *Chunk) Release() {
	switch refs := c.refs.Add(-1); {
	case refs > 0:
	case refs < 0:
		panic("pipe: chunk released twice")
	case len(c.head) > 0:
		c.Buf, c.head = nil, c.head[:0]
		referencePool.Put(c)
	default:
		if class := chunkClass(len(c.Buf)); class < chunkClasses && len(c.Buf) == chunkBytesMin<<class { // not what Steal left
			chunkPools[class].Put(c)
		}
	}
}
