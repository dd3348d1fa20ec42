// SPDX-License-Identifier: Apache-2.0

package session

import "testing"

// loopState is a loop of package ioloop, with two streams of which two receivers wait for messages, one each.
type loopState struct {
	pc [6]int8

	// The kernel's.
	ready [2]bool // streams with an event, told once
	bytes [2]int8 // messages that nobody has read
	event bool    // the eventfd

	patient bool // a leader blocks until something comes
	timed   bool // there is a clock

	// The loop's.
	token, asleep, missed, stopping, recall bool
	holder                                  int8 // 1 + who holds the token
	asker                                   int8 // 1 + waiter
	leads                                   int8
	parked                                  int8
	pollClosed                              bool

	// The receivers', and their sockets'.
	messages, got [2]int8
	waiting       [2]bool // in recvWaiters
	locked        [2]bool // the turn
	done, woken   [2]bool
	leading       [2]bool // Waiter.leads
	closed        bool

	away, pauseOver bool // the standby's timer
	stopped         bool // the clock: what nobody waits for stays where it is

	local [6]struct {
		taken   [2]bool
		any     bool // something was taken
		woken   bool
		counted bool
		busy    bool
		seen    int8
	}
	fault int8
}

const (
	faultTwoHolders = iota + 60
	faultPollClosed
)

// loopOps builds one program.
type loopOps struct{ ops []op[loopState] }

func (p *loopOps) add(label, text string, do func(s *loopState, me int) target) {
	p.ops = append(p.ops, op[loopState]{label, text, do})
}

func (s *loopState) takeToken(me int) bool {
	if s.token {
		return false
	}
	s.token = true
	if s.holder != 0 {
		s.fault = faultTwoHolders
	}
	s.holder = int8(me + 1)
	return true
}

// look takes what is ready.
func (s *loopState) look(me int) {
	if s.pollClosed {
		s.fault = faultPollClosed
	}
	l := &s.local[me]
	l.taken, l.any = s.ready, s.ready[0] || s.ready[1] || s.event
	s.ready, s.event = [2]bool{}, false
}

// wake is first and, if that says so, Waiter.Wake of receiver i, which is taken out of recvWaiters. Its lock is held.
func (p *loopOps) wake(i int, label string, after target, text string, first func(s *loopState, me int) bool) {
	p.add(label, text, func(s *loopState, me int) target {
		switch {
		case s.locked[i]:
			return blocked
		case !first(s, me) || !s.waiting[i]:
			return after
		}
		s.waiting[i], s.locked[i] = false, true
		return next
	})
	p.add("", "Wake: done.Store(true)", func(s *loopState, me int) target { s.done[i] = true; return next })
	p.add("", "Wake: hint(woken)", func(s *loopState, me int) target { s.woken[i] = true; return next })
	p.add("", "Wake: leads.Load", func(s *loopState, me int) target {
		if !s.leading[i] {
			s.locked[i] = false
			return after
		}
		return next
	})
	p.add("", "interrupt: asleep.CompareAndSwap", func(s *loopState, me int) target {
		if s.asleep {
			s.asleep, s.event = false, true
		}
		s.locked[i] = false
		return after
	})
}

// serve hands over what has been taken.
func (p *loopOps) serve(label string, after target) {
	for i := range 2 {
		p.wake(i, []string{label, label + " the other"}[i], []target{target(label + " the other"), after}[i], "serve: Readable", func(s *loopState, me int) bool {
			was := s.local[me].taken[i]
			if i == 0 {
				s.asleep = false
			}
			if was {
				s.local[me].taken[i] = false
				s.messages[i] += s.bytes[i]
				s.bytes[i] = 0
			}
			return was
		})
	}
}

