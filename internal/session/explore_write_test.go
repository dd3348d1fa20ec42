// SPDX-License-Identifier: Apache-2.0

package session

import "testing"

// linkState is a link as those who write it, and end it, see it. Reading is idle, and taken by tryEnd.
type linkState struct {
	mu                               int8 // 1 + who
	dead, failed, opened, writeGone  bool
	readGone                         bool
	closed, lost                     int8 // how often
	held, finishing, shutdown        bool
	writeEdge                        bool
	toFlush, toResume                bool // posted
	room                             int8 // of the kernel, in messages
	full, edge                       bool // the kernel will tell; it has told
	commands, commandsWritten, ended int8
}

// writeState is a session's path out: queue, links, senders, flusher, loop, kernel, and who ends it.
type writeState struct {
	pc         [6]int8
	q          int8
	sent, gone int8
	turn       int8 // the senders' lock: 1 + who
	link       int8 // 1 + the present one's index
	links      [2]linkState
	owner      int8 // 1 + who drains
	local      [6]writeLocal
	fault      int8
}

type writeLocal struct {
	link, try      int8 // index of the link it works for, and of the one that tryEnd is for
	rounds, pieces int8
	command        bool
	finishing      bool
	state, back    int8
	done           int8
}

const (
	faultRewind = iota + 10
	faultWriteClosed
	faultClosedTwice
	faultShutEarly
)

var writeFaults = map[int8]string{
	faultTwoDrainers: "two drainers", faultRewind: "rewound while somebody drains", faultWriteClosed: "a closed stream is written",
	faultClosedTwice: "closed twice", faultShutEarly: "shut with something queued",
}

func (s *writeState) turnQueue(me int, from, to int8) bool {
	if s.q != from {
		return false
	}
	s.setQueue(me, to)
	return true
}

// setQueue is Set and Turn: whoever drained drains no more, unless to says that me does.
func (s *writeState) setQueue(me int, to int8) {
	if s.q = to; to == draining {
		if s.owner != 0 {
			s.fault = faultTwoDrainers
		}
		s.owner = int8(me + 1)
	} else if s.owner == int8(me+1) {
		s.owner = 0
	}
}

func (s *writeState) mine(me int) *linkState { return &s.links[s.local[me].link] }

// program is a process in the making. It has one copy of tryEnd, which knows where to go on.
type program struct {
	ops   []op[writeState]
	backs []target
}

func (p *program) add(label, text string, do func(s *writeState, me int) target) {
	p.ops = append(p.ops, op[writeState]{label, text, do})
}

// tryEnd calls tryEnd for a link, and goes on at back.
func (p *program) tryEnd(back target) func(s *writeState, me int, link int8) target {
	p.backs = append(p.backs, back)
	index := int8(len(p.backs) - 1)
	return func(s *writeState, me int, link int8) target {
		s.local[me].try, s.local[me].back = link, index
		return "tryEnd"
	}
}

func (p *program) build() []op[writeState] {
	at := func(s *writeState, me int) *linkState { return &s.links[s.local[me].try] }
	back := func(s *writeState, me int) target { return p.backs[s.local[me].back] }
	p.add("tryEnd", "tryEnd: mu.Lock", func(s *writeState, me int) target {
		l := at(s, me)
		if l.mu != 0 {
			return blocked
		}
		l.mu = int8(me + 1)
		return next
	})
	p.add("take", "takeWriting: State", func(s *writeState, me int) target {
		if l := at(s, me); !l.opened || l.writeGone || s.q == draining {
			return "take reading"
		}
		s.local[me].state = s.q
		return next
	})
	p.add("", "takeWriting: Turn", func(s *writeState, me int) target {
		if !s.turnQueue(me, s.local[me].state, detached) {
			return "take"
		}
		at(s, me).writeGone = true
		return next
	})
	p.add("take reading", "tryEnd: end", func(s *writeState, me int) target {
		l := at(s, me)
		l.mu, l.readGone = 0, true
		if (l.opened && !l.writeGone) || l.ended != 0 {
			return back(s, me)
		}
		l.ended = 1
		return next
	})
	p.add("", "stream.Close", func(s *writeState, me int) target {
		if l := at(s, me); l.closed > 0 {
			s.fault = faultClosedTwice
		} else {
			l.closed++
		}
		return next
	})
	p.add("", "lost: Rewind", func(s *writeState, me int) target {
		if s.owner != 0 {
			s.fault = faultRewind
		}
		return next
	})
	p.add("", "lost: link.Store(nil)", func(s *writeState, me int) target {
		s.link = 0
		at(s, me).lost++
		s.local[me].try = 0
		return back(s, me)
	})
	return p.ops
}

