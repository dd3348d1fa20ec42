// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noczmq

package main

import (
	"errors"
	"fmt"
	"strings"

	czmq "github.com/go-zeromq/goczmq/v4"
)

type goczmqSide struct {
	socket *czmq.Sock
}

func goczmq() library {
	maker := func(kind int) func() (side, error) {
		return func() (side, error) { return &goczmqSide{czmq.NewSock(kind, czmq.SockSetLinger(-1))}, nil }
	}
	return library{push: maker(czmq.Push), pull: maker(czmq.Pull)}
}

func (s *goczmqSide) Bind(endpoint string) (string, error) {
	port, err := s.socket.Bind(endpoint)
	return strings.Replace(endpoint, ":*", fmt.Sprintf(":%d", port), 1), err
}

func (s *goczmqSide) Connect(endpoint string) error { return s.socket.Connect(endpoint) }

// interruptions bounds how often in a row a call is made again. A signal of Go's scheduler ends a wait in libzmq with EINTR,
// of which CZMQ says only that the call has failed; nothing has been sent or received then.
const interruptions = 100

func (s *goczmqSide) Send(body []byte) (err error) {
	for range interruptions {
		if err = s.socket.SendFrame(body, czmq.FlagNone); !errors.Is(err, czmq.ErrSendFrame) {
			return err
		}
	}
	return err
}

func (s *goczmqSide) Receive() (body []byte, err error) {
	var more int
	for range interruptions {
		if body, more, err = s.socket.RecvFrame(); !errors.Is(err, czmq.ErrRecvFrame) {
			break
		}
	}
	if err == nil && more != 0 {
		err = errors.New("got a message of several frames")
	}
	return body, err
}

// Close ends CZMQ's context too, which is what waits.
func (s *goczmqSide) Close() error {
	s.socket.Destroy()
	czmq.Shutdown()
	return nil
}
