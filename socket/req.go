// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/zwire-mq/zwire/internal/wire"
)

// Req sends requests, each to one peer in turn, and receives the reply of the peer it asked (RFC 28). Peers: REP, ROUTER.
// Do is the call to use: it is safe from many goroutines and cannot get stuck. Send and Recv in lock-step exist too: out
// of turn they return ErrState.
//
// A ROUTER receives its identity for the peer, an empty frame and the request. A REP, and a ROUTER that has connected to this
// socket, may find a number before the empty frame; both send back what stands there.
type Req struct {
	*base
	sender
	receiver
	calls chan struct{} // cap 1: held by the Do whose turn it is
	asks  *asking
}

// NewReq returns a REQ socket; nil options are the defaults.
func NewReq(opts *Options) (*Req, error) {
	b := new(base)
	p := &asking{base: b}
	if err := b.open(traits{name: "REQ", balanced: true, peers: []string{"REP", "ROUTER"}, sendsIdentity: true}, p, opts); err != nil {
		return nil, err
	}
	p.immediate = b.options.Immediate
	return &Req{b, sender{b}, receiver{b}, make(chan struct{}, 1), p}, nil
}

// Do sends a request and returns the reply. Calls from several goroutines are served one after the other. When ctx ends
// the request is given up as by Reset. If the asked peer is gone Do returns ErrPeerGone; whether it has handled the request
// is not known.
func (r *Req) Do(ctx context.Context, request Message) (Message, error) {
	select {
	case r.calls <- struct{}{}:
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
	defer func() { <-r.calls }()
	r.asks.number()
	if err := r.Send(ctx, request); err != nil {
		return Message{}, err
	}
	reply, err := r.Recv(ctx)
	if err != nil {
		r.Reset()
	}
	return reply, err
}

// Send sends a request; it goes to one peer, in turn, and waits while none has room. What has arrived before it is no reply to it and is dropped.
func (r *Req) Send(ctx context.Context, request Message) error {
	r.clear()
	return r.sender.Send(ctx, request)
}

// SendOwned is Send for memory that the caller hands over.
func (r *Req) SendOwned(ctx context.Context, request Message) error {
	r.clear()
	return r.sender.SendOwned(ctx, request)
}

// TrySend is Send that does not wait: without room it returns ErrWouldBlock.
func (r *Req) TrySend(request Message) error {
	r.clear()
	return r.sender.TrySend(request)
}

// clear drops what has arrived, unless a reply is awaited.
func (r *Req) clear() {
	b := r.base
	b.in.lock()
	defer b.in.unlock()
	if r.asks.busy() {
		return
	}
	for range discardsMax { // a peer that floods is not waited for
		e, encoded := b.fair.Front()
		if e == nil {
			return
		}
		b.counts.drop(DropStale, 1)
		b.fair.Pop(e, len(encoded))
	}
}

// Reset gives up the request under way, if there is one, so that Send is in turn again. A Recv that waits returns ErrState. A
// request that has no stream yet is taken back, and never handled. A late reply is never delivered: it is known by its number, or
// had a stream of its own. Only a ROUTER that has it for a peer with an Identity may send it on the next stream.
func (r *Req) Reset() {
	r.asks.giveUp()
	r.base.in.lock()
	r.base.wakeReceivers()
	r.base.in.unlock()
}

// asking is the state of a REQ.
//
//	idle ── Send ──> asked ── reply ──> idle
//	                   └── Reset, or the peer is gone ──> idle, numbered
//
// A plain request has an empty frame in front. Once a reply may come late, and in Do, requests to a REP carry a number before
// it, which REP sends back. A ROUTER's application sees all that is in front, and mostly expects nothing but the empty frame:
// with a request to it its stream is given up. That does not help with a ROUTER that has connected to this socket, since it takes
// the next stream for the same peer's: it gets numbers.
type asking struct {
	balanced
	base *base

	mu       sync.Mutex
	asked    *member // nil: idle
	gone     bool    // asked has lost the stream that carried the request
	numbered bool
	last     uint32 // number of the last request
	head     []byte // of the last request, in wire form
}

const numberBytes = 4

// plainBytes is the head of a plain request.
const plainBytes = 2

func (p *asking) number() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.numbered = true
}

func (p *asking) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked != nil
}

func (p *asking) giveUp() {
	b := p.base
	b.out.lock() // nobody shall ask the same peer before it is renewed
	defer b.out.unlock()
	p.mu.Lock()
	m, gone := p.asked, p.gone
	numbered := len(p.head) > plainBytes
	if m != nil {
		p.asked, p.gone, p.numbered = nil, false, true
	}
	p.mu.Unlock()
	if m != nil && !gone && !(m.carries() && (numbered || m.accepted)) {
		b.renew(m)
	}
}

// carries reports whether a peer gets numbers. The turn of the sending side is held.
func (m *member) carries() bool { return m.attached && (m.accepted || m.told.SocketType == "REP") }

func (p *asking) choose(to *plan, first []byte, n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != nil {
		return ErrState
	}
	if err := p.balanced.choose(to, first, n); err != nil {
		return err
	}
	m := to.single[0].Socket.(*member)
	p.asked, p.gone = m, false
	p.head = p.head[:0]
	if p.numbered && m.carries() {
		p.last++
		p.head = append(p.head, wire.FlagMore, numberBytes)
		p.head = binary.BigEndian.AppendUint32(p.head, p.last)
	}
	p.head = append(p.head, wire.FlagMore, 0)
	to.head = p.head
	return nil
}

func (p *asking) detach(m *member) {
	p.balanced.detach(m)
	p.leave(m)
}

func (p *asking) ended(m *member) {
	p.balanced.ended(m)
	p.leave(m)
}

// leave notes that the asked peer is gone, unless the request is still queued and will reach its next stream.
func (p *asking) leave(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if queued, _ := m.end.Out.Queued(); p.asked == m && (queued == 0 || m.accepted || m.gone) {
		p.gone = true
	}
}

func (p *asking) mayReceive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		return ErrState
	}
	if p.unanswered() {
		p.asked, p.gone, p.numbered = nil, false, true
		return ErrPeerGone
	}
	return nil
}

// lost reports whether the next Recv says that the asked peer is gone.
func (p *asking) lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked != nil && p.unanswered()
}

// unanswered reports whether the asked peer has gone without a reply. mu is held.
func (p *asking) unanswered() bool { return p.gone && p.asked.end.In.Waiting() == 0 }

// accept takes only the reply to the request under way, without its envelope.
func (p *asking) accept(m *member, encoded []byte) (int, verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m != p.asked {
		p.base.counts.drop(DropStale, 1)
		return 0, discard
	}
	if len(encoded) <= len(p.head) || string(encoded[:len(p.head)]) != string(p.head) {
		p.base.counts.drop(DropStale, 1)
		return 0, discard
	}
	p.asked, p.gone = nil, false
	return len(p.head), deliver
}
