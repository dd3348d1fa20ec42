// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"slices"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// leavers are accepted peers that have left, and whose messages have not been received yet. Together they may hold as much
// as one queue; beyond that new peers are not listened to: else who connects, sends and leaves, again and again, would fill
// the memory of a process that is slow to receive.
//
//	peer leaves ── its queue is not empty ──> ends ── as many as RecvHWM, or QueueBytes ──> new peers wait in postponed
//	received ── weigh ──> fewer ── letterAdmit ──> they are admitted
type leavers struct {
	ends    []*pipe.End
	weighed uint64 // messages received, at the last weigh
}

// weighEach is after how many messages those that are left are weighed again.
const weighEach = 64

// depart is told that m has ended. The turn of the receiving side is held.
func (b *base) depart(m *member) {
	if !m.accepted || m.session == nil || b.traits.subscribable {
		return
	}
	if messages, _ := m.end.In.Queued(); messages > 0 {
		b.left.ends = append(b.left.ends, m.end)
		b.weigh()
	}
}

// weigh forgets those whose messages have been received, and lets new peers in if the others hold little enough. The turn of
// the receiving side is held.
func (b *base) weigh() {
	w := &b.left
	w.weighed = b.received
	messages, bytes := 0, 0
	w.ends = slices.DeleteFunc(w.ends, func(e *pipe.End) bool {
		e.In.Repay() // what has been received counts no more
		n, size := e.In.Queued()
		messages, bytes = messages+n, bytes+size
		return n == 0
	})
	limits := b.options.recvLimits()
	crowded := limits.Messages > 0 && messages >= limits.Messages || limits.Bytes > 0 && bytes >= limits.Bytes
	if b.crowded.Swap(crowded) && !crowded {
		b.out.post(letter{subject: letterAdmit})
	}
}

// reweigh is weigh after some messages, or after the last. The turn of the receiving side is held.
func (b *base) reweigh(last bool) {
	if len(b.left.ends) > 0 && (last || b.received-b.left.weighed >= weighEach) {
		b.weigh()
	}
}

// admit lets traffic with a peer flow, or for now only what is sent. The turn of the sending side is held.
func (b *base) admit(m *member) {
	if m.accepted && b.crowded.Load() && !b.closed.Load() {
		b.postponed = append(b.postponed, m)
		m.session.Open()
		return
	}
	m.session.Admit()
}

// admitAll admits those that have waited. The turn of the sending side is held.
func (b *base) admitAll() {
	postponed := b.postponed
	b.postponed = nil
	for _, m := range postponed {
		m.session.Admit()
	}
}
