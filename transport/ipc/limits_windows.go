// SPDX-License-Identifier: Apache-2.0

package ipc

// pathOctetsMax is the room for a socket's path, less the NUL at its end: see SOCKADDR_UN.
const pathOctetsMax = 107
