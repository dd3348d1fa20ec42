// SPDX-License-Identifier: Apache-2.0

package pipe

import "github.com/zwire-mq/zwire/internal/wire"

// Encoder writes messages one behind the other into chunks, which start small and grow under load. The zero value is
// ready. It is for one goroutine at a time.
type Encoder struct {
	chunk   *Chunk
	fill    int    // bytes of chunk in use
	size    int32  // of the next chunk
	drafted int32  // bytes of draft in use: they go behind fill, or stand there
	draft   []byte // where small messages are written, until they are taken in
	memory  *Chunk // of draft; nil: it is a part of chunk
}

// What is written to a chunk that a drainer on another core has read waits for each line to come back from there, and the
// next locked instruction waits for all of them. So small messages that are held back are written to a draft, memory that
// stays with this core, and are copied in one go when they are published, which has many lines under way at a time.

// setApart has drafts begin in memory of their own.
func (e *Encoder) setApart() {
	if e.memory == nil {
		e.memory = NewChunk(holdBytes)
	}
}

// reunite ends that, and keeps no memory for it. Nothing is drafted.
func (e *Encoder) reunite() {
	if e.memory != nil {
		e.memory.Release()
		e.memory = nil
	}
}

// beginDraft lets up to n bytes be drafted.
func (e *Encoder) beginDraft(n int) {
	e.draft = e.chunk.Buf[e.fill:]
	n = min(n, len(e.draft))
	if e.memory != nil {
		e.draft = e.memory.Buf
	}
	e.draft = e.draft[:min(n, len(e.draft))]
}

// endDraft takes in what has been drafted, and returns how many bytes that are.
func (e *Encoder) endDraft() int {
	n := int(e.drafted)
	if e.memory != nil {
		copy(e.chunk.Buf[e.fill:e.fill+n], e.draft[:n])
	}
	e.fill += n
	e.draft, e.drafted = nil, 0
	return n
}

// Encode writes head, which is whole frames, and frames, the last of which ends the message. behind is asked, when a new
// chunk is needed, whether it should be larger than the last. What it returns stays valid as long as the caller retains
// the chunk, or until the next call.
func (e *Encoder) Encode(head []byte, frames [][]byte, behind func() bool) (c *Chunk, from, to int) {
	if len(head) == 0 && len(frames) == 1 && len(frames[0]) <= wire.ShortBodyMax && e.chunk != nil {
		body := frames[0]
		if b := e.chunk.Buf[e.fill:]; len(b) >= len(body)+2 { // the common case, once more without detours
			b[0], b[1] = 0, byte(len(body))
			copy(b[2:], body)
			from = e.fill
			e.fill += len(body) + 2
			return e.chunk, from, e.fill
		}
	}
	n := EncodedBytes(head, frames)
	if e.chunk == nil || len(e.chunk.Buf)-e.fill < n {
		e.next(n, behind())
	}
	from = e.fill
	encode(e.chunk.Buf[from:], head, frames)
	e.fill += n
	return e.chunk, from, e.fill
}

// next begins a chunk with room for n bytes.
func (e *Encoder) next(n int, grow bool) {
	if e.chunk != nil {
		e.chunk.Release()
	}
	if grow {
		e.size = min(e.size*chunkGrowth, ChunkBytes)
	}
	e.size = max(e.size, chunkBytesMin)
	e.chunk, e.fill = NewChunk(max(int(e.size), n)), 0
}

// Trim lets go of the chunk and begins with a smaller one next time.
func (e *Encoder) Trim() {
	if e.chunk != nil {
		e.chunk.Release()
		e.chunk, e.fill = nil, 0
		e.size /= chunkGrowth
	}
}

// EncodedBytes returns the size of a message on the wire: head, which is whole frames already, and frames.
func EncodedBytes(head []byte, frames [][]byte) int {
	n := len(head)
	for _, f := range frames {
		n += wire.HeaderBytes(len(f)) + len(f)
	}
	return n
}

// encode writes a message to dst, which must have EncodedBytes of room.
func encode(dst, head []byte, frames [][]byte) {
	at := copy(dst, head)
	for i, f := range frames {
		var flags byte
		if i+1 < len(frames) {
			flags = wire.FlagMore
		}
		at += wire.PutHeader(dst[at:], flags, len(f))
		at += copy(dst[at:], f)
	}
}

// messageBytes returns the size of the message that b begins with. b holds at least one whole message.
func messageBytes(b []byte) int {
	for at := 0; ; {
		flags, size, n := wire.ParseHeader(b[at:])
		at += n + int(size)
		if flags&(wire.FlagMore|wire.FlagCommand) != wire.FlagMore {
			return at
		}
	}
}
