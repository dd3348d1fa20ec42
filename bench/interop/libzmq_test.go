// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/pebbe/zmq4"
)

// libzmqParty has a context of its own, whose end waits until everything is
// handed over.
type libzmqParty struct {
	context *zmq4.Context
	socket  *zmq4.Socket
}

func newLibzmq(_ *testing.T, role role) (party, error) {
	p, err := newLibzmqParty(role)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newLibzmqParty(role role) (*libzmqParty, error) {
	types := map[kind]zmq4.Type{
		req: zmq4.REQ, rep: zmq4.REP, dealer: zmq4.DEALER, router: zmq4.ROUTER,
		pub: zmq4.PUB, sub: zmq4.SUB, xpub: zmq4.XPUB, xsub: zmq4.XSUB,
		push: zmq4.PUSH, pull: zmq4.PULL, pair: zmq4.PAIR,
	}
	context, err := zmq4.NewContext()
	if err != nil {
		return nil, err
	}
	socket, err := context.NewSocket(types[role.kind])
	if err != nil {
		return nil, err
	}
	errs := []error{socket.SetLinger(patience), socket.SetSndtimeo(patience)}
	if role.identity != "" {
		errs = append(errs, socket.SetIdentity(role.identity))
	}
	switch role.kind {
	case router:
		errs = append(errs, socket.SetRouterMandatory(1))
	case sub:
		errs = append(errs, socket.SetLinger(0), socket.SetSubscribe(role.topic))
	case xsub:
		_, err := socket.SendBytes([]byte("\x01"+role.topic), 0)
		errs = append(errs, socket.SetLinger(0), err)
	}
	return &libzmqParty{context, socket}, errors.Join(errs...)
}

func (p *libzmqParty) bind(endpoint string) (string, error) {
	if err := p.socket.Bind(endpoint); err != nil {
		return "", err
	}
	return p.socket.GetLastEndpoint()
}

func (p *libzmqParty) connect(endpoint string) error { return p.socket.Connect(endpoint) }

func (p *libzmqParty) send(frames [][]byte) error {
	parts := make([]any, len(frames))
	for i, frame := range frames {
		parts[i] = frame
	}
	_, err := p.socket.SendMessage(parts...)
	if errors.Is(err, syscall.EHOSTUNREACH) || zmq4.AsErrno(err) == zmq4.Errno(syscall.EHOSTUNREACH) {
		return errUnroutable
	}
	return err
}

func (p *libzmqParty) receive(within time.Duration) ([][]byte, error) {
	if err := p.socket.SetRcvtimeo(within); err != nil {
		return nil, err
	}
	frames, err := p.socket.RecvMessageBytes(0)
	if err != nil && zmq4.AsErrno(err) == zmq4.Errno(syscall.EAGAIN) {
		return nil, errLate
	}
	return frames, err
}

func (p *libzmqParty) close() error {
	if err := p.socket.Close(); err != nil {
		return fmt.Errorf("zmq_close: %w", err)
	}
	return p.context.Term()
}
