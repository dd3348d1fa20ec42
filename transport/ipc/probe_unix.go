// SPDX-License-Identifier: Apache-2.0

//go:build unix

package ipc

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// probe asks whether anybody holds the socket at path: nil says yes. It dials with a datagram socket, so a live
// listener refuses the type and never sees a stream that comes to nothing; and it answers so from bind(2) on, where a
// stream would be refused until listen(2). That protects a program just between the two, whatever locks it takes.
func probe(ctx context.Context, path string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unixgram", path)
	if err == nil {
		return conn.Close()
	}
	if errors.Is(err, syscall.EPROTOTYPE) {
		return nil
	}
	return err
}

func isDead(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
