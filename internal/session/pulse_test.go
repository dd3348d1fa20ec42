// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"errors"
	"io"
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
func (bystander) Hung(*Session)              {}
func (bystander) Failed(s *Session, _ error) { s.Abort(nil) }
func (bystander) Trim(*pipe.Queue)           {}

// elsewhere is a stream that a goroutine of its own reads, which has not had its turn yet.
type elsewhere struct{ *inbox }

func (elsewhere) Inline() bool { return false }

// silent is a link whose peer's time to live ended long ago, and whose timer, for which the test stands in, was to go off at a time.
func silent(stream ioloop.Stream, state readState, armed time.Time) *link {
	s := newSession(&Config{}, bystander{}, nil)
	l := newLink(s)
	l.stream, l.handshake, l.opened, l.late = stream, nil, true, time.NewTimer(lateNever)
	l.admitted.Store(true)
	l.readState.Store(state)
	s.link.Store(l)
	s.End.Out.Set(pipe.Idle)
	p := &l.pulse
	p.beat.Ping(1, armed.Add(-time.Hour))
	p.armed, p.timer = armed, time.AfterFunc(time.Hour, func() {})
	p.active.Store(true)
	return l
}

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
			stream := &inbox{arrived: c.arrived}
			l := silent(stream, c.state, time.Now().Add(-time.Hour))
			defer l.pulse.stop()
			l.pulse.tick(l)
			var reason *zmtp.Error
			if errors.As(l.failure, &reason); l.failed != c.dead || c.dead && reason.Reason != zmtp.PeerTTLExpired || stream.aborted != c.dead {
				t.Errorf("failed %v for %v", l.failed, l.failure)
			}
		})
	}
}

// TestLateTimerElsewhere: where the timer cannot look for what has arrived, and comes late, the reader gets the time to.
func TestLateTimerElsewhere(t *testing.T) {
	l := silent(elsewhere{&inbox{}}, readIdle, time.Now().Add(-time.Hour))
	defer l.pulse.stop()
	l.pulse.tick(l)
	if wait := time.Until(l.pulse.armed); l.failed || wait <= 0 || wait > listenGrace {
		t.Errorf("late: failed %v, and the timer goes off in %v", l.failed, wait)
	}
	l = silent(elsewhere{&inbox{}}, readIdle, time.Now())
	defer l.pulse.stop()
	if l.pulse.tick(l); !l.failed {
		t.Error("in time: a peer that says nothing lives")
	}
}

// A receiver that reads by itself is not kept by a peer that floods with what is no message.
func TestReadMoreWithoutMessages(t *testing.T) {
	for name, flood := range map[string][]byte{"PING": zmtp.AppendPing(nil, 0, nil), "part of a message": {2, 0, 0, 0, 0, 16, 0, 0, 0}} {
		l := silent(&inbox{arrived: bytes.Repeat(flood, 1<<20)}, readPaused, time.Now().Add(time.Hour))
		defer l.pulse.stop()
		l.scanner = zmtp.NewScanner(zmtp.ScannerLimits{})
		if l.s.ReadMore() {
			t.Errorf("%s: more is said to be there", name)
		}
		if l.failed {
			t.Errorf("%s: %v", name, l.failure)
		}
	}
	l := silent(&inbox{arrived: zmtp.AppendFrame(nil, 0, []byte("x"))}, readPaused, time.Now().Add(time.Hour))
	defer l.pulse.stop()
	if !l.s.ReadMore() {
		t.Error("a message is not seen")
	}
}

// ended is a stream that the peer has closed.
type ended struct{ *inbox }

func (ended) Read([]byte) (int, error) { return 0, io.EOF }

// A peer that leaves before it is admitted: one that was accepted is seen to. One that was connected to is not, since what its owner
// does about Attach would meet no stream, or the next one.
func TestHangupBeforeAdmit(t *testing.T) {
	for _, accepted := range []bool{true, false} {
		l := silent(ended{&inbox{}}, readPaused, time.Now().Add(time.Hour))
		defer l.pulse.stop()
		l.s.Accepted = accepted
		l.admitted.Store(false)
		l.Readable(true, false)
		if l.failed != accepted {
			t.Errorf("accepted %v: its end is seen: %v", accepted, l.failed)
		}
		l.listen()
		if l.Resume(); !l.failed {
			t.Errorf("accepted %v: its end is not seen after Admit", accepted)
		}
	}
}