// drain is link.drain for the link that local names; it begins at "drain", with the queue Draining.
func (p *program) drain(self bool, back target) {
	toBack := p.tryEnd(back)
	toOthers, toAgain := p.tryEnd("others"), p.tryEnd("edge")
	dead := func(then func(*writeState, int, int8) target, alive target) func(*writeState, int) target {
		return func(s *writeState, me int) target {
			if s.mine(me).dead {
				return then(s, me, s.local[me].link)
			}
			return alive
		}
	}
	p.add("drain", "drain: dead.Load", func(s *writeState, me int) target {
		if s.mine(me).dead {
			return "hand over"
		}
		return next
	})
	p.add("", "drain: finishing.Load", func(s *writeState, me int) target {
		s.local[me].finishing = s.mine(me).finishing
		return next
	})
	p.add("", "drain: others' turn", func(s *writeState, me int) target {
		if self && s.local[me].rounds > selfRounds && (s.mine(me).held || s.sent > s.gone) {
			s.setQueue(me, posted)
			return "leave"
		}
		return "command"
	})
	p.add("leave", "leaveWriting: dead.Load", dead(p.tryEnd("post"), "post"))
	p.add("post", "drain: PostWrite", func(s *writeState, me int) target { s.mine(me).toFlush = true; return back })
	p.add("command", "control.take", func(s *writeState, me int) target {
		if l := s.mine(me); l.held {
			l.held, s.local[me].command = false, true
		}
		return next
	})
	p.add("", "Gather", func(s *writeState, me int) target {
		s.local[me].pieces = s.sent - s.gone
		if s.local[me].pieces == 0 && !s.local[me].command {
			return "rest"
		}
		return next
	})
	p.add("write", "write: writeEdge.Store(false)", func(s *writeState, me int) target { s.mine(me).writeEdge = false; return next })
	p.add("", "write: stream.Write", func(s *writeState, me int) target {
		l, local := s.mine(me), &s.local[me]
		switch {
		case l.closed > 0:
			s.fault = faultWriteClosed
		case l.failed: // Abort
			return "write failed"
		case l.room == 0:
			l.full = true
			return next
		}
		if l.room--; local.command {
			local.command = false
			l.commandsWritten++
		} else {
			local.pieces--
			s.gone++
		}
		if local.command || local.pieces > 0 {
			return "write"
		}
		local.rounds = min(local.rounds+1, selfRounds+1)
		return "drain"
	})
	p.add("", "write: Set(Blocked)", func(s *writeState, me int) target { s.setQueue(me, stuck); return next })
	p.add("", "write: dead.Load", dead(toAgain, next))
	p.add("edge", "write: writeEdge.Load", func(s *writeState, me int) target {
		if !s.mine(me).writeEdge {
			return back
		}
		return next
	})
	p.add("", "write: Turn(Blocked, Draining)", func(s *writeState, me int) target {
		if s.turnQueue(me, stuck, draining) {
			return "drain"
		}
		return back
	})
	p.rest(back, toBack)
	p.add("hand over", "handOver: Set(Posted)", func(s *writeState, me int) target { s.setQueue(me, posted); return next })
	p.add("", "handOver: tryEnd", func(s *writeState, me int) target { return toOthers(s, me, s.local[me].link) })
	p.add("others", "handOver: link.Load", func(s *writeState, me int) target {
		if s.link == 0 || s.link-1 == s.local[me].link {
			return back
		}
		s.local[me].link = s.link - 1
		return next
	})
	p.add("", "handOver: PostWrite", func(s *writeState, me int) target { s.mine(me).toFlush = true; return next })
	p.add("", "handOver: dead.Load", dead(toBack, back))
	p.writeFailed(back, toBack)
}

