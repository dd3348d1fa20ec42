// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// session is a client that has said Hello: a node, or an observer.
type session struct {
	id        string
	name      string
	trees     []string // sorted; none: all
	observer  bool
	heard     time.Time
	revision  uint64 // as reported
	proved    bool   // its digest was right
	choked    time.Time
	transfers map[uint64]*transfer
}

func (s *session) holds(tree string) bool {
	if len(s.trees) == 0 {
		return true
	}
	_, found := slices.BinarySearch(s.trees, tree)
	return found
}

// octets is about what a line about it takes.
func (s *session) octets() int {
	octets := 64 + len(s.id) + len(s.name)
	for _, tree := range s.trees {
		octets += len(tree) + 1
	}
	return octets
}

// digest is that of the trees that the node holds.
func (s *session) digest(state *model.State) model.Digest { return state.Digest(s.trees...) }

// need is the lowest revision at which the node has all that a state has.
func (s *session) need(state *model.State) (revision uint64) {
	if len(s.trees) == 0 {
		return state.Revision() // each changes some tree
	}
	for _, tree := range s.trees {
		revision = max(revision, state.Head(tree).Revision)
	}
	return revision
}

// wait is a request to be told when nodes have applied a revision.
type wait struct {
	session string
	id      uint64
	state   *model.State // at that revision
	nodes   uint64       // 0: all that are there
}

func (m *Machine) hello(from string, hello *wire.Hello, now time.Time) {
	if reason := unwelcome(from, hello); reason != "" {
		m.send(from, &wire.Result{Code: wire.CodeInvalid, Text: reason})
		return
	}
	s := m.sessions[from]
	if s == nil || !slices.Equal(s.trees, hello.Trees) || s.observer != hello.Observer {
		if s == nil && len(m.sessions) >= sessionsMax {
			m.send(from, &wire.Result{Code: wire.CodeBusy, Text: "too many sessions"})
			return
		}
		s = &session{id: from, trees: hello.Trees, observer: hello.Observer, transfers: map[uint64]*transfer{}}
		m.sessions[from] = s
	}
	if claim := hello.Epoch.Number; claim > m.claimed && claim < m.epoch.Number+epochClaimMax {
		m.claimed = claim
	}
	s.name, s.heard = hello.Name, now
	m.leases.heard(from, now)
	m.send(from, m.welcome())
}

func unwelcome(from string, hello *wire.Hello) string {
	switch {
	case hello.Session != from:
		return "the session is not the identity of the socket"
	case hello.Version != wire.Version:
		return fmt.Sprintf("version %d of the protocol, want %d", hello.Version, wire.Version)
	case len(hello.Name) > model.NameBytesMax:
		return "the name is too long"
	case len(hello.Trees) > model.TreesMax:
		return "too many trees"
	}
	for i, tree := range hello.Trees {
		if err := model.CheckTree(tree); err != nil {
			return err.Error()
		}
		if i > 0 && tree <= hello.Trees[i-1] {
			return "trees that are not sorted"
		}
	}
	return ""
}

func (m *Machine) welcome() *wire.Welcome {
	return &wire.Welcome{
		Version: wire.Version, Authority: m.id, Role: m.role, Epoch: m.epoch, Revision: m.ledger.committed, ReadOnly: m.reason(),
		Changes: m.cfg.Changes, Interval: m.cfg.Interval, ValueBytesMax: uint64(m.cfg.ValueBytesMax),
	}
}

// tellWhatChanged welcomes all sessions anew when something that Welcome says has changed.
func (m *Machine) tellWhatChanged() {
	now := told{m.role, m.epoch, m.reason()}
	if now == m.told {
		return
	}
	m.told = now
	for id := range m.sessions {
		m.send(id, m.welcome())
	}
}

type told struct {
	role     wire.Role
	epoch    model.Epoch
	readOnly string
}

func (m *Machine) bye(from string, now time.Time) {
	delete(m.sessions, from)
	m.waits = slices.DeleteFunc(m.waits, func(w *wait) bool { return w.session == from })
	m.release(now, func(held lease) bool { return held.owner == from })
	m.waitsDue = true
}

