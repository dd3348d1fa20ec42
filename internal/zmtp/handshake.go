// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/zwire-mq/zwire/internal/wire"
)

// The path: NewHandshake queues our greeting; Feed collects the peer's
// (greeting.go); the mechanism's exchange then starts, takes one command after
// the other, and hands the peer's metadata to accept.
//
//	greeting --64 bytes--> exchange --accept--> done
//	    \____________________\___any error____> failed (for good)

// HandshakeConfig is what a handshake tells and demands.
type HandshakeConfig struct {
	SocketType   string
	Identity     []byte    // at most IdentityBytesMax, not starting with zero
	SendIdentity bool      // tell the identity, even an empty one: REQ, DEALER, ROUTER
	PeerTypes    []string  // socket types we talk to
	Mechanism    Mechanism // nil is NULL
}

// Peer is what a handshake has learned.
type Peer struct {
	Major, Minor byte // the version the peer announced; 3.0 or above
	SocketType   string
	Identity     []byte // nil if it gave none, or has a type whose identity means nothing
	Properties   []Property
}

// AtLeast reports whether the peer announced this version or a later one.
func (p Peer) AtLeast(major, minor byte) bool {
	return p.Major > major || p.Major == major && p.Minor >= minor
}

// Handshake is the start of one stream, from the first byte to the point where
// messages may flow. One goroutine at a time may use it.
type Handshake struct {
	config   HandshakeConfig
	exchange Exchange
	greeting greeting
	command  []byte // the frame being collected, grown as bytes arrive
	out      []byte // to be sent
	peer     Peer
	failed   error
}

// NewHandshake begins a handshake; Output has its first bytes.
func NewHandshake(config HandshakeConfig) *Handshake {
	if config.Mechanism == nil {
		config.Mechanism = null{}
	}
	h := &Handshake{config: config}
	metadata := AppendProperty(nil, propertySocketType, []byte(config.SocketType))
	if config.SendIdentity {
		metadata = AppendProperty(metadata, propertyIdentity, config.Identity)
	}
	h.exchange = config.Mechanism.NewExchange(metadata, h.accept)
	h.out = appendGreeting(nil, config.Mechanism.Name())
	return h
}

// Output returns the bytes to send now, none if nil, each only once. They are
// the caller's. After an error of Feed they are to be sent before the stream
// is closed.
func (h *Handshake) Output() []byte {
	out := h.out
	h.out = nil
	return out
}

// Done reports that both sides have said all. What Feed left over is traffic.
func (h *Handshake) Done() bool { return h.failed == nil && h.exchange.Done() }

// Peer returns what was learned; it is complete when Done.
func (h *Handshake) Peer() Peer { return h.peer }

// Feed takes bytes of the peer and returns how many it used: all of them, or
// those up to the end of the handshake. An error is final and of type *Error
// unless a mechanism brings its own.
func (h *Handshake) Feed(in []byte) (n int, err error) {
	for n < len(in) && h.failed == nil && !h.exchange.Done() {
		var used int
		if h.greeting.complete() {
			used, h.failed = h.feedCommand(in[n:])
		} else {
			used, h.failed = h.feedGreeting(in[n:])
		}
		n += used
	}
	if h.failed != nil || h.exchange.Done() {
		h.command = nil
	}
	return n, h.failed
}

func (h *Handshake) feedGreeting(in []byte) (int, error) {
	n, err := h.greeting.feed(in, h.config.Mechanism.Name())
	if err == nil && h.greeting.complete() {
		h.peer.Major, h.peer.Minor = h.greeting.major(), h.greeting.minor()
		h.out = h.exchange.Start(h.out)
	}
	return n, err
}

// feedCommand takes what in has of the next part of a command frame: flags,
// size, body. Stopping at each part makes the result independent of how the
// stream was cut.
func (h *Handshake) feedCommand(in []byte) (int, error) {
	n := min(len(in), h.partEnd()-len(h.command))
	h.command = append(h.command, in[:n]...)
	if err := h.checkHeader(); err != nil {
		return n, err
	}
	_, bodyBytes, header := wire.ParseHeader(h.command)
	if header == 0 || uint64(len(h.command)-header) < bodyBytes {
		return n, nil
	}
	body := h.command[header:]
	h.command = h.command[:0]
	var err error
	h.out, err = h.exchange.Command(h.out, body)
	return n, err
}

// partEnd is where the part of the frame ends that is being collected. The
// size is known to be small once the header is complete.
func (h *Handshake) partEnd() int {
	_, bodyBytes, header := wire.ParseHeader(h.command)
	switch {
	case header > 0:
		return header + int(bodyBytes)
	case len(h.command) == 0:
		return 1
	case h.command[0]&wire.FlagLong == 0:
		return wire.HeaderBytesMin
	default:
		return wire.HeaderBytesMax
	}
}

// checkHeader judges the header as far as it is there. Messages before READY
// are refused, whether or not they look like a command inside.
func (h *Handshake) checkHeader() error {
	flags := h.command[0]
	if !flagsLegal(flags) {
		return &Error{MalformedFrame, "flags " + strconv.Itoa(int(flags))}
	}
	if flags&wire.FlagCommand == 0 {
		return &Error{UnexpectedCommand, "message before the end of the handshake"}
	}
	if _, bodyBytes, header := wire.ParseHeader(h.command); header > 0 && bodyBytes > HandshakeCommandBytesMax {
		return sizeError(FrameTooLarge, bodyBytes)
	}
	return nil
}

// accept is the verdict on the peer's metadata. It keeps a copy.
func (h *Handshake) accept(metadata []byte) error {
	properties, err := ParseMetadata(bytes.Clone(metadata))
	if err != nil {
		return err
	}
	socketType, found := findProperty(properties, propertySocketType)
	if !found {
		return &Error{IncompatiblePeer, "no Socket-Type"}
	}
	if !slices.Contains(h.config.PeerTypes, string(socketType)) {
		return &Error{IncompatiblePeer, "Socket-Type " + quote(socketType) + " for " + h.config.SocketType}
	}
	var identity []byte
	if identityMatters(string(socketType)) {
		identity, _ = findProperty(properties, propertyIdentity)
		if len(identity) > IdentityBytesMax {
			return &Error{BadIdentity, strconv.Itoa(len(identity)) + " bytes"}
		}
		if len(identity) > 0 && identity[0] == 0 {
			return &Error{BadIdentity, "starts with zero"}
		}
	}
	h.peer.SocketType = string(socketType)
	h.peer.Identity = identity
	h.peer.Properties = properties
	return nil
}

// identityMatters reports whether peers of this type name themselves (RFC 23,
// Connection Metadata); from others the property is ignored.
func identityMatters(socketType string) bool {
	return socketType == "REQ" || socketType == "DEALER" || socketType == "ROUTER"
}
