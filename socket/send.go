// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/wire"
)

// The path out: Send takes the turn → the pattern chooses pipes that have room → the message is encoded straight into
// their queues → with the turn given up, drainers that sleep are told. If there is no room: drain a pipe that nobody
// has begun to, or sleep until one revives.

// errFull says that no pipe has room now.
var errFull = errors.New("socket: full")

// manner is how a message is sent.
type manner uint8

const (
	toWait manner = 1 << iota // for room
	toKeep                    // the message's memory is the library's
)

// sender is the half of a socket that sends.
type sender struct{ base *base }

// Send queues a copy of msg for one peer, or for all that want it, as the socket type says; the memory is the caller's
// again when it returns. It waits for room, until ctx ends: then nothing has been queued. Messages of one goroutine keep
// their order.
func (s sender) Send(ctx context.Context, msg Message) error {
	return s.base.send(ctx, msg.frames, toWait)
}

// SendOwned is Send for memory that the caller hands over: frames of msg must never be changed again. To peers over tcp and
// ipc a last frame of 16 KiB or more goes without a copy.
func (s sender) SendOwned(ctx context.Context, msg Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.base.out.lock()
	return s.base.sendLong(ctx, msg.frames, toKeep|toWait)
}

// TrySend is Send that does not wait: without room it returns ErrWouldBlock.
func (s sender) TrySend(msg Message) error {
	return s.base.send(context.Background(), msg.frames, 0)
}

func (b *base) send(ctx context.Context, frames [][]byte, how manner) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !b.out.mu.TryLock() {
		b.out.mu.Lock()
		b.crowd = crowdTurns
	}
	if b.out.mailed.Load() {
		b.out.read()
	} else if len(frames) == 1 && len(frames[0]) <= b.smallMost &&
		(b.express != nil && b.express.AppendSmall(frames[0]) || b.brief != nil && b.brief.sendSmall(frames, 0)) ||
		len(frames) > 1 && b.sendFew(frames) {
		// In a burst the next message goes where the last one went, and nothing is new but its bytes.
		b.sent++
		sent := b.sent
		turnOver := b.crowd > 0 && sent%turnMessages == 0
		b.out.mu.Unlock() // as unlock does, without a call
		if b.out.mailed.Load() {
			b.out.attend()
		}
		if turnOver {
			b.giveTurn(sent)
		}
		return nil
	}
	return b.sendLong(ctx, frames, how)
}

// sendFew is the short way of a message of several frames.
func (b *base) sendFew(frames [][]byte) bool {
	if limit := b.options.MessageFrames; b.express == nil && b.brief == nil || limit > 0 && len(frames) > limit {
		return false
	}
	n := pipe.EncodedBytes(nil, frames)
	return n <= b.smallMost && (b.express != nil && b.express.AppendFew(frames, n) || b.brief != nil && b.brief.sendSmall(frames, n))
}

// Senders that meet at the turn give each other a chance after turnMessages, since the Go scheduler lets each run for 10 ms,
// until for crowdTurns times in a row nobody has taken it.
const (
	turnMessages = 1024
	crowdTurns   = 16
)

// giveTurn is called without the turn, after message number sent.
func (b *base) giveTurn(sent uint64) {
	runtime.Gosched()
	b.out.lock()
	if b.sent == sent {
		b.crowd--
	} else {
		b.crowd = crowdTurns
	}
	b.out.unlock()
}

// sendLong is send of any message at any time. It is called with the turn held, and returns without.
func (b *base) sendLong(ctx context.Context, frames [][]byte, how manner) error {
	err := b.place(ctx, frames, how)
	b.leaveOut()
	return err
}

// leaveOut gives the turn up and tells the drainer that sleeps.
func (b *base) leaveOut() {
	q := b.untold
	b.untold = nil
	b.out.unlock()
	if q != nil {
		q.Consumer.Ready(q, false)
	}
}

// tell tells the drainer that sleeps, with the turn held.
func (b *base) tell() {
	if q := b.untold; q != nil {
		b.untold = nil
		q.Consumer.Ready(q, true)
	}
}

// place queues a message, and waits for room if it must. It is called and returns with the turn held, which it gives up
// while it waits.
func (b *base) place(ctx context.Context, frames [][]byte, how manner) error {
	n, err := b.measure(frames)
	if err != nil {
		return err
	}
	b.express = nil
	for {
		if b.closed.Load() {
			return net.ErrClosed
		}
		p := &b.plan
		p.how, p.only, p.frames, p.head, p.skip, p.targets = how, false, len(frames), nil, 0, nil
		p.again, p.whole, p.swift, p.marked = false, false, false, 0
		err := b.pattern.choose(p, frames[0], n)
		if err == nil {
			b.deliver(p, frames)
			return nil
		}
		if err != errFull {
			return err
		}
		b.tell() // who it is may be who makes room
		if b.steal() {
			continue
		}
		if how&toWait == 0 {
			b.home.Load().Polled()
			return ErrWouldBlock
		}
		if err := b.awaitRoom(ctx); err != nil {
			return err
		}
	}
}

// measure returns the size of a message on the wire, if it may be sent.
func (b *base) measure(frames [][]byte) (int, error) {
	if len(frames) == 0 {
		return 0, ErrEmpty
	}
	if b.traits.addressed {
		frames = frames[1:]
	}
	if len(frames) == 1 && len(frames[0]) <= b.options.messageBytes() {
		return wire.HeaderBytes(len(frames[0])) + len(frames[0]), nil
	}
	if limit := b.options.MessageFrames; limit > 0 && len(frames) > limit {
		return 0, ErrTooLarge
	}
	n := 0
	for _, f := range frames {
		n += len(f)
	}
	if n > b.options.messageBytes() {
		return 0, ErrTooLarge
	}
	return pipe.EncodedBytes(nil, frames), nil
}

