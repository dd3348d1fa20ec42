// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"context"
	"errors"
	"net"

	"golang.org/x/sys/windows"
)

// probe asks whether anybody listens at path: nil says yes. There are no datagram sockets to ask with here.
func probe(ctx context.Context, path string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	return conn.Close()
}

func isDead(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }
