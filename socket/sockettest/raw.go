// SPDX-License-Identifier: Apache-2.0

package sockettest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The bits of a frame's flags octet (RFC 23, Framing).
const (
	FlagMore    = 0x01
	FlagLong    = 0x02
	FlagCommand = 0x04
)

// Raw is a peer that says nothing by itself. Its methods write and read whole things and fail the test when they cannot.
type Raw struct {
	// Conn is the stream, for what no method does. Reading from it misses what is buffered.
	Conn net.Conn
	// SkipCommands lets ReadMessage pass over commands, which else fail the test.
	SkipCommands bool

	t      testing.TB
	reader *bufio.Reader
}

// Dial connects to a bound socket's LastEndpoint. The stream is closed with the test.
func Dial(t testing.TB, endpoint string) *Raw {
	t.Helper()
	conn, err := net.DialTimeout(split(t, endpoint))
	if err != nil {
		t.Fatalf("dial %s: %v", endpoint, err)
	}
	return newRaw(t, conn)
}

// split gives what package net calls an endpoint, and how long it may take to reach it.
func split(t testing.TB, endpoint string) (network, address string, timeout time.Duration) {
	t.Helper()
	scheme, address, _ := strings.Cut(endpoint, "://")
	switch scheme {
	case "tcp":
		return "tcp", address, patience
	case "ipc":
		return "unix", address, patience
	}
	t.Fatalf("%q: a raw peer speaks tcp and ipc", endpoint)
	return "", "", 0
}

// NewRaw makes a peer of a stream that the test has got by itself, over whatever network. The stream is closed with the
// test.
func NewRaw(t testing.TB, conn net.Conn) *Raw { return newRaw(t, conn) }

func newRaw(t testing.TB, conn net.Conn) *Raw {
	r := &Raw{Conn: conn, t: t, reader: bufio.NewReader(conn)}
	t.Cleanup(r.Close)
	return r
}

// RawListener accepts the streams of a connecting socket.
type RawListener struct {
	t        testing.TB
	inner    net.Listener
	endpoint string
}

// Listen listens at a fresh endpoint of a scheme, or of the scheme of an endpoint such as [Wire] gives. The listener is
// closed with the test.
func Listen(t testing.TB, schemeOrEndpoint string) *RawListener {
	t.Helper()
	scheme, _, _ := strings.Cut(schemeOrEndpoint, "://")
	endpoint := "tcp://127.0.0.1:0"
	if scheme != "tcp" {
		// Not t.TempDir, which has the test's name in it: a socket's path must be short.
		directory, err := os.MkdirTemp("", "zwire")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(directory) })
		endpoint = scheme + "://" + directory + "/socket"
	}
	return ListenAt(t, endpoint)
}

// ListenAt listens at an endpoint, such as that of a listener closed before.
func ListenAt(t testing.TB, endpoint string) *RawListener {
	t.Helper()
	network, address, _ := split(t, endpoint)
	inner, err := net.Listen(network, address)
	if err != nil {
		t.Fatalf("listen at %s: %v", endpoint, err)
	}
	if network == "tcp" {
		endpoint = "tcp://" + inner.Addr().String()
	}
	l := &RawListener{t: t, inner: inner, endpoint: endpoint}
	t.Cleanup(l.Close)
	return l
}

// Endpoint is where a socket can connect to.
func (l *RawListener) Endpoint() string { return l.endpoint }

// Accept waits for the next stream, which is closed with the test.
func (l *RawListener) Accept() *Raw {
	l.t.Helper()
	r := l.AcceptWithin(patience)
	if r == nil {
		l.t.Fatalf("accept at %s: nobody came", l.endpoint)
	}
	return r
}

// AcceptWithin is Accept for some time only: it returns nil if nobody comes.
func (l *RawListener) AcceptWithin(wait time.Duration) *Raw {
	l.t.Helper()
	l.inner.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(wait)) // fails as Accept will
	conn, err := l.inner.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		l.t.Fatalf("accept at %s: %v", l.endpoint, err)
	}
	return newRaw(l.t, conn)
}

// Close stops listening. Streams stay.
func (l *RawListener) Close() { l.inner.Close() } // a second time it fails

// Close closes the stream. It may be called again.
func (r *Raw) Close() { r.Conn.Close() } // a second time it fails

// CloseWrite ends what the socket reads and goes on reading.
func (r *Raw) CloseWrite() {
	r.t.Helper()
	if err := r.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		r.t.Fatal("close for writing:", err)
	}
}

