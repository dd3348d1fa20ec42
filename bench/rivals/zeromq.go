// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"strings"
	"time"

	"github.com/go-zeromq/zmq4"
)

// zeromqSide writes in Send itself, so its Close has nothing to wait for.
type zeromqSide struct {
	socket zmq4.Socket
}

func zeromq() library {
	maker := func(make func(context.Context, ...zmq4.Option) zmq4.Socket) func() (side, error) {
		return func() (side, error) {
			return &zeromqSide{make(context.Background(),
				zmq4.WithLogger(log.New(io.Discard, "", 0)),
				zmq4.WithTimeout(time.Duration(math.MaxInt64)), // of a single call
			)}, nil
		}
	}
	return library{push: maker(zmq4.NewPush), pull: maker(zmq4.NewPull)}
}

func (s *zeromqSide) Bind(endpoint string) (string, error) {
	if err := s.socket.Listen(strings.Replace(endpoint, ":*", ":0", 1)); err != nil {
		return "", err
	}
	scheme, _, _ := strings.Cut(endpoint, "://")
	return scheme + "://" + s.socket.Addr().String(), nil
}

func (s *zeromqSide) Connect(endpoint string) error { return s.socket.Dial(endpoint) }

func (s *zeromqSide) Send(body []byte) error { return s.socket.Send(zmq4.NewMsg(body)) }

func (s *zeromqSide) Receive() ([]byte, error) {
	message, err := s.socket.Recv()
	if err != nil {
		return nil, err
	}
	if len(message.Frames) != 1 {
		return nil, fmt.Errorf("got a message of %d frames", len(message.Frames))
	}
	return message.Frames[0], nil
}

// Close does not mind that the peer has closed first.
func (s *zeromqSide) Close() error {
	if err := s.socket.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