func (m *Machine) report(s *session, report *wire.Report, now time.Time) {
	if s.observer {
		return
	}
	s.revision, s.proved = report.Revision, false
	if m.ledger.has(report.Revision) && report.Revision <= m.ledger.committed {
		s.proved = s.digest(m.ledger.at(report.Revision)) == report.Digest
	}
	m.waitsDue = true
}

// there says whether a session is a node that is heard.
func (m *Machine) there(s *session, now time.Time) bool {
	return !s.observer && now.Sub(s.heard) <= silentIntervals*m.cfg.Interval
}

func (m *Machine) wait(s *session, w *wire.Wait, now time.Time) {
	switch {
	case m.role != wire.RolePrimary:
		m.refuse(s, w.ID, wire.CodeNotPrimary, "nodes report to the primary")
		return
	case w.Revision > m.ledger.committed:
		m.refuse(s, w.ID, wire.CodeFuture, fmt.Sprintf("revision %d is not there yet, the last is %d", w.Revision, m.ledger.committed))
		return
	case len(m.waits) >= waitsMax:
		m.refuse(s, w.ID, wire.CodeBusy, "too many wait")
		return
	}
	state := m.ledger.at(max(w.Revision, m.ledger.oldest()))
	m.waits = slices.DeleteFunc(m.waits, func(old *wait) bool { return old.session == s.id && old.id == w.ID })
	m.waits = append(m.waits, &wait{s.id, w.ID, state, w.Nodes})
	m.waitsDue, m.waitsNew = true, true
}

// checkWaits answers the waits that are over.
func (m *Machine) checkWaits(now time.Time) {
	m.waitsDue = false
	m.waits = slices.DeleteFunc(m.waits, func(w *wait) bool {
		var have, lack uint64
		for _, s := range m.sessions {
			switch {
			case !s.observer && s.proved && s.revision >= s.need(w.state):
				have++
			case m.there(s, now):
				lack++
			}
		}
		if w.nodes == 0 && lack > 0 || w.nodes > have {
			return false
		}
		m.send(w.session, &wire.Result{Request: w.id, Code: wire.CodeDone, Revision: w.state.Revision()})
		return true
	})
}

func (m *Machine) tickSessions(now time.Time) {
	for id, s := range m.sessions {
		if now.Sub(s.heard) > nodeKept {
			delete(m.sessions, id)
			continue
		}
		for _, t := range s.transfers {
			if now.Sub(t.touched) > transferKept {
				delete(s.transfers, t.id)
			} else if t.credit > 0 {
				m.flow(s, t, now)
			}
		}
	}
	if now.Sub(m.cut.used) > cutKept {
		m.cut = cut{}
	}
	m.waitsDue = true
}

// status tells the roll-out.
func (m *Machine) status(s *session, status *wire.Status, now time.Time) {
	state := m.ledger.state()
	trees, keys, bytes := state.Size()
	answer := &wire.Nodes{
		Request: status.Request, Authority: m.id, Role: m.role, Epoch: m.epoch, Revision: m.ledger.committed, Oldest: m.ledger.oldest(),
		ReadOnly: m.reason(), Standby: m.other(now), Trees: uint64(trees), Keys: uint64(keys), Bytes: uint64(bytes),
	}
	octets := 0
	for _, node := range m.sessions {
		octets += node.octets()
		if !node.observer && octets < statusBytesMax {
			answer.Nodes = append(answer.Nodes, m.line(node, now))
		}
	}
	slices.SortFunc(answer.Nodes, func(a, b wire.Node) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Session, b.Session))
	})
	m.send(s.id, answer)
}

func (m *Machine) line(s *session, now time.Time) wire.Node {
	line := wire.Node{Session: s.id, Name: s.name, Trees: s.trees, Revision: s.revision, Seen: now.Sub(s.heard), Proved: s.proved}
	switch need := s.need(m.ledger.state()); {
	case !s.proved && s.revision > m.ledger.committed: // nobody has that: it is shown as it was reported
		return line
	case s.revision >= need:
		line.Revision = m.ledger.committed
		return line
	}
	steps := m.ledger.after(min(max(s.revision, m.ledger.oldest()), m.ledger.committed), m.ledger.committed)
	if first := sort.Search(len(steps), func(i int) bool { return s.need(steps[i].state) > s.revision }); first < len(steps) {
		line.Revision, line.Lag = steps[first].record.Revision-1, max(0, now.Sub(steps[first].made))
	}
	return line
}
