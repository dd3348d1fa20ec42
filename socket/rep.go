// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"sync"

	"github.com/zwire-mq/zwire/internal/wire"
)

// Rep receives requests, one from each peer in turn, and sends each reply to who asked (RFC 28). Peers: REQ, DEALER. Recv
// and Send alternate; out of turn they return ErrState. A reply whose asker is gone, or does not read, is dropped and
// counted: Send never waits.
type Rep struct {
	*base
	sender
	receiver
}

// NewRep returns a REP socket; nil options are the defaults.
func NewRep(opts *Options) (*Rep, error) {
	b := new(base)
	p := &replying{base: b}
	if err := b.open(traits{name: "REP", peers: []string{"REQ", "DEALER"}}, p, opts); err != nil {
		return nil, err
	}
	return &Rep{b, sender{b}, receiver{b}}, nil
}

// replying is the state of a REP.
//
//	listening ── Recv ──> asked ── Send ──> listening
type replying struct {
	mute
	base *base

	mu       sync.Mutex
	asker    *member // nil: listening
	envelope []byte  // address frames and delimiter of the request, in wire form
	replied  []byte  // of the last reply, while it is being sent
}

func (p *replying) mayReceive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asker != nil {
		return ErrState
	}
	return nil
}

// accept sets the envelope aside: everything up to the first empty frame.
func (p *replying) accept(m *member, encoded []byte) (int, verdict) {
	end := envelopeEnd(encoded)
	if end == 0 {
		p.base.counts.drop(DropMalformed, 1)
		return 0, discard
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asker = m
	p.envelope = append(p.envelope[:0], encoded[:end]...)
	return end, deliver
}

// envelopeEnd returns where the data frames begin, or 0 if no empty frame with another behind it is there.
func envelopeEnd(encoded []byte) int {
	for at := 0; at < len(encoded); {
		flags, size, n := wire.ParseHeader(encoded[at:])
		at += n + int(size)
		if flags&wire.FlagMore == 0 {
			return 0
		}
		if size == 0 {
			return at
		}
	}
	return 0
}

// envelopeKept is the largest buffer for envelopes that outlives its reply.
const envelopeKept = 4 << 10

func (p *replying) choose(to *plan, _ []byte, n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.asker
	if m == nil {
		return ErrState
	}
	p.asker = nil
	p.envelope, p.replied = p.replied, p.envelope
	if cap(p.envelope) > envelopeKept {
		p.envelope = nil
	}
	to.head = p.replied
	switch {
	case m.gone || m.leaving || !m.attached:
		p.base.counts.drop(DropAskerGone, 1)
	case !m.end.Out.Room(n + len(to.head)):
		p.base.counts.drop(DropFull, 1)
	default:
		to.to(m.end)
	}
	return nil
}
