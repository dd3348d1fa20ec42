// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/transport"
)

// Listener accepts streams and makes a session of each.
type Listener struct {
	listener transport.Listener
	config   *Config
	owner    Host
	home     *ioloop.Home
	done     chan struct{}
	gone     sync.WaitGroup
}

// Host is an Owner that takes new sessions.
type Host interface {
	Owner
	// Accepted tells of a new session. False: it is not wanted.
	Accepted(s *Session) bool
	// MakeRoom ends accepted sessions that do not get on with their handshake. It reports whether there were any.
	MakeRoom() bool
}

// Listen serves an open transport listener until Close.
func Listen(config *Config, owner Host, home *ioloop.Home, l transport.Listener) *Listener {
	s := &Listener{listener: l, config: config, owner: owner, home: home, done: make(chan struct{})}
	s.gone.Go(s.accept)
	return s
}

// Endpoint is where it listens, in numeric form.
func (s *Listener) Endpoint() string { return s.listener.Endpoint() }

// Close stops listening and returns when the address is free. Accepted sessions live on.
func (s *Listener) Close() error {
	close(s.done)
	err := s.listener.Close()
	s.gone.Wait()
	return err
}

func (s *Listener) accept() {
	pause := acceptPause
	for {
		stream, err := s.listener.Accept()
		if err == nil {
			if s.serve(stream) == nil {
				pause = acceptPause
				continue
			}
		} else if errors.Is(err, net.ErrClosed) {
			return
		}
		// No descriptor, most likely: try again, soon if others make room, else less and less often, so that waiting for one
		// costs nothing.
		if s.owner.MakeRoom() {
			pause = acceptPause
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-s.done:
			wait.Stop()
			return
		}
		pause = min(pause*2, acceptPauseMax)
	}
}

func (s *Listener) serve(stream transport.Stream) error {
	session := newSession(s.config, s.owner, s.home)
	session.Accepted, session.Endpoint, session.busy = true, s.listener.Endpoint(), 1
	if !s.owner.Accepted(session) {
		return stream.Close()
	}
	carried, err := session.carry(stream)
	session.settle(carried, err)
	return err
}
