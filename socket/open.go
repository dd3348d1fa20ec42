// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"errors"
	"net"
	"slices"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/session"
	"github.com/zwire-mq/zwire/internal/zmtp"
	"github.com/zwire-mq/zwire/transport"
	"github.com/zwire-mq/zwire/transport/inproc"
)

// open makes b the base of a new socket.
func (b *base) open(t traits, p pattern, opts *Options) error {
	o, err := opts.resolve()
	if err != nil {
		return err
	}
	b.traits, b.pattern, b.options = t, p, o
	b.smallMost = min(pipe.SmallBodyMax, b.options.messageBytes())
	b.filter, _ = p.(filter)
	b.brief, _ = p.(*publishing)
	b.plain = b.filter == nil
	b.context = o.Context
	if b.context == nil {
		b.context = defaultContext()
	}
	b.out.handle, b.in.handle = b.handleOut, b.handleIn
	b.gone = make(chan struct{})
	b.members = make(map[*member]struct{})
	b.listeners = make(map[string]bound)
	b.connected = make(map[string][]*member)
	b.config = session.Config{
		Handshake: zmtp.HandshakeConfig{
			SocketType: t.name, Identity: o.Identity, SendIdentity: t.sendsIdentity, PeerTypes: t.peers,
		},
		Scanner:          o.scanner(t.subscribable),
		Send:             o.sendLimits(),
		Recv:             o.recvLimits(),
		HandshakeTimeout: o.HandshakeTimeout,
		ReconnectMin:     o.ReconnectMin,
		ReconnectMax:     o.ReconnectMax,
		Heartbeat:        zmtp.HeartbeatConfig{Interval: o.HeartbeatInterval, Timeout: o.HeartbeatTimeout, TTL: o.HeartbeatTTL},
		Subscriptions:    t.subscribable,
		Deaf:             t.deaf,
		Mute:             t.mute,
	}
	return b.context.add(b)
}

// listener is what Bind has opened.
type listener interface {
	Close() error
}

// bound is a listener, and the endpoint as Bind was given it.
type bound struct {
	listener
	given string
}

// unbinder frees an inproc name.
type unbinder struct {
	socket *base
	name   string
}

func (u unbinder) Close() error {
	u.socket.context.names.Unbind(u.name, (*owner)(u.socket))
	return nil
}

// Bind accepts peers at endpoint: "tcp://address:port", where "*" is any address and any port, "ipc://path",
// "ipc://@name", "ipc://*" or "inproc://name". LastEndpoint tells what was chosen. A port that is taken is
// syscall.EADDRINUSE to errors.Is; a bad endpoint is an *EndpointError. A socket may bind and connect any number of times.
func (b *base) Bind(endpoint string) error {
	if b.closed.Load() {
		return operationError("bind", endpoint, net.ErrClosed)
	}
	t, address, err := b.context.find(endpoint, true)
	if err != nil {
		return err
	}
	var l listener
	actual := endpoint
	if t == nil {
		if err = b.context.names.Bind(address, (*owner)(b)); err == nil {
			l = unbinder{b, address}
		}
	} else {
		l, actual, err = b.listen(t, address)
	}
	if err != nil {
		return operationError("bind", endpoint, err)
	}
	b.table.Lock()
	if b.closed.Load() {
		b.table.Unlock()
		l.Close()
		return operationError("bind", endpoint, net.ErrClosed)
	}
	b.listeners[actual] = bound{l, endpoint}
	b.endpoint = actual
	b.table.Unlock()
	return nil
}

func (b *base) listen(t transport.Transport, address string) (listener, string, error) {
	raw, err := t.Listen(context.Background(), address, b.options.transport())
	if err != nil {
		return nil, "", err
	}
	home, err := b.useLoops()
	if err != nil {
		raw.Close()
		return nil, "", err
	}
	l := session.Listen(&b.config, (*owner)(b), home, raw)
	return l, l.Endpoint(), nil
}

// useLoops keeps the context's loops running until the socket is closed.
func (b *base) useLoops() (*ioloop.Home, error) {
	b.table.Lock()
	defer b.table.Unlock()
	if b.closed.Load() {
		return nil, net.ErrClosed
	}
	if b.home.Load() == nil {
		b.home.Store(b.context.loops.Acquire(!b.traits.deaf && !b.traits.subscribable))
	}
	return b.home.Load(), nil
}

// Unbind stops listening at endpoint, given as to Bind or as LastEndpoint told it, and returns when the address is free.
// Peers that were accepted stay.
func (b *base) Unbind(endpoint string) error {
	if b.closed.Load() {
		return operationError("unbind", endpoint, net.ErrClosed)
	}
	b.table.Lock()
	actual := endpoint
	l, found := b.listeners[actual]
	for at, other := range b.listeners {
		if !found && other.given == endpoint {
			actual, l, found = at, other, true
		}
	}
	delete(b.listeners, actual)
	b.table.Unlock()
	if !found {
		return operationError("unbind", endpoint, ErrUnknownEndpoint)
	}
	return operationError("unbind", endpoint, l.Close())
}

// Connect connects to endpoint, in the background, again whenever the stream is lost, and returns at once: an error says
// that the endpoint is malformed. Connecting once more to an endpoint whose peer has refused this socket tries again;
// otherwise it makes a second pipe.
func (b *base) Connect(endpoint string) error {
	if b.closed.Load() {
		return operationError("connect", endpoint, net.ErrClosed)
	}
	t, address, err := b.context.find(endpoint, false)
	if err != nil {
		return err
	}
	if t == nil {
		return operationError("connect", endpoint, b.connectInproc(endpoint, address))
	}
	home, err := b.useLoops()
	if err != nil {
		return operationError("connect", endpoint, err)
	}
	b.forgetRefused(endpoint)
	s := session.Connect(&b.config, (*owner)(b), home, endpoint, session.Dialer{Transport: t, Address: address, Config: b.options.transport()})
	m := b.newMember(s.End, endpoint)
	m.session = s
	if !b.enter(m) {
		return operationError("connect", endpoint, net.ErrClosed)
	}
	b.out.post(letter{subject: letterOpened, member: m})
	s.Start()
	return nil
}

// successor makes a member for the endpoint of m, which is about to end, if this socket still connects there. table is locked.
func (b *base) successor(m *member) *member {
	if m.accepted || b.closed.Load() || !slices.Contains(b.connected[m.endpoint], m) {
		return nil
	}
	var next *member
	if m.session != nil {
		s := m.session.Another()
		next = b.newMember(s.End, m.endpoint)
		next.session = s
	} else {
		next = b.newMember(inproc.NewEnd((*owner)(b)), m.endpoint)
		next.name = m.name
	}
	b.members[next] = struct{}{}
	b.connected[m.endpoint] = append(b.connected[m.endpoint], next)
	return next
}

// succeed has a successor begin. The turn of the sending side is held.
func (b *base) succeed(m *member) {
	b.pattern.opened(m)
	if m.session != nil {
		m.session.Start()
		return
	}
	if err := b.join(m); err != nil {
		b.fail(m, err)
	}
}

// forgetRefused drops what is left of refused sessions of an endpoint that is tried again.
func (b *base) forgetRefused(endpoint string) {
	b.table.Lock()
	defer b.table.Unlock()
	kept := b.connected[endpoint][:0]
	for _, m := range b.connected[endpoint] {
		if m.state == PeerRefused {
			delete(b.members, m)
		} else {
			kept = append(kept, m)
		}
	}
	b.connected[endpoint] = kept
}

func (b *base) newMember(end *pipe.End, endpoint string) *member {
	m := &member{socket: b, end: end, endpoint: endpoint, done: make(chan struct{})}
	end.Socket = m
	return m
}

// enter puts m into the tables, unless the socket is closed.
func (b *base) enter(m *member) bool {
	b.table.Lock()
	defer b.table.Unlock()
	if b.closed.Load() {
		return false
	}
	b.members[m] = struct{}{}
	if !m.accepted {
		b.connected[m.endpoint] = append(b.connected[m.endpoint], m)
		b.endpoint = m.endpoint
	}
	return true
}

func (b *base) connectInproc(endpoint, name string) error {
	b.forgetRefused(endpoint)
	m := b.newMember(inproc.NewEnd((*owner)(b)), endpoint)
	m.name = name
	b.out.lock() // who takes leave of m waits until the name knows of it
	defer b.out.unlock()
	if !b.enter(m) {
		return net.ErrClosed
	}
	b.handleOut(letter{subject: letterOpened, member: m})
	err := b.join(m)
	if err != nil {
		b.drop(m, nil)
	}
	return err
}

// join has an inproc pipe wait for its other end.
func (b *base) join(m *member) error {
	err := b.context.names.Connect(m.name, (*owner)(b), m.end)
	if errors.Is(err, inproc.ErrMismatch) {
		return ErrMismatch
	}
	return err
}

// LastEndpoint returns the endpoint of the last Bind or Connect: for a bound one the numeric form, with the port that a
// wildcard got. It is empty before.
func (b *base) LastEndpoint() string {
	b.table.Lock()
	defer b.table.Unlock()
	return b.endpoint
}
