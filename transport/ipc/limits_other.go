// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !windows

package ipc

// pathOctetsMax is the room for a socket's path, less the NUL at its end: see sun_path in sys/un.h.
const pathOctetsMax = 103
