// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/zwire-mq/zwire/transport"
)

// Dial finds nobody with syscall.ENOENT (no file) or syscall.ECONNREFUSED (a dead socket). Where the listener's
// backlog is full it waits until ctx ends, as tcp does: the kernel would fail at once.
func (t Transport) Dial(ctx context.Context, address string, cfg transport.Config) (transport.Stream, error) {
	if err := t.Check(address, false); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Control: cfg.Control}
	for {
		conn, err := dialer.DialContext(ctx, "unix", address)
		if err == nil {
			return transport.NewStream(conn.(*net.UnixConn), address), nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, err
		}
		if !pause(ctx, dialPause) {
			target := &net.UnixAddr{Name: address, Net: "unix"}
			return nil, &net.OpError{Op: "dial", Net: "unix", Addr: target, Err: ctx.Err()}
		}
	}
}

// pause reports whether ctx still goes on after the wait.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
