// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"runtime"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

type throughputReport struct {
	Operation          string  `json:"op"`
	Endpoint           string  `json:"endpoint"`
	Size               int     `json:"size"`
	Count              int     `json:"count"`
	Seconds            float64 `json:"seconds"`
	MessagesPerSecond  float64 `json:"msgs_per_s"`
	MegabytesPerSecond float64 `json:"mb_per_s"`
	AllocsPerMessage   float64 `json:"allocs_per_msg"`
}

func throughputPull(ctx context.Context, p *probe) (any, error) {
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

func throughputPush(ctx context.Context, p *probe) (any, error) {
	push, err := socket.NewPush(p.options(socket.LingerForever))
	if err != nil {
		return nil, err
	}
	if err := push.Connect(p.endpoint); err != nil {
		return nil, err
	}
	if err := p.sendAll(ctx, push); err != nil {
		return nil, err
	}
	return nil, push.Close()
}

// measureThroughput counts time and allocations from the first message to the
// last one.
func (p *probe) measureThroughput(ctx context.Context, from receiver) (*throughputReport, error) {
	var before, after runtime.MemStats
	if err := p.takeAll(ctx, from, 1); err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := p.takeAll(ctx, from, p.count-1); err != nil {
		return nil, err
	}
	seconds := time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	if err := p.checkNoMore(from); err != nil {
		return nil, err
	}
	report := &throughputReport{Size: p.size, Count: p.count}
	if p.count > 1 {
		messages := float64(p.count - 1)
		report.Seconds = seconds
		report.MessagesPerSecond = messages / seconds
		report.MegabytesPerSecond = report.MessagesPerSecond * float64(p.size) / 1e6
		report.AllocsPerMessage = float64(after.Mallocs-before.Mallocs) / messages
	}
	return report, nil
}
