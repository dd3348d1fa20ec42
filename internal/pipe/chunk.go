// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A Chunk is a piece of memory that holds messages as they go over the wire. Whoever fills it and every segment that
// refers to it hold a reference; with the last one it goes back to its pool.
type Chunk struct {
	Buf  []byte // all of it; len == cap
	refs atomic.Int32
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

// Retain adds a reference. The caller holds one.
func (c *Chunk) Retain() { c.refs.Add(1) }

// Release drops a reference; the caller must not touch the chunk afterwards.
func (c *Chunk) Release() {
	switch refs := c.refs.Add(-1); {
	case refs > 0:
	case refs < 0:
		panic("pipe: chunk released twice")
	default:
		if class := chunkClass(len(c.Buf)); class < chunkClasses && len(c.Buf) == chunkBytesMin<<class { // not what Steal left
			chunkPools[class].Put(c)
		}
	}
}
