// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// States of a queue, as small numbers.
const (
	detached = int8(pipe.Detached)
	idling   = int8(pipe.Idle)
	posted   = int8(pipe.Posted)
	draining = int8(pipe.Draining)
	stuck    = int8(pipe.Blocked)
)

// none stands for a nil pointer.
const none = -1

// chainSegment is a segment; messages have numbers from 1, and one unit of length each.
type chainSegment struct {
	from, end int8 // messages from+1 … end
	closed    bool
	next      int8
	chunk     bool // the drainer still holds it
	pooled    bool
}

// chainState is a queue's chain, with a writer and two who may drain it.
type chainState struct {
	pc       [3]int8
	state    int8
	segments [4]chainSegment
	told     bool // Ready was called

	tail, sent, tailEnd int8 // writer
	tailClosed          bool

	head, off, delivered int8 // drainer
	owner                int8 // 1 + who drains
	fault                int8 // what went wrong
	local                [3]struct {
		segment, off, mark int8
		closed             bool
	}
	tries int8 // of the stealer
}

const (
	faultTwoDrainers = 1 + iota
	faultOrder
	faultNoChunk
	faultNoSegment
)

func (s *chainState) turn(me int, from, to int8) bool {
	if s.state != from {
		return false
	}
	s.state = to
	if to == draining {
		if s.owner != 0 {
			s.fault = faultTwoDrainers
		}
		s.owner = int8(me + 1)
	}
	return true
}

// chainWriter publishes messages; the third begins a chunk of its own.
func chainWriter() []op[chainState] {
	const messages = 3
	return []op[chainState]{
		{"write", "Publish: tail.mark.CompareAndSwap", func(s *chainState, _ int) target {
			if s.sent == messages {
				return end
			}
			s.sent++
			tail := &s.segments[s.tail]
			if s.sent == messages || s.sent == 1 || tail.closed != s.tailClosed || tail.end != s.tailEnd {
				return "segment"
			}
			tail.end, s.tailEnd = s.sent, s.sent
			return "claim"
		}},
		{"segment", "Publish: s.mark.Store", func(s *chainState, me int) target {
			fresh := int8(none)
			for i := range s.segments { // the pool gives what was used last
				if x := &s.segments[i]; x.pooled || fresh == none && x.from == none {
					fresh = int8(i)
				}
			}
			if fresh == none {
				s.fault = faultNoSegment
				return end
			}
			s.segments[fresh] = chainSegment{from: s.sent - 1, end: s.sent, next: none, chunk: true}
			s.local[me].segment = fresh
			return next
		}},
		{"", "Publish: tail.next.Store", func(s *chainState, me int) target {
			s.segments[s.tail].next = s.local[me].segment
			s.tail, s.tailEnd, s.tailClosed = s.local[me].segment, s.sent, false
			return next
		}},
		{"claim", "Claim: State", func(s *chainState, _ int) target {
			if s.state != idling {
				return "write"
			}
			return next
		}},
		{"", "Claim: Turn", func(s *chainState, me int) target {
			if s.turn(me, idling, posted) {
				s.told = true
			}
			return "write"
		}},
	}
}

