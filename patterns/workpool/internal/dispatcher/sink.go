// SPDX-License-Identifier: Apache-2.0

package dispatcher

import (
	"cmp"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/fifo"
)

// Result is a result for the sink.
type Result struct {
	ID          uint64
	Attempts    int
	Redelivered bool
	Value       []byte
}

// release gives a task with its result to the sink, in its turn.
func (m *Machine) release(t *task) {
	m.set(t, done)
	if m.cfg.Ordered {
		m.advance()
		return
	}
	m.results.Push(t)
}

// advance lets the results through whose turn it is.
func (m *Machine) advance() {
	for m.order.Len() > 0 {
		first := m.order.First()
		if t := first.task; t.place == first.place {
			switch t.state {
			case done:
				m.results.Push(t)
			case dead, gone:
			default:
				return
			}
		}
		m.order.Pop()
	}
}

// Results moves results to the sink, as many as there is room for in to. Each has to be Acked.
func (m *Machine) Results(to []Result) []Result {
	for len(to) < cap(to) && m.Ready() {
		from := &m.results
		if m.again.Len() > 0 {
			from = &m.again
		}
		t := from.Pop()
		if t.state != done { // cancelled meanwhile
			continue
		}
		m.set(t, handed)
		to = append(to, Result{t.id, int(t.attempts), t.redelivered, t.payload})
	}
	return to
}

// Acked says that the sink has done with a result.
func (m *Machine) Acked(id uint64, now time.Time) {
	if t := m.tasks[id]; t != nil && t.state == handed {
		m.leave(t)
		m.counts.Sunk++
		m.forget(t, now)
	}
}

// PutBack takes results back that the sink has not looked at, in the order in which it got them.
func (m *Machine) PutBack(results []Result) {
	var again fifo.Queue[*task]
	for i := range results {
		if t := m.tasks[results[i].ID]; t != nil && t.state == handed {
			m.set(t, done)
			again.Push(t)
		}
	}
	for m.again.Len() > 0 {
		again.Push(m.again.Pop())
	}
	m.again = again
}

// Waiting is how many results there are for the sink, at most.
func (m *Machine) Waiting() int { return m.again.Len() + m.results.Len() }

// tidy takes entries without a task out of queues in which they have become too many.
func (m *Machine) tidy() {
	if n := m.order.Len(); n > tombsMin && n > 2*m.active {
		m.order.Keep(func(e turn) bool { return e.task.place == e.place && e.task.state != dead && e.task.state != gone })
	}
	if n := m.results.Len(); n > tombsMin && n > 2*m.in[done] {
		m.results.Keep(func(t *task) bool { return t.state == done })
	}
}

// Ready says whether there are results for the sink.
func (m *Machine) Ready() bool { return m.Waiting() > 0 }

// Active is how many tasks are neither dead nor done with.
func (m *Machine) Active() int { return m.active }

// Counts are what has happened since the start.
type Counts struct {
	Accepted    uint64
	Refused     uint64 // because the queue was full
	Done        uint64 // results of workers
	Sunk        uint64 // that the sink has done with
	Failed      uint64 // attempts
	Retries     uint64
	Hung        uint64 // attempts that were not answered in time
	Late        uint64 // answers that were dropped
	Lost        uint64 // leases that a worker did not know
	Returned    uint64 // leases that a worker had not begun with
	Died        uint64
	Cancelled   uint64
	WorkersLost uint64
}

// rates are per second, over the last whole second.
type rates struct{ accepted, done float64 }

func (m *Machine) tickRates(now time.Time) {
	if passed := now.Sub(m.sampled).Seconds(); passed >= sampleEvery.Seconds() {
		m.rates.accepted = float64(m.counts.Accepted-m.sample.Accepted) / passed
		m.rates.done = float64(m.counts.Done-m.sample.Done) / passed
		m.sampled, m.sample = now, m.counts
	}
}

// Stats is the state at one moment.
type Stats struct {
	Counts
	Waiting, Delayed, Leased, Storing int // tasks
	Results                           int // done, not acknowledged by the sink
	DeadLetters                       int
	QueueBytes                        int
	AcceptedPerSecond, DonePerSecond  float64
	Workers                           []WorkerStats // by name
}

// WorkerStats is the state of one worker.
type WorkerStats struct {
	Name         string
	Credit, Held int
	Done, Failed uint64
	Silent       time.Duration
}

// Stats goes through all workers.
func (m *Machine) Stats(now time.Time) Stats {
	s := Stats{
		Counts: m.counts, DeadLetters: len(m.dead), QueueBytes: m.bytes, Workers: make([]WorkerStats, 0, len(m.workers)),
		Waiting: m.in[waiting], Delayed: m.in[delayed], Leased: m.in[leased], Storing: m.in[storing], Results: m.finished(),
		AcceptedPerSecond: m.rates.accepted, DonePerSecond: m.rates.done,
	}
	for _, w := range m.workers {
		s.Workers = append(s.Workers, WorkerStats{w.name, w.credit, len(w.held), w.done, w.failed, max(now.Sub(w.heard), 0)})
	}
	slices.SortFunc(s.Workers, func(a, b WorkerStats) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
