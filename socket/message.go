// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"

	"github.com/zwire-mq/zwire/internal/wire"
)

// Message is one message: one or more frames, which travel and arrive together. It is a small value; copies share the
// memory of the frames. A Message may be used by one goroutine at a time.
type Message struct {
	frames [][]byte
	memory []byte // of the frames, if the message was received
}

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
	if encoded[0] == 0 && !hasPrefix && len(m.frames) == 1 && cap(m.memory) >= len(encoded) {
		// A single short frame into a message that held one: the common case without detours.
		n := copy(m.memory[:cap(m.memory)], encoded[wire.HeaderBytesMin:])
		m.frames[0] = m.memory[:n:n]
		return
	}
	m.frames = m.frames[:0]
	need := len(prefix) + len(encoded)
	if cap(m.memory) < need {
		m.memory = make([]byte, need)
	}
	at := 0
	if hasPrefix {
		at = copy(m.memory[:cap(m.memory)], prefix)
		m.frames = append(m.frames, m.memory[:at:at])
	}
	m.memory = m.memory[:need]
	for len(encoded) > 0 {
		_, size, n := wire.ParseHeader(encoded)
		body := encoded[n : n+int(size)]
		copy(m.memory[at:], body)
		end := at + len(body)
		m.frames = append(m.frames, m.memory[at:end:end])
		at = end
		encoded = encoded[n+int(size):]
	}
}

// adopt makes m the message that memory holds from its start, n bytes as on the wire.
func (m *Message) adopt(memory []byte, n int) {
	m.memory, m.frames = memory, m.frames[:0]
	for at := 0; at < n; {
		_, size, k := wire.ParseHeader(memory[at:])
		end := at + k + int(size)
		m.frames = append(m.frames, memory[at+k:end:end])
		at = end
	}
}
