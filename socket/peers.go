// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// PeerState says how far a peer is.
type PeerState uint8

// States of a peer.
const (
	PeerConnecting  PeerState = iota // an endpoint given to Connect, with no stream at present
	PeerHandshaking                  // a stream whose handshake has not ended
	PeerConnected                    // messages flow
	PeerRefused                      // the peer refused this socket; only a new Connect tries again
	PeerClosed                       // gone
)

// String returns the state in one word.
func (s PeerState) String() string {
	switch s {
	case PeerConnecting:
		return "connecting"
	case PeerHandshaking:
		return "handshaking"
	case PeerConnected:
		return "connected"
	case PeerRefused:
		return "refused"
	default:
		return "closed"
	}
}

// Peer describes one peer of a socket, or an endpoint that has none yet.
type Peer struct {
	Endpoint  string // given to Connect, or where it was accepted
	Address   string // of the other end of its last stream, such as "192.0.2.1:40312"; "" on inproc, and where the system knows none
	Identity  []byte // as announced, or made up by a ROUTER; nil: none
	State     PeerState
	Err       error // why there is no stream, or why the last one ended; nil: none has
	SendQueue int   // messages queued for it; on inproc they are its RecvQueue as well
	RecvQueue int   // messages received from it and not yet taken
}

// Peers lists the peers in no particular order.
func (b *base) Peers() []Peer {
	b.straighten()
	b.in.lock() // to look into both kinds of queues
	defer b.in.unlock()
	b.out.lock()
	defer b.out.unlock()
	b.wide.publish()
	b.table.Lock()
	defer b.table.Unlock()
	peers := make([]Peer, 0, len(b.members))
	for m := range b.members {
		identity := m.peer.Identity
		if known := m.identity.Load(); known != nil {
			identity = *known
		}
		p := Peer{Endpoint: m.endpoint, Identity: bytes.Clone(identity), State: m.state, Err: m.err}
		if m.session != nil {
			p.Address = m.session.Address()
		}
		p.SendQueue, _ = m.end.Out.Queued()
		if b.traits.subscribable || m.end.In.State() == pipe.Draining { // what has just been published, TryRecv does not find yet
			p.RecvQueue = m.end.In.Waiting()
		}
		peers = append(peers, p)
	}
	return peers
}

// straighten has the sockets at the other ends of inproc pipes publish what they hold back and return the credit of what
// they have received, so that the queues can be counted. It holds one turn at a time: they may be looking at this one.
func (b *base) straighten() {
	var ends []*pipe.End
	b.out.lock()
	b.table.Lock()
	for m := range b.members {
		if m.session == nil && m.attached {
			ends = append(ends, m.end)
		}
	}
	b.table.Unlock()
	b.out.unlock()
	for _, e := range ends {
		there := (*base)(e.Out.Consumer.(*owner))
		there.out.lock()
		flush(e.In)
		if there.traits.subscribable {
			e.Out.Repay()
		}
		there.out.unlock()
		if !there.traits.subscribable {
			there.in.lock()
			e.Out.Repay()
			there.in.unlock()
		}
	}
}

// news wakes who waits for something to change about the peers.
type news struct {
	awaited atomic.Bool // next is set
	mu      sync.Mutex
	next    chan struct{}
}

// tell wakes all listeners.
func (n *news) tell() {
	if !n.awaited.Load() { // who listens looks at what has changed after having set it
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
		n.awaited.Store(false)
	}
}

// listen returns a channel that is closed with the next tell.
func (n *news) listen() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
		n.awaited.Store(true)
	}
	return n.next
}

// await waits until done reports true or an error, looking again whenever there is news.
func (b *base) await(ctx context.Context, done func() (bool, error)) error {
	for {
		change := b.news.listen()
		if b.closed.Load() {
			return net.ErrClosed
		}
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// PeersChanged returns a channel that is closed with the next change of what Peers or Stats tell about streams: one has begun, has
// ended, could not be made; or the socket is closed. To miss nothing, ask for the channel first, then look, then wait.
func (b *base) PeersChanged() <-chan struct{} { return b.news.listen() }

// WaitConnected waits until every endpoint given to Connect has a peer whose handshake has ended. A peer that refuses
// this socket ends the wait with a *RefusedError; one of a type that this socket refuses does not, since another program may
// come to listen there. When ctx ends, the error also wraps the last reason why an endpoint has no peer.
func (b *base) WaitConnected(ctx context.Context) error {
	var last error
	err := b.await(ctx, func() (bool, error) {
		b.table.Lock()
		defer b.table.Unlock()
		all := true
		for m := range b.members {
			if m.accepted || m.state == PeerConnected {
				continue
			}
			if m.state == PeerRefused {
				return false, m.err
			}
			all = false
			switch {
			case m.err == nil:
			case errors.As(m.err, new(*ProtocolError)): // it names the endpoint
				last = m.err
			default:
				last = operationError("connect", m.endpoint, m.err)
			}
		}
		return all, nil
	})
	if err != nil && err == ctx.Err() && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

// WaitPeers waits until at least n peers, connected or accepted, have ended their handshake.
func (b *base) WaitPeers(ctx context.Context, n int) error {
	return b.await(ctx, func() (bool, error) {
		b.table.Lock()
		defer b.table.Unlock()
		have := 0
		for m := range b.members {
			if m.state == PeerConnected {
				have++
			}
		}
		return have >= n, nil
	})
}
