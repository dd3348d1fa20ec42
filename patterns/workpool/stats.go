// SPDX-License-Identifier: Apache-2.0

package workpool

import "time"

// Stats is the state of a pool at one moment. Numbers of events count from the start of the dispatcher.
type Stats struct {
	// Tasks by where they are: for a worker, for their time or their next attempt, with a worker, on their way to disk, and with
	// a result that the sink has not done with.
	Waiting, Delayed, Leased, Storing, Results int
	DeadLetters                                int
	QueueBytes                                 int // payloads and results that are not done with
	AcceptedPerSecond, DonePerSecond           float64

	Accepted    uint64 // tasks
	Refused     uint64 // tasks, because the queue was full; one that waits for room may count several times
	Done        uint64 // results of workers
	Sunk        uint64 // results that the sink has done with
	Failed      uint64 // attempts
	Retries     uint64 // attempts that were followed by another one
	Hung        uint64 // attempts that took too long
	Late        uint64 // answers of replaced workers, dropped
	Lost        uint64 // attempts that got lost on the way
	Returned    uint64 // tasks that workers returned before they began
	Died        uint64 // tasks that became dead letters
	Cancelled   uint64 // tasks
	WorkersLost uint64

	Workers []WorkerStats // by name
}

// WorkerStats is the state of one worker.
type WorkerStats struct {
	Name         string
	Credit, Held int // tasks that it can hold, and holds
	Done, Failed uint64
	Silent       time.Duration // since it was heard
}

// Stats goes through all tasks: it is for people and monitoring, not for each task.
func (d *Dispatcher[T, R]) Stats() Stats { return d.core.stats() }

func (c *core) stats() Stats {
	c.mu.Lock()
	m := c.machine.Stats(time.Now())
	c.mu.Unlock()
	s := Stats{
		Waiting: m.Waiting, Delayed: m.Delayed, Leased: m.Leased, Storing: m.Storing, Results: m.Results, DeadLetters: m.DeadLetters,
		QueueBytes: m.QueueBytes, AcceptedPerSecond: m.AcceptedPerSecond, DonePerSecond: m.DonePerSecond,
		Accepted: m.Accepted, Refused: m.Refused, Done: m.Done, Sunk: m.Sunk, Failed: m.Failed, Retries: m.Retries, Hung: m.Hung,
		Late: m.Late, Lost: m.Lost, Returned: m.Returned, Died: m.Died, Cancelled: m.Cancelled, WorkersLost: m.WorkersLost,
		Workers: make([]WorkerStats, len(m.Workers)),
	}
	for i, w := range m.Workers {
		s.Workers[i] = WorkerStats(w)
	}
	return s
}
