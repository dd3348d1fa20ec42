// SPDX-License-Identifier: Apache-2.0

// Package ipc is the transport over Unix stream sockets, between processes of one machine.
//
// An address is the path of the socket, of at most 107 octets (103 outside Linux and Windows). On Linux "@name" is an
// abstract socket, which has no file. To listen, "*" makes a private directory with a socket in it, gone at Close.
//
// Listen finds a file where it wants to be: a socket that nobody holds any more is replaced, a live one is
// syscall.EADDRINUSE, anything else is left alone and refused. How two that want the same dead socket's place keep
// out of each other's way is told in listen.go. Who may dial is a matter of the permissions of file and directory.
package ipc

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/zwire-mq/zwire/transport"
)

// Scheme is what stands before "://".
const Scheme = "ipc"

// Transport is the ipc transport. The zero value is ready for use.
type Transport struct{}

var _ transport.Transport = Transport{}

// Scheme gives "ipc".
func (Transport) Scheme() string { return Scheme }

// Check reads a path, "@name" or, for listening, "*".
func (Transport) Check(address string, listen bool) error {
	reason := ""
	switch {
	case address == "":
		reason = "no path"
	case address == "*" && !listen:
		reason = "the path * is only for listening"
	case strings.IndexByte(address, 0) >= 0:
		reason = "NUL in the path"
	case len(address) > pathOctetsMax:
		reason = fmt.Sprintf("path of %d octets, at most %d", len(address), pathOctetsMax)
	case address == "@":
		reason = "no name after the @"
	case isAbstract(address) && runtime.GOOS != "linux":
		reason = "abstract sockets are only on Linux"
	}
	if reason != "" {
		return endpointError(address, reason, nil)
	}
	return nil
}

func isAbstract(address string) bool { return address[0] == '@' }

func endpointError(address, reason string, cause error) error {
	return &transport.EndpointError{Endpoint: Scheme + "://" + address, Reason: reason, Err: cause}
}
