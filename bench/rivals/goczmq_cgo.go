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

func (s *goczmqSide) Send(body []byte) error { return s.socket.SendFrame(body, czmq.FlagNone) }

func (s *goczmqSide) Receive() ([]byte, error) {
	body, more, err := s.socket.RecvFrame()
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
