// SPDX-License-Identifier: Apache-2.0

// Package zmtp speaks ZMTP 3.0 and 3.1 as pure machines: bytes and the time
// go in, bytes, events and deadlines come out. It does no I/O, reads no clock
// and starts nothing.
//
// The path of a stream's bytes through the package:
//
//	Handshake   greeting and READY, until both sides may talk (greeting.go,
//	            handshake.go; mechanism.go is the seam for security mechanisms)
//	Scanner     splits what arrives afterwards into runs of whole messages and
//	            single commands (scanner.go)
//	Command     what a command frame says (command.go)
//	Heartbeat   when to PING and when a peer counts as dead (heartbeat.go)
//
// The way out needs no state: PutHeader and the Append functions write frames.
//
// Every parser is total. What a peer sends never makes one panic, and no
// memory is reserved for a length that a peer merely claims. What a machine
// keeps is bounded by the names in limits.go.
//
// Numbers on the wire are big-endian.
package zmtp
