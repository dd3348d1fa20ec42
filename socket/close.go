// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"net"
	"time"
)

// Disconnect ends what Connect began: the pipes to endpoint are handed over for at most Linger, then dropped. It returns
// when their streams are closed; a *LostError counts messages that were dropped. Messages that have arrived can still be
// received.
func (b *base) Disconnect(endpoint string) error {
	if b.closed.Load() {
		return operationError("disconnect", endpoint, net.ErrClosed)
	}
	b.table.Lock()
	leaving := b.connected[endpoint]
	delete(b.connected, endpoint)
	b.table.Unlock()
	if len(leaving) == 0 {
		return operationError("disconnect", endpoint, ErrUnknownEndpoint)
	}
	b.out.lock()
	b.express = nil
	for _, m := range leaving {
		m.leaving = true
		if !m.gone {
			b.pattern.ended(m)
		}
	}
	b.out.unlock()
	b.table.Lock()
	for _, m := range leaving {
		if m.ended { // refused before
			delete(b.members, m)
		}
	}
	b.table.Unlock()
	return operationError("disconnect", endpoint, b.part(leaving))
}

// Close ends the socket: calls that wait return net.ErrClosed, queued messages are handed over for at most Linger, and
// when Close returns, streams, addresses and goroutines are gone. A *LostError counts messages that were not handed
// over. What has arrived and was not received is gone with the socket, and not counted. Closing once more is net.ErrClosed at
// once, even while the first Close lingers.
func (b *base) Close() error {
	b.table.Lock()
	if b.closed.Swap(true) {
		b.table.Unlock()
		return net.ErrClosed
	}
	listeners := b.listeners
	b.listeners = nil
	b.table.Unlock()
	b.news.tell()
	failures := make([]error, 0, len(listeners)+1)
	for _, l := range listeners {
		failures = append(failures, l.Close())
	}
	b.out.lock()
	b.express = nil
	b.wakeSenders()
	b.admitAll() // who is not listened to could not say that it has everything
	b.out.unlock()
	b.in.lock()
	b.wakeReceivers()
	b.in.unlock()
	b.table.Lock()
	all := make([]*member, 0, len(b.members))
	for m := range b.members {
		all = append(all, m)
	}
	b.table.Unlock()
	failures = append(failures, b.part(all))
	if home := b.home.Load(); home != nil {
		home.Release()
	}
	b.context.remove(b)
	close(b.gone)
	return errors.Join(failures...)
}

// part ends members and waits until nothing is left of them.
func (b *base) part(members []*member) error {
	linger := b.options.Linger
	switch linger {
	case LingerNone:
		linger = 0
	case LingerForever:
		linger = -1
	}
	b.out.lock()
	b.wide.end()
	for _, m := range members {
		m.leaving = true
		flush(m.end.Out)
	}
	b.out.unlock()
	for _, m := range members {
		b.table.Lock()
		m.closing = true
		b.table.Unlock()
		if m.session != nil {
			b.out.lock() // nobody may send meanwhile, not even subscriptions
			m.session.Close(linger)
			b.out.unlock()
		} else {
			b.leaveInproc(m, linger)
		}
	}
	lost := 0
	for _, m := range members {
		<-m.done
		lost += m.lost
	}
	if lost > 0 {
		return &LostError{Messages: lost}
	}
	return nil
}

// leaveInproc takes leave of an inproc pipe. What has been sent is the other socket's; while there is none, messages wait
// for it as long as linger says.
func (b *base) leaveInproc(m *member, linger time.Duration) {
	b.out.lock()
	joined := m.attached
	messages, _ := m.end.Out.Queued()
	b.out.unlock()
	if joined {
		b.drop(m, nil)
		return
	}
	if messages > 0 && linger != 0 {
		if linger > 0 {
			time.AfterFunc(linger, func() { b.giveUp(m) })
		}
		return
	}
	b.giveUp(m)
}

// giveUp ends the wait of an inproc pipe for its other end, unless that has come.
func (b *base) giveUp(m *member) {
	if b.context.names.Leave(m.name, m.end) {
		b.drop(m, nil)
	}
}
