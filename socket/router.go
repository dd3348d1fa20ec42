// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"encoding/binary"

	"github.com/zwire-mq/zwire/internal/route"
)

// Router puts the identity of the sender in front of every message it receives, as frame 0, and sends each message to the
// peer that its frame 0 names (RFC 28). Peers: REQ, DEALER, ROUTER. A peer that announces no identity gets one of five
// bytes that begins with zero. Messages for an unknown or full peer are dropped and counted, unless RouterMandatory is
// set. Of two peers with one identity the first is served and the other dropped, unless RouterHandover is set.
type Router struct {
	*base
	bulkSender
	bulkReceiver
}

// NewRouter returns a ROUTER socket; nil options are the defaults.
func NewRouter(opts *Options) (*Router, error) {
	b := new(base)
	p := &routing{base: b}
	if err := b.open(traits{name: "ROUTER", peers: []string{"REQ", "DEALER", "ROUTER"}, sendsIdentity: true, addressed: true}, p, opts); err != nil {
		return nil, err
	}
	return &Router{b, bulkSender{sender{b}}, bulkReceiver{receiver{b}}}, nil
}

// routing sends by identity and signs what it receives.
type routing struct {
	base  *base
	table route.ByIdentity
	last  uint32 // of the identities made up
}

func (p *routing) opened(*member) {}
func (p *routing) revive(*member) {}

func (p *routing) attach(m *member) error {
	identity := m.told.Identity
	switch known := m.identity.Load(); {
	case len(identity) > 0:
		identity = bytes.Clone(identity)
	case known != nil && (*known)[0] == 0:
		identity = *known // made up for its last stream
	default:
		p.last++
		identity = binary.BigEndian.AppendUint32([]byte{0}, p.last)
	}
	if holder := p.table.Find(identity); holder != nil && holder != m.end {
		if !p.base.options.RouterHandover {
			return ErrIdentityTaken
		}
		p.table.Put(identity, m.end)
		p.base.refuse(holder.Socket.(*member), ErrHandedOver)
	}
	p.table.Put(identity, m.end)
	m.identity.Store(&identity)
	return nil
}

func (p *routing) detach(m *member) { p.ended(m) }

func (p *routing) ended(m *member) {
	if identity := m.identity.Load(); identity != nil {
		p.table.Drop(*identity, m.end)
	}
}

func (p *routing) choose(to *plan, first []byte, n int) error {
	o := &p.base.options
	if to.frames < 2 {
		return ErrUnroutable
	}
	to.skip = 1
	e := p.table.Find(first)
	if e == nil {
		if o.RouterMandatory {
			return ErrUnroutable
		}
		p.base.counts.drop(DropUnroutable, 1)
		return nil
	}
	if !e.Out.Fits(n, 0) {
		if o.RouterMandatory {
			to.to(e)
			return errFull
		}
		p.base.counts.drop(DropFull, 1)
		return nil
	}
	to.to(e)
	return nil
}

func (p *routing) mayReceive() error { return nil }

func (p *routing) accept(m *member, _ []byte) (int, verdict) {
	if m.identity.Load() == nil { // its handshake ended while it was taken leave of
		return 0, discard
	}
	return 0, deliverSigned
}
