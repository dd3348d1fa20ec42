// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

type oursSocket interface {
	Bind(endpoint string) error
	Connect(endpoint string) error
	LastEndpoint() string
	WaitPeers(ctx context.Context, n int) error
	Close() error
}

type oursSender interface {
	Send(context.Context, socket.Message) error
}

type oursReceiver interface {
	Recv(context.Context) (socket.Message, error)
}

type oursParty struct {
	oursSocket
	sender   oursSender
	receiver oursReceiver
}

func newOurs(_ *testing.T, role role) (party, error) {
	return newOursWith(role, &socket.Options{})
}

func newOursWith(role role, options *socket.Options) (*oursParty, error) {
	options.Identity = []byte(role.identity)
	options.RouterMandatory = role.kind == router
	options.ReconnectMin, options.ReconnectMax = 10*time.Millisecond, 100*time.Millisecond
	switch role.kind {
	case req:
		s, err := socket.NewReq(options)
		return &oursParty{s, s, s}, err
	case rep:
		s, err := socket.NewRep(options)
		return &oursParty{s, s, s}, err
	case dealer:
		s, err := socket.NewDealer(options)
		return &oursParty{s, s, s}, err
	case router:
		s, err := socket.NewRouter(options)
		return &oursParty{s, s, s}, err
	case push:
		s, err := socket.NewPush(options)
		return &oursParty{s, s, nil}, err
	case pull:
		s, err := socket.NewPull(options)
		return &oursParty{s, nil, s}, err
	case pair:
		s, err := socket.NewPair(options)
		return &oursParty{s, s, s}, err
	}
	return newOursPublishing(role, options)
}

func newOursPublishing(role role, options *socket.Options) (*oursParty, error) {
	switch role.kind {
	case pub:
		s, err := socket.NewPub(options)
		return &oursParty{s, s, nil}, err
	case xpub:
		s, err := socket.NewXPub(options)
		return &oursParty{s, s, s}, err
	case sub:
		s, err := socket.NewSub(options)
		if err != nil {
			return nil, err
		}
		return &oursParty{s, nil, s}, s.Subscribe(role.topic)
	case xsub:
		s, err := socket.NewXSub(options)
		if err != nil {
			return nil, err
		}
		return &oursParty{s, s, s}, s.Subscribe(role.topic)
	}
	return nil, fmt.Errorf("no socket type %s", role.kind)
}

func (p *oursParty) bind(endpoint string) (string, error) {
	if err := p.Bind(endpoint); err != nil {
		return "", err
	}
	return p.LastEndpoint(), nil
}

func (p *oursParty) connect(endpoint string) error { return p.Connect(endpoint) }

func (p *oursParty) send(frames [][]byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := p.sender.Send(ctx, socket.NewMessage(frames...))
	if errors.Is(err, socket.ErrUnroutable) {
		return errUnroutable
	}
	return err
}

func (p *oursParty) receive(within time.Duration) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	message, err := p.receiver.Recv(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errLate
	}
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, message.Len())
	for i := range frames {
		frames[i] = message.Frame(i)
	}
	return frames, nil
}

func (p *oursParty) close() error { return p.Close() }
