// SPDX-License-Identifier: Apache-2.0

package session

import "testing"

// creditState is a queue as its credit sees it, with the lock and the mailbox of the sending side. Two senders send, a
// drainer takes, and somebody cancels senders that wait.
type creditState struct {
	pc [4]int8

	// The turn.
	lock   int8 // 1 + who
	mailed bool // a letter that says that the queue has revived
	active bool // the load balance has the queue: guarded by the lock

	// The queue.
	sent, granted, want          int8 // writer
	starved                      bool
	returned                     int8
	consumed, unreturned, wanted int8 // drainer
	due                          int8 // drainer: up to there it takes the short way
	asking                       bool // somebody is about to read want

	// The turn of a receiver, and where who gives credit back goes on.
	receiving int8 // 1 + who
	owed      bool // a letter that asks for credit
	back      [4]int8

	waiters   [2]int8 // 1 + who, in order
	woken     [2]bool
	cancelled [2]bool
	did       [2]int8 // messages sent
	fault     string
}

func (s *creditState) wakeSender() {
	if who := s.waiters[0]; who != 0 {
		s.waiters = [2]int8{s.waiters[1]}
		s.woken[who-1] = true
	}
}

func (s *creditState) leaveWaiters(who int) bool {
	switch int8(who + 1) {
	case s.waiters[0]:
		s.waiters = [2]int8{s.waiters[1]}
	case s.waiters[1]:
		s.waiters[1] = 0
	default:
		return false
	}
	return true
}

func (s *creditState) wait(who int) {
	if s.waiters[0] == 0 {
		s.waiters[0] = int8(who + 1)
	} else {
		s.waiters[1] = int8(who + 1)
	}
}

// credit says what is to be explored.
type credit struct {
	name        string
	prefersWake bool
	limit       int8
	each        int8 // messages of each sender
	quota       int8 // what the drainer takes before it stops
	returnEvery int8 // 0: with every message, as a stream does
}

// expect is Queue.expect. Who calls it has the turn of the receiver, and so nobody else resets starved.
func (c credit) expect(s *creditState) {
	if s.due = s.consumed + c.returnEvery - s.unreturned; s.starved {
		s.due = min(s.due, max(s.want, s.consumed+1))
	}
}

// locking takes the turn and reads the mail, then goes on at a label.
func locking(label string, then target) []op[creditState] {
	return []op[creditState]{
		{label, "lock: mu.Lock", func(s *creditState, me int) target {
			if s.lock != 0 {
				return blocked
			}
			s.lock = int8(me + 1)
			return next
		}},
		{"", "lock: mailed.Load and read", func(s *creditState, _ int) target {
			s.read()
			return then
		}},
	}
}

func (s *creditState) read() {
	if s.mailed {
		s.mailed, s.active = false, true
		s.wakeSender()
	}
}

// unlocking gives the turn up, and does what was posted meanwhile.
func unlocking(label string, then target) []op[creditState] {
	again := target(label + " again")
	return []op[creditState]{
		{label, "unlock: mu.Unlock", func(s *creditState, _ int) target { s.lock = 0; return next }},
		{string(again), "unlock (" + label + "): mailed.Load", func(s *creditState, _ int) target {
			if !s.mailed {
				return then
			}
			return next
		}},
		{"", "unlock: mu.TryLock", func(s *creditState, me int) target {
			if s.lock != 0 {
				return then
			}
			s.lock = int8(me + 1)
			return next
		}},
		{"", "unlock: read", func(s *creditState, _ int) target { s.read(); return next }},
		{"", "unlock: mu.Unlock again", func(s *creditState, _ int) target { s.lock = 0; return again }},
	}
}