// Reset breaks the stream so that the socket reads an error: over ipc only if it has sent what was not read here.
func (r *Raw) Reset() {
	r.t.Helper()
	if conn, ok := r.Conn.(*net.TCPConn); ok {
		if err := conn.SetLinger(0); err != nil {
			r.t.Fatal("SO_LINGER:", err)
		}
	}
	r.Close()
}

func (r *Raw) deadline() {
	r.Conn.SetDeadline(time.Now().Add(patience)) // fails as what follows will
}

// Write writes octets as they are.
func (r *Raw) Write(octets []byte) {
	r.t.Helper()
	r.deadline()
	if n, err := r.Conn.Write(octets); err != nil {
		r.t.Fatalf("wrote %d of %d octets %s: %v", n, len(octets), shorten(octets), err)
	}
}

// WriteEach writes octets one by one, each as a segment of its own.
func (r *Raw) WriteEach(octets []byte) {
	r.t.Helper()
	for i := range octets {
		r.Write(octets[i : i+1])
	}
}

// ReadN reads that many octets.
func (r *Raw) ReadN(octets int) []byte {
	r.t.Helper()
	r.deadline()
	b := make([]byte, octets)
	if n, err := io.ReadFull(r.reader, b); err != nil {
		r.t.Fatalf("read %d of %d octets, %s: %v", n, octets, shorten(b[:n]), err)
	}
	return b
}

// ReadFrame reads a frame of either form; flags are as sent.
func (r *Raw) ReadFrame() (flags byte, body []byte) {
	r.t.Helper()
	flags = r.ReadN(1)[0]
	if flags&FlagLong == 0 {
		return flags, r.ReadN(int(r.ReadN(1)[0]))
	}
	size := binary.BigEndian.Uint64(r.ReadN(8))
	if size > 1<<30 {
		r.t.Fatalf("frame %#x claims %d octets", flags, size)
	}
	return flags, r.ReadN(int(size))
}

// ReadMessage reads the frames of a message.
func (r *Raw) ReadMessage() [][]byte {
	r.t.Helper()
	var frames [][]byte
	for {
		flags, body := r.ReadFrame()
		switch {
		case flags&FlagCommand == 0:
			frames = append(frames, body)
			if flags&FlagMore == 0 {
				return frames
			}
		case !r.SkipCommands:
			r.t.Fatalf("command %s, want a message", shorten(body))
		}
	}
}

// ReadCommand reads a command, and fails the test at a message.
func (r *Raw) ReadCommand() (name string, data []byte) {
	r.t.Helper()
	flags, body := r.ReadFrame()
	if flags&^FlagLong != FlagCommand {
		r.t.Fatalf("flags %#x, frame %s, want a command", flags, shorten(body))
	}
	if len(body) == 0 || int(body[0]) > len(body)-1 {
		r.t.Fatalf("command %s has no name", shorten(body))
	}
	return string(body[1 : 1+body[0]]), body[1+body[0]:]
}

// Send writes a message.
func (r *Raw) Send(frames ...[]byte) {
	r.t.Helper()
	r.Write(Message(frames...))
}

// Command writes a command.
func (r *Raw) Command(name string, data []byte) {
	r.t.Helper()
	r.Write(Command(name, data))
}

// ExpectClosed waits for the socket to end the stream, and returns what it said before.
func (r *Raw) ExpectClosed() []byte {
	r.t.Helper()
	r.deadline()
	before, err := io.ReadAll(r.reader)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, net.ErrClosed) {
		r.t.Fatalf("still open, having said %s: %v", shorten(before), err)
	}
	return before
}

// ExpectOpen exchanges PING and PONG: the socket has read all that was written so far, and has said nothing else.
func (r *Raw) ExpectOpen() {
	r.t.Helper()
	r.Command("PING", []byte("\x00\x00still there?"))
	if name, data := r.ReadCommand(); name != "PONG" || string(data) != "still there?" {
		r.t.Fatalf("command %s %s, want the PONG", name, shorten(data))
	}
}

// ExpectQuiet checks that for some time the socket neither says anything nor ends the stream.
func (r *Raw) ExpectQuiet(wait time.Duration) {
	r.t.Helper()
	r.Conn.SetDeadline(time.Now().Add(wait)) // fails as what follows will
	if octet, err := r.reader.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("read %#x, %v; want silence", octet, err)
	}
}
