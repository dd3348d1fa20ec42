// SPDX-License-Identifier: Apache-2.0

package socket

// Pair talks to one peer at a time, both ways (RFC 31). Peers: PAIR. A second one is refused with ErrSecondPeer until the
// first is gone.
type Pair struct {
	*base
	bulkSender
	bulkReceiver
}

// NewPair returns a PAIR socket; nil options are the defaults.
func NewPair(opts *Options) (*Pair, error) {
	b, p := new(base), new(paired)
	if err := b.open(traits{name: "PAIR", balanced: true, peers: []string{"PAIR"}}, p, opts); err != nil {
		return nil, err
	}
	p.immediate = b.options.Immediate
	return &Pair{b, bulkSender{sender{b}}, bulkReceiver{receiver{b}}}, nil
}

// paired is balanced over the one peer.
type paired struct {
	balanced
	only *member
}

func (p *paired) opened(m *member) {
	if p.only == nil {
		p.only = m
		p.balanced.opened(m)
	}
}

func (p *paired) attach(m *member) error {
	if p.only != nil && p.only != m {
		return ErrSecondPeer
	}
	p.only = m
	return p.balanced.attach(m)
}

func (p *paired) ended(m *member) {
	if p.only == m {
		p.only = nil
		p.balanced.ended(m)
	}
}