// sender sends, or gives up. Woken and cancelled at once it does what it prefers.
func (c credit) sender(prefersWake bool) []op[creditState] {
	fits := func(s *creditState) bool { return s.sent-s.granted < c.limit }
	program := locking("send", "choose")
	program = append(program,
		op[creditState]{"choose", "choose: active", func(s *creditState, _ int) target {
			if !s.active {
				return "wait"
			}
			if fits(s) {
				return "publish"
			}
			return next
		}},
		op[creditState]{"", "Fits: refresh", func(s *creditState, _ int) target {
			if s.granted = s.returned; fits(s) {
				return "publish"
			}
			return next
		}},
		op[creditState]{"", "Fits: starved.Load", func(s *creditState, _ int) target {
			if s.starved {
				return "second"
			}
			return next
		}},
		op[creditState]{"", "Fits: want", func(s *creditState, _ int) target {
			if s.asking {
				s.fault = "want is written while it is read"
			}
			s.want = s.sent - c.limit/2
			return next
		}},
		op[creditState]{"", "Fits: starved.Store", func(s *creditState, _ int) target { s.starved = true; return next }},
		op[creditState]{"second", "Fits: refresh again", func(s *creditState, _ int) target {
			switch s.granted = s.returned; {
			case fits(s):
				return "publish"
			case c.returnEvery > 0:
				return next
			}
			return "third"
		}},
		op[creditState]{"", "Owes: post", func(s *creditState, _ int) target { s.owed = true; return next }},
		op[creditState]{"owes", "Owes: TryLock", func(s *creditState, me int) target {
			if s.receiving != 0 {
				return "third"
			}
			s.receiving = int8(me + 1)
			return next
		}},
		op[creditState]{"", "Owes: read", func(s *creditState, me int) target {
			if s.owed = false; s.unreturned == 0 {
				return "owed"
			}
			return "give back"
		}},
		op[creditState]{"owed", "Owes: expect", func(s *creditState, _ int) target { c.expect(s); return next }},
		op[creditState]{"", "Owes: Unlock", func(s *creditState, _ int) target { s.receiving = 0; return next }},
		op[creditState]{"", "Owes: mailed.Load", func(s *creditState, _ int) target {
			if s.owed {
				return "owes"
			}
			return next
		}},
		op[creditState]{"third", "Fits: refresh once more", func(s *creditState, _ int) target {
			if s.granted = s.returned; fits(s) {
				return "publish"
			}
			s.active = false
			return "wait"
		}},
		op[creditState]{"publish", "Append", func(s *creditState, me int) target {
			s.sent++
			s.did[me]++
			return next
		}},
		op[creditState]{"", "deliver: wakeSender", func(s *creditState, _ int) target { s.wakeSender(); return "sent" }},
		op[creditState]{"wait", "awaitRoom: append", func(s *creditState, me int) target { s.wait(me); return "rest" }},
	)
	program = append(program, unlocking("sent", "more")...)
	program = append(program, op[creditState]{"more", "send returns", func(s *creditState, me int) target {
		if s.did[me] < c.each {
			return "send"
		}
		return end
	}})
	program = append(program, unlocking("rest", "sleep")...)
	program = append(program, op[creditState]{"sleep", "Wait", func(s *creditState, me int) target {
		switch {
		case s.woken[me] && (prefersWake || !s.cancelled[me]):
			s.woken[me] = false
			return "up"
		case s.cancelled[me]:
			return "cancelled"
		}
		return blocked
	}})
	program = append(program, locking("up", "choose")...)
	program = append(program, locking("cancelled", "leave")...)
	program = append(program, op[creditState]{"leave", "awaitRoom: wakeSender", func(s *creditState, me int) target {
		if !s.leaveWaiters(me) {
			s.wakeSender()
		}
		s.did[me] = c.each
		return "sent"
	}})
	return append(program, givingBack("owed")...)
}