func (p *program) rest(back target, toBack func(*writeState, int, int8) target) {
	p.add("rest", "rest: CloseWrite", func(s *writeState, me int) target {
		if l := s.mine(me); s.local[me].finishing && !l.shutdown {
			l.shutdown = true
			if s.sent > s.gone {
				s.fault = faultShutEarly
			}
		}
		return next
	})
	p.add("", "Yield: Set(Idle)", func(s *writeState, me int) target { s.setQueue(me, idling); return next })
	p.add("", "Yield: look again", func(s *writeState, me int) target {
		if s.sent > s.gone {
			return next
		}
		return "more"
	})
	p.add("", "Yield: Turn(Idle, Draining)", func(s *writeState, me int) target {
		if s.turnQueue(me, idling, draining) {
			return "drain"
		}
		return next
	})
	p.add("more", "rest: held.Load", func(s *writeState, me int) target {
		if s.mine(me).held {
			return "take it"
		}
		return next
	})
	p.add("", "rest: finishing.Load again", func(s *writeState, me int) target {
		if l := s.mine(me); l.finishing && !l.shutdown {
			return "take it"
		}
		return "resting"
	})
	p.add("take it", "rest: Turn(Idle, Draining)", func(s *writeState, me int) target {
		if s.turnQueue(me, idling, draining) {
			return "drain"
		}
		return next
	})
	p.add("resting", "rest: dead.Load", func(s *writeState, me int) target {
		if s.mine(me).dead {
			return toBack(s, me, s.local[me].link)
		}
		return back
	})
}

func (p *program) writeFailed(back target, toBack func(*writeState, int, int8) target) {
	p.add("write failed", "writeFailed: mu.Lock", func(s *writeState, me int) target {
		if s.mine(me).mu != 0 {
			return blocked
		}
		s.mine(me).mu = int8(me + 1)
		s.mine(me).writeGone = true
		return next
	})
	p.add("", "writeFailed: Set(Detached)", func(s *writeState, me int) target { s.setQueue(me, detached); return next })
	p.add("", "writeFailed: mu.Unlock", func(s *writeState, me int) target { s.mine(me).mu = 0; return next })
	p.add("", "writeFailed: PostRead", func(s *writeState, me int) target { s.mine(me).toResume = true; return next })
	p.add("", "writeFailed: dead.Load", func(s *writeState, me int) target {
		if s.mine(me).dead {
			return toBack(s, me, s.local[me].link)
		}
		return back
	})
}

// sender sends messages. later: it leaves the writing to the flusher.
func sender(messages int8, later bool) []op[writeState] {
	p := new(program)
	p.add("start", "lock and publish", func(s *writeState, me int) target {
		if s.local[me].done == messages {
			return end
		}
		if s.turn != 0 {
			return blocked
		}
		s.turn = int8(me + 1)
		s.local[me].done++
		s.sent++
		return next
	})
	p.add("", "Claim: State", func(s *writeState, me int) target {
		if s.q != idling {
			s.turn = 0
			return "start"
		}
		return next
	})
	p.add("", "Claim: Turn", func(s *writeState, me int) target {
		s.turn = 0
		if !s.turnQueue(me, idling, posted) {
			return "start"
		}
		return next
	})
	p.ready(later, "start")
	return p.build()
}

// ready is Session.Ready.
func (p *program) ready(later bool, back target) {
	p.add("", "Ready: link.Load", func(s *writeState, me int) target {
		if s.link == 0 {
			return back
		}
		s.local[me].link, s.local[me].rounds = s.link-1, 0
		if later {
			return "ready"
		}
		return next
	})
	p.add("", "Ready: Turn(Posted, Draining)", func(s *writeState, me int) target {
		if s.turnQueue(me, posted, draining) {
			return "drain"
		}
		return next
	})
	p.add("ready", "Ready: PostWrite", func(s *writeState, me int) target { s.mine(me).toFlush = true; return back })
	p.drain(true, back)
}

// stealer is a sender that meets a full queue.
func stealer() []op[writeState] {
	p := new(program)
	p.add("", "Steal: link.Load", func(s *writeState, me int) target {
		if s.link == 0 {
			return end
		}
		s.local[me].link = s.link - 1
		return next
	})
	p.add("", "Steal: Turn(Posted, Draining)", func(s *writeState, me int) target {
		if s.turnQueue(me, posted, draining) {
			return "drain"
		}
		return end
	})
	p.drain(true, end)
	return p.build()
}

