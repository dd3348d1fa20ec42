// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/session"
	"github.com/zwire-mq/zwire/internal/zmtp"
	"github.com/zwire-mq/zwire/transport/inproc"
)

// The life of a member:
//
//	Connect ──> opened ──> attached ──> detached ──> attached … ──> ended     (a connecting session)
//	            accepted ─> attached ──> detached ──> ended                    (an accepted one)
//	Connect ──> opened ──> attached ──> ended, and its successor opened        (inproc)
//
// Sessions and other sockets report each step from their own goroutines; it is posted, and happens under the turn of the
// sending side. The receiving side needs to know only of messages, and that a peer it may wait for is gone.

// owner is a base as its sessions and the other ends of its inproc pipes see it.
type owner base

// Ready is told that q has messages: a session or another socket has published the first.
func (o *owner) Ready(q *pipe.Queue, _ bool) {
	b := (*base)(o)
	if p, ok := b.pattern.(listening); ok {
		p.call(q)
		return
	}
	b.in.post(letter{subject: letterReady, queue: q})
}

// Owes is told that another socket finds q full: what has been taken from it counts no more.
func (o *owner) Owes(q *pipe.Queue) {
	b := (*base)(o)
	if b.traits.subscribable {
		b.out.post(letter{subject: letterOwed, queue: q})
		return
	}
	b.in.post(letter{subject: letterOwed, queue: q})
}

// Revive is told that q, which this socket found full, has room.
func (o *owner) Revive(q *pipe.Queue) {
	b := (*base)(o)
	end := q.Far
	if end == nil {
		end = q.End
	}
	b.out.post(letter{subject: letterRevive, member: end.Socket.(*member)})
}

// Release is told that the drainer of q wants what is held back.
func (o *owner) Release(q *pipe.Queue) {
	b := (*base)(o)
	b.out.post(letter{subject: letterFlush, queue: q})
}

// Trim is told that q is at rest.
func (o *owner) Trim(q *pipe.Queue) {
	b := (*base)(o)
	b.out.post(letter{subject: letterTrim, queue: q})
}

// Accepted makes a member of a new session.
func (o *owner) Accepted(s *session.Session) bool {
	b := (*base)(o)
	if !b.greetings.room() && !b.cut(crowdGrace) {
		return false
	}
	m := b.newMember(s.End, s.Endpoint)
	m.session, m.accepted, m.state = s, true, PeerHandshaking
	b.greetings.begin(m)
	if !b.enter(m) {
		b.greetings.over(m)
		return false
	}
	return true
}

// MakeRoom ends the oldest of the handshakes that take long.
func (o *owner) MakeRoom() bool {
	b := (*base)(o)
	return b.cut(greetingGrace)
}

// cut ends handshakes that have taken longer. It reports whether there were any.
func (b *base) cut(grace time.Duration) bool {
	late := b.greetings.late(grace)
	for _, m := range late {
		b.drop(m, &zmtp.Error{Reason: zmtp.HandshakeTimeout})
	}
	return len(late) > 0
}

// Attach is told that a handshake has ended well.
func (o *owner) Attach(s *session.Session, peer zmtp.Peer) {
	b := (*base)(o)
	m := s.End.Socket.(*member)
	peer.Identity, peer.Properties = bytes.Clone(peer.Identity), nil // nobody asks for the others, which may be long
	b.table.Lock()
	m.peer = peer
	b.table.Unlock()
	b.out.post(letter{subject: letterAttach, member: m})
}

// Detach is told that an attached session has lost its stream.
func (o *owner) Detach(s *session.Session, _ error) {
	b := (*base)(o)
	b.out.post(letter{subject: letterDetach, member: s.End.Socket.(*member)})
}

// Ended is told that a session is over.
func (o *owner) Ended(s *session.Session, reason error) {
	b := (*base)(o)
	m := s.End.Socket.(*member)
	b.table.Lock()
	m.err = publicError(m.endpoint, reason)
	b.table.Unlock()
	b.out.post(letter{subject: letterEnded, member: m})
}

// Hung is told that a peer has stopped writing, and that its stream cannot be read to the end as long as its queue is full.
func (o *owner) Hung(s *session.Session) {
	b := (*base)(o)
	b.in.post(letter{subject: letterHung, member: s.End.Socket.(*member)})
}

// Failed counts why a stream ended.
func (o *owner) Failed(s *session.Session, reason error) {
	b := (*base)(o)
	err := publicError(s.Endpoint, reason)
	m := s.End.Socket.(*member)
	b.table.Lock()
	m.err = err
	b.table.Unlock()
	b.counts.failure(err)
	b.news.tell()
}

// Queues, Suits, Type, Joined, Left and Mismatched make a socket a party of inproc.

