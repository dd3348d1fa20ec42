// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/zmtp"
)

// inbox is a native stream whose events nobody delivers: what has arrived in it is there for who looks.
type inbox struct {
	ioloop.Stream
	arrived []byte
	aborted bool
}

func (s *inbox) Read(b []byte) (int, error) {
	n := copy(b, s.arrived)
	if s.arrived = s.arrived[n:]; n == 0 {
		return 0, ioloop.ErrAgain
	}
	return n, nil
}

func (s *inbox) Inline() bool { return true }
func (s *inbox) PostWrite()   {}
func (s *inbox) PostRead()    {}
func (s *inbox) Leave()       {}
func (s *inbox) Abort()       { s.aborted = true }
func (s *inbox) Close()       {}

// bystander is an owner that does nothing.
type bystander struct{}

func (bystander) Ready(*pipe.Queue, bool)    {}
func (bystander) Revive(*pipe.Queue)         {}
func (bystander) Attach(*Session, zmtp.Peer) {}
func (bystander) Detach(*Session, error)     {}
func (bystander) Ended(*Session, error)      {}
func (bystander) Failed(s *Session, _ error) { s.Abort(nil) }
func (bystander) Trim(*pipe.Queue)           {}

// The timer of a process that has slept goes off before any loop has run: what has arrived meanwhile is a sign of life
// all the same. A peer that has said nothing is dead.
func TestLateTimer(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrived []byte
		state   readState
		dead    bool
	}{
		{"message", zmtp.AppendFrame(nil, 0, []byte("alive")), readIdle, false},
		{"command", zmtp.AppendPong(nil, nil), readIdle, false},
		{"being read", nil, reading, false},
		{"nobody listens", nil, readPaused, false},
		{"nothing", nil, readIdle, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(&Config{}, bystander{}, nil)
			l := newLink(s)
			stream := &inbox{arrived: c.arrived}
			l.stream, l.handshake, l.opened, l.late = stream, nil, true, time.NewTimer(lateNever)
			l.admitted.Store(true)
			l.readState.Store(c.state)
			s.link.Store(l)
			s.End.Out.Set(pipe.Idle)
			defer l.pulse.stop()
			l.pulse.with(l, func(now time.Time) { l.pulse.beat.Ping(1, now.Add(-time.Hour)) })
			l.pulse.timer.Stop() // this test is the timer
			l.pulse.tick(l)
			var reason *zmtp.Error
			if errors.As(l.failure, &reason); l.failed != c.dead || c.dead && reason.Reason != zmtp.PeerTTLExpired || stream.aborted != c.dead {
				t.Errorf("failed %v for %v", l.failed, l.failure)
			}
		})
	}
}
