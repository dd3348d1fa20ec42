// SPDX-License-Identifier: Apache-2.0

package zmtp

// Bounds that the protocol itself sets.
const (
	// IdentityBytesMax is the longest identity (RFC 23, Connection Metadata).
	IdentityBytesMax = 255
	// ContextBytesMax is the longest PING context (RFC 37, Connection
	// Heartbeating).
	ContextBytesMax = 16
	// MechanismNameBytesMax is the width of the greeting's mechanism field.
	MechanismNameBytesMax = 20

	propertyValueBytesMax = 1<<31 - 1
	errorReasonBytesMax   = 255
)

// Bounds of our own choice.
const (
	// HandshakeCommandBytesMax bounds the body of one handshake command, so
	// that a peer nobody knows yet cannot make us hold more. A READY with an
	// identity takes some 300 bytes; the rest is room for the application's
	// properties.
	HandshakeCommandBytesMax = 64 << 10
	// PropertiesMax bounds the properties of one peer. Each costs far more
	// memory than its six bytes on the wire, and names are compared pairwise.
	PropertiesMax = 128
	// CommandBytesMax is the default bound for a command in traffic: a topic
	// of 8 MiB and its framing.
	CommandBytesMax = 8<<20 + 64<<10
	// TTLTenthsMax caps the time-to-live we announce. libzmq 4.3 computes it
	// in 16 bits of milliseconds: 656 tenths would become 64 ms there.
	TTLTenthsMax = 655

	// framesFree is how many frames of a message are not charged for their
	// headers: an envelope of some hops must not shift a limit on bytes that
	// the user states.
	framesFree = 16
	// detailBytesMax bounds what an error quotes of a peer's words.
	detailBytesMax = 64
)