func flusher() []op[writeState] {
	p := new(program)
	p.add("start", "flusher takes a link", func(s *writeState, me int) target {
		for i := range s.links {
			if s.links[i].toFlush {
				s.links[i].toFlush = false
				s.local[me] = writeLocal{link: int8(i)}
				return next
			}
		}
		return blocked
	})
	p.add("", "Flush: Turn(Posted, Draining)", func(s *writeState, me int) target {
		if s.turnQueue(me, posted, draining) {
			return "drain"
		}
		return "start"
	})
	p.drain(false, "start")
	return p.build()
}

// loop is told that a stream takes bytes again.
func loop() []op[writeState] {
	p := new(program)
	p.add("start", "loop takes an edge", func(s *writeState, me int) target {
		for i := range s.links {
			if s.links[i].edge {
				s.links[i].edge = false
				s.local[me] = writeLocal{link: int8(i)}
				return next
			}
		}
		return blocked
	})
	p.add("", "Writable: writeEdge.Store(true)", func(s *writeState, me int) target { s.mine(me).writeEdge = true; return next })
	p.add("", "Writable: State", func(s *writeState, me int) target {
		if s.q != stuck {
			return "start"
		}
		return next
	})
	p.add("", "Writable: Turn(Blocked, Draining)", func(s *writeState, me int) target {
		if s.turnQueue(me, stuck, draining) {
			return "drain"
		}
		return "start"
	})
	p.drain(false, "start")
	return p.build()
}

// kernel sends what it has, and tells the loop if somebody has met it full.
func kernel() []op[writeState] {
	return []op[writeState]{{"start", "kernel sends", func(s *writeState, me int) target {
		for i := range s.links {
			if l := &s.links[i]; l.room == 0 && !l.failed {
				l.room = 1
				l.edge = l.edge || l.full
				l.full = false
				return "start"
			}
		}
		return blocked
	}}}
}

// failing is link.fail, of the link that local names.
func (p *program) failing(back target) {
	try := p.tryEnd(back)
	p.add("fail", "fail: mu.Lock", func(s *writeState, me int) target {
		if s.mine(me).mu != 0 {
			return blocked
		}
		s.mine(me).mu = int8(me + 1)
		return next
	})
	p.add("", "fail: dead.Store, Abort", func(s *writeState, me int) target {
		l := s.mine(me)
		l.failed, l.dead, l.mu = true, true, 0
		return next
	})
	p.add("", "fail: tryEnd", func(s *writeState, me int) target { return try(s, me, s.local[me].link) })
}

// breaker ends the first link, and gives the session a second one when it is lost.
func breaker(again bool) []op[writeState] {
	p := new(program)
	p.failing("lost")
	p.add("lost", "dial", func(s *writeState, me int) target {
		if !again {
			return end
		}
		if s.link != 0 || s.links[0].lost == 0 {
			return blocked
		}
		s.link, s.links[1].room, s.local[me].link = 2, 1, 1
		return next
	})
	p.admit(end)
	return p.build()
}

// admit is link.open, of the link that local names.
func (p *program) admit(back target) {
	p.add("admit", "admit: mu.Lock", func(s *writeState, me int) target {
		l := s.mine(me)
		if l.mu != 0 {
			return blocked
		}
		if l.failed || l.opened {
			return back
		}
		l.mu = int8(me + 1)
		return next
	})
	p.add("", "admit: opened", func(s *writeState, me int) target { s.mine(me).opened = true; return next })
	p.add("", "admit: Set(Posted)", func(s *writeState, me int) target { s.setQueue(me, posted); return next })
	p.add("", "admit: mu.Unlock", func(s *writeState, me int) target { s.mine(me).mu = 0; return next })
	p.add("", "admit: PostWrite", func(s *writeState, me int) target { s.mine(me).toFlush = true; return back })
}

func admitter() []op[writeState] {
	p := new(program)
	p.admit(end)
	return p.build()
}

// reader meets the end of the stream when writing has failed.
func reader() []op[writeState] {
	p := new(program)
	p.add("start", "reader is told", func(s *writeState, me int) target {
		for i := range s.links {
			if l := &s.links[i]; l.toResume {
				l.toResume = false
				if l.readGone {
					return "start"
				}
				s.local[me].link = int8(i)
				return next
			}
		}
		return blocked
	})
	p.failing("start")
	return p.build()
}

