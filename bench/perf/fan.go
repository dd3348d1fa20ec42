// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

const (
	fanSilence = 5 * time.Second        // then what is missing is lost
	fanLook    = 100 * time.Millisecond // between two looks for progress
)

// errFanSilent ends the receiving goroutines when all is there or nothing comes.
var errFanSilent = errors.New("nothing comes any more")

// A fan is the subscribing side: sockets with a goroutine each, and one
// goroutine that watches their progress.
type fan struct {
	*probe
	started time.Time
	members []*subscriber
	waiting atomic.Int64 // members without a first message
	first   atomic.Int64 // since started: the last first message
	begun   atomic.Int64 // since started: the first message of all
}

// Besides the socket, the fields belong to the subscriber's goroutine until it
// ends.
type subscriber struct {
	sub      *socket.Sub
	received int
	last     time.Duration // since started
	_        [64]byte      // keeps another's counter off this cache line
}

func fanPublish(ctx context.Context, p *probe) (figures.Report, error) {
	pub, err := socket.NewPub(p.options(socket.LingerForever))
	if err != nil {
		return nil, err
	}
	if err := p.bind(pub); err != nil {
		return nil, err
	}
	if err := pub.WaitSubscribers(ctx, "", p.subscribers); err != nil {
		return nil, err
	}
	message := socket.NewMessage(make([]byte, p.size))
	for range p.count {
		if err := pub.Send(ctx, message); err != nil {
			return nil, err
		}
	}
	return nil, pub.Close()
}

func fanSubscribe(ctx context.Context, p *probe) (figures.Report, error) {
	f := &fan{probe: p, started: time.Now()}
	for range p.subscribers {
		sub, err := socket.NewSub(p.options(socket.LingerNone))
		if err != nil {
			return nil, err
		}
		f.members = append(f.members, &subscriber{sub: sub})
	}
	for _, s := range f.members {
		if err := errors.Join(s.sub.Subscribe(""), s.sub.Connect(p.endpoint)); err != nil {
			return nil, err
		}
	}
	return f.measure(ctx)
}

func (f *fan) measure(ctx context.Context) (figures.Report, error) {
	receiving, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	f.waiting.Store(int64(f.subscribers))
	var running sync.WaitGroup
	for _, s := range f.members {
		running.Go(func() {
			if err := f.takeAll(receiving, s); err != nil {
				giveUp(err)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	lastSeen := f.watch(done)
	giveUp(errFanSilent)
	<-done
	if err := context.Cause(receiving); !errors.Is(err, errFanSilent) {
		return nil, err
	}
	report := f.report(lastSeen)
	if report.Lost != 0 {
		return report, fmt.Errorf("lost %d messages", report.Lost)
	}
	return report, f.close()
}

func (f *fan) takeAll(ctx context.Context, s *subscriber) error {
	defer func() { s.last = time.Since(f.started) }()
	if f.iterate {
		return f.receive(ctx, s.sub, f.count, func(message socket.Message) error { return f.taken(s, message) })
	}
	var message socket.Message
	for range f.count {
		if err := s.sub.RecvInto(ctx, &message); err != nil {
			return err
		}
		if err := f.taken(s, message); err != nil {
			return err
		}
	}
	return nil
}

func (f *fan) taken(s *subscriber, message socket.Message) error {
	if s.received == 0 {
		now := int64(time.Since(f.started))
		f.begun.CompareAndSwap(0, now)
		if f.waiting.Add(-1) == 0 {
			f.first.Store(now)
		}
	}
	s.received++
	return checkSize(message, f.size)
}

// watch returns when all subscribers have ended, or when something has come and
// then nothing for fanSilence. It tells when it last saw progress.
func (f *fan) watch(done <-chan struct{}) (lastSeen time.Duration) {
	look := time.NewTicker(fanLook)
	defer look.Stop()
	var before uint64
	for {
		select {
		case <-done:
			return time.Since(f.started)
		case <-look.C:
		}
		var received uint64
		for _, s := range f.members {
			received += s.sub.Stats().Received
		}
		now := time.Since(f.started)
		if received != before || received == 0 {
			before, lastSeen = received, now
		} else if now-lastSeen > fanSilence {
			return lastSeen
		}
	}
}

func (f *fan) report(lastSeen time.Duration) *figures.Fan {
	var received int
	var last time.Duration
	for _, s := range f.members {
		received += s.received
		last = max(last, s.last)
	}
	report := &figures.Fan{
		Operation:   "fan-sub",
		Endpoint:    f.endpoint,
		Size:        f.size,
		Subscribers: f.subscribers,
		Count:       f.count,
		Lost:        f.count*f.subscribers - received,
	}
	if report.Lost > 0 {
		last = lastSeen
	}
	elapsed := last - time.Duration(f.first.Load())
	if f.waiting.Load() == 0 {
		report.Summarize(float64(received-f.subscribers), elapsed)
	}
	report.SummarizeAll(float64(received), last-time.Duration(f.begun.Load()))
	return report
}

func (f *fan) close() error {
	var errs []error
	for _, s := range f.members {
		errs = append(errs, f.checkNoMore(s.sub), s.sub.Close())
	}
	return errors.Join(errs...)
}
