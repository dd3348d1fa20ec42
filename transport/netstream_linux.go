// SPDX-License-Identifier: Apache-2.0

package transport

import "golang.org/x/sys/unix"

// Detach duplicates the descriptor and closes the original. Only that takes it out of Go's poller: the two share one
// open file, so the registration would outlive a bare close(2), but package net removes it by name first. The copy
// keeps the file's non-blocking mode, and package net buffers nothing that could be left behind.
func (s *netStream) Detach() (descriptor int, err error) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	var duplicateErr error
	err = raw.Control(func(own uintptr) {
		descriptor, duplicateErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return -1, err
	}
	if duplicateErr != nil {
		return -1, duplicateErr
	}
	if err := s.conn.Close(); err != nil {
		unix.Close(descriptor) // nothing more to say than err does
		return -1, err
	}
	return descriptor, nil
}
