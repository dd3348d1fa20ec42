// SPDX-License-Identifier: Apache-2.0

package zmtp

import "github.com/zwire-mq/zwire/internal/wire"

// AppendFrame appends a whole frame to dst.
func AppendFrame(dst []byte, flags byte, body []byte) []byte {
	return append(appendHeader(dst, flags, len(body)), body...)
}

// flagsLegal reports whether a frame may start with flags: no reserved bit,
// and no MORE on a command. No known sender does either (libzmq ignores them),
// and a stream that has lost its framing is found out sooner.
func flagsLegal(flags byte) bool {
	return flags <= wire.FlagCommand|wire.FlagLong && flags != wire.FlagCommand|wire.FlagMore
}

func appendHeader(dst []byte, flags byte, bodyBytes int) []byte {
	var header [wire.HeaderBytesMax]byte
	n := wire.PutHeader(header[:], flags, bodyBytes)
	return append(dst, header[:n]...)
}
