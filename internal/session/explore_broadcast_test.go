// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"testing"
)

// broadcastState is a publisher and two queues; see broadcast in package socket. Each message goes to both.
type broadcastState struct {
	pc     [3]int8
	lock   int8    // 1 + who
	mailed [2]bool // letters that ask for what is held back

	sent, held int8 // writer
	engaged    bool // writer
	asleep     bool // writer: a drainer was, in this round
	did        int8
	back, home [3]target // where a part, and the reading of mail, goes on

	q                  [2]int8
	published, drained [2]int8
	holding            [2]bool
	told               [2]bool // Ready was called
	fault              string
}

// heldMost is broadcastMessages. A drainer that asks for few is left out: what follows is less than with none.
const heldMost = 2

func (s *broadcastState) turn(q int, from, to int8) bool {
	if s.q[q] != from {
		return false
	}
	s.q[q] = to
	return true
}

// goBack and goHome leave nothing behind that would tell two states apart.
func (s *broadcastState) goBack(me int) (to target) { to, s.back[me] = s.back[me], ""; return to }
func (s *broadcastState) goHome(me int) (to target) { to, s.home[me] = s.home[me], ""; return to }

type broadcastOps []op[broadcastState]

func (p *broadcastOps) add(label, text string, do func(s *broadcastState, me int) target) {
	*p = append(*p, op[broadcastState]{label, text, do})
}

// locked is what whoever holds the lock can do, each part once; it goes on at s.back.
func (p *broadcastOps) locked() {
	p.publish()
	p.add("disengage", "disengage", func(s *broadcastState, me int) target { s.engaged = false; return next })
	for q := range 2 {
		p.add("", fmt.Sprint("Disengage: holding.Store(false) ", q), func(s *broadcastState, me int) target { s.holding[q] = false; return next })
	}
	p.add("", "done", func(s *broadcastState, me int) target { return s.goBack(me) })
	p.mail()
}

// publish is broadcast.publish with engage.
func (p *broadcastOps) publish() {
	p.add("publish", "publish", func(s *broadcastState, me int) target { s.held, s.asleep = 0, false; return next })
	for q := range 2 {
		p.add("", fmt.Sprint("Publish ", q), func(s *broadcastState, me int) target { s.published[q] = s.sent; return next })
		p.add("", fmt.Sprint("Claim ", q), func(s *broadcastState, me int) target {
			if s.turn(q, idling, posted) {
				s.asleep, s.told[q] = true, true
			}
			return next
		})
	}
	p.add("", "engage or disengage", func(s *broadcastState, me int) target {
		switch {
		case s.asleep:
			return "disengage"
		case s.engaged:
			return s.goBack(me)
		}
		s.asleep = false
		s.engaged = true
		return next
	})
	for q := range 2 {
		p.add("", fmt.Sprint("Engage: holding.Store(true) ", q), func(s *broadcastState, me int) target { s.holding[q] = true; return next })
		p.add("", fmt.Sprint("Engage: State ", q), func(s *broadcastState, me int) target {
			if s.q[q] <= idling {
				return "disengage"
			}
			return next
		})
	}
	p.add("", "engaged", func(s *broadcastState, me int) target { return s.goBack(me) })
}

// mail is turn.read, with the lock held: asked for each letter.
func (p *broadcastOps) mail() {
	for q := range 2 {
		label := target(fmt.Sprint("more mail ", q))
		first := fmt.Sprint("mail ", q)
		p.add(first, "read", func(s *broadcastState, me int) target {
			if !s.mailed[q] {
				return label
			}
			s.mailed[q] = false
			s.back[me] = label
			if s.held > 0 {
				return "publish"
			}
			return next
		})
		p.add("", "asked: Queued", func(s *broadcastState, me int) target {
			if s.published[q] > s.drained[q] {
				return s.goBack(me)
			}
			return "disengage"
		})
		p.add(string(label), "read on", func(s *broadcastState, me int) target {
			if q == 0 {
				return "mail 1"
			}
			return s.goHome(me)
		})
	}
}

// unlock is turn.unlock.
func (p *broadcastOps) unlock(then target) {
	p.add("unlock", "mu.Unlock", func(s *broadcastState, me int) target { s.lock = 0; return next })
	p.add("", "mailed.Load", func(s *broadcastState, me int) target {
		if !s.mailed[0] && !s.mailed[1] {
			return then
		}
		return next
	})
	p.add("", "mu.TryLock", func(s *broadcastState, me int) target {
		if s.lock != 0 {
			return then
		}
		s.lock = int8(me + 1)
		s.home[me] = "unlock"
		return "mail 0"
	})
}

