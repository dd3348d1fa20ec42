// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"errors"
	"iter"
	"net"
	"slices"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// The path in: whoever reads a stream publishes runs of messages and, if the pipe was empty, posts it → Recv takes the
// turn, takes one message from the next pipe that has one and copies it out → if there is none it sleeps, running the
// loop meanwhile. Who leaves messages behind wakes the next receiver.

// receiver is the half of a socket that receives.
type receiver struct{ base *base }

// Recv waits for a message, until ctx ends: then none has been taken. The message is the caller's for good.
func (r receiver) Recv(ctx context.Context) (Message, error) {
	var msg Message
	err := r.base.recv(ctx, &msg, true)
	return msg, err
}

// RecvInto is Recv that reuses the memory of *msg, which must have come from RecvInto or Recv, or be zero, and whose
// frames must not be used any more. On error *msg is unchanged.
func (r receiver) RecvInto(ctx context.Context, msg *Message) error {
	return r.base.recv(ctx, msg, true)
}

// TryRecv is Recv that does not wait: without a message it returns ErrWouldBlock.
func (r receiver) TryRecv() (Message, error) {
	var msg Message
	err := r.base.recv(context.Background(), &msg, false)
	return msg, err
}

// Readable returns a channel that is closed as soon as TryRecv may return something else than ErrWouldBlock: at once, when a message
// arrives, or when the socket is closed. It is for select, beside other channels; ask anew each time.
func (r receiver) Readable() <-chan struct{} {
	b := r.base
	b.in.lock()
	defer b.in.unlock()
	if b.readable == nil {
		b.readable = make(chan struct{})
	}
	readable := b.readable
	asking, _ := b.pattern.(*asking)
	if e, _ := b.fair.Front(); e != nil || b.closed.Load() || asking != nil && asking.lost() {
		b.tellReadable()
	} else {
		b.home.Load().Polled()
	}
	return readable
}

// tellReadable tells those who wait for a socket in select. The turn is held.
func (b *base) tellReadable() {
	if b.readable != nil {
		close(b.readable)
		b.readable = nil
	}
}

// Messages returns an iterator over what is received. A message is valid until the next turn; Clone keeps it. The
// iterator ends silently when the socket is closed, and with (zero, error) on any other error, such as ctx.Err().
func (r receiver) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		var msg Message
		for {
			switch err := r.base.recv(ctx, &msg, true); err {
			case nil:
				if !yield(msg, nil) {
					return
				}
			case net.ErrClosed:
				return
			default:
				yield(Message{}, err)
				return
			}
		}
	}
}

func (b *base) recv(ctx context.Context, msg *Message, wait bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.in.mu.Lock()
	if b.in.mailed.Load() {
		b.in.read()
	} else if len(b.recvWaiters) == 0 && !b.closed.Load() && b.fetchSmall(msg) {
		b.in.mu.Unlock() // as unlock does, without a call
		if b.in.mailed.Load() {
			b.in.attend()
		}
		return nil
	}
	return b.recvLong(ctx, msg, wait)
}

// recvLong is recv of any message at any time. It is called with the turn held, and returns without.
func (b *base) recvLong(ctx context.Context, msg *Message, wait bool) error {
	for {
		if b.closed.Load() {
			b.in.unlock()
			return net.ErrClosed
		}
		ok, err := b.fetch(msg)
		if ok || err != nil && err != errBusy {
			b.passOn()
			b.in.unlock()
			return err
		}
		if err == errBusy {
			late := ctx.Err()
			if !wait || late != nil {
				b.wakeReceiver() // there is more, for whoever waits
			}
			b.in.unlock() // others shall have their turn
			if late != nil {
				return late
			}
			if !wait {
				return ErrWouldBlock
			}
			b.in.lock()
			continue
		}
		b.reweigh(true)
		if !wait {
			b.in.unlock()
			b.home.Load().Polled()
			return ErrWouldBlock
		}
		if err := b.awaitMessage(ctx); err != nil {
			return err
		}
	}
}

// bulkReceiver is a receiver whose messages do not depend on what is sent between them.
type bulkReceiver struct{ receiver }

// RecvBatch is RecvInto for several messages, for less than as many calls cost. It waits for one, until ctx ends, then takes
// those that are there as well, and returns how many: at least 1 unless msgs is empty or there is an error. Of msgs only
// those are changed.
func (r bulkReceiver) RecvBatch(ctx context.Context, msgs []Message) (int, error) {
	b := r.base
	if err := ctx.Err(); err != nil || len(msgs) == 0 {
		return 0, err
	}
	b.in.lock()
	n := b.fetchMany(msgs)
	if n > 0 {
		b.passOn()
		b.in.unlock()
		return n, nil
	}
	if err := b.recvLong(ctx, &msgs[0], true); err != nil {
		return 0, err
	}
	b.in.lock()
	n = 1 + b.fetchMany(msgs[1:])
	b.passOn()
	b.in.unlock()
	return n, nil
}

