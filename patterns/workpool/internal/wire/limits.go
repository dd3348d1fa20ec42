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
	// LeasesMax bounds the leases that one message names: twice what a worker may hold.
	LeasesMax = 1 << 17
	// SettleMax bounds the dead letters of one request, and with them the work that it makes.
	SettleMax = 1 << 10
	// ExcerptBytesMax is how much of a payload a dead letter shows.
	ExcerptBytesMax = 1 << 10
	// LettersBytesMax bounds an answer with dead letters. The largest one fits: 100 errors with their texts.
	LettersBytesMax = 512 << 10
)
