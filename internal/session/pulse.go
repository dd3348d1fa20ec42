// SPDX-License-Identifier: Apache-2.0

package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/internal/zmtp"
)

// pulse is the heartbeat of a link: a machine, and one timer for its next deadline. It costs nothing until heartbeats are
// configured or the peer sets a time to live.
type pulse struct {
	active atomic.Bool

	mu      sync.Mutex
	beat    zmtp.Heartbeat
	timer   *time.Timer
	armed   time.Time // when timer goes off, at the next deadline or before; zero: it does not
	stopped bool
}

func (p *pulse) start(l *link) {
	if l.s.config.Heartbeat.Interval > 0 {
		p.with(l, func(now time.Time) { p.beat.Start(now) })
	}
}

// with runs f on the machine, and sets the timer if its next deadline has come nearer. Traffic only puts deadlines off: a timer that
// goes off early is set anew, which costs less than to set it with all that arrives.
func (p *pulse) with(l *link, f func(now time.Time)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	if !p.active.Load() {
		p.beat = zmtp.NewHeartbeat(l.s.config.Heartbeat)
		p.active.Store(true)
	}
	now := time.Now()
	f(now)
	next := p.beat.Next()
	if next.IsZero() || !p.armed.IsZero() && !next.Before(p.armed) {
		return
	}
	p.armed = next
	if p.timer == nil {
		p.timer = time.AfterFunc(next.Sub(now), func() { p.tick(l) })
	} else {
		p.timer.Reset(next.Sub(now))
	}
}

// traffic notes that whole frames have arrived.
func (p *pulse) traffic(l *link) {
	if p.active.Load() {
		p.with(l, func(now time.Time) { p.beat.Traffic(now) })
	}
}

// ping notes a PING of the peer.
func (p *pulse) ping(l *link, ttlTenths uint16) {
	if ttlTenths > 0 || p.active.Load() {
		p.with(l, func(now time.Time) { p.beat.Ping(ttlTenths, now) })
	}
}

// tick looks first for what has arrived: when the process has slept, this timer may go off before the loop has told. Where it cannot
// look, whoever reads the stream gets the time to.
func (p *pulse) tick(l *link) {
	native := l.stream.Inline()
	if native {
		l.Readable(false, false)
	}
	var dead error
	p.with(l, func(now time.Time) {
		if !native && now.Sub(p.armed) > timerLate {
			p.beat.Deaf(now.Add(listenGrace))
		}
		p.armed = time.Time{}
		switch state := l.readState.Load(); {
		case state == readPaused, // it is we who do not listen
			native && state == reading: // there is something, and somebody else has come first
			p.beat.Traffic(now)
		}
		var send bool
		if send, dead = p.beat.Tick(now); send {
			l.post(zmtp.AppendPing(nil, p.beat.TTLTenths(), nil))
		}
	})
	if dead != nil {
		l.fail(dead)
	}
}

func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
