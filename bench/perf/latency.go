// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

func latencyReply(ctx context.Context, p *probe) (figures.Report, error) {
	rep, err := socket.NewRep(p.options(socket.LingerForever))
	if err != nil {
		return nil, err
	}
	if err := p.bind(rep); err != nil {
		return nil, err
	}
	if err := p.answerAll(ctx, rep); err != nil {
		return nil, err
	}
	return nil, rep.Close()
}

func latencyRequest(ctx context.Context, p *probe) (figures.Report, error) {
	req, err := socket.NewReq(p.options(socket.LingerNone))
	if err != nil {
		return nil, err
	}
	if err := req.Connect(p.endpoint); err != nil {
		return nil, err
	}
	report, err := p.measureLatency(ctx, req)
	if err != nil {
		return nil, err
	}
	report.Operation, report.Endpoint = "lat-req", p.endpoint
	return report, req.Close()
}

func (p *probe) answerAll(ctx context.Context, rep *socket.Rep) error {
	return p.receive(ctx, rep, p.count, func(message socket.Message) error {
		if err := checkSize(message, p.size); err != nil {
			return err
		}
		return rep.Send(ctx, message)
	})
}

// measureLatency leaves the first exchange, which waits for the peer, out of
// the samples.
func (p *probe) measureLatency(ctx context.Context, req *socket.Req) (*figures.Latency, error) {
	request := socket.NewMessage(make([]byte, p.size))
	samples := make([]time.Duration, 0, p.count)
	start := time.Now()
	if err := req.Send(ctx, request); err != nil {
		return nil, err
	}
	err := p.receive(ctx, req, p.count, func(reply socket.Message) error {
		samples = append(samples, time.Since(start))
		if err := checkSize(reply, p.size); err != nil {
			return err
		}
		if len(samples) == p.count {
			return nil
		}
		start = time.Now()
		return req.Send(ctx, request)
	})
	if err != nil {
		return nil, err
	}
	report := &figures.Latency{Size: p.size, Count: p.count}
	report.Summarize(samples[1:])
	return report, nil
}
