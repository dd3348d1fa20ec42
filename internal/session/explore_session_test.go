// SPDX-License-Identifier: Apache-2.0

package session

import "testing"

// lifeState is a session from its first dial to Ended. What happens under mu is one step.
type lifeState struct {
	pc       [4]int8
	over     bool
	finished bool
	busy     int8
	link     int8 // 1 + index; 0: none
	timer    bool // the next dial is due
	links    [2]struct {
		begun              bool // the stream is there, and events may come
		beginning, failed  bool
		dialing            bool // nobody knows yet what comes of it
		open, closed, told bool
	}
	ended int8
	fault string
	local [4]struct {
		link          int8
		carried, over bool
		failed        bool
		back          int8
	}
}

type lifeOps struct {
	ops   []op[lifeState]
	backs []target
}

func (p *lifeOps) add(label, text string, do func(s *lifeState, me int) target) {
	p.ops = append(p.ops, op[lifeState]{label, text, do})
}

// calling makes a step of a subroutine: it goes to label, and on at back.
func (p *lifeOps) calling(label, back target) func(s *lifeState, me int) target {
	p.backs = append(p.backs, back)
	index := int8(len(p.backs) - 1)
	return func(s *lifeState, me int) target {
		s.local[me].back = index
		return label
	}
}

// build adds what all call: fail, tryEnd and lost of the link in local, retry and finish.
func (p *lifeOps) build() []op[lifeState] {
	p.add("fail", "fail: mu.Lock … Unlock", func(s *lifeState, me int) target {
		s.links[s.local[me].link].failed = true
		return next
	})
	p.add("tryEnd", "tryEnd: mu.Lock … Unlock", func(s *lifeState, me int) target {
		l := &s.links[s.local[me].link]
		if !l.failed || l.beginning || l.closed {
			return "back"
		}
		l.closed = true
		return next
	})
	p.add("", "tryEnd: stream.Close", func(s *lifeState, me int) target {
		s.links[s.local[me].link].open = false
		return next
	})
	p.add("", "lost: mu.Lock … Unlock", func(s *lifeState, me int) target {
		s.link = 0
		if s.over {
			return "finish"
		}
		return "retry"
	})
	p.add("retry", "retry: mu.Lock … Unlock", func(s *lifeState, me int) target {
		if !s.over {
			s.timer = true
		}
		return "back"
	})
	p.add("finish", "finish: mu.Lock … Unlock", func(s *lifeState, me int) target {
		if s.finished {
			return "back"
		}
		s.finished = true
		return next
	})
	p.add("", "finish: Ended", func(s *lifeState, me int) target {
		s.ended++
		for i := range s.links {
			if s.links[i].open {
				s.fault = "Ended before a stream is closed"
			}
			if s.links[i].dialing {
				s.fault = "Ended while a dial is under way"
			}
		}
		return next
	})
	p.add("back", "returns", func(s *lifeState, me int) target {
		back := p.backs[s.local[me].back]
		s.local[me].back = 0
		return back
	})
	return p.ops
}

// How a dial comes out.
const (
	dialFails = iota
	attachFails
	dialSucceeds
)

// dials is dial, carry and settle, for the link of that index. The second waits for the timer of the first.
func dials(index int8, outcome int) []op[lifeState] {
	p := new(lifeOps)
	p.add("", "dial: mu.Lock … Unlock", func(s *lifeState, me int) target {
		if index > 0 {
			if !s.timer {
				return blocked
			}
			s.timer = false
		}
		if s.over {
			return end
		}
		s.busy++
		s.links[index].dialing = true
		return next
	})
	p.add("", "dial returns", func(s *lifeState, me int) target {
		s.links[index].dialing = false
		if outcome == dialFails {
			return "settle"
		}
		s.links[index].open = true
		return next
	})
	p.add("", "carry: mu.Lock … Unlock", func(s *lifeState, me int) target {
		if s.over {
			s.links[index].open = false
			return "settle"
		}
		return next
	})
	p.add("", "begin: link.Store", func(s *lifeState, me int) target {
		s.local[me].link = index
		s.links[index].begun, s.links[index].beginning, s.link = true, true, index+1
		return next
	})
	p.add("", "Attach returns", func(s *lifeState, me int) target {
		if outcome == attachFails {
			s.links[index].open, s.links[index].begun = false, false
			return next
		}
		return "begun"
	})
	p.add("", "carry: link.Store(nil)", func(s *lifeState, me int) target { s.link = 0; return "settle" })
	p.add("begun", "begun: l.mu.Lock … Unlock", func(s *lifeState, me int) target {
		s.links[index].beginning = false
		s.local[me].failed = s.links[index].failed
		return next
	})
	failing, trying := p.calling("fail", "carried"), p.calling("tryEnd", "carried")
	p.add("", "begun: s.mu.Lock … Unlock", func(s *lifeState, me int) target {
		switch {
		case s.over && !s.local[me].failed:
			return failing(s, me)
		case s.local[me].failed:
			return trying(s, me)
		}
		return next
	})
	p.add("carried", "carry returns", func(s *lifeState, me int) target { s.local[me].carried = true; return next })
	finishing, retrying := p.calling("finish", end), p.calling("retry", end)
	p.add("settle", "settle: mu.Lock … Unlock", func(s *lifeState, me int) target {
		s.busy--
		switch {
		case s.over && s.link == 0 && s.busy == 0:
			return finishing(s, me)
		case !s.local[me].carried:
			return retrying(s, me)
		}
		return end
	})
	return p.build()
}

