// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"fmt"

	"github.com/zwire-mq/zwire/internal/zmtp"
	"github.com/zwire-mq/zwire/transport"
)

// Errors that callers tell apart with errors.Is. A closed socket is net.ErrClosed; a context's end is its Err; errors of
// the operating system stay visible.
var (
	// At Send and Recv.

	// ErrState says that the call is out of turn: a second request before the reply, a reply without a request, or an
	// Unsubscribe without a Subscribe.
	ErrState = errors.New("socket: call out of turn")
	// ErrWouldBlock says that TrySend found no room, or TryRecv no message.
	ErrWouldBlock = errors.New("socket: would block")
	// ErrUnroutable says that a ROUTER with RouterMandatory knows no such peer, or that the message has no body.
	ErrUnroutable = errors.New("socket: no such peer")
	// ErrTooLarge says that a message is above MessageBytes or MessageFrames.
	ErrTooLarge = errors.New("socket: message above MessageBytes or MessageFrames")
	// ErrEmpty says that a message has no frames.
	ErrEmpty = errors.New("socket: message without frames")
	// ErrPeerGone says that the peer that was asked is gone; its reply will not come.
	ErrPeerGone = errors.New("socket: the asked peer is gone")

	// At Bind and Connect.

	// ErrMismatch says that an inproc name belongs to a socket of a type that this one does not talk to.
	ErrMismatch = errors.New("socket: incompatible socket types")
	// ErrUnknownEndpoint says that Unbind or Disconnect was given an endpoint that was never bound or connected.
	ErrUnknownEndpoint = errors.New("socket: endpoint was not bound or connected")
	// ErrUnknownScheme says that no transport of the context has the endpoint's scheme.
	ErrUnknownScheme = errors.New("socket: no such transport")

	// Why a peer is dropped: Stats.Refused counts them. On inproc it learns the reason, and is refused for good; over a stream
	// it sees that end, and tries again.

	// ErrIdentityTaken says that another peer of a ROUTER has the same identity.
	ErrIdentityTaken = errors.New("socket: identity is taken")
	// ErrSecondPeer says that a PAIR has its peer already.
	ErrSecondPeer = errors.New("socket: a PAIR has one peer at a time")
	// ErrHandedOver says that another peer has taken over the identity.
	ErrHandedOver = errors.New("socket: identity was handed over")
)

// EndpointError says what is wrong with an endpoint.
type EndpointError = transport.EndpointError

// RefusedError says that a peer refused this socket for good, with an ERROR command, or on inproc for a reason that errors.Is finds:
// ErrIdentityTaken, ErrHandedOver, ErrSecondPeer. Connecting anew tries again.
type RefusedError struct {
	Endpoint string
	Reason   string // the peer's words

	err error
}

// Error names endpoint and reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("socket: %s refused: %q", e.Endpoint, e.Reason)
}

// Unwrap returns the reason on inproc.
func (e *RefusedError) Unwrap() error { return e.err }

// ProtocolError says that a peer broke the protocol, which ended its stream.
type ProtocolError struct {
	Endpoint string
	Reason   string // in short; the key in Stats.ProtocolErrors
	Err      error
}

// Error names endpoint and reason.
func (e *ProtocolError) Error() string { return "socket: " + e.Endpoint + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ProtocolError) Unwrap() error { return e.Err }

// Timeout reports whether only time ran out.
func (e *ProtocolError) Timeout() bool {
	var z *zmtp.Error
	return errors.As(e.Err, &z) && z.Timeout()
}

// LostError says that Close or Disconnect could not hand over some messages in time.
type LostError struct {
	Messages int
}

// Error tells how many.
func (e *LostError) Error() string {
	if e.Messages == 1 {
		return "socket: 1 message was not handed over"
	}
	return fmt.Sprintf("socket: %d messages were not handed over", e.Messages)
}

// Timeout reports true: linger expired.
func (e *LostError) Timeout() bool { return true }

// publicError gives a reason that ended a stream the type that users see.
func publicError(endpoint string, err error) error {
	var z *zmtp.Error
	if !errors.As(err, &z) {
		return err
	}
	if z.Reason == zmtp.Refused {
		return &RefusedError{Endpoint: endpoint, Reason: z.Detail}
	}
	return &ProtocolError{Endpoint: endpoint, Reason: z.Reason.String(), Err: err}
}

// operationError wraps an error once, with operation and endpoint.
func operationError(operation, endpoint string, err error) error {
	if err == nil {
		return nil
	}
	var e *EndpointError
	if errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("socket: %s %s: %w", operation, endpoint, err)
}
