// SPDX-License-Identifier: Apache-2.0

package session

import "testing"

// readerState is a link's path in: the peer and the kernel, those who may read, and the receiver, who drains In.
type readerState struct {
	pc [5]int8

	sentByPeer, arrived int8 // messages; and those the kernel holds
	closedByPeer        bool
	edge                bool // the loop is to be told
	hangupEdge          bool

	state               int8 // readIdle …
	readEdge, revived   bool
	hangup              bool
	toResume            bool // posted
	left                bool // for the sweep
	reader              int8 // 1 + who reads
	dead, failed, ended bool
	closed              int8

	q                 int8 // of In
	published, popped int8
	starved           bool
	told              bool
	turnedOff         bool // the receiver wants no more

	local [5]struct{ hangup, short bool }
	fault int8
}

const (
	faultTwoReaders = iota + 30
	faultReadClosed
	faultEndedTwice
)

const inLimit = 1

func (s *readerState) turnReading(me int, from, to int8) bool {
	if s.state != from {
		return false
	}
	s.setReading(me, to)
	return true
}

func (s *readerState) setReading(me int, to int8) {
	if s.state = to; to == int8(reading) {
		if s.reader != 0 {
			s.fault = faultTwoReaders
		}
		s.reader = int8(me + 1)
	} else if s.reader == int8(me+1) {
		s.reader = 0
	}
}

// tryEndReading is tryEnd: under the lock, so that it is one step. Writing is nobody's.
func (s *readerState) tryEndReading(me int) {
	if s.state != int8(readGone) && !s.turnReading(me, int8(readIdle), int8(readGone)) && !s.turnReading(me, int8(readPaused), int8(readGone)) {
		return
	}
	if !s.ended {
		s.ended = true
		s.closed++
	}
}

type readOps []op[readerState]

func (p *readOps) add(label, text string, do func(s *readerState, me int) target) {
	*p = append(*p, op[readerState]{label, text, do})
}

// read is link.read, from "read" on; the caller has made reading its own.
func (p *readOps) read(once bool, back target) {
	leave := func(then target) func(*readerState, int) target {
		return func(s *readerState, me int) target {
			s.local[me].hangup, s.local[me].short = false, false // done with: fewer states
			if s.dead {
				s.tryEndReading(me)
			}
			return then
		}
	}
	p.add("read", "read: dead.Load", func(s *readerState, me int) target {
		if s.dead {
			return "leave"
		}
		return next
	})
	p.add("", "mayRead: revived.Store(false)", func(s *readerState, me int) target { s.revived = false; return next })
	p.add("", "mayRead: Fits", func(s *readerState, me int) target {
		if s.published-s.popped < inLimit {
			return "edge"
		}
		s.starved = true
		return next
	})
	p.add("", "wait: readState.Store(paused)", func(s *readerState, me int) target { s.setReading(me, int8(readPaused)); return next })
	p.add("", "wait: revived.Load", func(s *readerState, me int) target {
		if !s.revived {
			return "waiting"
		}
		return next
	})
	p.add("", "wait: CompareAndSwap(paused, reading)", func(s *readerState, me int) target {
		if s.turnReading(me, int8(readPaused), int8(reading)) {
			return "edge"
		}
		return next
	})
	p.add("waiting", "wait: dead.Load", leave(back))
	p.add("edge", "read: readEdge.Store(false)", func(s *readerState, me int) target { s.readEdge = false; return next })
	p.add("", "read: hangup.Load", func(s *readerState, me int) target { s.local[me].hangup = s.hangup; return next })
	p.add("", "read: stream.Read", func(s *readerState, me int) target {
		switch {
		case s.closed > 0:
			s.fault = faultReadClosed
			return end
		case s.failed || s.arrived == 0 && s.closedByPeer:
			return "end of stream"
		case s.arrived == 0:
			return "idle"
		}
		n := min(s.arrived, 2) // the buffer
		s.local[me].short = n < 2
		s.arrived -= n
		s.published += n
		return next
	})
	p.add("", "scan: Claim", func(s *readerState, me int) target {
		if s.q == idling {
			s.q, s.told = posted, true
		}
		return next
	})
	p.add("", "read: readEdge.Load", func(s *readerState, me int) target {
		switch {
		case s.local[me].short && !s.local[me].hangup && !s.readEdge:
			return "idle"
		case once:
			return next
		}
		s.local[me].hangup, s.local[me].short = false, false
		return "read"
	})
	p.add("", "pause: readState.Store(paused)", func(s *readerState, me int) target { s.setReading(me, int8(readPaused)); return next })
	p.add("", "pause: dead.Load", leave(next))
	p.add("", "pause: Leave", func(s *readerState, me int) target { s.left = true; return back })
	p.add("idle", "idle: readState.Store(idle)", func(s *readerState, me int) target { s.setReading(me, int8(readIdle)); return next })
	p.add("", "idle: readEdge.Load", func(s *readerState, me int) target {
		if !s.readEdge {
			return "idling"
		}
		return next
	})
	p.add("", "idle: CompareAndSwap(idle, reading)", func(s *readerState, me int) target {
		if s.turnReading(me, int8(readIdle), int8(reading)) {
			return "read"
		}
		return next
	})
	p.add("idling", "idle: dead.Load", leave(back))
	p.add("end of stream", "readEnded: fail", func(s *readerState, me int) target { s.failed, s.dead = true, true; return next })
	p.add("leave", "leaveReading: readState.Store(idle)", func(s *readerState, me int) target { s.setReading(me, int8(readIdle)); return next })
	p.add("", "leaveReading: dead.Load", leave(back))
}

