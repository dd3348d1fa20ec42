// SPDX-License-Identifier: Apache-2.0

// Package route decides which pipe comes next: the fair queue for receiving; load balance, fan-out and identity for
// sending. It is all bookkeeping: its callers hold the lock of the direction.
package route

import "github.com/zwire-mq/zwire/internal/pipe"

// LoadBalance gives each message to the next pipe, in turn, among those that have room (RFC 28, 30). The zero value is
// ready. It uses OutSlot of the ends.
type LoadBalance struct {
	active []*pipe.End // those not known to be full
	at     int         // whose turn it is
	full   *pipe.End   // the last that was found full
}

// Add lets e take part, or take part again now that it has room.
func (b *LoadBalance) Add(e *pipe.End) {
	if e.OutSlot < 0 {
		e.OutSlot = len(b.active)
		b.active = append(b.active, e)
	}
}

// Remove ends e's part.
func (b *LoadBalance) Remove(e *pipe.End) {
	if b.full == e {
		b.full = nil
	}
	if e.OutSlot < 0 {
		return
	}
	last := len(b.active) - 1
	b.active[e.OutSlot] = b.active[last]
	b.active[e.OutSlot].OutSlot = e.OutSlot
	b.active[last] = nil
	b.active = b.active[:last]
	e.OutSlot = -1
}

// Next returns the end that takes the next message, of n bytes, or nil if all are full. Those found full stay away until
// Add; their queues revive.
func (b *LoadBalance) Next(n, byteMark int) *pipe.End {
	for len(b.active) > 0 {
		if b.at >= len(b.active) {
			b.at = 0
		}
		e := b.active[b.at]
		if e.Out.Fits(n, byteMark) {
			b.at++
			return e
		}
		b.Remove(e)
		b.full = e
	}
	return nil
}

// Len returns how many ends are not known to be full.
func (b *LoadBalance) Len() int { return len(b.active) }

// Full returns the end that was last found full, or nil.
func (b *LoadBalance) Full() *pipe.End { return b.full }
