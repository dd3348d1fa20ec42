// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

const (
	subscribed   = 1 // first byte of a notice
	unsubscribed = 0
	readyTopic   = "ready" // is no topic of those counted
)

type subscriptionsReport struct {
	Operation            string  `json:"op"`
	Endpoint             string  `json:"endpoint"`
	Count                int     `json:"count"`
	SubscribePerSecond   float64 `json:"subscribe_per_s"`
	MatchPerSecond       float64 `json:"match_per_s"`
	UnsubscribePerSecond float64 `json:"unsubscribe_per_s"`
	RSSPerSubscription   float64 `json:"rss_bytes_per_sub"`
	figures.CPU
}

// A subscribing is one XPUB with one SUB. In each step a goroutine works on
// either, and both count through the same topics.
type subscribing struct {
	*probe
	xpub *socket.XPub
	sub  *socket.Sub
}

func subscriptions(ctx context.Context, p *probe) (figures.Report, error) {
	s, err := p.joinSubscriber(ctx)
	if err != nil {
		return nil, err
	}
	before, err := settledMemory()
	if err != nil {
		return nil, err
	}
	report := &subscriptionsReport{Operation: "subs", Endpoint: p.endpoint, Count: p.count}
	report.SubscribePerSecond, err = s.rate(
		func() error { return s.eachTopic(s.sub.Subscribe) },
		func() error { return s.takeNotices(ctx, subscribed) })
	if err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	after, err := settledMemory()
	if err != nil {
		return nil, err
	}
	report.RSSPerSubscription = float64(after.resident-before.resident) / float64(p.count)
	report.MatchPerSecond, err = s.rate(
		func() error { return s.publishAll(ctx) },
		func() error { return s.takeMatches(ctx) })
	if err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	report.UnsubscribePerSecond, err = s.rate(
		func() error { return s.eachTopic(s.sub.Unsubscribe) },
		func() error { return s.takeNotices(ctx, unsubscribed) })
	if err != nil {
		return nil, fmt.Errorf("unsubscribing: %w", err)
	}
	return report, errors.Join(s.sub.Close(), s.xpub.Close())
}

// joinSubscriber returns when a subscription has come and gone.
func (p *probe) joinSubscriber(ctx context.Context) (*subscribing, error) {
	options := p.options(socket.LingerNone)
	options.SubscriptionsPerPeer, options.TopicBytesPerPeer = socket.Unlimited, socket.Unlimited
	xpub, err := socket.NewXPub(options)
	if err != nil {
		return nil, err
	}
	sub, err := socket.NewSub(options)
	if err != nil {
		return nil, err
	}
	if err := p.bind(xpub); err != nil {
		return nil, err
	}
	if err := errors.Join(sub.Connect(xpub.LastEndpoint()), sub.Subscribe(readyTopic)); err != nil {
		return nil, err
	}
	if err := takeNotice(ctx, xpub, subscribed, readyTopic); err != nil {
		return nil, err
	}
	if err := sub.Unsubscribe(readyTopic); err != nil {
		return nil, err
	}
	return &subscribing{p, xpub, sub}, takeNotice(ctx, xpub, unsubscribed, readyTopic)
}

func takeNotice(ctx context.Context, xpub *socket.XPub, kind byte, topic string) error {
	notice, err := xpub.Recv(ctx)
	if err != nil {
		return err
	}
	return checkNotice(notice, kind, []byte(topic))
}

func checkNotice(notice socket.Message, kind byte, topic []byte) error {
	if body := notice.Body(); len(body) > 0 && body[0] == kind && string(body[1:]) == string(topic) {
		return nil
	}
	return fmt.Errorf("got %d frames, the first %q, want notice %d of %q", notice.Len(), notice.Body(), kind, topic)
}

// rate is how many topics go through a step in a second.
func (s *subscribing) rate(there, here func() error) (perSecond float64, err error) {
	other := make(chan error, 1)
	start := time.Now()
	go func() { other <- there() }()
	if err := here(); err != nil {
		return 0, err
	}
	elapsed := time.Since(start)
	return float64(s.count) / elapsed.Seconds(), <-other
}

func (s *subscribing) eachTopic(do func(topic string) error) error {
	topic := firstTopic()
	for range s.count {
		if err := do(string(topic)); err != nil {
			return err
		}
		topic.next()
	}
	return nil
}

func (s *subscribing) takeNotices(ctx context.Context, kind byte) error {
	topic := firstTopic()
	return s.receive(ctx, s.xpub, s.count, func(notice socket.Message) error {
		err := checkNotice(notice, kind, topic)
		topic.next()
		return err
	})
}

func (s *subscribing) publishAll(ctx context.Context) error {
	topic := firstTopic()
	message := socket.NewMessage(topic)
	for range s.count {
		if err := s.xpub.Send(ctx, message); err != nil {
			return err
		}
		topic.next()
	}
	return nil
}

func (s *subscribing) takeMatches(ctx context.Context) error {
	topic := firstTopic()
	return s.receive(ctx, s.sub, s.count, func(message socket.Message) error {
		if string(message.Body()) != string(topic) {
			return fmt.Errorf("got %d frames, the first %q, want %q", message.Len(), message.Body(), topic)
		}
		topic.next()
		return nil
	})
}

// A topic is a number with a prefix, and a slash that keeps any from being the
// prefix of another.
type topic []byte

// firstTopic has cache lines of its own: both goroutines of a step write to theirs all the time.
func firstTopic() topic { return append(make(topic, 0, 256), "t/00000000/"...) }

func (t topic) next() {
	for at := len(t) - 2; t[at] != '/'; at-- {
		if t[at]++; t[at] <= '9' {
			return
		}
		t[at] = '0'
	}
}

func settledMemory() (memory, error) {
	debug.FreeOSMemory() // collects first
	return readMemory()
}