// commander posts a command, as a PING of the peer makes the reader do.
func commander() []op[writeState] {
	p := new(program)
	p.add("", "control.post", func(s *writeState, me int) target {
		s.mine(me).held = true
		s.mine(me).commands++
		return next
	})
	p.add("", "post: Claim: State", func(s *writeState, me int) target {
		if s.q != idling {
			return end
		}
		return next
	})
	p.add("", "post: Claim: Turn", func(s *writeState, me int) target {
		if !s.turnQueue(me, idling, posted) {
			return end
		}
		return next
	})
	p.add("", "post: PostWrite", func(s *writeState, me int) target { s.mine(me).toFlush = true; return end })
	return p.build()
}

// finisher is link.finish, after the last message was sent.
func finisher(messages int8) []op[writeState] {
	p := new(program)
	p.add("", "finish: finishing.Store", func(s *writeState, me int) target {
		if s.sent < messages {
			return blocked
		}
		s.mine(me).finishing = true
		return next
	})
	p.add("", "finish: Turn(Idle, Posted)", func(s *writeState, me int) target {
		if s.turnQueue(me, idling, posted) {
			return "post"
		}
		return next
	})
	p.add("", "finish: State", func(s *writeState, me int) target {
		if s.q != posted {
			return end
		}
		return next
	})
	p.add("post", "finish: PostWrite", func(s *writeState, me int) target { s.mine(me).toFlush = true; return end })
	return p.build()
}

// writers makes a model of some processes; the first link is open, idle and has room for one message.
func writers(name string, programs map[string][]op[writeState]) model[writeState] {
	m := model[writeState]{
		name:     name,
		counters: func(s *writeState) []int8 { return s.pc[:] },
		check:    func(s *writeState) string { return writeFaults[s.fault] },
		rest:     restOfWriters,
	}
	for _, who := range []string{"sender", "other sender", "stealer", "flusher", "loop", "kernel", "breaker", "admitter", "reader", "commander", "finisher"} {
		if program := programs[who]; program != nil {
			m.names, m.programs = append(m.names, who), append(m.programs, program)
		}
	}
	m.start.link, m.start.q = 1, idling
	m.start.links[0] = linkState{opened: true, room: 1}
	return m
}

func restOfWriters(s *writeState) string {
	for i := range s.links {
		l := &s.links[i]
		switch {
		case l.failed && (l.closed != 1 || l.lost != 1):
			return "a link that has failed is not closed"
		case l.mu != 0:
			return "a lock is held"
		}
	}
	if s.link == 0 {
		if s.q != detached {
			return "there is no link, and the queue is not detached"
		}
		return ""
	}
	l := &s.links[s.link-1]
	switch {
	case !l.opened:
		return ""
	case s.gone < s.sent:
		return "something is queued"
	case l.held:
		return "a command is queued"
	case l.finishing && !l.shutdown:
		return "the stream was not shut"
	case s.q != idling:
		return "nothing is queued, and the queue is not idle"
	}
	return ""
}

type writeSteps = map[string]func(*writeState, int) target

