// SPDX-License-Identifier: Apache-2.0

package wire

const (
	// Version is that of the protocol. Another one is refused: its sender gets no Welcome.
	Version = 1
	// NameBytesMax bounds the name of a worker, which is for people to read.
	NameBytesMax = 255
	// TextBytesMax bounds the text of an error; a longer one is cut.
	TextBytesMax = 1 << 12
	// FrameBytesMax bounds one message: the largest payload, and what stands around it.
	FrameBytesMax = 64 << 20
	// PayloadBytesMax bounds one payload, of a task or of a result.
	PayloadBytesMax = FrameBytesMax - 1<<10
)
