// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// link is what is known of an authority.
type link struct {
	connected bool
	greeted   bool          // a Welcome has come since the stream began, or since we had doubts
	welcome   *wire.Welcome // the last, perhaps of an earlier stream
	heard     time.Time     // when anything last came over the stream of this link
	said      time.Time     // when Hello was last sent
	changes   string        // where Follow said to subscribe
}

// Connected says that a new stream to an authority stands.
func (m *Machine) Connected(at int, now time.Time) {
	m.lose(at)
	m.links[at].connected = true
	m.hello(at, now)
}

// Lost says that the stream has ended.
func (m *Machine) Lost(at int, now time.Time) {
	m.lose(at)
	if at == m.followed {
		m.greetOthers(now)
	}
}

func (m *Machine) lose(at int) {
	l := &m.links[at]
	l.connected, l.greeted = false, false
	if at == m.followed {
		m.sync = nil // its answer went with the stream
	}
}

// garbled answers a message that makes no sense: something may have been lost, so all starts anew on that link.
func (m *Machine) garbled(at int, now time.Time) {
	if at == m.followed && m.sync != nil {
		m.failSync(errGarbled, now)
	}
	if now.Sub(m.links[at].said) >= backOffMin {
		m.regreet(at, now)
	}
}

// regreet says Hello once more; after the Welcome, all that has no answer is asked again.
func (m *Machine) regreet(at int, now time.Time) {
	if !m.links[at].connected {
		return
	}
	m.lose(at)
	m.links[at].connected = true
	m.hello(at, now)
}

func (m *Machine) hello(at int, now time.Time) {
	m.links[at].said = now
	m.send(at, &wire.Hello{
		Version: wire.Version, Session: m.config.Session, Name: m.config.Name, Trees: m.config.Trees, Epoch: m.seen,
		Observer: m.config.Observer,
	})
}

func (m *Machine) greetOthers(now time.Time) {
	for at := range m.links {
		if at != m.followed && m.links[at].connected && now.Sub(m.links[at].said) >= backOffMin {
			m.hello(at, now)
		}
	}
}

// helloAt is when to say Hello next: until it is answered again and again, then to learn that the authority is still there.
func (m *Machine) helloAt(at int) time.Time {
	l := &m.links[at]
	switch {
	case !l.connected:
		return time.Time{}
	case !l.greeted:
		return l.said.Add(helloEvery)
	}
	last := l.heard
	if l.said.After(last) {
		last = l.said
	}
	switch {
	case at == m.followed && m.config.Observer:
		return last.Add(m.interval) // it hears no marks
	case at == m.followed && m.marked.After(last):
		idle, quiet := last.Add(idleHelloEvery), m.marked.Add(m.patience()/2)
		if quiet.Before(idle) {
			return quiet
		}
		return idle
	case at == m.followed:
		return last.Add(m.patience() / 2)
	case m.followed < 0 || m.away || !m.links[m.followed].connected:
		return last.Add(helloEvery)
	}
	return last.Add(idleHelloEvery)
}

// patience is how long the authority that is followed may be silent.
func (m *Machine) patience() time.Duration { return max(awayIntervals*m.interval, awayMin) }

func (m *Machine) hear(now time.Time) { m.heard, m.away = now, false }

func (m *Machine) checkAway(now time.Time) {
	if m.followed >= 0 && !m.away && now.Sub(m.heard) >= m.patience() {
		m.away = true
		m.greetOthers(now)
	}
}

func (m *Machine) see(epoch model.Epoch) {
	if epoch.Compare(m.seen) > 0 {
		m.seen = epoch
	}
}

func (m *Machine) welcomed(at int, w *wire.Welcome, now time.Time) {
	l := &m.links[at]
	if w.Version != wire.Version {
		m.reason = fmt.Errorf("config: an authority speaks version %d of the protocol, not %d", w.Version, wire.Version)
		return
	}
	anew := !l.greeted
	l.welcome, l.greeted = w, true
	if w.Role == wire.RolePrimary {
		m.see(w.Epoch)
	}
	if anew {
		m.requestsAt = now // of requests for this authority alone
	}
	switch {
	case at == m.followed && m.legal(w):
		m.refresh(w, anew, now)
	case at == m.followed:
		m.unfollow(now)
	case m.legal(w) && m.better(w):
		m.follow(at, now)
	case m.followed < 0 && w.Role == wire.RoleStandby:
		m.reason = errStandby
	case m.followed < 0:
		m.reason = fmt.Errorf("%w: %v, before %v", errEarlier, w.Epoch, m.seen)
	}
	if m.followed >= 0 && m.epoch.Compare(m.seen) < 0 { // deposed by what another link has said
		m.unfollow(now)
	}
}

// legal says whether an authority may be followed: no standby, and none of an epoch before one that was seen.
func (m *Machine) legal(w *wire.Welcome) bool {
	return w.Role != wire.RoleStandby && w.Epoch.Compare(m.seen) >= 0
}

// better compares with the authority that is followed now.
func (m *Machine) better(w *wire.Welcome) bool {
	if m.followed < 0 {
		return true
	}
	now := m.links[m.followed].welcome
	switch {
	case w.Role == wire.RolePrimary:
		return m.away || now.Role != wire.RolePrimary || w.Epoch.Compare(m.epoch) > 0
	case now.Role == wire.RolePrimary:
		return m.away && w.Epoch.Compare(m.epoch) >= 0
	}
	return m.away || w.Epoch.Compare(m.epoch) > 0
}

func (m *Machine) follow(at int, now time.Time) {
	w := m.links[at].welcome
	m.followed, m.marked = at, now
	m.hear(now)
	m.out.Follow = &Follow{at, w.Changes}
	m.kept.clear()
	m.syncAt, m.wait = now, 0
	m.enter(w, now)
	m.startOver(now)
}

func (m *Machine) unfollow(now time.Time) {
	m.followed, m.sync = -1, nil
	m.out.Follow = &Follow{Link: -1}
	m.kept.clear()
	m.greetOthers(now)
}

// refresh takes another Welcome of the authority that is followed already.
func (m *Machine) refresh(w *wire.Welcome, anew bool, now time.Time) {
	l := &m.links[m.followed]
	if w.Changes != l.changes {
		m.out.Follow = &Follow{m.followed, w.Changes}
	}
	if w.Epoch != m.epoch {
		m.kept.clear()
		anew = true
	}
	m.enter(w, now)
	if anew {
		m.startOver(now)
		return
	}
	m.resendRefused(now) // what it refused it may accept now
}

// enter begins the epoch of a Welcome. A copy of another one, or none, is synced at once; one of this epoch is proved by the next mark.
func (m *Machine) enter(w *wire.Welcome, now time.Time) {
	m.epoch = w.Epoch
	m.see(w.Epoch)
	m.links[m.followed].changes = w.Changes
	m.interval = intervalDefault
	if w.Interval != 0 {
		m.interval = min(max(w.Interval, intervalMin), intervalMax)
	}
	if !m.config.Observer && m.visibleEpoch != m.epoch && !m.want {
		m.doubt(errEpoch, now)
	}
}

// startOver asks everything that has no answer again, and reports again: the authority may know nothing of it.
func (m *Machine) startOver(now time.Time) {
	m.sync = nil
	m.reportAt = now
	m.resend(now)
}

func holds(trees []string, tree string) bool {
	if trees == nil {
		return true
	}
	_, found := slices.BinarySearch(trees, tree)
	return found
}
