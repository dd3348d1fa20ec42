// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"errors"
	"sync"
)

// Socket is any socket of this package.
type Socket interface {
	Bind(endpoint string) error
	Connect(endpoint string) error
	LastEndpoint() string
	Close() error
	root() *base
}

func (b *base) root() *base { return b }

// receives and sends tell the halves of a socket.
func (r receiver) receives() {}
func (s sender) sends()      {}

// Proxy forwards messages between two sockets, both ways where both can send and receive, until ctx ends, whose error it
// returns, or one of them is closed, which is net.ErrClosed. A message that one side cannot take yet waits, and so do
// those behind it: whoever sends is slowed down. What a side can never take is dropped and counted there: a message for
// nobody, or one that is too large for it, perhaps by the identity that a ROUTER has put in front. So is, as DropGivenUp, a
// message that still waited when Proxy ended.
func Proxy(ctx context.Context, front, back Socket) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var both sync.WaitGroup
	for _, way := range [][2]Socket{{front, back}, {back, front}} {
		_, from := way[0].(interface{ receives() })
		_, to := way[1].(interface{ sends() })
		if from && to {
			both.Go(func() { cancel(forward(ctx, way[0].root(), way[1].root())) })
			both.Go(func() { cancel(way[0].root().outlast(ctx)) })
			both.Go(func() { cancel(way[1].root().outlast(ctx)) })
		}
	}
	both.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return errors.New("socket: the two sockets have no way to forward")
}

// forward moves messages one way.
func forward(ctx context.Context, from, to *base) error {
	var msg Message
	for {
		if err := from.recv(ctx, &msg, true); err != nil {
			return err
		}
		switch err := to.send(ctx, msg.frames, toWait); err {
		case nil:
		case ErrUnroutable:
			to.counts.drop(DropUnroutable, 1)
		case ErrTooLarge:
			to.counts.drop(DropTooLarge, 1)
		default:
			to.counts.drop(DropGivenUp, 1)
			return err
		}
	}
}

// outlast waits until ctx ends, or the socket is closed.
func (b *base) outlast(ctx context.Context) error {
	return b.await(ctx, func() (bool, error) { return false, nil })
}