// Senders, the flusher and the loop pass writing on while the stream is full now and then.
func TestExploreWriting(t *testing.T) {
	writers("senders", map[string][]op[writeState]{
		"sender": sender(1, false), "other sender": sender(1, true), "flusher": flusher(), "loop": loop(), "kernel": kernel(),
	}).holds(t,
		mutation[writeState]{"Yield without a second look", writeSteps{"Yield: look again": goes[writeState]("more")}},
		mutation[writeState]{"the edge is not looked at", writeSteps{"write: writeEdge.Load": goes[writeState]("start")}},
		mutation[writeState]{"the edge is forgotten after the write", writeSteps{
			"write: Set(Blocked)": func(s *writeState, me int) target {
				s.mine(me).writeEdge = false
				s.setQueue(me, stuck)
				return next
			},
		}},
		mutation[writeState]{"the loop takes what is not blocked", writeSteps{"Writable: Turn(Blocked, Draining)": func(s *writeState, me int) target {
			s.setQueue(me, draining)
			return "drain"
		}}},
		mutation[writeState]{"Claim without comparing", writeSteps{"Claim: Turn": func(s *writeState, me int) target {
			s.turn = 0
			s.q = posted
			return next
		}}},
	)
	turns := writers("turns", map[string][]op[writeState]{"sender": sender(1, false), "other sender": sender(2, true), "flusher": flusher()})
	turns.start.links[0].room = 3
	turns.holds(t,
		mutation[writeState]{"a sender leaves without telling", writeSteps{"drain: PostWrite": goes[writeState]("start")}})
	writers("stealing", map[string][]op[writeState]{
		"sender": sender(2, true), "stealer": stealer(), "flusher": flusher(), "loop": loop(), "kernel": kernel(),
	}).holds(t)
	writers("commands", map[string][]op[writeState]{
		"sender": sender(1, false), "commander": commander(), "flusher": flusher(), "loop": loop(), "kernel": kernel(),
	}).holds(t,
		mutation[writeState]{"rest does not look for commands", writeSteps{"rest: held.Load": goes[writeState](next)}})
	writers("finishing", map[string][]op[writeState]{
		"sender": sender(2, true), "finisher": finisher(2), "flusher": flusher(), "loop": loop(), "kernel": kernel(),
	}).holds(t,
		mutation[writeState]{"the end is seen after the last look", writeSteps{"rest: CloseWrite": func(s *writeState, me int) target {
			if l := s.mine(me); l.finishing && !l.shutdown {
				l.shutdown = true
				if s.sent > s.gone {
					s.fault = faultShutEarly
				}
			}
			return next
		}}},
		mutation[writeState]{"rest does not look for the end", writeSteps{"rest: finishing.Load again": goes[writeState]("resting")}},
		mutation[writeState]{"finish leaves a posted queue", writeSteps{"finish: Turn(Idle, Posted)": goes[writeState](end)}},
	)
}

// A link ends once, when nobody writes it, whoever is at work; and what comes too late for it does the next one no harm.
func TestExploreEnding(t *testing.T) {
	writers("break", map[string][]op[writeState]{
		"sender": sender(2, false), "flusher": flusher(), "loop": loop(), "kernel": kernel(), "breaker": breaker(false), "reader": reader(),
	}).holds(t,
		mutation[writeState]{"the end does not wait for the writer", writeSteps{"takeWriting: State": func(s *writeState, me int) target {
			l := &s.links[s.local[me].try]
			if !l.opened || l.writeGone {
				return "take reading"
			}
			s.local[me].state = s.q
			return next
		}}},
		mutation[writeState]{"rest does not look whether the link is dead", writeSteps{"rest: dead.Load": goes[writeState]("start")}},
		mutation[writeState]{"a full stream is left without a look", writeSteps{"write: dead.Load": goes[writeState](next)}},
		mutation[writeState]{"a failed write is left without a look", writeSteps{"writeFailed: dead.Load": goes[writeState]("start")}},
		mutation[writeState]{"a failed write is known before the queue is free", writeSteps{"writeFailed: mu.Lock": func(s *writeState, me int) target {
			if s.mine(me).mu != 0 {
				return blocked
			}
			s.mine(me).writeGone = true
			return next
		}}},
	)
	writers("reconnect", map[string][]op[writeState]{
		"sender": sender(2, false), "flusher": flusher(), "loop": loop(), "kernel": kernel(), "breaker": breaker(true), "reader": reader(),
	}).holds(t,
		mutation[writeState]{"who is late leaves the queue idle", writeSteps{
			"handOver: Set(Posted)": func(s *writeState, me int) target { s.setQueue(me, idling); return next },
		}},
		mutation[writeState]{"who is late tells nobody", writeSteps{"handOver: PostWrite": goes[writeState](next)}},
	)
	admission := writers("admission", map[string][]op[writeState]{
		"sender": sender(1, false), "flusher": flusher(), "kernel": kernel(), "breaker": breaker(true), "admitter": admitter(), "reader": reader(),
	})
	admission.start.links[0].opened, admission.start.q = false, detached
	admission.holds(t,
		mutation[writeState]{"opened before posted", writeSteps{
			"admit: opened":      func(s *writeState, me int) target { s.mine(me).opened, s.mine(me).mu = true, 0; return next },
			"admit: mu.Unlock":   goes[writeState](next),
			"admit: Set(Posted)": func(s *writeState, me int) target { s.setQueue(me, posted); return next },
		}})
}
