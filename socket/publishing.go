// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"fmt"
	"slices"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/route"
	"github.com/zwire-mq/zwire/internal/wire"
	"github.com/zwire-mq/zwire/internal/zmtp"
)

// sweepTopics is how many topics of a peer that left are forgotten in one go; senders get their turn in between.
const sweepTopics = 1024

// publishing is the sending side of PUB and XPUB. It also hears what peers send, under the same turn: subscriptions work
// while the application is busy elsewhere.
//
//	peer ── SUBSCRIBE ──> In of its pipe ── listen ──> Topics
//	                                           └── XPUB: notices ──> Recv
type publishing struct {
	base   *base
	fanout route.Fanout

	looked bool // fanout has just been asked where the message goes that is to be sent

	notices *pipe.End   // XPUB: a pipe from the sending side to the receiving side; this side writes In
	stalled []*pipe.End // XPUB: peers not listened to until notices has room
	buffer  []byte

	_ [128]byte // a SUB of the same process may stand behind
}

// report makes an XPUB of a PUB.
func (p *publishing) report(b *base) {
	p.notices = pipe.NewEnd(pipe.Limits{}, b.options.recvLimits())
	p.notices.Socket = &member{socket: b, end: p.notices}
	p.notices.In.Consumer, p.notices.In.Producer, p.notices.In.Far = noticed{b}, (*owner)(b), p.notices
	p.notices.In.Set(pipe.Idle)
}

// noticed tells the receiving side of notices.
type noticed struct{ base *base }

func (n noticed) Ready(q *pipe.Queue, _ bool) {
	n.base.in.post(letter{subject: letterReady, queue: q})
}

func (p *publishing) opened(*member) {}

// attach begins anew: what is left of the last stream's topics goes first.
func (p *publishing) attach(m *member) error {
	for !p.forget(m) {
	}
	return nil
}

func (p *publishing) detach(m *member) { p.base.out.post(letter{subject: letterSweep, member: m}) }

func (p *publishing) ended(m *member) {
	p.fanout.Shun(m.end)
	p.stalled = slices.DeleteFunc(p.stalled, func(e *pipe.End) bool { return e == m.end })
	p.base.out.post(letter{subject: letterSweep, member: m})
}

// sweep forgets the topics of a peer that has left (RFC 29, XPUB: the application sees them cancelled).
func (p *publishing) sweep(m *member) {
	if m.attached && !m.gone && !m.leaving {
		return // it is back, and says anew what it wants
	}
	if !p.forget(m) {
		p.base.out.post(letter{subject: letterSweep, member: m})
		return
	}
	p.base.wakeSenders() // nobody may want any more what they wait to send
	p.base.news.tell()
}

// forget takes back some of a peer's topics. It reports whether none is left.
func (p *publishing) forget(m *member) (done bool) {
	m.topics = 0
	return p.fanout.Topics.RemovePeer(m.end, sweepTopics, func(topic []byte, last bool) {
		if last {
			p.notify(false, topic)
		}
	})
}

// revive is about notices: a full peer is noticed anew with each message.
func (p *publishing) revive(m *member) {
	if m.end != p.notices {
		return
	}
	stalled := p.stalled
	p.stalled = nil
	for i, e := range stalled {
		if !p.notices.In.Fits(1, 0) { // those that were not heard come first next time
			p.stalled = append(stalled[i:len(stalled):len(stalled)], p.stalled...)
			return
		}
		p.hear(e)
	}
}

// sendSmall sends a small message that nobody wants, or only one peer in the middle of a burst; or says that it has to go the
// long way. Several frames are n bytes on the wire. It is called like the methods of pattern.
func (p *publishing) sendSmall(frames [][]byte, n int) bool {
	if b := p.base; len(b.wide.ends) > 0 || b.closed.Load() {
		return false
	}
	switch matches := p.fanout.Match(frames[0]); len(matches) {
	case 0:
		return true
	case 1:
		if q := matches[0].Out; len(frames) == 1 && q.AppendSmall(frames[0]) || len(frames) > 1 && q.AppendFew(frames, n) {
			return true
		}
	}
	p.looked = true
	return false
}

// match returns the ends that want a message that begins with first.
func (p *publishing) match(first []byte) []*pipe.End {
	if p.looked {
		p.looked = false
		return p.fanout.Matches()
	}
	return p.fanout.Match(first)
}

