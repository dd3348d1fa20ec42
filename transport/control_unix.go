// SPDX-License-Identifier: Apache-2.0

//go:build unix

package transport

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Control is the Control function for net.Dialer and net.ListenConfig: it sets the buffers before the socket is
// bound, since tcp fixes its window scale by them in the handshake.
func (c Config) Control(_, _ string, socket syscall.RawConn) error {
	if c.SendBuffer == 0 && c.RecvBuffer == 0 {
		return nil
	}
	var optionErr error
	err := socket.Control(func(descriptor uintptr) {
		if c.SendBuffer > 0 {
			optionErr = unix.SetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_SNDBUF, c.SendBuffer)
		}
		if c.RecvBuffer > 0 && optionErr == nil {
			optionErr = unix.SetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_RCVBUF, c.RecvBuffer)
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", optionErr)
}

// SetBacklog applies Backlog to a listening socket: package net always asks for the system's largest, and a second
// listen(2) on the same socket only changes the length of its queue.
func (c Config) SetBacklog(listener syscall.Conn) error {
	if c.Backlog <= 0 {
		return nil
	}
	socket, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	var listenErr error
	err = socket.Control(func(descriptor uintptr) {
		listenErr = unix.Listen(int(descriptor), c.Backlog)
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("listen", listenErr)
}
