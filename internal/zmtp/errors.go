// SPDX-License-Identifier: Apache-2.0

package zmtp

import "strconv"

// Reason says in one word why a peer is dropped.
type Reason uint8

// The reasons, in the order in which a stream meets them.
const (
	BadGreeting          Reason = iota + 1 // not the start of a ZMTP stream
	OldVersion                             // ZMTP 1.0 or 2.0
	MechanismMismatch                      // the greeting names another mechanism
	HandshakeTimeout                       // the handshake took too long
	UnexpectedCommand                      // a frame that has no place in the handshake
	MalformedCommand                       // a command that ends too early or too late
	MalformedMetadata                      // properties that break their grammar or bounds
	IncompatiblePeer                       // a socket type we do not talk to
	BadIdentity                            // longer than 255 bytes, or starting with zero
	Refused                                // the peer sent ERROR; Detail holds its reason
	MalformedFrame                         // reserved flags, or a size of 2^63 and above
	FrameTooLarge                          // a command above its limit, or a frame no memory could hold
	MessageTooLarge                        // a message above the limit on bytes
	TooManyFrames                          // a message above the limit on frames
	HeartbeatTimeout                       // no sign of life after our PING
	PeerTTLExpired                         // no sign of life within the time the peer itself set
	TooManySubscriptions                   // more topics than a peer may have
)

// String returns the reason in words.
func (r Reason) String() string {
	switch r {
	case BadGreeting:
		return "bad greeting"
	case OldVersion:
		return "old protocol version"
	case MechanismMismatch:
		return "mechanism mismatch"
	case HandshakeTimeout:
		return "handshake timeout"
	case UnexpectedCommand:
		return "unexpected command"
	case MalformedCommand:
		return "malformed command"
	case MalformedMetadata:
		return "malformed metadata"
	case IncompatiblePeer:
		return "incompatible peer"
	case BadIdentity:
		return "bad identity"
	case Refused:
		return "refused by peer"
	case MalformedFrame:
		return "malformed frame"
	case FrameTooLarge:
		return "frame too large"
	case MessageTooLarge:
		return "message too large"
	case TooManyFrames:
		return "too many frames"
	case HeartbeatTimeout:
		return "heartbeat timeout"
	case PeerTTLExpired:
		return "peer time-to-live expired"
	case TooManySubscriptions:
		return "too many subscriptions"
	default:
		return "reason " + strconv.Itoa(int(r))
	}
}

// Error is why a machine of this package gives up on its stream.
type Error struct {
	Reason Reason
	Detail string // for people; may hold a peer's words as they came, a few hundred bytes at most
}

// Error returns reason and detail, in printable ASCII whatever the peer sent.
func (e *Error) Error() string {
	if e.Detail == "" {
		return "zmtp: " + e.Reason.String()
	}
	return "zmtp: " + e.Reason.String() + ": " + printable(e.Detail)
}

// Timeout reports whether time alone ran out.
func (e *Error) Timeout() bool {
	return e.Reason == HandshakeTimeout || e.Reason == HeartbeatTimeout || e.Reason == PeerTTLExpired
}

func printable(text string) string {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return strconv.QuoteToASCII(text)
		}
	}
	return text
}

// quote puts a peer's words into a detail, cut to a harmless length.
func quote(words []byte) string {
	if len(words) > detailBytesMax {
		return strconv.QuoteToASCII(string(words[:detailBytesMax])) + " and more"
	}
	return strconv.QuoteToASCII(string(words))
}
