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

type send func(context.Context, socket.Message) error

// sendWay chooses between Send and SendOwned. The probe never changes a frame,
// so it may send one any number of times.
func (p *probe) sendWay(push *socket.Push) send {
	if p.owned {
		return push.SendOwned
	}
	return push.Send
}

// sendAll sends count messages. With one sender there is no balance.
func (p *probe) sendAll(ctx context.Context, send send) (*balance, error) {
	if p.senders > 1 {
		return p.sendTogether(ctx, send)
	}
	message := socket.NewMessage(make([]byte, p.size))
	for range p.count {
		if err := send(ctx, message); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// sendTogether has every goroutine claim messages until none is left.
func (p *probe) sendTogether(ctx context.Context, send send) (*balance, error) {
	var next atomic.Int64 // first message that nobody has claimed
	var running sync.WaitGroup
	sent := make([]int, p.senders)
	errs := make([]error, p.senders)
	begin := make(chan struct{})
	for i := range p.senders {
		running.Go(func() {
			<-begin
			sent[i], errs[i] = p.sendClaimed(ctx, send, &next)
		})
	}
	close(begin)
	running.Wait()
	return newBalance(sent), errors.Join(errs...)
}

func (p *probe) sendClaimed(ctx context.Context, send send, next *atomic.Int64) (sent int, err error) {
	message := socket.NewMessage(make([]byte, p.size))
	for {
		first := int(next.Add(claimed)) - claimed
		if first >= p.count {
			return sent, nil
		}
		for range min(claimed, p.count-first) {
			if err := send(ctx, message); err != nil {
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