// fetchMany takes messages that are there. The turn is held.
func (b *base) fetchMany(msgs []Message) (n int) {
	for n < len(msgs) && !b.closed.Load() && (b.fetchSmall(&msgs[n]) || b.fetchNow(&msgs[n])) {
		n++
	}
	return n
}

func (b *base) fetchNow(msg *Message) bool {
	ok, err := b.fetch(msg)
	return ok && err == nil
}

// fetchSmall takes a message that comes from where the last one came from, and looks like it.
func (b *base) fetchSmall(msg *Message) bool {
	r := msg.received
	if r == nil || !b.plain && !b.wants() {
		return false
	}
	if len(msg.frames) != 1 {
		return len(msg.frames) > 1 && b.fetchFew(msg)
	}
	n, ok := b.fair.TakeSmall(r.bytes)
	if ok {
		msg.frames[0] = r.bytes[:n:n]
		b.received++
	}
	return ok
}

// fetchFew is fetchSmall for several frames.
func (b *base) fetchFew(msg *Message) bool {
	if !b.fair.TakeFew(msg.received.bytes, msg.frames) {
		return false
	}
	b.received++
	return true
}

// wants reports whether the next message is one that fetchSmall may take, and a SUB wants it.
func (b *base) wants() bool {
	if b.wanted == nil {
		return false
	}
	body, ok := b.fair.FrontSmall()
	return ok && b.wanted.Match(body)
}

// passOn wakes another receiver if there is more to receive. If somebody waits, a queue without more is laid to rest, so that its
// next message wakes him. The turn is held.
func (b *base) passOn() {
	b.reweigh(false)
	if len(b.recvWaiters) > 0 {
		if e, _ := b.fair.Front(); e != nil {
			b.wakeReceiver()
		}
	}
}

// errBusy says that fetch has seen many messages, and none that is for the application.
var errBusy = errors.New("socket: busy")

// discardsMax is how many messages are discarded in one go.
const discardsMax = 256

// fetch takes the next message that is for the application, if there is one.
func (b *base) fetch(msg *Message) (bool, error) {
	if b.filter == nil {
		e, encoded := b.fair.Front()
		if e == nil {
			return false, nil
		}
		b.take(msg, e, encoded)
		return true, nil
	}
	for range discardsMax {
		if err := b.filter.mayReceive(); err != nil {
			return false, err
		}
		e, encoded := b.fair.Front()
		if e == nil {
			return false, nil
		}
		m := e.Socket.(*member)
		skip, verdict := b.filter.accept(m, encoded)
		if verdict == discard {
			b.fair.Pop(e, len(encoded))
			continue
		}
		if skip == 0 && verdict == deliver {
			b.take(msg, e, encoded)
			return true, nil
		}
		if verdict == deliverSigned {
			msg.read(*m.identity.Load(), true, encoded)
		} else {
			msg.read(nil, false, encoded[skip:])
		}
		b.received++
		b.fair.Pop(e, len(encoded))
		return true, nil
	}
	return false, errBusy
}

// take makes msg the message at the front of e.
func (b *base) take(msg *Message, e *pipe.End, encoded []byte) {
	b.received++
	if len(encoded) > pipe.ChunkBytes/2 {
		if memory, ok := e.In.Steal(len(encoded), msg.spare()); ok {
			msg.adopt(memory, len(encoded))
			b.fair.Pop(e, len(encoded))
			return
		}
	}
	msg.read(nil, false, encoded)
	b.fair.Pop(e, len(encoded))
}

// awaitMessage sleeps until there may be a message. It is called, and returns nil, with the turn held; on error it is
// not.
func (b *base) awaitMessage(ctx context.Context) error {
	w := b.recvSpares.Take()
	w.Poll = b.options.BusyPoll
	b.recvWaiters = append(b.recvWaiters, w)
	b.in.unlock()
	err := w.Wait(ctx, b.home.Load().Loop())
	b.in.lock()
	if err != nil {
		if i := slices.Index(b.recvWaiters, w); i >= 0 {
			b.recvWaiters = slices.Delete(b.recvWaiters, i, i+1)
		} else {
			b.wakeReceiver() // the hint was for whoever can use it
		}
	}
	b.recvSpares.Put(w)
	if err != nil {
		b.in.unlock()
	}
	return err
}

// wakeReceiver hints at the receiver that has waited longest. The turn is held.
func (b *base) wakeReceiver() {
	if len(b.recvWaiters) > 0 {
		w := b.recvWaiters[0]
		b.recvWaiters = slices.Delete(b.recvWaiters, 0, 1)
		w.Wake()
	}
}

// wakeReceivers ends all waits. The turn is held.
func (b *base) wakeReceivers() {
	for len(b.recvWaiters) > 0 {
		b.wakeReceiver()
	}
	b.tellReadable()
}
