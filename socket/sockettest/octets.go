// SPDX-License-Identifier: Apache-2.0

package sockettest

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// GreetingBytes is the length of a greeting (RFC 23, Greeting).
const GreetingBytes = 64

// Greeting is the greeting of ZMTP 3 with the NULL mechanism.
func Greeting(minor byte) []byte { return GreetingOf(3, minor, "NULL") }

// GreetingOf is a greeting with any version and mechanism.
func GreetingOf(major, minor byte, mechanism string) []byte {
	b := make([]byte, GreetingBytes)
	b[0], b[9], b[10], b[11] = 0xff, 0x7f, major, minor
	copy(b[12:32], mechanism)
	return b
}

// Frame encodes a frame in the shortest form; FlagLong asks for the long one.
func Frame(flags byte, body []byte) []byte {
	if len(body) > 255 {
		flags |= FlagLong
	}
	b := []byte{flags}
	if flags&FlagLong == 0 {
		b = append(b, byte(len(body)))
	} else {
		b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
	}
	return append(b, body...)
}

// Message encodes a message of one frame or more.
func Message(frames ...[]byte) []byte {
	var b []byte
	for i, frame := range frames {
		flags := byte(FlagMore)
		if i == len(frames)-1 {
			flags = 0
		}
		b = append(b, Frame(flags, frame)...)
	}
	return b
}

// Command encodes a command.
func Command(name string, data []byte) []byte {
	body := append([]byte{byte(len(name))}, name...)
	return Frame(FlagCommand, append(body, data...))
}

// Properties encodes metadata, given as name, value, name, value.
func Properties(namesAndValues ...string) []byte {
	var b []byte
	for i, s := range namesAndValues {
		if i%2 == 0 {
			b = append(b, byte(len(s)))
		} else {
			b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		}
		b = append(b, s...)
	}
	return b
}

// Greet exchanges greetings and returns the socket's, which must have the form of ZMTP 3 with NULL.
func (r *Raw) Greet(minor byte) []byte {
	r.t.Helper()
	r.Write(Greeting(minor))
	got := r.ReadN(GreetingBytes)
	if got[0] != 0xff || got[9] != 0x7f || got[10] != 3 || strings.TrimRight(string(got[12:32]), "\x00") != "NULL" {
		r.t.Fatalf("greeting %x", got)
	}
	return got
}

// Handshake makes the stream ready at ZMTP 3.1, as a socket of a type with further properties (name, value, …), and
// returns the properties of the other side.
func (r *Raw) Handshake(socketType string, properties ...string) map[string]string {
	r.t.Helper()
	return r.handshake(1, socketType, properties)
}

// Handshake30 is Handshake at ZMTP 3.0.
func (r *Raw) Handshake30(socketType string, properties ...string) map[string]string {
	r.t.Helper()
	return r.handshake(0, socketType, properties)
}

func (r *Raw) handshake(minor byte, socketType string, properties []string) map[string]string {
	r.t.Helper()
	r.Greet(minor)
	r.Command("READY", Properties(append([]string{"Socket-Type", socketType}, properties...)...))
	return r.ReadReady()
}

// ReadReady reads READY and returns its properties.
func (r *Raw) ReadReady() map[string]string {
	r.t.Helper()
	name, data := r.ReadCommand()
	if name != "READY" {
		r.t.Fatalf("command %s %s, want READY", name, shorten(data))
	}
	return r.properties(data)
}

func (r *Raw) properties(data []byte) map[string]string {
	r.t.Helper()
	found := make(map[string]string)
	for rest := data; len(rest) > 0; {
		nameEnd := 1 + int(rest[0])
		if len(rest) < nameEnd+4 {
			r.t.Fatalf("metadata %s is cut off", shorten(data))
		}
		name, size := string(rest[1:nameEnd]), binary.BigEndian.Uint32(rest[nameEnd:])
		if rest = rest[nameEnd+4:]; uint64(size) > uint64(len(rest)) {
			r.t.Fatalf("metadata %s is cut off", shorten(data))
		}
		found[name] = string(rest[:size])
		rest = rest[size:]
	}
	return found
}

// shorten words octets for a message.
func shorten(octets []byte) string {
	const shown = 100
	if len(octets) > shown {
		return hex.EncodeToString(octets[:shown]) + "…"
	}
	return hex.EncodeToString(octets)
}