// receiver takes so many messages of its stream; then, if it goes on, it waits for one more until its socket is closed.
func receiver(me int, want int8, goesOn bool) []op[loopState] {
	p := new(loopOps)
	p.add("recv", "recv: look", func(s *loopState, me int) target {
		switch {
		case s.locked[me]:
			return blocked
		case s.messages[me] > 0:
			s.messages[me]--
			s.got[me] = min(s.got[me]+1, want)
			return "recv"
		case s.closed || s.got[me] >= want && !goesOn:
			return end
		}
		s.waiting[me], s.done[me], s.woken[me] = true, false, false
		return next
	})
	p.add("", "lead: token.CompareAndSwap", func(s *loopState, me int) target {
		if !s.takeToken(me) {
			return "refused"
		}
		return next
	})
	p.add("", "lead: leads.Add, w.leads.Store(l)", func(s *loopState, me int) target {
		if s.timed {
			s.leads = (s.leads + 1) % 3
		}
		s.leading[me] = true
		return next
	})
	p.add("leading", "lead: ready, stopping", func(s *loopState, me int) target {
		if s.done[me] || s.stopping {
			return "led"
		}
		return next
	})
	p.add("", "once: asleep.Store(true)", func(s *loopState, me int) target { s.asleep = true; return next })
	p.add("", "once: ready", func(s *loopState, me int) target {
		s.local[me].any = false
		if s.done[me] {
			return "served"
		}
		return next
	})
	p.add("", "block", func(s *loopState, me int) target {
		if s.look(me); s.patient && !s.local[me].any {
			return blocked
		}
		return next // or its time is over
	})
	p.serve("serve", "served")
	p.add("served", "lead: asleep.Store(false), busy", func(s *loopState, me int) target {
		s.asleep = false
		if s.local[me].any {
			s.local[me].any = false
			return "leading"
		}
		return next
	})
	p.add("led", "lead: w.leads.Store(nil)", func(s *loopState, me int) target { s.leading[me] = false; return next })
	p.add("", "lead: ready", func(s *loopState, me int) target { s.local[me].woken = s.done[me]; return next })
	p.add("", "lead: token.Store(false)", func(s *loopState, me int) target { s.token, s.holder = false, 0; return next })
	p.add("", "awaited: asker.Load, ready", func(s *loopState, me int) target {
		s.recall = s.recall || s.asker != 0 && !s.done[s.asker-1]
		return next
	})
	p.add("", "awaited: parked.Load", func(s *loopState, me int) target {
		s.recall = s.recall || s.parked > 0
		return next
	})
	p.add("", "lead: missed.Load, stopping.Load", led(func(s *loopState) bool { return s.missed || s.stopping }))
	p.add("refused", "park: parked.Load", func(s *loopState, me int) target {
		if s.parked > 0 {
			return "counted"
		}
		return next
	})
	p.add("", "park: asker.CompareAndSwap", func(s *loopState, me int) target {
		if s.asker != 0 {
			return "counted"
		}
		s.asker = int8(me + 1)
		return "park"
	})
	p.add("counted", "park: parked.Add(1)", func(s *loopState, me int) target { s.parked++; s.local[me].counted = true; return next })
	p.add("park", "park: token.Load", func(s *loopState, me int) target {
		if !s.token {
			s.recall = true
		}
		return next
	})
	p.add("", "Wait: <-woken", func(s *loopState, me int) target {
		if !s.woken[me] {
			return blocked
		}
		s.woken[me] = false
		return next
	})
	p.add("", "unpark", func(s *loopState, me int) target {
		if s.local[me].counted {
			s.parked--
			s.local[me].counted = false
		} else if s.asker == int8(me+1) {
			s.asker = 0
		}
		return "recv"
	})
	return p.ops
}

// led is the end of lead, which recalls the standby if somebody asks for it.
func led(asked func(s *loopState) bool) func(s *loopState, me int) target {
	return func(s *loopState, me int) target {
		s.recall = s.recall || asked(s)
		if s.local[me].woken {
			s.local[me].woken = false
			return "recv"
		}
		return "refused"
	}
}

// glance is what the standby does, with the token, when it has seen no lead for a while: after is where it goes if that was
// enough. (Else it may go on to wait as well: polled, blocked.)
func (p *loopOps) glance(after target) {
	p.add("", "glance: look", func(s *loopState, me int) target {
		if !s.local[me].busy {
			return "once"
		}
		s.look(me)
		return next
	})
	p.serve("glance", "glanced")
	p.add("glanced", "glance: enough", func(s *loopState, me int) target {
		if l := &s.local[me]; l.any {
			l.any = false
			return after
		}
		return next
	})
}