// Queues returns the limits of a pipe.
func (o *owner) Queues() (send, recv pipe.Limits) {
	b := (*base)(o)
	return b.options.sendLimits(), b.options.recvLimits()
}

// Suits reports whether this socket talks to one of that type.
func (o *owner) Suits(socketType string) bool {
	b := (*base)(o)
	return slices.Contains(b.traits.peers, socketType)
}

// Type returns the type's name, in the protocol's spelling.
func (o *owner) Type() string {
	b := (*base)(o)
	return b.traits.name
}

// Joined hands the socket its end of an inproc pipe.
func (o *owner) Joined(end *pipe.End, name string, bound bool) {
	b := (*base)(o)
	m, _ := end.Socket.(*member)
	if m == nil {
		m = b.newMember(end, "inproc://"+name)
		m.accepted = true
		if !b.enter(m) {
			b.context.names.Unbind(name, o) // or the other socket would come back at once
			end.Out.Consumer.(*owner).Left(end.Partner, nil)
			return
		}
	}
	there := end.Out.Consumer.(*owner)
	b.table.Lock()
	m.peer = zmtp.Peer{Major: 3, SocketType: there.traits.name, Identity: there.options.Identity}
	b.table.Unlock()
	b.out.post(letter{subject: letterAttach, member: m})
}

// Left is told that the socket at the other end of an inproc pipe has left, or why it refuses this one.
func (o *owner) Left(end *pipe.End, reason error) {
	b := (*base)(o)
	m := end.Socket.(*member)
	if reason != nil {
		b.table.Lock()
		m.err = &RefusedError{Endpoint: m.endpoint, Reason: reason.Error(), err: reason}
		b.table.Unlock()
	}
	b.out.post(letter{subject: letterDetach, member: m})
	b.out.post(letter{subject: letterLeft, member: m})
}

// Mismatched is told that an inproc name that this socket waited for belongs to a type it does not talk to.
func (o *owner) Mismatched(end *pipe.End) {
	b := (*base)(o)
	b.fail(end.Socket.(*member), ErrMismatch)
}

// fail ends an inproc member that cannot be joined.
func (b *base) fail(m *member, err error) {
	b.table.Lock()
	m.err = err
	b.table.Unlock()
	b.out.post(letter{subject: letterEnded, member: m})
}

// handleOut does what was posted to the sending side.
func (b *base) handleOut(l letter) {
	b.express = nil
	if l.subject != letterFlush {
		b.wide.end()
	}
	switch m := l.member; l.subject {
	case letterOpened:
		if !m.gone && !m.leaving {
			b.pattern.opened(m)
			b.wakeSenders()
		}
	case letterAttach:
		b.attach(m)
	case letterDetach:
		b.detach(m)
	case letterEnded:
		b.end(m)
	case letterLeft:
		m.left = true
		b.end(m)
	case letterAdmit:
		b.admitAll()
	case letterRevive:
		if !m.gone && !m.leaving {
			b.pattern.revive(m)
			if b.traits.balanced {
				b.wakeSender() // in the order in which they came
			} else {
				b.wakeSenders() // they may wait for different peers
			}
		}
	case letterTrim:
		flush(l.queue) // Trim would publish what is held back, and tell nobody
		l.queue.Trim()
	case letterFlush:
		b.wide.asked(l.queue)
		if q := l.queue; q.Asked() && q.Claim() {
			q.Consumer.Ready(q, true)
		}
	case letterOwed:
		l.queue.Repay()
	case letterSweep:
		if p, ok := b.pattern.(listening); ok {
			p.sweep(m)
		}
	case letterReady:
		if p, ok := b.pattern.(listening); ok {
			p.listen(l.queue)
		}
	}
}

// flush publishes what is held back in q, and tells the drainer. The turn is held.
func flush(q *pipe.Queue) {
	if q.Flush() && q.Claim() {
		q.Consumer.Ready(q, true)
	}
}

// listening is a pattern that hears its peers on the sending side: publishers.
type listening interface {
	// call is told that a peer's queue has messages, without the turn.
	call(q *pipe.Queue)
	// listen hears what stands in a peer's queue.
	listen(q *pipe.Queue)
	// sweep forgets some of what a peer that has left had said.
	sweep(m *member)
}

func (b *base) attach(m *member) {
	if m.gone || m.attached {
		return
	}
	m.attached = true
	b.table.Lock()
	m.told = m.peer
	b.table.Unlock()
	if !m.leaving {
		if err := b.pattern.attach(m); err != nil {
			m.attached = false
			b.refuse(m, err)
			return
		}
	}
	b.setState(m, PeerConnected)
	b.wakeSenders()
	if m.session != nil {
		b.admit(m)
		return
	}
	// Both directions of an inproc pipe begin to flow when their drainer attaches.
	if q := m.end.In; q.Turn(pipe.Detached, pipe.Posted) {
		(*owner)(b).Ready(q, true)
	}
	b.table.Lock()
	closing := m.closing
	b.table.Unlock()
	if closing || m.again { // it was only waiting for a socket to hand its messages to, or shall not
		b.drop(m, nil)
	}
}

