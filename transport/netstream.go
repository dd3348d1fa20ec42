// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"net"
	"syscall"
)

// HalfCloser is what [NewStream] asks of a net.Conn; those of tcp and Unix sockets have it.
type HalfCloser interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// NewStream makes a Stream of a net.Conn. On Linux it is also a [Detacher].
func NewStream(conn HalfCloser, remoteAddress string) Stream {
	return &netStream{conn: conn, remoteAddress: remoteAddress}
}

// netStream leaves all to package net: it hides deadlines, which no other transport needs to have.
type netStream struct {
	conn          HalfCloser
	remoteAddress string
}

func (s *netStream) Read(into []byte) (int, error)  { return s.conn.Read(into) }
func (s *netStream) Write(from []byte) (int, error) { return s.conn.Write(from) }
func (s *netStream) CloseWrite() error              { return s.conn.CloseWrite() }
func (s *netStream) Close() error                   { return s.conn.Close() }
func (s *netStream) RemoteAddress() string          { return s.remoteAddress }