// standby is stand.
func standby() []op[loopState] {
	p := new(loopOps)
	p.add("stand", "stand: stopping.Load", func(s *loopState, me int) target {
		if s.stopping {
			return end
		}
		return next
	})
	p.add("", "stand: token.CompareAndSwap", func(s *loopState, me int) target {
		if !s.takeToken(me) {
			return "away"
		}
		return next
	})
	p.glance("leave")
	p.add("once", "once: stopping.Load", func(s *loopState, me int) target {
		if s.stopping {
			return "standing"
		}
		return next
	})
	p.add("", "poll.park", func(s *loopState, me int) target {
		if s.look(me); !s.local[me].any {
			return blocked
		}
		s.local[me].any = false
		return next
	})
	p.serve("serve", "standing")
	p.add("standing", "stand: stopping.Load", func(s *loopState, me int) target {
		if s.stopping {
			return "leave"
		}
		return next
	})
	p.add("", "mayLeave: asker.Load, ready", func(s *loopState, me int) target {
		if s.asker == 0 || !s.done[s.asker-1] {
			return "rush"
		}
		return next
	})
	p.add("", "mayLeave: parked.Load", func(s *loopState, me int) target {
		if s.parked > 0 {
			return "rush"
		}
		return "leave"
	})
	p.add("rush", "mayGather: awaited", func(s *loopState, me int) target {
		if !s.timed || s.parked > 0 || s.asker != 0 && !s.done[s.asker-1] { // with a clock, each wake makes a rush
			return "once"
		}
		return next
	})
	p.add("leave", "stand: token.Store(false)", func(s *loopState, me int) target {
		s.token, s.holder, s.local[me].busy = false, 0, false
		return next
	})
	p.add("", "stand: asker.Load, ready", func(s *loopState, me int) target {
		if s.asker != 0 && !s.done[s.asker-1] {
			return "stand"
		}
		return next
	})
	p.add("", "stand: parked.Load", func(s *loopState, me int) target {
		if s.parked > 0 {
			return "stand"
		}
		return next
	})
	p.add("away", "stayAway: leads.Load", func(s *loopState, me int) target {
		if s.stopping {
			return "stand"
		}
		s.local[me].seen = s.leads
		s.away, s.pauseOver = true, false
		return next
	})
	p.add("", "stayAway: select", func(s *loopState, me int) target {
		switch {
		case s.recall:
			s.recall, s.away, s.local[me].busy = false, false, false
			return "stand"
		case s.pauseOver:
			s.pauseOver, s.away = false, false
			return next
		}
		return blocked
	})
	p.add("", "stayAway: leads.Load again", func(s *loopState, me int) target {
		if s.leads != s.local[me].seen {
			return "away"
		}
		s.local[me].seen = 0
		return next
	})
	p.add("", "stayAway: missed.Store(true)", func(s *loopState, me int) target { s.missed = true; return next })
	p.add("", "stayAway: token.Load", func(s *loopState, me int) target {
		if !s.token {
			return "missed"
		}
		return next
	})
	p.add("", "stayAway: <-recall", func(s *loopState, me int) target {
		if !s.recall {
			return blocked
		}
		s.recall = false
		return next
	})
	p.add("missed", "stayAway: missed.Store(false)", func(s *loopState, me int) target {
		s.missed, s.local[me].busy = false, true
		return "stand"
	})
	return p.ops
}

// remote sends messages on the streams, in this order.
func remote(streams ...int) []op[loopState] {
	p := new(loopOps)
	for _, i := range streams {
		p.add("", "a message arrives", func(s *loopState, me int) target {
			s.bytes[i]++
			s.ready[i] = true
			return next
		})
	}
	return p.ops
}

// neighbour gives the first receiver a message that does not come through the loop.
func neighbour() []op[loopState] {
	p := new(loopOps)
	p.wake(0, "", end, "inproc: publish", func(s *loopState, _ int) bool { s.messages[0]++; return true })
	return p.ops
}

// clock lets the standby's pause end, at any time; each, or only the first.
func clock(after target) []op[loopState] {
	p := new(loopOps)
	p.add("tick", "the pause is over", func(s *loopState, me int) target {
		if !s.away || s.pauseOver {
			return blocked
		}
		s.pauseOver, s.stopped = true, after == end
		return after
	})
	return p.ops
}

// closer closes the sockets, at any time, and stops the loop.
func closer() []op[loopState] {
	p, stood := new(loopOps), int8(len(standby()))
	closing := func(s *loopState, _ int) bool { s.closed = true; return true }
	p.wake(0, "", "the other", "Close: wakeReceivers", closing)
	p.wake(1, "the other", "stop", "Close: wakeReceivers", closing)
	p.add("stop", "stop: stopping.Store(true)", func(s *loopState, me int) target { s.stopping = true; return next })
	p.add("", "stop: poll.interrupt", func(s *loopState, me int) target { s.event = true; return next })
	p.add("", "stop: hint(recall)", func(s *loopState, me int) target { s.recall = true; return next })
	p.add("", "stop: gone.Wait", func(s *loopState, me int) target {
		if s.pc[2] < stood {
			return blocked
		}
		return next
	})
	p.add("again", "stop: token.CompareAndSwap", func(s *loopState, me int) target {
		if s.takeToken(me) {
			s.pollClosed = true
			return end
		}
		return next
	})
	p.add("", "stop: poll.interrupt again", func(s *loopState, me int) target { s.event = true; return next })
	p.add("", "stop: <-recall", func(s *loopState, me int) target {
		if !s.recall {
			return blocked
		}
		s.recall = false
		return "again"
	})
	return p.ops
}

