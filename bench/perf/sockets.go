// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// reconnectMax keeps the side that starts first from being late when the other
// one comes.
const reconnectMax = 250 * time.Millisecond

type binder interface {
	Bind(endpoint string) error
	LastEndpoint() string
}

type receiver interface {
	RecvInto(context.Context, *socket.Message) error
	TryRecv() (socket.Message, error)
	Messages(context.Context) iter.Seq2[socket.Message, error]
}

// options bounds the queues by number of messages alone, as libzmq does.
func (p *probe) options(linger time.Duration) *socket.Options {
	highWater := p.highWater
	if highWater == 0 {
		highWater = socket.Unlimited
	}
	return &socket.Options{
		Context:      p.context,
		SendHWM:      highWater,
		RecvHWM:      highWater,
		QueueBytes:   socket.Unlimited,
		MessageBytes: socket.Unlimited,
		Linger:       linger,
		ReconnectMax: reconnectMax,
		SendBuffer:   p.sendBuffer,
		RecvBuffer:   p.recvBuffer,
	}
}

// bind says what was bound, so that a wildcard port can be used.
func (p *probe) bind(s binder) error {
	if err := s.Bind(p.endpoint); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "bound %s\n", s.LastEndpoint())
	return nil
}

// takeAll receives count messages and does nothing but check their size.
func (p *probe) takeAll(ctx context.Context, from receiver, count int) error {
	if count == 0 {
		return nil
	}
	if p.iterate {
		return takeIterating(ctx, from, count, p.size)
	}
	var message socket.Message
	for range count {
		if err := from.RecvInto(ctx, &message); err != nil {
			return err
		}
		if err := checkSize(message, p.size); err != nil {
			return err
		}
	}
	return nil
}

func takeIterating(ctx context.Context, from receiver, count, size int) error {
	left := count
	for message, err := range from.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := checkSize(message, size); err != nil {
			return err
		}
		if left--; left == 0 {
			return nil
		}
	}
	return net.ErrClosed
}

// receive hands count messages to each, which must not keep them.
func (p *probe) receive(ctx context.Context, from receiver, count int, each func(socket.Message) error) error {
	if p.iterate {
		left := count
		for message, err := range from.Messages(ctx) {
			if err == nil {
				err = each(message)
			}
			if left--; err != nil || left == 0 {
				return err
			}
		}
		return net.ErrClosed
	}
	var message socket.Message
	for range count {
		if err := from.RecvInto(ctx, &message); err != nil {
			return err
		}
		if err := each(message); err != nil {
			return err
		}
	}
	return nil
}

func checkSize(message socket.Message, size int) error {
	if message.Len() == 1 && len(message.Frame(0)) == size {
		return nil
	}
	return wrongSize(message, size)
}

func wrongSize(message socket.Message, size int) error {
	total := 0
	for i := range message.Len() {
		total += len(message.Frame(i))
	}
	return fmt.Errorf("got a message of %d frames and %d bytes, want one frame of %d", message.Len(), total, size)
}

func (p *probe) checkNoMore(from receiver) error {
	if _, err := from.TryRecv(); !errors.Is(err, socket.ErrWouldBlock) {
		return fmt.Errorf("something came after %d messages (%v)", p.count, err)
	}
	return nil
}
