// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"context"
	"net"
	"net/netip"

	"github.com/zwire-mq/zwire/transport"
)

// Listen takes host:port. A name is looked up once and its first address taken, IPv4 before IPv6; an interface stands
// for its first address, in the same order, and goes before a host of the same name.
func (t Transport) Listen(ctx context.Context, address string, cfg transport.Config) (transport.Listener, error) {
	hostPort, err := parse(address, true)
	if err != nil {
		return nil, err
	}
	if err := t.resolve(ctx, &hostPort); err != nil {
		return nil, err
	}
	config := net.ListenConfig{KeepAlive: cfg.KeepAlive, KeepAliveConfig: probes(cfg), Control: cfg.Control}
	// Package net would ask for MPTCP, whose sockets lack options of TCP's; peers of ours do not speak it.
	config.SetMultipathTCP(false)
	inner, err := config.Listen(ctx, network(hostPort.IP), target(hostPort))
	if err != nil {
		return nil, inUse(address, err)
	}
	l := &listener{inner: inner.(*net.TCPListener)}
	if err := cfg.SetBacklog(l.inner); err != nil {
		inner.Close() // nothing more to say than err does
		return nil, err
	}
	return l, nil
}

// resolve finds the address to listen on; it stays invalid for "*".
func (t Transport) resolve(ctx context.Context, hostPort *transport.HostPort) error {
	if hostPort.IP.IsValid() || hostPort.Host == "*" {
		return nil
	}
	addresses, err := interfaceAddresses(hostPort.Host)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		addresses, err = t.resolver.LookupNetIP(ctx, "ip", hostPort.Host)
		if err != nil {
			return &net.OpError{Op: "listen", Net: Scheme, Err: err}
		}
	}
	for _, ip := range addresses {
		ip = ip.Unmap()
		if ip.Is4() || !hostPort.IP.IsValid() {
			hostPort.IP = ip
		}
		if ip.Is4() {
			break
		}
	}
	return nil
}

// interfaceAddresses gives the addresses of an interface, none if there is no such interface.
func interfaceAddresses(name string) ([]netip.Addr, error) {
	found, err := net.InterfaceByName(name)
	if err != nil {
		return nil, nil
	}
	entries, err := found.Addrs()
	if err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	for _, entry := range entries {
		prefix, err := netip.ParsePrefix(entry.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr()
		if ip.Is6() && ip.IsLinkLocalUnicast() {
			ip = ip.WithZone(name)
		}
		addresses = append(addresses, ip)
	}
	if len(addresses) == 0 {
		reason := "interface " + name + " has no address"
		return nil, &net.OpError{Op: "listen", Net: Scheme, Err: &net.AddrError{Err: reason, Addr: name}}
	}
	return addresses, nil
}

type listener struct {
	inner *net.TCPListener
}

func (l *listener) Accept() (transport.Stream, error) {
	conn, err := l.inner.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return newStream(conn), nil
}

// Endpoint names every address as [::] where the kernel has both families, or for [::] itself, and else as 0.0.0.0. Another
// machine must be given one of this machine's addresses instead; Dial on this machine takes it as it is.
func (l *listener) Endpoint() string {
	return Scheme + "://" + l.inner.Addr().String()
}

func (l *listener) Close() error { return l.inner.Close() }
