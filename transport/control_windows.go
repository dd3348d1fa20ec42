// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// Control is the Control function for net.Dialer and net.ListenConfig: it sets the buffers before the socket is
// bound, since tcp fixes its window scale by them in the handshake.
func (c Config) Control(_, _ string, socket syscall.RawConn) error {
	if c.SendBuffer == 0 && c.RecvBuffer == 0 {
		return nil
	}
	var optionErr error
	err := socket.Control(func(descriptor uintptr) {
		own := windows.Handle(descriptor)
		if c.SendBuffer > 0 {
			optionErr = windows.SetsockoptInt(own, windows.SOL_SOCKET, windows.SO_SNDBUF, c.SendBuffer)
		}
		if c.RecvBuffer > 0 && optionErr == nil {
			optionErr = windows.SetsockoptInt(own, windows.SOL_SOCKET, windows.SO_RCVBUF, c.RecvBuffer)
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", optionErr)
}

// SetBacklog does nothing: a second listen is undefined here.
func (c Config) SetBacklog(_ syscall.Conn) error { return nil }
