// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// network splits a ZeroMQ endpoint into what package net wants.
func network(endpoint string) (network, address string, err error) {
	scheme, address, found := strings.Cut(endpoint, "://")
	switch {
	case found && scheme == "tcp":
		if host, isWild := strings.CutSuffix(address, ":*"); isWild {
			address = host + ":0"
		}
		return "tcp", strings.TrimPrefix(address, "*"), nil
	case found && scheme == "ipc":
		return "unix", address, nil
	}
	return "", "", fmt.Errorf("%q is neither tcp nor ipc", endpoint)
}

// accept binds and waits for the one peer.
func (l *limit) accept() (net.Conn, error) {
	listener, err := l.listen()
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return listener.Accept()
}

// listen binds and says where.
func (l *limit) listen() (net.Listener, error) {
	network, address, err := network(l.endpoint)
	if err != nil {
		return nil, err
	}
	if network == "unix" { // what an earlier run has left
		if err := os.Remove(address); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	scheme, _, _ := strings.Cut(l.endpoint, "://")
	fmt.Fprintf(l.stderr, "bound %s://%s\n", scheme, listener.Addr())
	return listener, nil
}

func (l *limit) dial() (net.Conn, error) {
	network, address, err := network(l.endpoint)
	if err != nil {
		return nil, err
	}
	return net.Dial(network, address)
}

// A stream is a descriptor without the runtime's poller.
type stream struct {
	descriptor int
}

// block takes the descriptor out of conn, which is then closed, and has its
// calls block their thread.
func block(conn net.Conn) (stream, error) {
	defer conn.Close()
	taken, err := detach(conn)
	if err != nil {
		return stream{}, err
	}
	return taken, syscall.SetNonblock(taken.descriptor, false)
}

// detach gives a second descriptor, which does not block. A connection of
// package net has TCP_NODELAY set, and keeps it.
func detach(from any) (stream, error) {
	raw, err := from.(syscall.Conn).SyscallConn()
	if err != nil {
		return stream{}, err
	}
	copied := -1
	var copyErr error
	if err := raw.Control(func(descriptor uintptr) { copied, copyErr = syscall.Dup(int(descriptor)) }); err != nil {
		return stream{}, err
	}
	return stream{copied}, copyErr
}

// read returns 0 at the end of the stream.
func (s stream) read(into []byte) (int, error) {
	for {
		length, err := syscall.Read(s.descriptor, into)
		if err != syscall.EINTR {
			return max(length, 0), err
		}
	}
}

func (s stream) writeAll(from []byte) error {
	for len(from) > 0 {
		length, err := syscall.Write(s.descriptor, from)
		if err != nil && err != syscall.EINTR {
			return err
		}
		from = from[max(length, 0):]
	}
	return nil
}

func (s stream) close() error { return syscall.Close(s.descriptor) }
