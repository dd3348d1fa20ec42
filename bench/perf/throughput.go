// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"runtime"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

func throughputPull(ctx context.Context, p *probe) (figures.Report, error) {
	pull, err := socket.NewPull(p.options(socket.LingerNone))
	if err != nil {
		return nil, err
	}
	if err := p.bind(pull); err != nil {
		return nil, err
	}
	report, err := p.measureThroughput(ctx, pull)
	if err != nil {
		return nil, err
	}
	report.Operation, report.Endpoint = "thr-pull", p.endpoint
	return report, pull.Close()
}

func throughputPush(ctx context.Context, p *probe) (figures.Report, error) {
	push, err := socket.NewPush(p.options(socket.LingerForever))
	if err != nil {
		return nil, err
	}
	if err := push.Connect(p.endpoint); err != nil {
		return nil, err
	}
	balance, err := p.sendAll(ctx, p.sendWay(push))
	if err != nil {
		return nil, err
	}
	if balance != nil {
		if err := json.NewEncoder(p.stderr).Encode(balance); err != nil {
			return nil, err
		}
	}
	return nil, push.Close()
}

// measureThroughput counts time and allocations from the first message to the
// last one.
func (p *probe) measureThroughput(ctx context.Context, from receiver) (*figures.Throughput, error) {
	var before, after runtime.MemStats
	if err := p.takeAll(ctx, from, 1); err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := p.takeAll(ctx, from, p.count-1); err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	if err := p.checkNoMore(from); err != nil {
		return nil, err
	}
	report := &figures.Throughput{Size: p.size, Count: p.count}
	report.Summarize(float64(p.count-1), elapsed, after.Mallocs-before.Mallocs)
	return report, nil
}
