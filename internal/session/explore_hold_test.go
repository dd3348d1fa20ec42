// SPDX-License-Identifier: Apache-2.0

package session

import "testing"

// holdState is a queue whose senders hold messages back while its drainer is at work or on its way.
type holdState struct {
	pc     [4]int8
	lock   int8 // 1 + who
	mailed bool // a letter that asks for what is held back

	q                     int8
	sent, held, published int8 // writer
	promised              bool // writer
	holding               bool
	drained               int8
	told                  bool // Ready was called
	owner                 int8
	did                   [4]int8
	fault                 string
}

func (s *holdState) turn(me int, from, to int8) bool {
	if s.q != from {
		return false
	}
	s.q = to
	if to == draining {
		if s.owner != 0 {
			s.fault = "two drainers"
		}
		s.owner = int8(me + 1)
	}
	return true
}

type holdOps []op[holdState]

func (p *holdOps) add(label, text string, do func(s *holdState, me int) target) {
	*p = append(*p, op[holdState]{label, text, do})
}

// mail is turn.read, with the lock held: Asked and Claim.
func (p *holdOps) mail(label string, then target) {
	p.add(label, "read: mailed.Store(false)", func(s *holdState, me int) target { s.mailed = false; return next })
	p.add("", "Asked: holding.Store(false)", func(s *holdState, me int) target {
		s.promised, s.holding = false, false
		return next
	})
	p.add("", "read: Flush", func(s *holdState, me int) target {
		if s.held == 0 {
			return then
		}
		s.published, s.held = s.sent, 0
		return next
	})
	p.add("", "read: Claim", func(s *holdState, me int) target {
		if s.turn(me, idling, posted) {
			s.told = true
		}
		return then
	})
}

// unlock is turn.unlock.
func (p *holdOps) unlock(label string, then target) {
	again := target(label + " again")
	p.add(label, "unlock: mu.Unlock", func(s *holdState, me int) target { s.lock = 0; return next })
	p.add(string(again), "unlock ("+label+"): mailed.Load", func(s *holdState, me int) target {
		if !s.mailed {
			return then
		}
		return next
	})
	p.add("", "unlock: mu.TryLock", func(s *holdState, me int) target {
		if s.lock != 0 {
			return then
		}
		s.lock = int8(me + 1)
		return next
	})
	p.mail(label+" mail", target(label))
}

// holder sends messages that it may hold back.
func holder(messages int8) []op[holdState] {
	p := new(holdOps)
	p.add("start", "lock", func(s *holdState, me int) target {
		if s.did[me] == messages {
			return end
		}
		if s.lock != 0 {
			return blocked
		}
		s.lock = int8(me + 1)
		return next
	})
	p.add("", "lock: mailed.Load", func(s *holdState, me int) target {
		if !s.mailed {
			return "append"
		}
		return next
	})
	p.mail("mail", "append")
	p.add("append", "AppendSmall", func(s *holdState, me int) target {
		if s.held == 0 {
			return next
		}
		s.sent++ // whoever holds back first has seen to it that somebody asks
		s.held++
		s.did[me]++
		return "sent"
	})
	p.add("", "hold: State", func(s *holdState, me int) target {
		s.sent++
		s.held++
		s.did[me]++
		switch {
		case s.q <= idling && s.promised:
			return next
		case s.q <= idling:
			return "flush"
		case s.promised:
			return "claim"
		}
		return "promise"
	})
	p.add("", "hold: holding.Store(false)", func(s *holdState, me int) target { s.promised, s.holding = false, false; return "flush" })
	p.add("promise", "hold: holding.Store(true)", func(s *holdState, me int) target { s.promised, s.holding = true, true; return next })
	p.add("", "hold: State again", func(s *holdState, me int) target {
		if s.q > idling {
			return "claim"
		}
		return next
	})
	p.add("flush", "Flush", func(s *holdState, me int) target { s.published, s.held = s.sent, 0; return next })
	p.add("claim", "Claim", func(s *holdState, me int) target {
		if s.turn(me, idling, posted) {
			s.told = true
		}
		return next
	})
	p.unlock("sent", "start")
	return *p
}

// asks drains, and asks for what is held back before it sleeps. stealer: it comes when it likes, once.
func asks(stealer bool) []op[holdState] {
	p := new(holdOps)
	p.add("start", "Turn(Posted, Draining)", func(s *holdState, me int) target {
		if stealer {
			if s.did[me] > 0 {
				return end
			}
			s.did[me]++
		} else if !s.told {
			return blocked
		} else {
			s.told = false
		}
		if !s.turn(me, posted, draining) {
			return "start"
		}
		return next
	})
	p.add("gather", "Gather", func(s *holdState, me int) target {
		if s.drained < s.published {
			s.drained = s.published
			return "gather"
		}
		return next
	})
	p.add("", "Yield: Set(Idle)", func(s *holdState, me int) target { s.q, s.owner = idling, 0; return next })
	p.add("", "Yield: look", func(s *holdState, me int) target {
		if s.drained < s.published {
			return "again"
		}
		return next
	})
	p.add("", "Yield: holding.Load", func(s *holdState, me int) target {
		if !s.holding {
			return "start"
		}
		return next
	})
	p.add("", "Release: post", func(s *holdState, me int) target { s.mailed = true; return next })
	p.add("", "Release: mu.TryLock", func(s *holdState, me int) target {
		if s.lock != 0 {
			return "look again"
		}
		s.lock = int8(me + 1)
		return next
	})
	p.mail("mail", "asked")
	p.unlock("asked", "look again")
	p.add("look again", "Yield: look again", func(s *holdState, me int) target {
		if s.drained < s.published {
			return next
		}
		return "start"
	})
	p.add("again", "Yield: Turn(Idle, Draining)", func(s *holdState, me int) target {
		if s.turn(me, idling, draining) {
			return "gather"
		}
		return next
	})
	p.add("", "Yield: Turn(Posted, Draining)", func(s *holdState, me int) target {
		if s.turn(me, posted, draining) {
			return "gather"
		}
		return "start"
	})
	return *p
}

// Messages that are held back while somebody drains are asked for before everybody sleeps.
func TestExploreHolding(t *testing.T) {
	m := model[holdState]{
		name: "holding", names: []string{"sender", "other sender", "drainer", "stealer"},
		programs: [][]op[holdState]{holder(1), holder(1), asks(false), asks(true)},
		counters: func(s *holdState) []int8 { return s.pc[:] },
		check:    func(s *holdState) string { return s.fault },
		rest: func(s *holdState) string {
			switch {
			case s.held > 0:
				return "a message is held back"
			case s.drained < s.sent:
				return "a message is queued"
			case s.q != idling || s.lock != 0:
				return "somebody is at work"
			}
			return ""
		},
	}
	m.start.q = idling
	m.holds(t)
	m.name, m.names, m.programs = "holding more", m.names[:3], [][]op[holdState]{holder(2), holder(1), asks(false)}
	type steps = map[string]func(*holdState, int) target
	m.holds(t,
		mutation[holdState]{"the drainer does not ask", steps{"Yield: holding.Load": goes[holdState]("start")}},
		mutation[holdState]{"held back without a promise", steps{"hold: holding.Store(true)": func(s *holdState, me int) target {
			s.promised = true
			return next
		}}},
		mutation[holdState]{"a letter that met a lock is forgotten", steps{"unlock (sent): mailed.Load": goes[holdState]("start")}},
	)
}