func (p *publishing) choose(to *plan, first []byte, n int) error {
	if p.base.wide.takes(n) && p.fanout.Same(first) {
		to.again, to.targets = true, p.base.wide.ends
		return nil
	}
	p.base.wide.end()
	if p.base.options.PubNoDrop {
		to.marked = to.byteMark()
	}
	matches := p.match(first)
	fits := matches[:0]
	for _, e := range matches {
		switch {
		case p.base.options.PubNoDrop:
			if !e.Out.Fits(n, to.marked) {
				to.to(e)
				return errFull
			}
			fits = append(fits, e)
		case e.Out.Room(n):
			fits = append(fits, e)
		default:
			p.base.counts.drop(DropFull, 1)
		}
	}
	to.targets, to.whole, to.swift = fits, len(fits) == len(matches), !p.base.options.PubNoDrop
	return nil
}

// aloneMax is how many messages in a row an inproc peer has heard by itself, before it only queues them and a goroutine hears
// several at a time.
const aloneMax = 32

// call has q heard, now or, if its writer has done too much of that, soon.
func (p *publishing) call(q *pipe.Queue) {
	l := letter{subject: letterReady, queue: q}
	if m := q.End.Socket.(*member); m.session == nil && m.alone.Load() >= aloneMax {
		m.alone.Store(0)
		p.base.out.leave(l) // a sender that comes first hears it first
		go p.base.out.visit()
		return
	}
	p.base.out.post(l)
}

// listen is called when the first message stands in a peer's queue.
func (p *publishing) listen(q *pipe.Queue) {
	if q.Turn(pipe.Posted, pipe.Draining) {
		p.hear(q.End)
	}
}

// hearMax is how many messages of one peer are heard in one go; senders and other peers get their turn in between.
const hearMax = 1024

// hear takes in what a peer has sent. What is left when the socket is closed is for nobody.
func (p *publishing) hear(e *pipe.End) {
	if p.base.closed.Load() {
		return
	}
	q := e.In
	for heard := 0; heard < hearMax; {
		encoded := q.Front()
		if encoded == nil {
			if e.Peer == nil && q.Await() {
				continue
			}
			q.Settle()
			if q.Yield() {
				p.heard(e, heard)
				return
			}
			continue
		}
		heard++
		if p.notices != nil && !p.notices.In.Room(len(encoded)) && !p.notices.In.Fits(len(encoded), 0) {
			p.stalled = append(p.stalled, e)
			return
		}
		p.obey(e.Socket.(*member), encoded)
		q.Pop(len(encoded))
	}
	q.Set(pipe.Posted)
	p.base.out.post(letter{subject: letterReady, queue: q})
}

// heard notes that all has been heard that an inproc peer has said.
func (p *publishing) heard(e *pipe.End, messages int) {
	if m := e.Socket.(*member); messages > 1 {
		m.alone.Store(0)
	} else if m.session == nil {
		m.alone.Add(1)
	}
}

// obey takes in one message of a peer. PUB ignores all but subscriptions.
func (p *publishing) obey(m *member, encoded []byte) {
	flags, size, n := wire.ParseHeader(encoded)
	if flags&wire.FlagMore == 0 {
		if subscribe, topic, ok := zmtp.IsSubscription(encoded[n : n+int(size)]); ok {
			if subscribe {
				p.subscribe(m, topic)
			} else {
				p.cancel(m, topic)
			}
			return
		}
	}
	if p.notices != nil {
		add(p.notices.In, encoded)
	}
}

func (p *publishing) subscribe(m *member, topic []byte) {
	if !m.attached || m.leaving {
		return
	}
	o := &p.base.options
	if count := p.fanout.Topics.Len(m.end); o.SubscriptionsPerPeer > 0 && count >= o.SubscriptionsPerPeer ||
		o.TopicBytesPerPeer > 0 && m.topics+len(topic) > o.TopicBytesPerPeer {
		p.base.drop(m, &zmtp.Error{Reason: zmtp.TooManySubscriptions, Detail: fmt.Sprintf("%d topics of %d bytes", count, m.topics)})
		return
	}
	first, fresh := p.fanout.Topics.Add(topic, m.end)
	if fresh {
		m.topics += len(topic)
		p.base.news.tell()
	}
	if first || p.base.options.XPubVerbose {
		p.notify(true, topic)
	}
}

func (p *publishing) cancel(m *member, topic []byte) {
	last, held := p.fanout.Topics.Remove(topic, m.end)
	if !held {
		return
	}
	m.topics -= len(topic)
	p.base.wakeSenders()
	p.base.news.tell()
	if last {
		p.notify(false, topic)
	}
}

// notify tells the application of an XPUB about a topic, in a message.
func (p *publishing) notify(subscribe bool, topic []byte) {
	if p.notices != nil {
		p.buffer = zmtp.AppendSubscription(scratch(p.buffer), subscribe, topic)
		add(p.notices.In, p.buffer)
		if len(topic) > topicKept {
			p.buffer = nil
		}
	}
}
