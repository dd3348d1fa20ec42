// SPDX-License-Identifier: Apache-2.0

package simnet

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/zwire-mq/zwire/transport"
)

// simTransport reads an address as any name; "*" listens at a new one.
type simTransport struct {
	network *Network
	host    string
}

func (t simTransport) Scheme() string { return t.network.cfg.Scheme }

func (t simTransport) Check(address string, listen bool) error {
	reason := ""
	switch {
	case address == "":
		reason = "no name"
	case address == "*" && !listen:
		reason = "the name * is only for listening"
	case len(address) > addressOctetsMax:
		reason = fmt.Sprintf("name of %d octets, at most %d", len(address), addressOctetsMax)
	}
	if reason != "" {
		return &transport.EndpointError{Endpoint: t.Scheme() + "://" + address, Reason: reason}
	}
	return nil
}

func (t simTransport) Dial(ctx context.Context, address string, _ transport.Config) (transport.Stream, error) {
	if err := t.Check(address, false); err != nil {
		return nil, err
	}
	dialled, err := t.network.dial(ctx, t.host, address)
	if err != nil {
		return nil, t.failed("dial", address, err)
	}
	return dialled, nil
}

func (t simTransport) Listen(ctx context.Context, address string, cfg transport.Config) (transport.Listener, error) {
	if err := t.Check(address, true); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, t.failed("listen", address, err)
	}
	n := t.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if address == "*" {
		n.namesMade++
		address = fmt.Sprintf("name-%d", n.namesMade)
	}
	if n.listeners[address] != nil {
		return nil, t.failed("listen", address, syscall.EADDRINUSE)
	}
	l := &listener{network: n, address: address, backlog: cfg.Backlog}
	if l.backlog == 0 {
		l.backlog = backlogDefault
	}
	n.listeners[address] = l
	return l, nil
}

// failed gives an error the form it has from package net.
func (t simTransport) failed(operation, address string, err error) error {
	return &net.OpError{Op: operation, Net: t.Scheme(), Addr: name{t.Scheme(), address}, Err: err}
}

// name is an address for net.OpError.
type name struct{ scheme, address string }

func (n name) Network() string { return n.scheme }
func (n name) String() string  { return n.address }

// dial waits for the round trip, for the end of a partition and for room in the listener's queue.
func (n *Network) dial(ctx context.Context, from, address string) (*stream, error) {
	if n.cfg.Latency > 0 {
		timer := time.NewTimer(2 * n.cfg.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	stop := context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changed.Broadcast()
	})
	defer stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !n.separated(from, address) {
			l := n.listeners[address]
			if l == nil || n.refused[address] {
				return nil, syscall.ECONNREFUSED
			}
			if len(l.queue) < l.backlog {
				return n.connect(l, from), nil
			}
		}
		n.changed.Wait()
	}
}

type listener struct {
	network *Network
	address string
	backlog int
	queue   []*stream
	closed  bool
}

func (l *listener) Accept() (transport.Stream, error) {
	n := l.network
	n.mu.Lock()
	defer n.mu.Unlock()
	for !l.closed && len(l.queue) == 0 {
		n.changed.Wait()
	}
	if l.closed {
		return nil, simTransport{network: n}.failed("accept", l.address, net.ErrClosed)
	}
	accepted := l.queue[0]
	l.queue = l.queue[1:]
	n.changed.Broadcast()
	return accepted, nil
}

func (l *listener) Endpoint() string { return l.network.cfg.Scheme + "://" + l.address }

// Close cuts the streams that nobody has accepted, as a kernel does.
func (l *listener) Close() error {
	n := l.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.closed {
		return simTransport{network: n}.failed("close", l.address, net.ErrClosed)
	}
	l.closed = true
	delete(n.listeners, l.address)
	for _, waiting := range l.queue {
		waiting.link.cut()
	}
	l.queue = nil
	n.changed.Broadcast()
	return nil
}
