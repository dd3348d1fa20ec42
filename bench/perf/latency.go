// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// latencyReport gives half round trips.
type latencyReport struct {
	Operation string  `json:"op"`
	Endpoint  string  `json:"endpoint"`
	Size      int     `json:"size"`
	Count     int     `json:"count"`
	Mean      float64 `json:"oneway_us_mean"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p999_us"`
	P10       float64 `json:"p10_us"` // this one and the rest for the distribution
	P25       float64 `json:"p25_us"`
	P75       float64 `json:"p75_us"`
	P90       float64 `json:"p90_us"`
	P95       float64 `json:"p95_us"`
}

func latencyReply(ctx context.Context, p *probe) (any, error) {
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

func latencyRequest(ctx context.Context, p *probe) (any, error) {
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
func (p *probe) measureLatency(ctx context.Context, req *socket.Req) (*latencyReport, error) {
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
	report := &latencyReport{Size: p.size, Count: p.count}
	report.summarize(samples[1:])
	return report, nil
}

func (r *latencyReport) summarize(roundTrips []time.Duration) {
	if len(roundTrips) == 0 {
		return
	}
	slices.Sort(roundTrips)
	var sum time.Duration
	for _, roundTrip := range roundTrips {
		sum += roundTrip
	}
	r.Mean = halfMicroseconds(sum) / float64(len(roundTrips))
	for _, quantile := range []struct {
		perMille int
		to       *float64
	}{
		{100, &r.P10}, {250, &r.P25}, {500, &r.P50}, {750, &r.P75}, {900, &r.P90}, {950, &r.P95}, {990, &r.P99}, {999, &r.P999},
	} {
		*quantile.to = halfMicroseconds(percentile(roundTrips, quantile.perMille))
	}
}

// percentile takes the nearest rank, without interpolation.
func percentile(sorted []time.Duration, perMille int) time.Duration {
	return sorted[(len(sorted)*perMille+999)/1000-1]
}

func halfMicroseconds(roundTrip time.Duration) float64 {
	return float64(roundTrip.Nanoseconds()) / 2e3
}
