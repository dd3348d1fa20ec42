// SPDX-License-Identifier: Apache-2.0

// Package wire is the octet form of a ZMTP 3 frame header (RFC 23, Framing), the one thing that the pipe, which
// stores messages as they go over the wire, and the protocol machine above it both know.
//
// A frame is a flags octet, the size of the body in one octet or, with LONG, in eight, and the body.
package wire

import "encoding/binary"

// Flags of a frame. All other bits are reserved.
const (
	FlagMore    byte = 1 // further frames of this message follow
	FlagLong    byte = 2 // the size takes eight octets
	FlagCommand byte = 4 // a command, not a part of a message
)

const (
	// HeaderBytesMin and HeaderBytesMax are the sizes of the short and the long header.
	HeaderBytesMin = 2 // with a size of one octet
	HeaderBytesMax = 9 // with a size of eight
	// ShortBodyMax is the largest body of a frame with the short header.
	ShortBodyMax = 255
)

// HeaderBytes returns the size of the header of a frame with a body of bodyBytes.
func HeaderBytes(bodyBytes int) int {
	if bodyBytes > ShortBodyMax {
		return HeaderBytesMax
	}
	return HeaderBytesMin
}

// PutHeader writes a frame header to dst, which must have room for it, and returns its size. It sets LONG by itself.
func PutHeader(dst []byte, flags byte, bodyBytes int) int {
	if bodyBytes > ShortBodyMax {
		dst[0] = flags | FlagLong
		binary.BigEndian.PutUint64(dst[1:HeaderBytesMax], uint64(bodyBytes))
		return HeaderBytesMax
	}
	dst[0], dst[1] = flags&^FlagLong, byte(bodyBytes)
	return HeaderBytesMin
}

// ParseHeader reads the header at the start of b. n is its size, or 0 if b ends before it does. Neither reserved bits nor
// the size are checked.
func ParseHeader(b []byte) (flags byte, bodyBytes uint64, n int) {
	if len(b) < HeaderBytesMin {
		return 0, 0, 0
	}
	if b[0]&FlagLong == 0 {
		return b[0], uint64(b[1]), HeaderBytesMin
	}
	if len(b) < HeaderBytesMax {
		return 0, 0, 0
	}
	return b[0], binary.BigEndian.Uint64(b[1:HeaderBytesMax]), HeaderBytesMax
}
