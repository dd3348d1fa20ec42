// SPDX-License-Identifier: Apache-2.0

package socket

import "slices"

// leavers are accepted peers that have left, and whose messages have not been received yet. Together they may hold as much
// as one queue; beyond that new peers are not listened to: else who connects, sends and leaves, again and again, would fill
// the memory of a process that is slow to receive.
//
// Where a stream is read by a goroutine of its own (see ioloop), one that is not read is not seen to end: such a peer leaves when
// its messages have been received.
//
//	peer leaves ── its queue is not empty ──> members ── hold RecvHWM, or QueueBytes ──> new peers wait in postponed
//	received ── weigh ──> fewer ── letterAdmit ──> they are admitted
type leavers struct {
	members         []*member
	messages, bytes int    // that they hold at most
	weighed         uint64 // messages received, at the last weigh
}

// weighEach is after how many messages those that are left are weighed again; with many of them later, by one in weighShare.
const weighEach, weighShare = 64, 16

// depart is told that m has ended, or will when more of its messages have been received. The turn of the receiving side is held.
func (b *base) depart(m *member) {
	if !m.accepted || m.session == nil || b.traits.subscribable {
		return
	}
	messages, bytes := m.end.In.Held()
	if messages == 0 {
		return
	}
	w := &b.left
	drained, size := m.end.In.Drained()
	m.until, m.untilSize = drained+messages, size+bytes
	if m.departed {
		return
	}
	m.departed = true
	w.members = append(w.members, m)
	w.messages, w.bytes = w.messages+messages, w.bytes+bytes
	if b.tooMuch() {
		b.weigh()
	}
}

// tooMuch reports whether leavers hold more than one queue may. One alone does not.
func (b *base) tooMuch() bool {
	w, limits := &b.left, b.options.recvLimits()
	return len(w.members) > 1 &&
		(limits.Messages > 0 && w.messages >= limits.Messages || limits.Bytes > 0 && w.bytes >= limits.Bytes)
}

// weigh forgets those whose messages have been received, and lets new peers in if the others hold little enough. The turn of
// the receiving side is held.
func (b *base) weigh() {
	w := &b.left
	w.weighed, w.messages, w.bytes = b.received, 0, 0
	w.members = slices.DeleteFunc(w.members, func(m *member) bool {
		drained, size := m.end.In.Drained()
		if m.departed = drained < m.until; m.departed {
			w.messages, w.bytes = w.messages+m.until-drained, w.bytes+m.untilSize-size
		}
		return !m.departed
	})
	crowded := b.tooMuch()
	if b.crowded.Swap(crowded) && !crowded {
		b.out.post(letter{subject: letterAdmit})
	}
}

// reweigh is weigh after some messages, or after the last. The turn of the receiving side is held.
func (b *base) reweigh(last bool) {
	if n := len(b.left.members); n > 0 && (last || b.received-b.left.weighed >= uint64(max(weighEach, n/weighShare))) {
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
	b.greetings.over(m)
	m.session.Admit()
}

// admitAll admits those that have waited. The turn of the sending side is held.
func (b *base) admitAll() {
	postponed := b.postponed
	b.postponed = nil
	for _, m := range postponed {
		b.greetings.over(m)
		m.session.Admit()
	}
}
