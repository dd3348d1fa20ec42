// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"maps"
	"sync"
)

// Stats counts what a socket has done since it was made.
type Stats struct {
	Sent     uint64 // messages queued for at least one peer, or dropped there
	Received uint64 // messages given to the application
	// Dropped counts messages that were not handed over, by reason. A message dropped for two peers counts twice.
	Dropped map[DropReason]uint64
	// ProtocolErrors counts streams that ended because the peer broke the protocol, by ProtocolError.Reason.
	ProtocolErrors map[string]uint64
	// StreamErrors counts streams and dials that ended for any other reason, an orderly end by the peer among them.
	StreamErrors uint64
	// Refused counts peers that this socket did not take, or not any longer: ErrIdentityTaken, ErrHandedOver, ErrSecondPeer. A stream
	// that ended so is in StreamErrors too.
	Refused uint64
}

// DropReason says why a message was not handed over.
type DropReason string

// The named points of loss.
const (
	DropFull       DropReason = "full"        // PUB, XPUB and ROUTER: the peer's queue was full
	DropUnroutable DropReason = "unroutable"  // ROUTER: no such peer
	DropTooLarge   DropReason = "too large"   // Proxy: the other socket may not send it
	DropAskerGone  DropReason = "asker gone"  // REP: the asker has left
	DropPeerGone   DropReason = "peer gone"   // queued for an accepted peer that left, or for a socket that refused the inproc pipe
	DropLinger     DropReason = "linger"      // queued when linger expired, at Close or Disconnect
	DropGivenUp    DropReason = "given up"    // REQ: a request given up before it went out; Proxy: what waited when it ended
	DropStale      DropReason = "stale reply" // REQ: a reply to a request that was given up, or from a peer not asked
	DropMalformed  DropReason = "malformed"   // REQ and REP: a message without the envelope of its pattern
)

// counters are the parts of Stats that are counted off the fast path.
type counters struct {
	mu       sync.Mutex
	dropped  map[DropReason]uint64
	protocol map[string]uint64
	refused  uint64
	stream   uint64
}

func (c *counters) drop(reason DropReason, messages int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dropped == nil {
		c.dropped = make(map[DropReason]uint64)
	}
	c.dropped[reason] += uint64(messages)
}

func (c *counters) refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused++
}

func (c *counters) failure(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var p *ProtocolError
	if !errors.As(err, &p) {
		c.stream++
		return
	}
	if c.protocol == nil {
		c.protocol = make(map[string]uint64)
	}
	c.protocol[p.Reason]++
}

// Stats returns the counts so far.
func (b *base) Stats() Stats {
	b.out.lock()
	sent := b.sent
	b.out.unlock()
	b.in.lock()
	received := b.received
	b.in.unlock()
	c := &b.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Sent:           sent,
		Received:       received,
		Dropped:        maps.Clone(c.dropped),
		ProtocolErrors: maps.Clone(c.protocol),
		StreamErrors:   c.stream,
		Refused:        c.refused,
	}
}
