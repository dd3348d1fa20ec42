// SPDX-License-Identifier: Apache-2.0

// Package tcp is the transport over TCP, IPv4 and IPv6, built on package net.
//
// An address is host:port. The host is a name, an IPv4 address, or an IPv6 address in brackets with an optional zone.
// To listen it may also be an interface ("eth0") or "*" for every address of the machine, of both families where it
// has IPv6; 0.0.0.0 and [::] are every address of one family. The port "*" or 0 takes any free one.
//
// Names are looked up at each dial, and all addresses found are tried. TCP_NODELAY is always on.
package tcp

import (
	"net"
	"net/netip"

	"github.com/zwire-mq/zwire/transport"
)

// Scheme is what stands before "://".
const Scheme = "tcp"

// Transport is the tcp transport. The zero value is ready for use.
type Transport struct {
	resolver *net.Resolver // nil: the system's; tests put in their own
}

var _ transport.Transport = Transport{}

// Scheme gives "tcp".
func (Transport) Scheme() string { return Scheme }

// Check reads host:port. Wildcards are only for listening.
func (Transport) Check(address string, listen bool) error {
	_, err := parse(address, listen)
	return err
}

func parse(address string, listen bool) (transport.HostPort, error) {
	hostPort, err := transport.ParseHostPort(Scheme, address)
	if err != nil || listen {
		return hostPort, err
	}
	reason := ""
	switch {
	case hostPort.Host == "*":
		reason = "the host * is only for listening"
	case hostPort.Port == 0:
		reason = "the port * or 0 is only for listening"
	}
	if reason != "" {
		return hostPort, &transport.EndpointError{Endpoint: Scheme + "://" + address, Reason: reason}
	}
	return hostPort, nil
}

// network keeps an address in its own family: package net would listen on both for 0.0.0.0 and [::], and dial the
// IPv4 loopback for [::].
func network(ip netip.Addr) string {
	switch {
	case ip.Is4():
		return "tcp4"
	case ip.Is6():
		return "tcp6"
	}
	return "tcp"
}
