// SPDX-License-Identifier: Apache-2.0

package ipc

// pathOctetsMax is the room for a socket's path or abstract name, less the NUL at its end: see sun_path, unix(7).
const pathOctetsMax = 107
