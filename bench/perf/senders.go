// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

// claimed is how many messages a goroutine takes upon itself at a time.
const claimed = 64

// A balance tells how evenly goroutines shared a socket: the messages of the
// least and of the most busy one, divided by the mean.
type balance struct {
	Senders int     `json:"senders"`
	Least   float64 `json:"least"`
	Most    float64 `json:"most"`
}

// A balancedThroughput has the keys of balance only where there is one.
type balancedThroughput struct {
	figures.Throughput
	*balance
}

// sendAll sends count messages. With one sender there is no balance.
func (p *probe) sendAll(ctx context.Context, push *socket.Push) (*balance, error) {
	switch {
	case p.senders > 1:
		return p.sendTogether(ctx, push)
	case p.batch > 1:
		return nil, p.sendBatches(ctx, push)
	}
	message := socket.NewMessage(make([]byte, p.size))
	if p.owned {
		return nil, p.sendOwned(ctx, push, message)
	}
	for range p.count {
		if err := push.Send(ctx, message); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// sendOwned never changes a frame, so it may send one any number of times.
func (p *probe) sendOwned(ctx context.Context, push *socket.Push, message socket.Message) error {
	for range p.count {
		if err := push.SendOwned(ctx, message); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) sendBatches(ctx context.Context, push *socket.Push) error {
	batch := make([]socket.Message, p.batch)
	for i := range batch {
		batch[i] = socket.NewMessage(make([]byte, p.size))
	}
	for left := p.count; left > 0; left -= p.batch {
		if _, err := push.SendBatch(ctx, batch[:min(left, p.batch)]); err != nil {
			return err
		}
	}
	return nil
}

// sendTogether has every goroutine claim messages until none is left.
func (p *probe) sendTogether(ctx context.Context, push *socket.Push) (*balance, error) {
	var next atomic.Int64 // first message that nobody has claimed
	var running sync.WaitGroup
	sent := make([]int, p.senders)
	errs := make([]error, p.senders)
	begin := make(chan struct{})
	for i := range p.senders {
		running.Go(func() {
			<-begin
			sent[i], errs[i] = p.sendClaimed(ctx, push, &next)
		})
	}
	close(begin)
	running.Wait()
	return newBalance(sent), errors.Join(errs...)
}

func (p *probe) sendClaimed(ctx context.Context, push *socket.Push, next *atomic.Int64) (sent int, err error) {
	message := socket.NewMessage(make([]byte, p.size))
	for {
		first := int(next.Add(claimed)) - claimed
		if first >= p.count {
			return sent, nil
		}
		for range min(claimed, p.count-first) {
			if err := push.Send(ctx, message); err != nil {
				return sent, err
			}
			sent++
		}
	}
}

func newBalance(sent []int) *balance {
	least, most, sum := sent[0], sent[0], 0
	for _, count := range sent {
		least, most, sum = min(least, count), max(most, count), sum+count
	}
	mean := float64(max(sum, 1)) / float64(len(sent))
	return &balance{Senders: len(sent), Least: float64(least) / mean, Most: float64(most) / mean}
}