func loops(name string, programs ...[]op[loopState]) model[loopState] {
	return model[loopState]{
		name: name, names: []string{"one", "two", "standby", "remote", "other", "closer"}, programs: programs,
		counters: func(s *loopState) []int8 { return s.pc[:] },
		check: func(s *loopState) string {
			switch s.fault {
			case faultTwoHolders:
				return "two hold the token"
			case faultPollClosed:
				return "somebody looks into a closed poller"
			}
			return ""
		},
		rest: func(s *loopState) string {
			switch {
			case s.pc[0] < int8(len(programs[0])) || s.pc[1] < int8(len(programs[1])):
				return "a receiver waits"
			case !s.closed && !s.stopped && (s.ready[0] || s.ready[1]):
				return "an event is not served"
			case len(programs) > 5 && !s.pollClosed:
				return "the loop does not stop"
			}
			return ""
		},
	}
}

// Whoever waits for a message gets it, also if the standby's pause never ends. With it every event is served, whether or
// not anybody waits, and the loop stops when it shall.
func TestExploreLoop(t *testing.T) {
	type mistake = mutation[loopState]
	nothing := goes[loopState](next)
	run := func(name string, patient bool, mistakes []mistake, programs ...[]op[loopState]) {
		m := loops(name, programs...)
		m.start.patient, m.start.timed = patient, len(programs) > 4 && len(programs[4]) == 1
		m.holds(t, mistakes...)
	}
	run("two wait", false, []mistake{
		{"who parks does not see that nobody runs the loop", loopSteps{"park: token.Load": nothing}},
		{"a leader forgets who waits", loopSteps{"awaited: asker.Load, ready": nothing, "awaited: parked.Load": nothing}},
		{"the standby does not look back", loopSteps{"stand: asker.Load, ready": nothing, "stand: parked.Load": goes[loopState]("away")}},
		{"the one that asks counts for all", loopSteps{"park: parked.Load": nothing, "park: asker.CompareAndSwap": func(s *loopState, me int) target {
			s.asker = int8(me + 1)
			return "park"
		}}},
	}, receiver(0, 2, false), receiver(1, 1, false), standby(), remote(0, 0, 1))
	run("two wait for long", true, nil, receiver(0, 2, false), receiver(1, 1, false), standby(), remote(0, 0, 1))
	run("inproc too", false, nil, receiver(0, 2, false), receiver(1, 1, false), standby(), remote(0, 1), neighbour())
	run("inproc too, for long", true, []mistake{
		{"nobody knows who leads", loopSteps{"lead: leads.Add, w.leads.Store(l)": nothing}},
		{"a leader does not say that it sleeps", loopSteps{"once: asleep.Store(true)": nothing}},
		{"a leader looks before it says that it sleeps", loopSteps{
			"once: asleep.Store(true)": func(s *loopState, me int) target {
				if s.done[me] {
					return "served"
				}
				return next
			},
			"once: ready": func(s *loopState, me int) target { s.asleep = true; return next },
		}},
	}, receiver(0, 2, false), receiver(1, 1, false), standby(), remote(0, 1), neighbour())
	run("nobody waits", false, []mistake{
		{"a leader does not tell the standby", loopSteps{"lead: missed.Load, stopping.Load": led(func(s *loopState) bool { return s.stopping })}},
		{"the standby looks before it asks", loopSteps{
			"stayAway: missed.Store(true)": func(s *loopState, _ int) target {
				if !s.token {
					return "missed"
				}
				return next
			},
			"stayAway: token.Load": func(s *loopState, _ int) target { s.missed = true; return next },
		}},
	}, receiver(0, 1, false), receiver(1, 0, false), standby(), remote(0, 1, 1), clock("tick"))
	run("one pause ends", false, []mistake{
		{"the standby does not look back after a glance", loopSteps{"glance: enough": func(s *loopState, me int) target {
			l := &s.local[me]
			if !l.any {
				return "once"
			}
			l.any, l.busy, s.token, s.holder = false, false, false, 0
			return "away"
		}}},
	}, receiver(0, 1, false), receiver(1, 1, false), standby(), remote(0, 1), clock(end))
	run("closing", false, nil, receiver(0, 1, true), receiver(1, 0, false), standby(), remote(0), clock("tick"), closer())
	run("closing for two", false, []mistake{
		{"stop does not interrupt", loopSteps{"stop: poll.interrupt": nothing}},
		{"stop does not recall", loopSteps{"stop: hint(recall)": nothing}},
		{"a leader leaves after stop without a word", loopSteps{"lead: missed.Load, stopping.Load": led(func(s *loopState) bool { return s.missed })}},
		{"stop takes no token", loopSteps{"stop: token.CompareAndSwap": func(s *loopState, _ int) target {
			s.pollClosed = true
			return end
		}}},
	}, receiver(0, 0, true), receiver(1, 0, true), standby(), remote(), nil, closer())
}

type loopSteps = map[string]func(*loopState, int) target
