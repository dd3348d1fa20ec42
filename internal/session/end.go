// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"time"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/zmtp"
)

// The end of a session, from the outside in: Close lets what is queued go out; then, or when linger is over, Abort takes
// the stream down; the link tells lost when both directions are free; over tells the owner.

// ErrLinger is the reason of a session that was closed and could not hand over everything in time.
var ErrLinger = errors.New("session: linger expired")

// Close hands over what is queued, for at most linger, and ends the session. It does not wait. The owner sends nothing
// more. linger < 0: as long as it takes.
func (s *Session) Close(linger time.Duration) {
	s.mu.Lock()
	if s.over || s.closing {
		s.mu.Unlock()
		return
	}
	s.closing = true
	if linger > 0 {
		if s.timer != nil && s.state == Waiting && s.timer.Stop() { // it may not come back in time otherwise
			s.dial()
		}
		s.timer = time.AfterFunc(linger, func() { s.Abort(ErrLinger) })
	}
	messages, _ := s.End.Out.Queued()
	l := s.link.Load()
	s.mu.Unlock()
	switch {
	case linger == 0 || s.config.Mute || messages == 0 && (l == nil || !l.admitted.Load()):
		s.Abort(nil)
	case l != nil:
		l.finish()
	}
}

// Abort ends the session at once, for a reason, or nil if it was closed.
func (s *Session) Abort(reason error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over, s.reason = true, reason
	s.state = Over
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.cancel != nil {
		s.cancel()
	}
	l, busy := s.link.Load(), s.busy > 0
	s.mu.Unlock()
	switch {
	case l != nil:
		l.fail(reason)
	case !busy:
		s.finish(reason)
	}
}

// finish tells the owner, once, that s is over.
func (s *Session) finish(reason error) {
	s.mu.Lock()
	told := s.finished
	s.finished = true
	s.mu.Unlock()
	if !told {
		s.owner.Ended(s, reason)
	}
}

// lost is called once per link, when its stream is closed.
func (s *Session) lost(l *link, reason error) {
	if l.opened { // before an Abort may find that there is no link
		s.End.Out.Rewind()
		s.owner.Detach(s, reason)
	}
	s.mu.Lock()
	s.link.Store(nil)
	over, closing := s.over, s.closing
	var refused *zmtp.Error
	final := s.Accepted || errors.As(reason, &refused) && refused.Reason == zmtp.Refused
	// A good handshake does not yet end the back-off: a peer that shakes hands and leaves, again and again, would be dialed
	// every ReconnectMin for ever. After a stream that stood for the longest wait it cannot be: however long such a peer
	// stays, each round of short waits takes at least ReconnectMax.
	if l.opened && int64(time.Since(epoch))-l.openedAt >= int64(s.config.ReconnectMax) {
		s.attempts = 0
	}
	final = final || closing && !over && s.empty()
	if !over && final {
		s.over, s.state, over = true, Over, true
		if s.timer != nil {
			s.timer.Stop()
		}
	}
	s.mu.Unlock()
	if !over {
		s.retry(reason)
		return
	}
	if reason != nil {
		s.owner.Failed(s, reason)
	}
	s.finish(reason)
}

// empty reports whether nothing is queued in Out, which nobody drains.
func (s *Session) empty() bool {
	q := s.End.Out
	q.Flush()
	if !q.Turn(pipe.Detached, pipe.Draining) {
		return true // it is being dropped
	}
	defer q.Set(pipe.Detached)
	return !q.Pending()
}

// Discard drops what is queued in Out and returns how many messages that were; commands do not count. The owner calls it
// after Ended or Detach, or before the first Attach, at a time when nobody sends.
func (s *Session) Discard() int {
	q := s.End.Out
	q.Flush()
	if !q.Turn(pipe.Detached, pipe.Draining) {
		return 0
	}
	lost := q.Discard()
	q.Set(pipe.Detached)
	q.Trim()
	if s.config.Mute {
		return 0
	}
	return lost
}

// Drop ends the pipe; see pipe.Peer.
func (s *Session) Drop(reason error) { s.Abort(reason) }