// aborter is Abort.
func aborter() []op[lifeState] {
	p := new(lifeOps)
	failing, finishing := p.calling("fail", end), p.calling("finish", end)
	p.add("", "Abort: mu.Lock … Unlock", func(s *lifeState, me int) target {
		if s.over {
			return end
		}
		s.over, s.timer = true, false
		switch {
		case s.link != 0:
			s.local[me].link = s.link - 1
			return failing(s, me)
		case s.busy == 0:
			return finishing(s, me)
		}
		return end
	})
	return p.build()
}

// streamBreaker breaks each stream once it is there.
func streamBreaker() []op[lifeState] {
	p := new(lifeOps)
	failing := p.calling("fail", "start")
	p.add("start", "a stream breaks", func(s *lifeState, me int) target {
		for i := range s.links {
			if l := &s.links[i]; l.begun && !l.told {
				l.told = true
				s.local[me].link = int8(i)
				return failing(s, me)
			}
		}
		return blocked
	})
	return p.build()
}

func lives(name string, programs ...[]op[lifeState]) model[lifeState] {
	return model[lifeState]{
		name: name, names: []string{"dial", "dial again", "aborter", "breaker"}, programs: programs,
		counters: func(s *lifeState) []int8 { return s.pc[:] },
		check: func(s *lifeState) string {
			if s.ended > 1 {
				return "ended twice"
			}
			return s.fault
		},
		rest: func(s *lifeState) string {
			switch {
			case s.over && s.ended != 1:
				return "Abort was called, and Ended was not"
			case s.over && (s.links[0].open || s.links[1].open):
				return "a stream is open"
			}
			return ""
		},
	}
}

type lifeSteps = map[string]func(*lifeState, int) target

// Abort at any moment of a session's life is answered by Ended once, when no stream and no dial is left.
func TestExploreSession(t *testing.T) {
	for name, outcomes := range map[string][2]int{
		"streams": {dialSucceeds, dialSucceeds}, "dial fails": {dialFails, dialSucceeds}, "attach fails": {attachFails, attachFails},
		"attach fails late": {dialSucceeds, attachFails},
	} {
		lives(name, dials(0, outcomes[0]), dials(1, outcomes[1]), aborter(), streamBreaker()).holds(t)
		lives(name+", stable", dials(0, outcomes[0]), dials(1, outcomes[1]), aborter()).holds(t)
	}
	lives("mistakes", dials(0, dialSucceeds), dials(1, dialSucceeds), aborter(), streamBreaker()).holds(t,
		mutation[lifeState]{"begun does not look for Abort", lifeSteps{"begun: s.mu.Lock … Unlock": goes[lifeState](next)}},
		mutation[lifeState]{"finish tells each time", lifeSteps{"finish: mu.Lock … Unlock": goes[lifeState](next)}},
		mutation[lifeState]{"settle leaves the end to the link", lifeSteps{"settle: mu.Lock … Unlock": func(s *lifeState, me int) target {
			s.busy--
			return end
		}}},
		mutation[lifeState]{"settle forgets the other dial", lifeSteps{"settle: mu.Lock … Unlock": func(s *lifeState, me int) target {
			if s.busy--; s.over && s.link == 0 {
				s.local[me].back = 2 // as finishing does
				return "finish"
			}
			return end
		}}},
	)
}
