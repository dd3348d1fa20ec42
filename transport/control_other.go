// SPDX-License-Identifier: Apache-2.0

//go:build !unix && !windows

package transport

import "syscall"

// Control leaves the buffers alone: the system has no way to set them.
func (c Config) Control(_, _ string, _ syscall.RawConn) error { return nil }

// SetBacklog leaves the queue alone.
func (c Config) SetBacklog(_ syscall.Conn) error { return nil }
