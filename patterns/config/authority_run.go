// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/authority"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// serve runs the authority: a goroutine that receives, one that writes to the disk, and this one, which owns the machine.
func (a *Authority) serve(ctx context.Context) {
	var others sync.WaitGroup
	others.Go(func() { a.receive(ctx) })
	others.Go(func() { a.write(ctx) })
	err := a.run(ctx)
	a.cancel()
	others.Wait()
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		a.err = err
	}
	close(a.ended)
}

// receive takes messages in batches and decodes them. What cannot be decoded is dropped: its sender breaks the protocol, and
// whatever it waits for does not come.
func (a *Authority) receive(ctx context.Context) {
	messages := make([]socket.Message, receiveBatch)
	for {
		count, err := a.router.RecvBatch(ctx, messages)
		if err != nil {
			return
		}
		batch := make([]arrival, 0, count)
		for i := range messages[:count] {
			message := messages[i]
			messages[i] = socket.Message{} // what was decoded refers to its memory
			if message.Len() != 2 {
				continue
			}
			decoded, err := wire.Decode(message.Frame(1))
			if err != nil {
				a.opts.Log.Debug("a message that breaks the protocol", "session", message.Frame(0), "error", err)
				continue
			}
			batch = append(batch, arrival{string(message.Frame(0)), decoded})
		}
		select {
		case a.arrived <- batch:
		case <-ctx.Done():
			return
		}
	}
}

// write carries out writes, one at a time.
func (a *Authority) write(ctx context.Context) {
	for {
		select {
		case w := <-a.writes:
			a.written <- a.carryOut(w)
		case <-ctx.Done():
			return
		}
	}
}

func (a *Authority) carryOut(w *authority.Write) error {
	switch w.Kind {
	case authority.Append:
		return a.store.Append(w.After, w.Records, w.Meta)
	case authority.Install:
		return a.store.Install(w.State, w.Meta)
	}
	return a.store.Trim(w.State, w.Last)
}

func (a *Authority) run(ctx context.Context) error {
	ticker := time.NewTicker(a.opts.Interval / ticksPerInterval)
	defer ticker.Stop()
	gathered := time.NewTimer(a.opts.Interval)
	defer gathered.Stop()
	for begun := false; ; {
		a.emit(a.machine.Take(time.Now()))
		if due := a.machine.Gathering(); !due.IsZero() {
			gathered.Reset(time.Until(due))
		}
		if !begun && !a.machine.Opening() {
			begun = true
			close(a.begun)
		}
		select {
		case batch := <-a.arrived:
			a.take(batch)
		case err := <-a.written:
			if errors.Is(err, store.ErrUncertain) {
				a.opts.Log.Error("the store has to be opened again", "error", err)
				return fmt.Errorf("config: the authority stops: %w", err)
			}
			a.machine.Written(err, time.Now())
		case <-ticker.C:
			a.machine.Tick(time.Now())
		case <-gathered.C:
		case <-ctx.Done():
			a.machine.Leave(time.Now())
			a.emit(authority.Output{Publish: a.machine.Take(time.Now()).Publish})
			return ctx.Err()
		}
	}
}

// take hands a batch to the machine, and others that are there already.
func (a *Authority) take(batch []arrival) {
	now := time.Now()
	for taken := 1; ; taken++ {
		for _, arrival := range batch {
			a.machine.Received(arrival.from, arrival.message, now)
		}
		if taken == arrivedBatches {
			return
		}
		select {
		case batch = <-a.arrived:
		default:
			return
		}
	}
}

// emit sends what the machine wants sent. A queue that is full drops it: nodes notice gaps, and whoever asked asks again.
func (a *Authority) emit(out authority.Output) {
	if out.Write != nil {
		a.writes <- out.Write
	}
	for _, published := range out.Publish {
		_ = a.pub.TrySend(socket.NewMessage([]byte(published.Topic), wire.Encode(published.Message)))
	}
	for _, sent := range out.Send {
		if a.router.TrySend(socket.NewMessage([]byte(sent.Session), wire.Encode(sent.Message))) == socket.ErrWouldBlock {
			a.machine.Choked(sent.Session, time.Now())
		}
	}
	for _, message := range out.Peer {
		_ = a.link.TrySend(socket.NewMessage(wire.Encode(message)))
	}
}