// publisher sends messages to both queues.
func publisher(messages int8) []op[broadcastState] {
	p := new(broadcastOps)
	p.add("start", "lock", func(s *broadcastState, me int) target {
		if s.did == messages {
			return end
		}
		if s.lock != 0 {
			return blocked
		}
		s.lock = int8(me + 1)
		s.home[me] = "add"
		return "mail 0"
	})
	p.add("add", "add", func(s *broadcastState, me int) target {
		s.did++
		s.sent++
		s.held++
		if s.engaged && s.held < heldMost {
			return "unlock"
		}
		s.back[me] = "unlock"
		return "publish"
	})
	p.locked()
	p.unlock("start")
	return *p
}

// asker drains a queue, and asks for what is held back before it sleeps.
func asker(q int) []op[broadcastState] {
	p := new(broadcastOps)
	p.add("start", "Turn(Posted, Draining)", func(s *broadcastState, me int) target {
		if !s.told[q] {
			return blocked
		}
		s.told[q] = false
		if !s.turn(q, posted, draining) {
			s.fault = "nothing was posted"
		}
		return next
	})
	p.add("gather", "Gather", func(s *broadcastState, me int) target {
		if s.drained[q] < s.published[q] {
			s.drained[q] = s.published[q]
			return "gather"
		}
		return next
	})
	p.add("", "Yield: Set(Idle)", func(s *broadcastState, me int) target { s.q[q] = idling; return next })
	p.add("", "Yield: look", func(s *broadcastState, me int) target {
		if s.drained[q] < s.published[q] {
			return "again"
		}
		return next
	})
	p.add("", "Yield: holding.Load", func(s *broadcastState, me int) target {
		if !s.holding[q] {
			return "start"
		}
		return next
	})
	p.add("", "Release: post", func(s *broadcastState, me int) target { s.mailed[q] = true; return next })
	p.add("", "Release: mu.TryLock", func(s *broadcastState, me int) target {
		if s.lock != 0 {
			return "look again"
		}
		s.lock = int8(me + 1)
		s.home[me] = "unlock"
		return "mail 0"
	})
	p.locked()
	p.unlock("look again")
	p.add("look again", "Yield: look again", func(s *broadcastState, me int) target {
		if s.drained[q] < s.published[q] {
			return next
		}
		return "start"
	})
	p.add("again", "Yield: Turn(Idle or Posted, Draining)", func(s *broadcastState, me int) target {
		if s.turn(q, idling, draining) {
			return "gather"
		}
		if s.turn(q, posted, draining) {
			s.told[q] = false // who was told finds the work taken
			return "gather"
		}
		return "start"
	})
	return *p
}

// What is held back for several queues is asked for before the drainer of any of them sleeps for good.
func TestExploreBroadcast(t *testing.T) {
	m := model[broadcastState]{
		name: "broadcast", names: []string{"publisher", "drainer", "other drainer"},
		programs: [][]op[broadcastState]{publisher(3), asker(0), asker(1)},
		counters: func(s *broadcastState) []int8 { return s.pc[:] },
		check:    func(s *broadcastState) string { return s.fault },
		rest: func(s *broadcastState) string {
			for q := range 2 {
				if s.drained[q] < s.sent || s.q[q] != idling {
					return "a message is left"
				}
			}
			if s.held > 0 || s.lock != 0 {
				return "a message is held back"
			}
			return ""
		},
	}
	m.start.q = [2]int8{idling, idling}
	type steps = map[string]func(*broadcastState, int) target
	m.holds(t,
		mutation[broadcastState]{"the drainer does not ask", steps{"Yield: holding.Load": goes[broadcastState]("start")}},
		mutation[broadcastState]{"engaged without a look at who has gone to sleep", steps{
			"Engage: State 0": goes[broadcastState](next), "Engage: State 1": goes[broadcastState](next),
		}},
		mutation[broadcastState]{"who asked in vain is forgotten", steps{"asked: Queued": func(s *broadcastState, me int) target { return s.goBack(me) }}},
		mutation[broadcastState]{"a letter that met a lock is forgotten", steps{"mailed.Load": goes[broadcastState]("start")}},
	)
}
