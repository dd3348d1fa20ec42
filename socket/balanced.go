// SPDX-License-Identifier: Apache-2.0

package socket

import "github.com/zwire-mq/zwire/internal/route"

// balanced is the sending side of types that give each message to one peer.
type balanced struct {
	balance   route.LoadBalance
	immediate bool
}

func (p *balanced) opened(m *member) {
	if !p.immediate {
		p.balance.Add(m.end)
	}
}

func (p *balanced) attach(m *member) error {
	p.balance.Add(m.end)
	return nil
}

func (p *balanced) detach(m *member) {
	if m.accepted || p.immediate {
		p.balance.Remove(m.end)
	}
}

func (p *balanced) ended(m *member) { p.balance.Remove(m.end) }

func (p *balanced) revive(m *member) {
	if m.attached || !m.accepted && !p.immediate {
		p.balance.Add(m.end)
	}
}

func (p *balanced) choose(to *plan, _ []byte, n int) error {
	if e := p.balance.Next(n, to.byteMark()); e != nil {
		to.to(e)
		to.only = p.balance.Len() == 1
		return nil
	}
	if e := p.balance.Full(); e != nil {
		to.to(e)
	}
	return errFull
}

// mute is the sending side of types that never send.
type mute struct{}

func (mute) opened(*member)                  {}
func (mute) attach(*member) error            { return nil }
func (mute) detach(*member)                  {}
func (mute) ended(*member)                   {}
func (mute) revive(*member)                  {}
func (mute) choose(*plan, []byte, int) error { return ErrState }
