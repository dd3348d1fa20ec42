// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

import "github.com/pebbe/zmq4"

type pebbeSide struct {
	socket *zmq4.Socket
}

func pebbe() library {
	maker := func(kind zmq4.Type) func() (side, error) {
		return func() (side, error) {
			socket, err := zmq4.NewSocket(kind)
			if err != nil {
				return nil, err
			}
			return &pebbeSide{socket}, socket.SetLinger(-1)
		}
	}
	return library{push: maker(zmq4.PUSH), pull: maker(zmq4.PULL)}
}

func (s *pebbeSide) Bind(endpoint string) (string, error) {
	if err := s.socket.Bind(endpoint); err != nil {
		return "", err
	}
	return s.socket.GetLastEndpoint()
}

func (s *pebbeSide) Connect(endpoint string) error { return s.socket.Connect(endpoint) }

func (s *pebbeSide) Send(body []byte) error {
	_, err := s.socket.SendBytes(body, 0)
	return err
}

func (s *pebbeSide) Receive() ([]byte, error) { return s.socket.RecvBytes(0) }

// Close ends the context too, which is what waits.
func (s *pebbeSide) Close() error {
	if err := s.socket.Close(); err != nil {
		return err
	}
	return zmq4.Term()
}
