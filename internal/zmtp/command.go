// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"encoding/binary"

	"github.com/zwire-mq/zwire/internal/wire"
)

// CommandName tells the commands apart that this package knows.
type CommandName uint8

// The commands of ZMTP 3.1 with the NULL mechanism. Any other well-formed
// command is CommandUnknown: it is ignored in traffic and fatal before it.
const (
	CommandUnknown CommandName = iota
	CommandReady
	CommandError
	CommandSubscribe
	CommandCancel
	CommandPing
	CommandPong
)

// String returns the name as it stands on the wire.
func (n CommandName) String() string {
	switch n {
	case CommandReady:
		return nameReady
	case CommandError:
		return nameError
	case CommandSubscribe:
		return nameSubscribe
	case CommandCancel:
		return nameCancel
	case CommandPing:
		return namePing
	case CommandPong:
		return namePong
	default:
		return "unknown"
	}
}

const (
	nameReady     = "READY"
	nameError     = "ERROR"
	nameSubscribe = "SUBSCRIBE"
	nameCancel    = "CANCEL"
	namePing      = "PING"
	namePong      = "PONG"

	ttlBytes = 2
)

// Command is what the body of a command frame says.
type Command struct {
	Name CommandName
	// Body is the topic of SUBSCRIBE and CANCEL, the context of PING and PONG,
	// the reason of ERROR, the metadata of READY, and all that follows the
	// name of an unknown command. It points into what was parsed.
	Body []byte
	// TTL is the time-to-live of a PING, in tenths of a second.
	TTL uint16
}

// ParseCommand reads the body of a command frame. A context of PING beyond
// ContextBytesMax is cut off, as libzmq does; the peer still gets a PONG.
func ParseCommand(body []byte) (Command, error) {
	name, data, err := splitCommand(body)
	if err != nil {
		return Command{}, err
	}
	switch string(name) {
	case nameReady:
		return Command{Name: CommandReady, Body: data}, nil
	case nameError:
		return parseError(data)
	case nameSubscribe:
		return Command{Name: CommandSubscribe, Body: data}, nil
	case nameCancel:
		return Command{Name: CommandCancel, Body: data}, nil
	case namePing:
		return parsePing(data)
	case namePong:
		if len(data) > ContextBytesMax {
			return Command{}, &Error{MalformedCommand, "PONG with a context above 16 bytes"}
		}
		return Command{Name: CommandPong, Body: data}, nil
	default:
		return Command{Name: CommandUnknown, Body: data}, nil
	}
}

// splitCommand cuts a command into name and data. The name is prefixed by its
// length; RFC 23 also speaks of a null separator, which no one ever sent.
func splitCommand(body []byte) (name, data []byte, err error) {
	if len(body) == 0 {
		return nil, nil, &Error{MalformedCommand, "empty body"}
	}
	nameBytes := int(body[0])
	if nameBytes == 0 {
		return nil, nil, &Error{MalformedCommand, "empty name"}
	}
	if nameBytes > len(body)-1 {
		return nil, nil, &Error{MalformedCommand, "name longer than the body"}
	}
	return body[1 : 1+nameBytes], body[1+nameBytes:], nil
}

func parseError(data []byte) (Command, error) {
	if len(data) == 0 || int(data[0]) != len(data)-1 {
		return Command{}, &Error{MalformedCommand, "ERROR with a reason of another length than stated"}
	}
	return Command{Name: CommandError, Body: data[1:]}, nil
}

func parsePing(data []byte) (Command, error) {
	if len(data) < ttlBytes {
		return Command{}, &Error{MalformedCommand, "PING without a time-to-live"}
	}
	context := data[ttlBytes:]
	context = context[:min(len(context), ContextBytesMax)]
	return Command{Name: CommandPing, Body: context, TTL: binary.BigEndian.Uint16(data)}, nil
}

// AppendCommand appends a whole command frame. The name has 1 to 255 letters.
func AppendCommand(dst []byte, name string, data []byte) []byte {
	return append(appendCommandName(dst, name, len(data)), data...)
}

// AppendError appends a whole ERROR frame; a reason beyond 255 bytes is cut.
func AppendError(dst []byte, reason string) []byte {
	reason = reason[:min(len(reason), errorReasonBytesMax)]
	dst = appendCommandName(dst, nameError, 1+len(reason))
	dst = append(dst, byte(len(reason)))
	return append(dst, reason...)
}

// AppendPing appends a whole PING frame; a context beyond ContextBytesMax is
// cut.
func AppendPing(dst []byte, ttlTenths uint16, context []byte) []byte {
	context = context[:min(len(context), ContextBytesMax)]
	dst = appendCommandName(dst, namePing, ttlBytes+len(context))
	dst = binary.BigEndian.AppendUint16(dst, ttlTenths)
	return append(dst, context...)
}

// AppendPong appends a whole PONG frame, which carries the context of the PING
// it answers.
func AppendPong(dst, context []byte) []byte {
	return AppendCommand(dst, namePong, context[:min(len(context), ContextBytesMax)])
}

// AppendSubscribe appends a whole SUBSCRIBE frame, for peers of ZMTP 3.1.
func AppendSubscribe(dst, topic []byte) []byte {
	return AppendCommand(dst, nameSubscribe, topic)
}

// AppendCancel appends a whole CANCEL frame, for peers of ZMTP 3.1.
func AppendCancel(dst, topic []byte) []byte {
	return AppendCommand(dst, nameCancel, topic)
}

// appendCommandName appends everything of a command frame but its data.
func appendCommandName(dst []byte, name string, dataBytes int) []byte {
	dst = appendHeader(dst, wire.FlagCommand, 1+len(name)+dataBytes)
	dst = append(dst, byte(len(name)))
	return append(dst, name...)
}