// loopReads is Readable.
func loopReads(led bool) []op[readerState] {
	p := new(readOps)
	p.add("start", "loop takes an edge", func(s *readerState, me int) target {
		if !s.edge {
			return blocked
		}
		s.edge = false
		return next
	})
	p.add("", "Readable: hangup.Store(true)", func(s *readerState, me int) target {
		if s.hangupEdge {
			s.hangup = true
		}
		return next
	})
	p.add("", "Readable: readEdge.Store(true)", func(s *readerState, me int) target { s.readEdge = true; return next })
	p.add("", "Readable: CompareAndSwap(idle, reading)", func(s *readerState, me int) target {
		if s.turnReading(me, int8(readIdle), int8(reading)) {
			return "read"
		}
		return "start"
	})
	p.read(led, "start")
	return *p
}

// flusherReads is Resume, after PostRead or Leave.
func flusherReads() []op[readerState] {
	p := new(readOps)
	p.add("start", "Resume is due", func(s *readerState, me int) target {
		if !s.toResume && !s.left {
			return blocked
		}
		s.toResume, s.left = false, false
		return next
	})
	p.add("", "Resume: CompareAndSwap(paused, reading)", func(s *readerState, me int) target {
		if s.turnReading(me, int8(readPaused), int8(reading)) {
			return "read"
		}
		return next
	})
	p.add("", "Resume: hangup.Load", func(s *readerState, me int) target {
		if !s.hangup {
			return "start"
		}
		return next
	})
	p.add("", "Resume: CompareAndSwap(idle, reading)", func(s *readerState, me int) target {
		if s.turnReading(me, int8(readIdle), int8(reading)) {
			return "read"
		}
		return "start"
	})
	p.read(false, "start")
	return *p
}

// receives is a receiver: it drains In, and reads for itself when In is empty and bytes were left.
func receives() []op[readerState] {
	p := new(readOps)
	p.add("start", "Turn(Posted, Draining)", func(s *readerState, me int) target {
		if !s.told {
			return blocked
		}
		s.told = false
		s.q = draining
		return next
	})
	p.add("front", "Front", func(s *readerState, me int) target {
		if s.published == s.popped {
			return "more"
		}
		s.popped++
		return next
	})
	p.add("", "giveBack: starved.Load", func(s *readerState, me int) target {
		if !s.starved {
			return "front"
		}
		s.starved = false
		return next
	})
	p.add("", "Revive: revived.Store(true)", func(s *readerState, me int) target { s.revived = true; return next })
	p.add("", "Revive: readState.Load", func(s *readerState, me int) target {
		if s.state == int8(readPaused) {
			s.toResume = true
		}
		return "front"
	})
	p.add("more", "ReadMore: CompareAndSwap(paused, reading)", func(s *readerState, me int) target {
		if s.turnReading(me, int8(readPaused), int8(reading)) {
			return "read"
		}
		return next
	})
	p.add("", "Yield: Set(Idle)", func(s *readerState, me int) target { s.q = idling; return next })
	p.add("", "Yield: look again", func(s *readerState, me int) target {
		if s.published == s.popped {
			return "start"
		}
		return next
	})
	p.add("", "Yield: Turn(Idle, Draining)", func(s *readerState, me int) target {
		if s.q == idling {
			s.q = draining
			return "front"
		}
		return "start"
	})
	p.read(true, "front")
	return *p
}

// peer sends messages, and closes if it is to.
func peer(messages int8, closes bool) []op[readerState] {
	return []op[readerState]{
		{"start", "peer sends", func(s *readerState, me int) target {
			if s.sentByPeer == messages {
				return next
			}
			s.sentByPeer++
			s.arrived++
			s.edge = true
			return "start"
		}},
		{"", "peer closes", func(s *readerState, me int) target {
			if closes {
				s.closedByPeer, s.edge, s.hangupEdge = true, true, true
			}
			return end
		}},
	}
}