// givingBack is giveBack, from "give back" on: by the drainer, or by a sender to whom credit is owed. The one goes on where
// it says, the other at the first place.
func givingBack(backs ...target) []op[creditState] {
	back := func(s *creditState, me int) target {
		to := backs[s.back[me]]
		s.back[me] = 0
		return to
	}
	program := []op[creditState]{
		{"give back", "giveBack: returned.Store", func(s *creditState, _ int) target {
			s.unreturned, s.returned = 0, s.consumed
			return next
		}},
		{"", "giveBack: starved.Load", func(s *creditState, me int) target {
			if !s.starved {
				return back(s, me)
			}
			s.asking = true
			return next
		}},
		{"", "giveBack: satisfies", func(s *creditState, me int) target {
			if s.asking = false; s.consumed < s.want {
				return back(s, me)
			}
			return next
		}},
		{"", "giveBack: starved.Store", func(s *creditState, _ int) target { s.starved = false; return next }},
		{"", "Revive: post", func(s *creditState, _ int) target { s.mailed = true; return next }},
		{"", "post: TryLock", func(s *creditState, me int) target {
			if s.lock != 0 {
				return "given"
			}
			s.lock = int8(me + 1)
			return next
		}},
	}
	program = append(program, unlocking("posted", "given")...)
	return append(program, op[creditState]{"given", "giveBack returns", back})
}

func (c credit) drainer() []op[creditState] {
	// Where it goes on, by number.
	backs := []target{"drain", "repaid", "popped"}
	const toPop, toLeave = 1, 2
	program := []op[creditState]{
		{"drain", "lock: in", func(s *creditState, me int) target {
			switch {
			case s.consumed == c.quota:
				return end
			case s.consumed == s.sent && s.unreturned == 0 || s.receiving != 0:
				return blocked
			case c.returnEvery > 0:
				s.receiving = int8(me + 1)
			}
			return next
		}},
		{"", "read: Owed", func(s *creditState, me int) target {
			if s.owed && s.unreturned > 0 {
				s.owed, s.back[me] = false, toPop
				return "give back"
			}
			if s.owed {
				c.expect(s)
			}
			s.owed = false
			return "pop"
		}},
		{"repaid", "Repay: expect", func(s *creditState, _ int) target { c.expect(s); return next }},
		{"pop", "TakeSmall", func(s *creditState, me int) target {
			if s.consumed == s.sent || s.consumed+1 >= s.due {
				return next
			}
			s.consumed++
			s.unreturned++
			return "leave"
		}},
		{"", "Pop: consumed", func(s *creditState, me int) target {
			s.back[me] = toLeave
			if s.consumed == s.sent { // Settle
				if s.unreturned > 0 {
					return "give back"
				}
				s.back[me] = 0
				return "popped"
			}
			s.consumed++
			s.unreturned++
			if s.unreturned >= c.returnEvery {
				return "give back"
			}
			s.back[me] = 0
			return next
		}},
		{"", "Pop: starved.Load", func(s *creditState, _ int) target {
			if !s.starved {
				return "popped"
			}
			s.asking = true
			return next
		}},
		{"", "Pop: satisfies", func(s *creditState, me int) target {
			if s.asking = false; s.consumed < s.want {
				return "popped"
			}
			s.back[me] = toLeave
			return "give back"
		}},
		{"popped", "Pop: expect", func(s *creditState, _ int) target { c.expect(s); return next }},
		{"leave", "unlock: in", func(s *creditState, _ int) target { s.receiving = 0; return next }},
		{"", "unlock: in: mailed.Load", func(s *creditState, _ int) target {
			if !s.owed {
				return "drain"
			}
			return next
		}},
		{"", "unlock: in: TryLock", func(s *creditState, me int) target {
			if s.receiving != 0 {
				return "drain"
			}
			s.receiving = int8(me + 1)
			return next
		}},
		{"", "unlock: in: read", func(s *creditState, me int) target {
			if s.owed = false; s.unreturned == 0 {
				return "popped"
			}
			s.back[me] = toLeave
			return "give back"
		}},
	}
	return append(program, givingBack(backs...)...)
}

