// SPDX-License-Identifier: Apache-2.0

// Package transport says what a byte stream is and how endpoints are written.
//
// An endpoint is "scheme://address". [SplitEndpoint] cuts it in two, the scheme picks a [Transport], and the
// Transport reads the address: [Transport.Check] when the endpoint is handed in, then [Transport.Dial] or
// [Transport.Listen] as often as it takes. Both give a [Stream]: octets in order, two directions that end one by one.
// A Stream that has a descriptor of its own hands it out as a [Detacher] to whoever wants to poll it.
//
// A transport of one's own is one folder with a value of type Transport; its test calls transporttest.Run.
// [NewStream] and [Config.Control] are there for those built on package net.
package transport

import (
	"context"
	"time"
)

// Config is what a stream's socket is set up with. The zero value leaves everything to the system.
type Config struct {
	// SendBuffer and RecvBuffer are the kernel's buffers in octets, for every stream; 0: the system's default.
	SendBuffer, RecvBuffer int
	// Backlog is how many streams may wait for Accept; 0: the system's largest.
	Backlog int
	// KeepAlive is the pause between probes of an idle stream; 0: the system's default, negative: no probes.
	KeepAlive time.Duration
}

// Transport makes streams of one scheme. All its methods may be called from many goroutines at once.
type Transport interface {
	// Scheme is what stands before "://".
	Scheme() string
	// Check reads an address, without "scheme://", and asks nobody: an error says what is wrong with its syntax.
	Check(address string, listen bool) error
	// Dial makes a stream to whoever listens at address. A name is looked up anew each time.
	Dial(ctx context.Context, address string, cfg Config) (Stream, error)
	// Listen takes the address; an address that is taken is syscall.EADDRINUSE to errors.Is.
	Listen(ctx context.Context, address string, cfg Config) (Listener, error)
}

// Stream is a reliable run of octets each way. Its methods block; one goroutine may read while another writes, and
// Close may be called at any time, which ends both with net.ErrClosed.
type Stream interface {
	Read([]byte) (int, error)
	// Write takes all of its argument unless it returns an error.
	Write([]byte) (int, error)
	// CloseWrite ends the direction out of here: the peer reads io.EOF after what was written.
	CloseWrite() error
	Close() error
	// RemoteAddress tells people who is at the other end, in the transport's address form.
	RemoteAddress() string
}

// Detacher is a Stream that can hand out its descriptor.
type Detacher interface {
	// Detach gives the caller a descriptor of its own, non-blocking and close-on-exec, which Go's poller does not
	// know, and ends the Stream: it must not be used again, not even closed. When Detach fails the Stream is as before.
	Detach() (descriptor int, err error)
}

// Listener accepts streams at one address.
type Listener interface {
	// Accept waits for a stream. Without descriptors it fails with an error that shows syscall.EMFILE or
	// syscall.ENFILE to errors.Is: nothing is lost, the caller backs off and calls again. After Close: net.ErrClosed.
	Accept() (Stream, error)
	// Endpoint is the address as taken, with its scheme: wildcards that stand for one free name are filled in.
	Endpoint() string
	// Close frees the address and unblocks Accept. Streams already accepted live on.
	Close() error
}
