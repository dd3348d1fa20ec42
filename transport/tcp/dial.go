// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/zwire-mq/zwire/transport"
)

// Dial looks the host up, unless it is an address, and tries what it finds until one accepts; with both families it
// does not wait long for the first. The address of a listener on every address ([::] or 0.0.0.0) means this machine.
func (t Transport) Dial(ctx context.Context, address string, cfg transport.Config) (transport.Stream, error) {
	hostPort, err := parse(address, false)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{
		KeepAlive: cfg.KeepAlive, KeepAliveConfig: probes(cfg), Control: cfg.Control, Resolver: t.resolver,
	}
	conn, err := dialer.DialContext(ctx, network(hostPort.IP), target(hostPort))
	if hostPort.IP == netip.IPv6Unspecified() && hasNoIPv6(err) {
		// Who listens there was told "*" and, for all that it is called, has streams over IPv4 alone.
		hostPort.IP = netip.IPv4Unspecified()
		conn, err = dialer.DialContext(ctx, network(hostPort.IP), target(hostPort))
	}
	if err != nil {
		return nil, err
	}
	return newStream(conn.(*net.TCPConn)), nil
}

// target is the form package net reads; a host of neither name nor address is every address.
func target(hostPort transport.HostPort) string {
	host := hostPort.Host
	switch {
	case hostPort.IP.IsValid():
		host = hostPort.IP.String()
	case host == "*":
		host = ""
	}
	return net.JoinHostPort(host, strconv.Itoa(int(hostPort.Port)))
}

// hasNoIPv6 knows a machine whose kernel has IPv6 and whose interfaces do not.
func hasNoIPv6(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENETUNREACH) ||
		errors.Is(err, syscall.EAFNOSUPPORT)
}

// probes sets the first pause and all later ones. Where it is not enabled, KeepAlive beside it decides between the
// system's default and none.
func probes(cfg transport.Config) net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: cfg.KeepAlive > 0, Idle: cfg.KeepAlive, Interval: cfg.KeepAlive}
}

func newStream(conn *net.TCPConn) transport.Stream {
	return transport.NewStream(conn, conn.RemoteAddr().String())
}
