// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

const (
	inprocName     = "inproc://perf" // the endpoint
	inprocReported = "inproc"        // what the report calls it
)

func inprocThroughput(ctx context.Context, p *probe) (figures.Report, error) {
	pull, err := socket.NewPull(p.options(socket.LingerNone))
	if err != nil {
		return nil, err
	}
	push, err := socket.NewPush(p.options(socket.LingerForever))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(pull.Bind(inprocName), push.Connect(inprocName)); err != nil {
		return nil, err
	}
	other := make(chan error, 1)
	var balance *balance
	go func() {
		var err error
		balance, err = p.sendAll(ctx, push.Send)
		other <- errors.Join(err, push.Close())
	}()
	report, err := p.measureThroughput(ctx, pull)
	if err != nil {
		return nil, err
	}
	report.Operation, report.Endpoint = "inproc-thr", inprocReported
	err = <-other
	return &balancedThroughput{*report, balance}, errors.Join(err, pull.Close())
}

func inprocLatency(ctx context.Context, p *probe) (figures.Report, error) {
	req, err := socket.NewReq(p.options(socket.LingerNone))
	if err != nil {
		return nil, err
	}
	rep, err := socket.NewRep(p.options(socket.LingerForever))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(rep.Bind(inprocName), req.Connect(inprocName)); err != nil {
		return nil, err
	}
	other := make(chan error, 1)
	go func() { other <- errors.Join(p.answerAll(ctx, rep), rep.Close()) }()
	report, err := p.measureLatency(ctx, req)
	if err != nil {
		return nil, err
	}
	report.Operation, report.Endpoint = "inproc-lat", inprocReported
	return report, errors.Join(<-other, req.Close())
}
