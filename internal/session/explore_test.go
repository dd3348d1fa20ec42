// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An explorer of protocols between goroutines: the steps of each, one access to shared memory at a time, in all the orders
// in which they can happen. The steps are copies of the code, in its words; TestModelsFollowTheCode says when it has moved
// on without them.
//
//	explore_queue_test.go    pipe: claim and yield, segments that the drainer closes and pools
//	explore_credit_test.go   limits, waiting senders, cancelling
//	explore_hold_test.go     messages held back while somebody drains
//	explore_write_test.go    who writes a stream, and its end
//	explore_read_test.go     who reads a stream
//	explore_session_test.go  dial, carry, lost, Abort: one Ended
//	explore_loop_test.go     ioloop: who runs the loop, the wait of who does not, its stop

// op is one step of a process. It changes s and says where to go on.
type op[S comparable] struct {
	label string // to be jumped to; mostly empty
	text  string // as in the code: what a trace and a mutation call it
	do    func(s *S, me int) target
}

// target is where a process goes on after a step: a label, or one of these.
type target string

const (
	next    target = ""
	blocked target = "(blocked)" // not now: the step has not been made
	end     target = "(end)"     // of the process
)

// model is a system of processes.
type model[S comparable] struct {
	name     string
	start    S
	names    []string  // of the processes
	programs [][]op[S] // theirs
	counters func(s *S) []int8
	check    func(s *S) string // holds after each step; "": it does
	rest     func(s *S) string // holds when nobody can go on
}

// statesMost bounds a search: a model that grows beyond it is no small one any more.
const statesMost = 2_000_000

// visit is how a state was reached first.
type visit struct {
	from int32
	who  int8
	step int8
}

// explore returns how many states there are and, if something is wrong, what, and the shortest way there.
func (m model[S]) explore() (states int, fault string, trace []string) {
	labels := make([]map[target]int8, len(m.programs))
	for i, program := range m.programs {
		labels[i] = map[target]int8{end: int8(len(program))}
		for at, o := range program {
			if o.label != "" {
				labels[i][target(o.label)] = int8(at)
			}
		}
	}
	seen := map[S]int32{m.start: 0}
	order := []S{m.start}
	visits := []visit{{from: -1}}
	for at := 0; at < len(order); at++ {
		moved := false
		for who, program := range m.programs {
			s := order[at]
			pc := m.counters(&s)[who]
			if int(pc) == len(program) {
				continue
			}
			to := program[pc].do(&s, who)
			if to == blocked {
				continue
			}
			moved = true
			counter := &m.counters(&s)[who]
			if to == next {
				*counter = pc + 1
			} else if *counter = labels[who][to]; labels[who][to] == 0 && program[0].label != string(to) {
				panic("no label " + string(to))
			}
			if _, known := seen[s]; known {
				continue
			}
			seen[s] = int32(len(order))
			order, visits = append(order, s), append(visits, visit{int32(at), int8(who), pc})
			if fault := m.check(&s); fault != "" {
				return len(order), fault, m.trace(visits, len(order)-1)
			}
			if len(order) > statesMost {
				return len(order), "too many states", nil
			}
		}
		if !moved {
			s := order[at]
			if fault := m.rest(&s); fault != "" {
				return len(order), "everybody sleeps: " + fault, m.trace(visits, at)
			}
		}
	}
	return len(order), "", nil
}

func (m model[S]) trace(visits []visit, at int) []string {
	var steps []string
	for ; at > 0; at = int(visits[at].from) {
		v := visits[at]
		steps = append(steps, m.names[v.who]+": "+m.programs[v.who][v.step].text)
	}
	slices.Reverse(steps)
	return steps
}

// mutation is a mistake that somebody could make.
type mutation[S comparable] struct {
	name  string
	steps map[string]func(s *S, me int) target // what is done otherwise, in whatever program, by text
}

// goes is a step of a mutation that does nothing, or nothing any more, and goes on at a place.
func goes[S comparable](to target) func(*S, int) target {
	return func(*S, int) target { return to }
}

// holds explores the model, which must have no fault, and every mutation of it, which must have one.
func (m model[S]) holds(t *testing.T, mutations ...mutation[S]) {
	t.Run(m.name, func(t *testing.T) {
		states, fault, trace := m.explore()
		if fault != "" {
			t.Fatalf("%s:\n\t%s", fault, strings.Join(trace, "\n\t"))
		}
		t.Log(states, "states")
	})
	for _, mutated := range mutations {
		t.Run(m.name+"/"+mutated.name, func(t *testing.T) {
			other := m
			other.programs = nil
			found := make(map[string]bool)
			for _, program := range m.programs {
				program = slices.Clone(program)
				for i := range program {
					if do := mutated.steps[program[i].text]; do != nil {
						program[i].do = do
						found[program[i].text] = true
					}
				}
				other.programs = append(other.programs, program)
			}
			if len(found) < len(mutated.steps) {
				t.Fatalf("of %d steps to be changed, there are %v", len(mutated.steps), found)
			}
			states, fault, trace := other.explore()
			if fault == "" {
				t.Fatalf("nobody minds, in %d states", states)
			}
			t.Logf("%s after %d steps, %d states", fault, len(trace), states)
		})
	}
}

// A model of the classic mistake, to see that the explorer sees: two processes read a number, add one, and write it.
func TestExplorerFindsALostUpdate(t *testing.T) {
	type state struct {
		pc     [2]int8
		number int8
		copies [2]int8
		locked int8 // 1 + who
	}
	program := func(lock bool) []op[state] {
		return []op[state]{
			{"", "lock", func(s *state, me int) target {
				if lock && s.locked != 0 {
					return blocked
				}
				s.locked = int8(me + 1)
				return next
			}},
			{"", "read", func(s *state, me int) target { s.copies[me] = s.number; return next }},
			{"", "write", func(s *state, me int) target { s.number = s.copies[me] + 1; return next }},
			{"", "unlock", func(s *state, me int) target { s.locked = 0; return next }},
		}
	}
	m := model[state]{
		name: "counter", names: []string{"one", "two"},
		counters: func(s *state) []int8 { return s.pc[:] },
		check:    func(*state) string { return "" },
		rest: func(s *state) string {
			if s.number != 2 {
				return fmt.Sprintf("counted %d", s.number)
			}
			return ""
		},
	}
	m.programs = [][]op[state]{program(true), program(true)}
	if states, fault, trace := m.explore(); fault != "" || states != 17 {
		t.Errorf("with a lock: %d states, fault %q after %v", states, fault, trace)
	}
	m.programs = [][]op[state]{program(false), program(false)}
	if _, fault, trace := m.explore(); fault != "everybody sleeps: counted 1" || len(trace) != 8 {
		t.Errorf("without a lock: fault %q after %v", fault, trace)
	}
	m.programs = [][]op[state]{program(true), program(true)[:3]} // that never unlocks
	if _, fault, trace := m.explore(); fault != "everybody sleeps: counted 1" || len(trace) != 3 {
		t.Errorf("with a lock that is kept: fault %q after %v", fault, trace)
	}
}
