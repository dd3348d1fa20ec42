// SPDX-License-Identifier: Apache-2.0

// Package session runs one pipe over one stream at a time: handshake, traffic, reconnect, linger.
//
// A session that connects keeps its pipe for life and replaces its streams; one that was accepted lives as long as its
// stream. Each stream is a link: reading has an owner and writing has an owner at any time, which may be the loop, its
// flusher, or the goroutine that sends or receives; the descriptor is closed by whoever holds both.
//
//	connecting:  dialing ──> up ──> waiting ──> dialing …
//	                 └─ failed ─────────^
//	any ──> ended   (closed, refused by the peer's ERROR, or accepted and lost)
package session

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/zmtp"
	"github.com/zwire-mq/zwire/transport"
)

// Config is what the sessions of one socket share.
type Config struct {
	Handshake        zmtp.HandshakeConfig
	Scanner          zmtp.ScannerLimits
	Send, Recv       pipe.Limits
	HandshakeTimeout time.Duration // 0: none
	ReconnectMin     time.Duration
	ReconnectMax     time.Duration
	Heartbeat        zmtp.HeartbeatConfig
	Subscriptions    bool // hand SUBSCRIBE and CANCEL up, as messages in their 3.0 form
	Deaf             bool // what the peer sends is dropped
	Mute             bool // no message is ever sent, only commands
}

// Owner is the socket of a session. Its methods do not wait.
type Owner interface {
	pipe.Producer // of the pipe's Out
	pipe.Consumer // of the pipe's In

	// Attach says that a handshake has ended well. The owner answers with Admit or Abort, now or later, from any
	// goroutine.
	Attach(s *Session, peer zmtp.Peer)
	// Detach says that the stream of an admitted session is gone. What has come in can still be received.
	Detach(s *Session, reason error)
	// Ended says that s will never carry a message again and holds no stream; what is still queued in Out is the owner's
	// to Discard. reason is nil if it was closed.
	Ended(s *Session, reason error)
	// Failed counts a stream that ended for a reason, after a handshake or not.
	Failed(s *Session, reason error)
	// Hung says that the peer has stopped writing while In may be full: it leaves.
	Hung(s *Session)
	// Trim is asked to call Trim on q when no sender is at work.
	Trim(q *pipe.Queue)
}

// Dialer is where a connecting session goes.
type Dialer struct {
	Transport transport.Transport
	Address   string
	Config    transport.Config
}

// State says what a session is doing.
type State uint8

// States of a session.
const (
	Dialing State = iota
	Handshaking
	Up
	Waiting
	Over
)

// Session is one pipe and its present stream, if there is one.
type Session struct {
	End      *pipe.End
	Endpoint string // as given to Connect, or of the listener
	Accepted bool

	config *Config
	owner  Owner
	home   *ioloop.Home
	dialer Dialer

	link atomic.Pointer[link] // nil while there is no stream

	mu       sync.Mutex
	state    State
	address  string             // of the peer, on the last stream
	busy     int                // attempts to get a link that are under way
	attempts int                // since a stream last stood for long
	cancel   context.CancelFunc // of the dial under way
	timer    *time.Timer        // until the next dial, or of lingering
	closing  bool               // hand over what is queued, then end
	over     bool               // no more attempts
	reason   error              // of Abort
	finished bool               // Ended has been called
}

func newSession(config *Config, owner Owner, home *ioloop.Home) *Session {
	s := &Session{config: config, owner: owner, home: home}
	s.End = pipe.NewEnd(config.Send, config.Recv)
	s.End.Peer = s
	s.End.Out.Consumer, s.End.Out.Producer = s, owner
	s.End.In.Consumer, s.End.In.Producer = owner, s
	s.End.In.Set(pipe.Idle)
	return s
}

// Connect starts a session that dials, again and again, until it is closed. It returns at once.
func Connect(config *Config, owner Owner, home *ioloop.Home, endpoint string, dialer Dialer) *Session {
	s := newSession(config, owner, home)
	s.Endpoint, s.dialer = endpoint, dialer
	return s
}

// Another returns a session to the same place, on a pipe of its own.
func (s *Session) Another() *Session {
	return Connect(s.config, s.owner, s.home, s.Endpoint, s.dialer)
}

// Address tells people who is, or was, at the other end of the last stream: "" before there was one.
func (s *Session) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// Start makes the first attempt of a session from Connect.
func (s *Session) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.dial()
	}
}

// dial makes one attempt. mu is held.
func (s *Session) dial() {
	ctx, cancel := context.WithCancel(context.Background())
	if s.config.HandshakeTimeout > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), s.config.HandshakeTimeout)
	}
	s.state, s.cancel = Dialing, cancel
	s.busy++
	go func() {
		defer cancel()
		stream, err := s.dialer.Transport.Dial(ctx, s.dialer.Address, s.dialer.Config)
		if err != nil {
			s.settle(false, err)
			return
		}
		s.settle(s.carry(stream))
	}()
}

// carry makes stream the session's link, which then is in charge of the session's end.
func (s *Session) carry(stream transport.Stream) (carried bool, err error) {
	l := newLink(s)
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		stream.Close()
		return false, nil
	}
	s.state, s.address = Handshaking, stream.RemoteAddress()
	s.mu.Unlock()
	err = s.home.Attach(stream, l, func(st ioloop.Stream) {
		l.stream = st
		l.begin()
	})
	if err != nil {
		s.link.Store(nil)
		if l.late != nil {
			l.late.Stop()
		}
		return false, err
	}
	l.begun()
	return true, nil
}

// settle is called when an attempt to get a link is over. Without one, what comes next is decided here.
func (s *Session) settle(carried bool, err error) {
	s.mu.Lock()
	s.busy--
	if s.Accepted && !carried {
		s.over = true
	}
	over := s.over && s.link.Load() == nil && s.busy == 0
	s.mu.Unlock()
	switch {
	case over: // Abort may have left the end to us
		s.finish(err)
	case !carried:
		s.retry(err)
	}
}

// retry waits, longer each time, before the next attempt.
func (s *Session) retry(reason error) {
	s.owner.Failed(s, reason)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.state = Waiting
	s.timer = time.AfterFunc(s.backoff(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.over && s.state == Waiting {
			s.dial()
		}
	})
}

// backoff doubles from ReconnectMin to ReconnectMax, until lost begins anew, and adds up to a quarter, so that peers who
// lost the same server do not come back at the same time (RFC 23, Error Handling).
func (s *Session) backoff() time.Duration {
	d := s.config.ReconnectMin
	for i := 0; i < s.attempts && d < s.config.ReconnectMax; i++ {
		d *= 2
	}
	s.attempts++
	d = max(min(d, s.config.ReconnectMax), s.config.ReconnectMin)
	return d + rand.N(d/4+1)
}
