// SPDX-License-Identifier: Apache-2.0

package zmtp

import "encoding/binary"

// Bits of a frame's first byte (RFC 23, Framing). The other five are zero.
const (
	FlagMore    byte = 1 // another frame of this message follows
	FlagLong    byte = 2 // the size takes eight bytes, not one
	FlagCommand byte = 4 // a command, always a single frame
)

// HeaderBytesMax is the size of the larger of the two header forms.
const HeaderBytesMax = 9

const (
	headerBytesShort  = 2
	bodyBytesShortMax = 255
)

// HeaderBytes is the size of the header in front of a body of bodyBytes.
func HeaderBytes(bodyBytes int) int {
	if bodyBytes <= bodyBytesShortMax {
		return headerBytesShort
	}
	return HeaderBytesMax
}

// PutHeader writes a frame's header to dst, which has room for it, and returns
// its size. It alone decides about FlagLong.
func PutHeader(dst []byte, flags byte, bodyBytes int) int {
	if bodyBytes <= bodyBytesShortMax {
		dst[1] = byte(bodyBytes)
		dst[0] = flags &^ FlagLong
		return headerBytesShort
	}
	binary.BigEndian.PutUint64(dst[1:], uint64(bodyBytes))
	dst[0] = flags | FlagLong
	return HeaderBytesMax
}

// AppendFrame appends a whole frame to dst.
func AppendFrame(dst []byte, flags byte, body []byte) []byte {
	return append(appendHeader(dst, flags, len(body)), body...)
}

// ParseHeader reads the header at the start of b. n is its size; 0 means that
// more bytes are needed. It does not judge the flags.
func ParseHeader(b []byte) (flags byte, bodyBytes uint64, n int) {
	if len(b) < headerBytesShort {
		return 0, 0, 0
	}
	if b[0]&FlagLong == 0 {
		return b[0], uint64(b[1]), headerBytesShort
	}
	if len(b) < HeaderBytesMax {
		return 0, 0, 0
	}
	return b[0], binary.BigEndian.Uint64(b[1:]), HeaderBytesMax
}

// flagsLegal reports whether a frame may start with flags: no reserved bit,
// and no MORE on a command. No known sender does either (libzmq ignores them),
// and a stream that has lost its framing is found out sooner.
func flagsLegal(flags byte) bool {
	return flags <= FlagCommand|FlagLong && flags != FlagCommand|FlagMore
}

func appendHeader(dst []byte, flags byte, bodyBytes int) []byte {
	var header [HeaderBytesMax]byte
	n := PutHeader(header[:], flags, bodyBytes)
	return append(dst, header[:n]...)
}
