// SPDX-License-Identifier: Apache-2.0

package zmtp

// Mechanism is a security mechanism: the name that greetings carry, and the
// maker of the machine that plays it over one stream.
type Mechanism interface {
	// Name is 1 to 20 characters, exactly as the greeting carries it.
	Name() string
	// NewExchange begins a handshake over a new stream. metadata is what we
	// tell about ourselves. The exchange calls accept once, with the peer's
	// metadata, before it reports Done; an error from it is the verdict on the
	// peer.
	NewExchange(metadata []byte, accept func(metadata []byte) error) Exchange
}

// Exchange plays one side of a mechanism over one stream, command by command.
type Exchange interface {
	// Start is called when the peer's greeting is complete. It appends the
	// commands that need no word from the peer.
	Start(dst []byte) []byte
	// Command takes the body of one command of the peer and appends the
	// commands that answer it, also when it fails: an ERROR to send before the
	// stream is closed. It keeps no part of body. It is not called after Done.
	Command(dst, body []byte) ([]byte, error)
	// Done reports that traffic may flow in both directions.
	Done() bool
}

const mechanismNull = "NULL"

// null is the mechanism without security: each side sends READY and waits for
// the other's (RFC 23 and 37, The NULL Security Mechanism).
type null struct{}

func (null) Name() string { return mechanismNull }

func (null) NewExchange(metadata []byte, accept func(metadata []byte) error) Exchange {
	return &nullExchange{metadata: metadata, accept: accept}
}

type nullExchange struct {
	metadata []byte
	accept   func(metadata []byte) error
	done     bool
}

// Start sends READY unasked. RFC 37 lets only the connecting side do so, RFC
// 23 demands it of both; nobody minds it from either.
func (e *nullExchange) Start(dst []byte) []byte {
	return AppendCommand(dst, nameReady, e.metadata)
}

func (e *nullExchange) Command(dst, body []byte) ([]byte, error) {
	command, err := ParseCommand(body)
	if err != nil {
		return dst, err
	}
	switch command.Name {
	case CommandReady:
		if err := e.accept(command.Body); err != nil {
			return AppendError(dst, err.Error()), err
		}
		e.done = true
		return dst, nil
	case CommandError:
		return dst, &Error{Refused, string(command.Body)}
	default:
		return dst, &Error{UnexpectedCommand, command.Name.String() + " command instead of READY"}
	}
}

func (e *nullExchange) Done() bool { return e.done }
