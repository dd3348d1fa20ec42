// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/zwire-mq/zwire/internal/wire"
)

// Message is one message: one or more frames, which travel and arrive together. It is a small value; copies share the
// memory of the frames. A Message may be used by one goroutine at a time.
type Message struct { // four words: what is larger is not kept in registers, and each call of a method copies it
	frames   [][]byte
	received *memory // of the frames, if the message was received
}

// memory is what a message is received into, and the next one again. It and its bytes fill cache lines: nobody on another core
// has to wait for a line in which something else of his stands, such as what he sends.
type memory struct {
	bytes  []byte    // len == cap
	single [1][]byte // the frames of most messages
	little [16]byte  // bytes, at first
}

const lineBytes = 64

// NewMessage wraps frames, without copying them. No frames make an empty Message, which cannot be sent; a single empty
// frame is a message.
func NewMessage(frames ...[]byte) Message { return Message{frames: frames} }

// Len returns the number of frames.
func (m Message) Len() int { return len(m.frames) }

// Frame returns frame i, from 0.
func (m Message) Frame(i int) []byte { return m.frames[i] }

// Body returns the frame of a message that has just one, and nil for any other.
func (m Message) Body() []byte {
	if len(m.frames) != 1 {
		return nil
	}
	return m.frames[0]
}

// Frames returns all frames, to be read: the slice is the message's own.
func (m Message) Frames() [][]byte { return m.frames[:len(m.frames):len(m.frames)] }

// stringBytes of a frame are shown by String.
const stringBytes = 64

// String shows the frames as quoted text, long ones in part and with their length.
func (m Message) String() string {
	text := make([]string, len(m.frames))
	for i, f := range m.frames {
		text[i] = strconv.Quote(string(f[:min(len(f), stringBytes)]))
		if len(f) > stringBytes {
			text[i] += fmt.Sprintf("… (%d bytes)", len(f))
		}
	}
	return "[" + strings.Join(text, " ") + "]"
}

// Clone returns a copy that shares no memory with m.
func (m Message) Clone() Message {
	c := Message{frames: make([][]byte, len(m.frames))}
	for i, f := range m.frames {
		c.frames[i] = bytes.Clone(f)
		if c.frames[i] == nil {
			c.frames[i] = []byte{}
		}
	}
	return c
}

// read makes m the message prefix + encoded, in m's own memory where that is enough. encoded is whole frames as on the
// wire.
func (m *Message) read(prefix []byte, hasPrefix bool, encoded []byte) {
	if r := m.received; encoded[0] == 0 && !hasPrefix && r != nil && len(m.frames) == 1 && len(r.bytes) >= len(encoded) {
		// A single short frame into a message that held one: the common case without detours.
		n := copy(r.bytes, encoded[wire.HeaderBytesMin:])
		m.frames[0] = r.bytes[:n:n]
		return
	}
	bytes := m.room(len(prefix) + len(encoded))
	at := 0
	if hasPrefix {
		at = copy(bytes, prefix)
		m.frames = append(m.frames, bytes[:at:at])
	}
	for len(encoded) > 0 {
		_, size, n := wire.ParseHeader(encoded)
		body := encoded[n : n+int(size)]
		copy(bytes[at:], body)
		end := at + len(body)
		m.frames = append(m.frames, bytes[at:end:end])
		at = end
		encoded = encoded[n+int(size):]
	}
}

// room empties m and returns memory of its own, at least n bytes.
func (m *Message) room(n int) []byte {
	if m.received == nil {
		m.received = new(memory)
		m.frames = m.received.single[:]
	}
	m.frames = m.frames[:0]
	r := m.received
	switch {
	case n <= len(r.bytes):
	case n <= len(r.little):
		r.bytes = r.little[:]
	default:
		r.bytes = make([]byte, (n+lineBytes-1)/lineBytes*lineBytes)
	}
	return r.bytes
}

// spare returns m's own memory, if it has some to give away.
func (m *Message) spare() []byte {
	if m.received == nil || len(m.received.bytes) == len(m.received.little) {
		return nil
	}
	return m.received.bytes
}

// adopt makes m the message that bytes hold from their start, n of them as on the wire.
func (m *Message) adopt(bytes []byte, n int) {
	m.room(0)
	m.received.bytes = bytes
	for at := 0; at < n; {
		_, size, k := wire.ParseHeader(bytes[at:])
		end := at + k + int(size)
		m.frames = append(m.frames, bytes[at+k:end:end])
		at = end
	}
}
