// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"net"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/subtrie"
	"github.com/zwire-mq/zwire/internal/wire"
	"github.com/zwire-mq/zwire/internal/zmtp"
)

// subscribing is the sending side of SUB and XSUB: a counted set of topics, each told once to every peer, and told anew to
// every new stream, before anything else.
type subscribing struct {
	base   *base
	topics subtrie.Counts // changed with both turns held
	peers  []*pipe.End    // attached; OutSlot is the place
	topic  []byte         // both turns: of a change
	buffer []byte

	_ [128]byte // a PUB of the same process may stand behind
}

// scratchMin is the first capacity of a buffer that is written with each subscription: it has lines of the cache for itself.
const scratchMin = 128

// scratch returns a buffer to write anew.
func scratch(buffer []byte) []byte {
	if buffer == nil {
		return make([]byte, 0, scratchMin)
	}
	return buffer[:0]
}

// topicKept is the length from which a topic's memory is not kept for the next one.
const topicKept = 64 << 10

func (p *subscribing) opened(*member) {}
func (p *subscribing) revive(*member) {}

// attach tells a new stream all topics, above any HWM. What the last one did not take is void.
func (p *subscribing) attach(m *member) error {
	e := m.end
	if m.session != nil {
		m.session.Discard()
	}
	for topic := range p.topics.All() {
		e.Out.AppendWire(p.encode(m, true, topic))
	}
	e.OutSlot = len(p.peers)
	p.peers = append(p.peers, e)
	if e.Out.Claim() {
		e.Out.Consumer.Ready(e.Out, true)
	}
	return nil
}

func (p *subscribing) detach(m *member) {
	e := m.end
	if e.OutSlot < 0 {
		return
	}
	last := len(p.peers) - 1
	p.peers[e.OutSlot] = p.peers[last]
	p.peers[e.OutSlot].OutSlot = e.OutSlot
	p.peers[last] = nil
	p.peers = p.peers[:last]
	e.OutSlot = -1
}

func (p *subscribing) ended(m *member) { p.detach(m) }

// encode writes a subscription in the form that the peer's version knows: a command from 3.1 on, a message before and on
// inproc (RFC 37, The Publish-Subscribe Pattern).
func (p *subscribing) encode(m *member, subscribe bool, topic []byte) []byte {
	switch b := scratch(p.buffer); {
	case m.session == nil || !m.told.AtLeast(3, 1):
		p.buffer = zmtp.AppendSubscription(b, subscribe, topic)
	case subscribe:
		p.buffer = zmtp.AppendSubscribe(b, topic)
	default:
		p.buffer = zmtp.AppendCancel(b, topic)
	}
	return p.buffer
}

// change counts a topic and tells the peers if it is new or gone.
func (p *subscribing) change(subscribe bool, topic string) error {
	b := p.base
	b.in.lock()
	defer b.in.unlock()
	b.out.lock()
	defer b.out.unlock()
	if b.closed.Load() {
		return net.ErrClosed
	}
	p.topic = append(scratch(p.topic), topic...)
	defer p.trim()
	told, err := p.count(subscribe, p.topic)
	if err != nil || !told {
		return err
	}
	b.plain = b.filter == nil || p.topics.Match(nil) // with the empty topic everything passes
	p.tell(subscribe, p.topic)
	return nil
}

// trim lets go of the memory of a long topic.
func (p *subscribing) trim() {
	if len(p.topic) > topicKept {
		p.topic, p.buffer = nil, nil
	}
}

// count notes a change. It reports whether peers must know.
func (p *subscribing) count(subscribe bool, topic []byte) (bool, error) {
	if subscribe {
		return p.topics.Add(topic), nil
	}
	last, held := p.topics.Remove(topic)
	if !held {
		return false, ErrState
	}
	return last, nil
}

// choose is for XSUB. A subscription in message form is counted like any other.
func (p *subscribing) choose(to *plan, first []byte, n int) error {
	to.targets = nil
	if to.frames == 1 {
		if subscribe, topic, ok := zmtp.IsSubscription(first); ok {
			if told, err := p.count(subscribe, topic); err != nil || !told {
				return nil
			}
			p.tell(subscribe, topic)
			return nil
		}
	}
	for _, e := range p.peers {
		if e.Out.Room(n) {
			to.targets = append(to.targets, e)
		} else {
			p.base.counts.drop(DropFull, 1)
		}
	}
	return nil
}

// tell sends a change to all peers.
func (p *subscribing) tell(subscribe bool, topic []byte) {
	for _, e := range p.peers {
		add(e.Out, p.encode(e.Socket.(*member), subscribe, topic))
	}
}

// add queues one whole message, or command, that is in wire form.
func add(q *pipe.Queue, encoded []byte) {
	if q.AppendSmallWire(encoded) {
		return
	}
	q.Append(encoded, nil)
	if q.Claim() {
		q.Consumer.Ready(q, true)
	}
	q.Quicken(0)
}

// filtering is SUB: it looks once more at what it gets, so that nothing arrives that was not asked for.
type filtering struct {
	subscribing
}

func (p *filtering) mayReceive() error { return nil }

func (p *filtering) accept(_ *member, encoded []byte) (int, verdict) {
	_, size, n := wire.ParseHeader(encoded)
	if p.topics.Match(encoded[n : n+int(size)]) {
		return 0, deliver
	}
	return 0, discard
}