func (b *base) detach(m *member) {
	if !m.attached {
		return
	}
	m.attached = false
	b.pattern.detach(m)
	b.wakeSenders() // what they wait for may go elsewhere now, or nowhere
	b.setState(m, PeerConnecting)
	b.in.post(letter{subject: letterDetach, member: m})
}

// end takes leave of a pipe; what is queued in it is lost.
func (b *base) end(m *member) {
	if m.gone {
		return
	}
	m.gone = true
	b.greetings.over(m)
	b.postponed = slices.DeleteFunc(b.postponed, func(x *member) bool { return x == m })
	b.pattern.ended(m)
	lost := b.discard(m)
	b.table.Lock()
	m.ended = true
	closing := m.closing
	if !m.again {
		m.lost = lost
	}
	var refused *RefusedError
	var next *member
	if !m.accepted && !closing && (errors.As(m.err, &refused) || m.err == ErrMismatch || m.err == inproc.ErrTooManyWaiters) {
		m.state = PeerRefused // Peers goes on to show it
	} else {
		m.state = PeerClosed
		if m.left || m.again {
			next = b.successor(m)
		}
		b.forget(m)
	}
	b.table.Unlock()
	switch {
	case lost == 0:
	case m.again:
		b.counts.drop(DropGivenUp, lost)
	case closing:
		b.counts.drop(DropLinger, lost)
	default:
		b.counts.drop(DropPeerGone, lost)
	}
	close(m.done)
	if next != nil {
		b.succeed(next)
	}
	b.wakeSenders()
	b.in.post(letter{subject: letterEnded, member: m})
	b.news.tell()
}

// discard returns how many messages queued for m nobody will ever receive. On inproc those are the other socket's once it
// has taken the pipe: it may still receive them, also if it has not come to look at the pipe yet, and if it is closed they
// have been handed over. If it refuses the pipe after this side has ended it, nobody is left to count them.
func (b *base) discard(m *member) int {
	if m.session != nil {
		return m.session.Discard()
	}
	q := m.end.Out
	flush(q) // the other socket must not need to ask who has left
	if m.end.Partner == nil || m.left && q.State() == pipe.Detached {
		lost, _ := q.Queued()
		return lost
	}
	return 0
}

// forget takes m out of the tables, which are locked.
func (b *base) forget(m *member) {
	delete(b.members, m)
	if list := b.connected[m.endpoint]; !m.accepted {
		list = slices.DeleteFunc(list, func(x *member) bool { return x == m })
		if len(list) == 0 {
			delete(b.connected, m.endpoint)
		} else {
			b.connected[m.endpoint] = list
		}
	}
}

// refuse drops m, which is to know why.
func (b *base) refuse(m *member, reason error) {
	b.counts.refuse()
	b.drop(m, reason)
}

// drop ends m from this side.
func (b *base) drop(m *member, reason error) {
	if m.session != nil {
		m.session.Abort(reason)
		return
	}
	if m.end.Partner != nil {
		m.end.Out.Consumer.(*owner).Left(m.end.Partner, reason)
	}
	b.out.post(letter{subject: letterDetach, member: m})
	b.out.post(letter{subject: letterEnded, member: m})
}

// renew takes back what is queued for m, or if that may have gone out, has m begin anew on another pipe: what it still sends on
// this one is of no interest. The turn is held.
func (b *base) renew(m *member) {
	switch {
	case m.gone || m.leaving:
		return
	case m.session != nil && !m.accepted && !m.attached:
		if lost := m.session.Discard(); lost > 0 {
			b.counts.drop(DropGivenUp, lost)
		}
		return
	}
	m.again, m.leaving = true, true
	b.pattern.ended(m)
	if m.attached || m.session != nil || b.context.names.Leave(m.name, m.end) {
		b.drop(m, nil)
	} // else it is just being joined: attach drops it
}

func (b *base) setState(m *member, state PeerState) {
	b.table.Lock()
	if m.state != PeerRefused {
		m.state = state
	}
	b.table.Unlock()
	b.news.tell()
}

// handleIn does what was posted to the receiving side.
func (b *base) handleIn(l letter) {
	switch l.subject {
	case letterOwed:
		l.queue.Repay()
	case letterReady:
		if b.fair.Add(l.queue.End) {
			b.wakeReceiver()
			b.tellReadable()
		}
	case letterHung:
		b.depart(l.member)
	case letterDetach, letterEnded:
		if b.filter != nil {
			b.wakeReceivers() // who waits for this very peer must know
		}
		if l.subject == letterEnded {
			b.depart(l.member)
		}
	}
}