// chainDrainer drains as a session does, when it is told or, the stealer, when it likes.
func chainDrainer(stealer bool) []op[chainState] {
	return []op[chainState]{
		{"sleep", "Turn(Posted, Draining)", func(s *chainState, me int) target {
			if stealer {
				if s.tries == 2 {
					return end
				}
				s.tries++
			} else if !s.told {
				return blocked
			} else {
				s.told = false
			}
			if !s.turn(me, posted, draining) {
				return "sleep"
			}
			return next
		}},
		{"gather", "step: next.Load", func(s *chainState, me int) target {
			s.local[me].segment = s.segments[s.head].next
			if s.local[me].segment == none {
				return "look"
			}
			return next
		}},
		{"", "step: mark.Load", func(s *chainState, me int) target {
			head := &s.segments[s.head]
			if head.end > s.off {
				return "look"
			}
			head.chunk, head.pooled = false, true
			s.head = s.local[me].segment
			s.off = s.segments[s.head].from
			return "gather"
		}},
		{"look", "Gather: mark.Load", func(s *chainState, me int) target {
			head := &s.segments[s.head]
			s.local[me].mark = head.end
			if head.end == s.off {
				return "rest"
			}
			if !head.chunk {
				s.fault = faultNoChunk
			}
			if s.off != s.delivered {
				s.fault = faultOrder
			}
			s.off, s.delivered = head.end, head.end
			return "gather"
		}},
		{"rest", "Rest: mark.Load", func(s *chainState, me int) target {
			head := &s.segments[s.head]
			s.local[me].mark, s.local[me].closed = head.end, head.closed
			if !head.chunk || head.end > s.off {
				return "yield"
			}
			return next
		}},
		{"", "Rest: next.Load", func(s *chainState, _ int) target {
			if s.segments[s.head].next != none {
				return "yield"
			}
			return next
		}},
		{"", "Rest: mark.CompareAndSwap", func(s *chainState, me int) target {
			if head := &s.segments[s.head]; head.end == s.local[me].mark && head.closed == s.local[me].closed {
				head.closed, head.chunk = true, false
			}
			return next
		}},
		{"yield", "Yield: Set(Idle)", func(s *chainState, me int) target {
			s.local[me].segment, s.local[me].off = s.head, s.off
			s.state, s.owner = idling, 0
			return next
		}},
		{"", "Yield: mark.Load", func(s *chainState, me int) target {
			if s.segments[s.local[me].segment].end > s.local[me].off {
				return "again"
			}
			return next
		}},
		{"", "Yield: next.Load", func(s *chainState, me int) target {
			if s.segments[s.local[me].segment].next != none {
				return "again"
			}
			return "sleep"
		}},
		{"again", "Yield: Turn(Idle, Draining)", func(s *chainState, me int) target {
			if s.turn(me, idling, draining) {
				return "gather"
			}
			return "sleep"
		}},
	}
}

func chainModel() model[chainState] {
	m := model[chainState]{
		name: "chain", names: []string{"writer", "drainer", "stealer"},
		programs: [][]op[chainState]{chainWriter(), chainDrainer(false), chainDrainer(true)},
		counters: func(s *chainState) []int8 { return s.pc[:] },
		check: func(s *chainState) string {
			return []string{"", "two drainers", "messages out of order", "a chunk that is gone", "too many segments"}[s.fault]
		},
		rest: func(s *chainState) string {
			switch {
			case s.delivered != s.sent:
				return "something is queued"
			case s.state != idling:
				return "the queue is not idle"
			}
			return ""
		},
	}
	m.start.state = idling
	for i := range m.start.segments {
		m.start.segments[i] = chainSegment{from: none, next: none}
	}
	m.start.segments[0].from = 0
	return m
}

// A queue's chain: the writer extends the last segment while the drainer closes it, leaves it and gives it to the pool,
// from where it may come back while another still looks at it.
func TestExploreChain(t *testing.T) {
	type steps = map[string]func(*chainState, int) target
	chainModel().holds(t,
		mutation[chainState]{"Yield without a second look", steps{"Yield: mark.Load": goes[chainState]("sleep")}},
		mutation[chainState]{"Yield does not look at the next segment", steps{"Yield: next.Load": goes[chainState]("sleep")}},
		mutation[chainState]{"Yield takes back what another has", steps{"Yield: Turn(Idle, Draining)": func(s *chainState, me int) target {
			s.turn(me, s.state, draining)
			return "gather"
		}}},
		mutation[chainState]{"Claim without comparing", steps{"Claim: Turn": func(s *chainState, _ int) target {
			s.state, s.told = posted, true
			return "write"
		}}},
		mutation[chainState]{"no Claim", steps{"Claim: State": goes[chainState]("write")}},
		mutation[chainState]{"step believes an old mark", steps{"step: mark.Load": func(s *chainState, me int) target {
			head := &s.segments[s.head]
			if s.local[me].mark > s.off {
				return "look"
			}
			head.chunk, head.pooled = false, true
			s.head = s.local[me].segment
			s.off = s.segments[s.head].from
			return "gather"
		}}},
		mutation[chainState]{"Rest without comparing", steps{"Rest: mark.CompareAndSwap": func(s *chainState, me int) target {
			head := &s.segments[s.head]
			head.end, head.closed, head.chunk = s.local[me].mark, true, false
			return next
		}}},
		mutation[chainState]{"Rest lets go without telling", steps{"Rest: mark.CompareAndSwap": func(s *chainState, me int) target {
			s.segments[s.head].chunk = false
			return next
		}}},
	)
}
