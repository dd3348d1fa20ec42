// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/zwire-mq/zwire/transport"
)

// inUse gives a taken address the error it has elsewhere: the system's own number does not compare equal.
func inUse(address string, err error) error {
	if errors.Is(err, windows.WSAEADDRINUSE) {
		return &transport.EndpointError{Endpoint: Scheme + "://" + address, Reason: "taken", Err: syscall.EADDRINUSE}
	}
	return err
}
