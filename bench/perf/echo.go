// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

const (
	echoSize = 16
	// echoGreeters is how many dealers connect at a time: more than a listener's backlog at once wait for seconds.
	echoGreeters = 256
)

// echoRouter answers the greeting and the echoes of every dealer.
func echoRouter(ctx context.Context, p *probe) (figures.Report, error) {
	router, err := socket.NewRouter(p.options(socket.LingerForever))
	if err != nil {
		return nil, err
	}
	if err := p.bind(router); err != nil {
		return nil, err
	}
	err = p.receive(ctx, router, p.count*(p.each+1), func(message socket.Message) error {
		return router.Send(ctx, message)
	})
	if err != nil {
		return nil, err
	}
	return nil, waitForAllGone(ctx, router)
}

// waitForAllGone looks from time to time: a lost peer is no event for a ROUTER.
func waitForAllGone(ctx context.Context, router *socket.Router) error {
	look := time.NewTicker(peersLook)
	defer look.Stop()
	for len(router.Peers()) > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// echoDealers does not Close: the end of the process is faster, and nothing is
// under way.
func echoDealers(ctx context.Context, p *probe) (figures.Report, error) {
	var echoers []*echoer
	for len(echoers) < p.count {
		greeters, err := p.greet(ctx, len(echoers), min(echoGreeters, p.count-len(echoers)))
		if err != nil {
			return nil, err
		}
		echoers = append(echoers, greeters...)
	}
	elapsed, err := p.goRound(ctx, echoers)
	if err != nil {
		return nil, err
	}
	report := &figures.Echo{Operation: "conns-echo", Endpoint: p.endpoint, Count: p.count, Each: p.each}
	report.Summarize(elapsed)
	return report, nil
}

// An echoer has at most one question under way; no two have the same.
type echoer struct {
	dealer   *socket.Dealer
	question []byte
	reply    socket.Message
}

// greet connects number dealers, counted from first, and exchanges one echo each.
func (p *probe) greet(ctx context.Context, first, number int) ([]*echoer, error) {
	greeters := make([]*echoer, number)
	for i := range greeters {
		dealer, err := socket.NewDealer(p.options(socket.LingerNone))
		if err != nil {
			return nil, err
		}
		if err := dealer.Connect(p.endpoint); err != nil {
			return nil, err
		}
		greeters[i] = &echoer{dealer: dealer, question: make([]byte, echoSize)}
		binary.NativeEndian.PutUint64(greeters[i].question, uint64(first+i))
		if err := greeters[i].ask(ctx, 0); err != nil {
			return nil, err
		}
	}
	for _, e := range greeters {
		if err := e.take(ctx); err != nil {
			return nil, err
		}
	}
	return greeters, nil
}

func (e *echoer) ask(ctx context.Context, round int) error {
	binary.NativeEndian.PutUint64(e.question[echoSize-8:], uint64(round))
	return e.dealer.Send(ctx, socket.NewMessage(e.question))
}

func (e *echoer) take(ctx context.Context) error {
	if err := e.dealer.RecvInto(ctx, &e.reply); err != nil {
		return err
	}
	if !bytes.Equal(e.reply.Body(), e.question) {
		return errors.Join(errors.New("got something else back"), checkSize(e.reply, echoSize))
	}
	return nil
}

// goRound takes each dealer's reply and asks anew, while all others have a
// question under way. The yardstick does the same; a goroutine for each dealer
// was an eighth slower with 9,000 of them.
func (p *probe) goRound(ctx context.Context, echoers []*echoer) (time.Duration, error) {
	start := time.Now()
	for _, e := range echoers {
		if err := e.ask(ctx, 1); err != nil {
			return 0, err
		}
	}
	for round := range p.each {
		for _, e := range echoers {
			if err := e.take(ctx); err != nil {
				return 0, err
			}
			if round+1 == p.each {
				continue
			}
			if err := e.ask(ctx, round+2); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(start), nil
}