func (c credit) model() model[creditState] {
	m := model[creditState]{
		name: c.name, names: []string{"sender", "other sender", "drainer", "canceller"},
		programs: [][]op[creditState]{c.sender(c.prefersWake), c.sender(true), c.drainer(), {
			{"", "cancel", func(s *creditState, _ int) target { s.cancelled[0] = true; return next }},
		}},
		counters: func(s *creditState) []int8 { return s.pc[:] },
		check: func(s *creditState) string {
			if s.sent-s.consumed > c.limit {
				return "more than the limit is queued"
			}
			return s.fault
		},
		rest: func(s *creditState) string {
			for _, who := range s.waiters {
				if who != 0 && s.sent-s.consumed <= c.limit/2 {
					return "a sender waits though there is room"
				}
			}
			if s.lock != 0 || s.receiving != 0 {
				return "a turn is taken"
			}
			return ""
		},
	}
	m.start.active = true
	return m
}

// withoutCanceller explores more of what happens when nobody gives up.
func withoutCanceller(m model[creditState]) model[creditState] {
	m.programs = m.programs[:3]
	m.name += " without cancelling"
	return m
}

// Senders that wait for room: nobody sleeps while half of the limit is free, whoever cancels, and nothing above the limit is
// queued.
func TestExploreCredit(t *testing.T) {
	type steps = map[string]func(*creditState, int) target
	stream := credit{name: "stream", limit: 2, each: 2, quota: 4}
	mutations := []mutation[creditState]{
		{"Fits without a second look", steps{"Fits: refresh again": func(s *creditState, _ int) target { s.active = false; return "wait" }}},
		{"giveBack asks first and returns later", steps{
			"giveBack: returned.Store": goes[creditState](next),
			"giveBack: starved.Load": func(s *creditState, _ int) target {
				if s.back[2] = 0; !s.starved {
					return "late"
				}
				s.asking = true
				return next
			},
		}},
		{"want is written at any time", steps{"Fits: starved.Load": goes[creditState](next)}},
		{"a cancelled sender keeps the hint", steps{"awaitRoom: wakeSender": func(s *creditState, me int) target {
			s.leaveWaiters(me)
			s.did[me] = stream.each
			return "sent"
		}}},
		{"a sender keeps the hint", steps{"deliver: wakeSender": goes[creditState]("sent")}},
		{"unlock without looking at the mail", steps{"unlock (rest): mailed.Load": goes[creditState]("sleep")}},
		{"post without trying the lock", steps{"post: TryLock": goes[creditState]("drain")}},
	}
	m := stream.model()
	m.programs[2] = append(m.programs[2], op[creditState]{"late", "only in a mutation", func(s *creditState, _ int) target {
		s.unreturned, s.returned = 0, s.consumed
		return "drain"
	}})
	m.holds(t, mutations...)
	for _, c := range []credit{
		{name: "stream, woken first", prefersWake: true, limit: 2, each: 2, quota: 4},
		{name: "stream of one", limit: 1, each: 2, quota: 4},
		{name: "receiver", limit: 2, each: 2, quota: 4, returnEvery: 1},
		{name: "receiver, limit of three", limit: 3, each: 2, quota: 4, returnEvery: 2},
	} {
		c.model().holds(t)
		withoutCanceller(c.model()).holds(t)
	}
	// A byte mark is met long before half of the limit on messages, and the receiver does not look again.
	stops := credit{name: "receiver that stops", limit: 2, each: 2, quota: 2, returnEvery: 100}
	stops.model().holds(t,
		mutation[creditState]{"nobody asks for credit", steps{"Owes: post": goes[creditState]("third")}},
		mutation[creditState]{"the receiver does not look at its mail", steps{"unlock: in: mailed.Load": goes[creditState]("drain")}},
		mutation[creditState]{"who starves is forgotten on the short way", steps{"Repay: expect": goes[creditState](next), "read: Owed": func(s *creditState, _ int) target {
			s.owed, s.due = false, 100
			return "pop"
		}}})
}