// deliver queues a message where the plan says. A drainer that sleeps is told now, or by leaveOut.
func (b *base) deliver(p *plan, frames [][]byte) {
	b.sent++
	switch head, rest := p.head, frames[p.skip:]; {
	case len(p.targets) == 0:
	case p.how&toKeep != 0 && b.refer(p, rest):
	case len(p.targets) == 1:
		q := p.targets[0].Out
		if p.swift && len(rest) == 1 && len(rest[0]) <= b.smallMost && q.AppendSmall(rest[0]) {
			break
		}
		q.Append(head, rest)
		b.claim(q, true)
		switch {
		case p.swift:
			q.Quicken(0)
		case p.only && len(head) == 0 && p.skip == 0 && len(b.sendWaiters) == 0:
			q.Quicken(pipe.ByteMark)
			b.express = q
		}
	default:
		b.wide.add(&b.shared, p, rest)
	}
	if len(b.sendWaiters) > 0 {
		b.wakeSender() // a hint is passed on; who finds no room sleeps again
	}
}

// claim sees to it that q is drained: alone, by leaveOut, which may let the caller drain it.
func (b *base) claim(q *pipe.Queue, alone bool) {
	switch {
	case !q.Claim():
	case alone && b.untold == nil:
		b.untold = q
	default:
		q.Consumer.Ready(q, true)
	}
}

// refer queues a message by reference where that is possible: an inproc peer reads it as it stands on the wire, in one
// piece.
func (b *base) refer(p *plan, frames [][]byte) bool {
	c := pipe.Refer(p.head, frames)
	if c == nil {
		return false
	}
	b.wide.publish()
	for _, e := range p.targets {
		if e.Peer == nil {
			e.Out.Append(p.head, frames)
		} else {
			e.Out.Publish(c, 0, c.Len(), 1)
		}
		b.claim(e.Out, len(p.targets) == 1)
	}
	c.Release()
	b.wide.end() // which does not know what room is left
	return true
}

// steal drains a full pipe that nobody has begun to drain. It reports whether it gave the turn up meanwhile, so that the
// caller must look again.
func (b *base) steal() bool {
	for _, e := range b.plan.targets {
		if e.Peer != nil && e.Out.State() == pipe.Posted && e.Peer.Steals() {
			b.out.unlock()
			e.Peer.Steal()
			b.out.lock()
			return true
		}
	}
	return false
}

// awaitRoom sleeps until a pipe may have room. It is called and returns with the turn held.
func (b *base) awaitRoom(ctx context.Context) error {
	w := b.sendSpares.Take()
	w.Poll = b.options.BusyPoll
	b.sendWaiters = append(b.sendWaiters, w)
	b.out.unlock()
	err := w.Wait(ctx, b.home.Load().Loop())
	b.out.lock()
	if err != nil {
		if i := slices.Index(b.sendWaiters, w); i >= 0 {
			b.sendWaiters = slices.Delete(b.sendWaiters, i, i+1)
		} else {
			b.wakeSender() // the hint was for whoever can use it
		}
	}
	b.sendSpares.Put(w)
	return err
}

// bulkSender is a sender whose messages do not depend on what is received between them.
type bulkSender struct{ sender }

// tellEach is how many messages of a batch a drainer sleeps through: it shall begin before its queue is full.
const tellEach = 64

// SendBatch is Send for each of msgs, in order, for less than as many calls cost. It returns how many have been queued: all
// of them, or fewer and why the next one was not. Messages of other goroutines may come between them only when it waits.
func (s bulkSender) SendBatch(ctx context.Context, msgs []Message) (int, error) {
	b := s.base
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.out.lock()
	for i := range msgs {
		if i%tellEach == tellEach-1 {
			b.tell()
		}
		frames := msgs[i].frames
		if len(frames) == 1 && len(frames[0]) <= b.smallMost &&
			(b.express != nil && b.express.AppendSmall(frames[0]) || b.brief != nil && b.brief.sendSmall(frames, 0)) ||
			len(frames) > 1 && b.sendFew(frames) {
			b.sent++
			continue
		}
		if err := b.place(ctx, frames, toWait); err != nil {
			b.leaveOut()
			return i, err
		}
	}
	b.leaveOut()
	return len(msgs), nil
}

// aheadMessages is how many messages may be sent before a sender that still looks for its wake no longer goes before those
// that sleep: to wake one of them takes as long as hundreds of messages.
const aheadMessages = 4096

// wakeSender hints at the sender that has waited longest, or at the last one while that has not gone to sleep. The turn is
// held.
func (b *base) wakeSender() {
	if len(b.sendWaiters) > 0 {
		i := len(b.sendWaiters) - 1
		if b.sent-b.wokenAt >= aheadMessages || !b.sendWaiters[i].Awake() {
			i, b.wokenAt = 0, b.sent
		}
		w := b.sendWaiters[i]
		b.sendWaiters = slices.Delete(b.sendWaiters, i, i+1)
		w.Wake()
	}
}

// wakeSenders ends all waits. The turn is held.
func (b *base) wakeSenders() {
	for len(b.sendWaiters) > 0 {
		b.wakeSender()
	}
}
