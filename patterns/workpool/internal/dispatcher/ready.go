// SPDX-License-Identifier: Apache-2.0

package dispatcher

import "github.com/zwire-mq/zwire/patterns/workpool/internal/fifo"

// ready has the tasks that wait for a worker, the one of the highest priority and then the oldest first. Most come in that order: they
// stand in line, which costs less than a heap of many. Whoever leaves the line before its turn leaves its turn behind.
type ready struct {
	line     fifo.Queue[turn] // of one priority, the oldest first
	inLine   int              // of them, those that are still there
	priority int32
	last     uint64 // the place of the last in line
	others   heap[*task]
}

func (r *ready) size() int { return r.inLine + r.others.size() }

func (r *ready) push(t *task) {
	if r.inLine == 0 {
		r.skip()
		r.priority, r.last = t.priority, 0
	}
	if t.priority != r.priority || t.place <= r.last {
		r.others.push(t)
		return
	}
	t.turn, r.last = t.place, t.place
	r.line.Push(turn{t, t.place})
	r.inLine++
}

// skip takes turns out that nobody takes.
func (r *ready) skip() {
	for r.line.Len() > 0 && r.line.First().task.turn != r.line.First().place {
		r.line.Pop()
	}
}

// pop takes the first; there must be one.
func (r *ready) pop() *task {
	r.skip()
	if r.inLine == 0 || r.others.size() > 0 && before(r.others.items[0], r.line.First().task) {
		return r.others.pop()
	}
	t := r.line.Pop().task
	t.turn = 0
	r.inLine--
	return t
}

// remove takes a task out, if it is there.
func (r *ready) remove(t *task) {
	if t.turn == 0 {
		r.others.remove(t)
		return
	}
	t.turn = 0
	r.inLine--
	if n := r.line.Len(); n > tombsMin && n > 2*r.inLine {
		r.line.Keep(func(e turn) bool { return e.task.turn == e.place })
	}
}