// fails is link.fail.
func fails() []op[readerState] {
	return []op[readerState]{
		{"", "fail: dead.Store, Abort", func(s *readerState, me int) target { s.failed, s.dead = true, true; return next }},
		{"", "fail: tryEnd", func(s *readerState, me int) target { s.tryEndReading(me); return next }},
	}
}

func readers(name string, messages int8, programs map[string][]op[readerState]) model[readerState] {
	m := model[readerState]{
		name:     name,
		counters: func(s *readerState) []int8 { return s.pc[:] },
		check: func(s *readerState) string {
			if s.closed > 1 {
				s.fault = faultEndedTwice
			}
			return map[int8]string{
				0: "", faultTwoReaders: "two readers", faultReadClosed: "a closed stream is read", faultEndedTwice: "ended twice",
			}[s.fault]
		},
		rest: func(s *readerState) string {
			switch {
			case (s.failed || s.closedByPeer) && s.closed != 1:
				return "the stream has ended and is not closed"
			case programs["receiver"] == nil:
				return ""
			case s.popped < s.published:
				return "a message was published and not received"
			case !s.failed && s.popped < messages:
				return "a message was not read"
			}
			return ""
		},
	}
	for _, who := range []string{"peer", "loop", "flusher", "receiver", "breaker"} {
		if program := programs[who]; program != nil {
			m.names, m.programs = append(m.names, who), append(m.programs, program)
		}
	}
	m.start.q = idling
	return m
}

type readSteps = map[string]func(*readerState, int) target

// Whoever reads, nothing that has arrived is left unread while the queue has room, and the stream is closed once, when
// nobody reads it.
func TestExploreReading(t *testing.T) {
	for name, led := range map[string]bool{"loop": false, "led": true} {
		const messages = 2
		processes := map[string][]op[readerState]{
			"peer": peer(messages, false), "loop": loopReads(led), "flusher": flusherReads(), "receiver": receives(),
		}
		if !led {
			processes["peer"] = peer(messages+1, false)
			readers("loop, three messages", messages+1, processes).holds(t,
				mutation[readerState]{"an edge while it goes idle is missed", readSteps{"idle: readEdge.Load": goes[readerState]("idling")}},
				mutation[readerState]{"the edge is cleared after the read", readSteps{"read: readEdge.Load": func(s *readerState, me int) target {
					s.readEdge = false
					if s.local[me].short {
						return "idle"
					}
					return "read"
				}}},
			)
			processes["peer"] = peer(messages, false)
		}
		readers(name, messages, processes).holds(t,
			mutation[readerState]{"room while it pauses is missed", readSteps{"wait: revived.Load": goes[readerState]("waiting")}},
			mutation[readerState]{"the receiver tells nobody of room", readSteps{
				"Revive: readState.Load": goes[readerState]("front"), "ReadMore: CompareAndSwap(paused, reading)": goes[readerState](next),
				"pause: Leave": goes[readerState]("start"),
			}},
			mutation[readerState]{"the loop reads whoever reads", readSteps{"Readable: CompareAndSwap(idle, reading)": func(s *readerState, me int) target {
				s.setReading(me, int8(reading))
				return "read"
			}}},
			mutation[readerState]{"Yield without a second look", readSteps{"Yield: look again": goes[readerState]("start")}},
		)
		readers(name+", peer closes", messages, map[string][]op[readerState]{
			"peer": peer(messages, true), "loop": loopReads(led), "flusher": flusherReads(), "receiver": receives(),
		}).holds(t,
			mutation[readerState]{"a hangup counts as nothing", readSteps{
				"Readable: hangup.Store(true)": goes[readerState](next), "idle: readEdge.Load": goes[readerState]("idling"),
			}})
		readers(name+", broken", messages, map[string][]op[readerState]{
			"peer": peer(messages, false), "loop": loopReads(led), "flusher": flusherReads(), "receiver": receives(), "breaker": fails(),
		}).holds(t,
			mutation[readerState]{"idle without a look whether it is dead", readSteps{"idle: dead.Load": goes[readerState]("start"), "leaveReading: dead.Load": goes[readerState]("start")}},
		)
		readers(name+", broken, nobody receives", messages, map[string][]op[readerState]{
			"peer": peer(messages, false), "loop": loopReads(led), "flusher": flusherReads(), "breaker": fails(),
		}).holds(t,
			mutation[readerState]{"paused without a look whether it is dead", readSteps{"wait: dead.Load": goes[readerState]("start")}},
		)
	}
}
