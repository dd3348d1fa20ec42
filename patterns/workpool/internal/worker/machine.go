// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/fifo"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

// Config says what a worker is.
type Config struct {
	Name  string
	Links int // dispatchers
	Slots int // jobs at once
	Ahead int // jobs held beyond that, at most
}

// Job is an attempt at a task. Its exported fields do not change, but for Stop.
type Job struct {
	Link     int
	Lease    uint64
	ID       uint64
	Attempt  int
	Deadline time.Time // zero: none
	Payload  []byte
	Stop     func() // the caller's; not looked at

	state   state
	arrived time.Time
	began   time.Time
	at      int // among those that the link holds
}

type state uint8

const (
	queued state = iota
	running
	stopped // running, and nobody waits for the answer
	answered
)

type link struct {
	life     uint64
	welcomed bool
	interval time.Duration
	heard    time.Time
	greeted  time.Time // the last Hello
	beaten   time.Time // the last Beat
	told     int       // the last credit
	held     []*Job
	jobs     map[uint64]*Job // the same, by lease
	results  []wire.Result   // to be sent

	hello, beat, credit, bye bool // to be sent
}

// Machine is a worker. Calls come one at a time. After each, Pending says which links have something to send.
type Machine struct {
	cfg      Config
	links    []link
	queue    fifo.Queue[*Job] // some may be answered already
	waiting  int              // of them, those that are not
	running  int
	held     int           // by all links
	mean     time.Duration // of a job
	stalled  bool          // jobs had to be returned, and none has ended since
	draining bool
}

// New begins to greet all dispatchers.
func New(cfg Config, now time.Time) *Machine {
	m := &Machine{cfg: cfg, links: make([]link, cfg.Links), mean: aheadTime}
	for i := range m.links {
		m.links[i] = link{interval: intervalFirst, heard: now, greeted: now, hello: true, jobs: map[uint64]*Job{}}
	}
	return m
}

// Received takes a message of a dispatcher. It returns jobs that run and whose answer nobody waits for; they have to end with Finished
// all the same.
func (m *Machine) Received(number int, message wire.Message, now time.Time) (stop []*Job) {
	l := &m.links[number]
	l.heard = now
	switch message := message.(type) {
	case *wire.Welcome:
		return m.welcome(l, message)
	case *wire.Tasks:
		for i := range message.Items {
			m.task(number, &message.Items[i], now)
		}
	case *wire.Cancel:
		for _, lease := range message.Leases {
			if job := l.jobs[lease]; job != nil && m.stop(job) {
				stop = append(stop, job)
			}
		}
	case *wire.Stranger:
		if l.welcomed {
			l.welcomed, l.hello = false, true
		}
	}
	return stop
}

func (m *Machine) welcome(l *link, message *wire.Welcome) (stop []*Job) {
	if message.Version != wire.Version || message.Interval == 0 {
		return nil
	}
	l.interval = time.Duration(message.Interval) * time.Millisecond
	if l.life != message.Life && l.life != 0 {
		stop = m.abandon(l)
	}
	l.life, l.welcomed, l.beat = message.Life, true, true
	return stop
}

// abandon gives up what a dispatcher gave that has started again since.
func (m *Machine) abandon(l *link) (stop []*Job) {
	for _, job := range l.held {
		if m.stop(job) {
			stop = append(stop, job)
		}
	}
	return stop
}

// stop gives a job up, and says whether it runs.
func (m *Machine) stop(job *Job) (runs bool) {
	switch job.state {
	case queued:
		m.answer(job, wire.Returned, nil)
	case running:
		job.state = stopped
		return true
	}
	return false
}

func (m *Machine) task(number int, task *wire.Task, now time.Time) {
	l := &m.links[number]
	if l.jobs[task.Lease] != nil {
		return
	}
	job := &Job{
		Link: number, Lease: task.Lease, ID: task.ID, Attempt: int(task.Attempt), Payload: task.Payload, arrived: now, at: len(l.held),
	}
	if limit := time.Duration(task.Time) * time.Millisecond; limit > 0 && limit/time.Millisecond == time.Duration(task.Time) {
		job.Deadline = now.Add(limit)
	}
	l.held = append(l.held, job)
	l.jobs[job.Lease] = job
	m.held++
	m.waiting++
	if m.draining || len(l.held) > heldMax {
		m.answer(job, wire.Returned, nil)
		return
	}
	m.queue.Push(job)
}

// Next is a job to begin with now; nil: there is none, or no slot for it.
func (m *Machine) Next(now time.Time) *Job {
	for m.running < m.cfg.Slots && m.queue.Len() > 0 {
		job := m.queue.Pop()
		if job.state != queued {
			continue
		}
		job.state, job.began = running, now
		m.waiting--
		m.running++
		return job
	}
	return nil
}

// Finished takes the answer to a job that Next gave.
func (m *Machine) Finished(job *Job, outcome wire.Outcome, value []byte, now time.Time) {
	m.running--
	m.stalled = false
	m.mean += (now.Sub(job.began) - m.mean) / meanShare
	m.answer(job, outcome, value)
}

func (m *Machine) answer(job *Job, outcome wire.Outcome, value []byte) {
	if job.state == queued {
		m.waiting--
	}
	job.state = answered
	l := &m.links[job.Link]
	l.results = append(l.results, wire.Result{Lease: job.Lease, Outcome: outcome, Value: value})
}

// let takes a job whose answer is about to be sent from what a link holds.
func (m *Machine) let(l *link, lease uint64) {
	job := l.jobs[lease]
	delete(l.jobs, lease)
	last := l.held[len(l.held)-1]
	l.held[job.at], last.at = last, job.at
	l.held[len(l.held)-1] = nil
	l.held = l.held[:len(l.held)-1]
	m.held--
}

// credit is how many jobs a link may hold: what it holds, and its share of the room.
func (m *Machine) credit(l *link) int {
	if m.draining {
		return 0
	}
	room := m.cfg.Slots + m.ahead() - m.held
	if room <= 0 {
		return len(l.held)
	}
	return len(l.held) + (room+len(m.links)-1)/len(m.links)
}

func (m *Machine) ahead() int {
	if m.stalled {
		return 0
	}
	return int(min(time.Duration(m.cfg.Slots)*aheadTime/max(m.mean, 1), time.Duration(m.cfg.Ahead)))
}

// Tick does what is due.
func (m *Machine) Tick(now time.Time) {
	for i := range m.links {
		l := &m.links[i]
		if l.welcomed && now.Sub(l.heard) > silentIntervals*l.interval {
			l.welcomed = false
		}
		switch {
		case l.welcomed && now.Sub(l.beaten) >= l.interval:
			l.beat = true
		case !l.welcomed && now.Sub(l.greeted) >= l.interval:
			l.hello = true
		}
	}
	m.returnLate(now)
}

// returnLate returns jobs that wait for a slot too long.
func (m *Machine) returnLate(now time.Time) {
	if m.waiting == 0 || m.running < m.cfg.Slots {
		return
	}
	for m.queue.Len() > 0 {
		job := m.queue.First()
		if job.state == queued {
			if now.Sub(job.arrived) < waitMax {
				return
			}
			m.stalled, m.mean = true, max(m.mean, waitMax)
			m.answer(job, wire.Returned, nil)
		}
		m.queue.Pop()
	}
}

// Deadline is when Tick is due, at the latest a quarter of the first interval from now.
func (m *Machine) Deadline(now time.Time) time.Time {
	pause := intervalFirst / 4
	for i := range m.links {
		pause = min(pause, m.links[i].interval/4)
	}
	if m.waiting > 0 {
		pause = min(pause, waitMax/2)
	}
	return now.Add(pause)
}

// Pending says whether a link has something to send.
func (m *Machine) Pending(number int) bool {
	l := &m.links[number]
	if !l.welcomed {
		return l.hello
	}
	if l.told <= len(l.held) && m.credit(l) > len(l.held) { // another link has left room
		l.credit = true
	}
	return l.hello || l.beat || l.credit || l.bye || len(l.results) > 0
}

// Take returns what a link has to send.
func (m *Machine) Take(number int, now time.Time) (messages []wire.Message) {
	l := &m.links[number]
	if l.hello {
		l.hello, l.greeted = false, now
		l.told = m.credit(l)
		messages = append(messages, &wire.Hello{Version: wire.Version, Credit: uint32(l.told), Name: m.cfg.Name})
	}
	if !l.welcomed {
		return messages
	}
	results := l.results
	l.results = nil
	for i := range results {
		m.let(l, results[i].Lease)
	}
	for len(results) > 0 {
		count, bytes := 0, 0
		for count < len(results) && count < messageResults && (count == 0 || bytes+len(results[count].Value) <= messageBytes) {
			bytes += len(results[count].Value)
			count++
		}
		l.told, l.credit = m.credit(l), false
		messages = append(messages, &wire.Results{Credit: uint32(l.told), Items: results[:count:count]})
		results = results[count:]
	}
	switch {
	case l.beat:
		l.beat, l.credit, l.beaten = false, false, now
		l.told = m.credit(l)
		beat := &wire.Beat{Credit: uint32(l.told), Leases: make([]uint64, len(l.held))}
		for i, job := range l.held {
			beat.Leases[i] = job.Lease
		}
		messages = append(messages, beat)
	case l.credit:
		l.credit = false
		l.told = m.credit(l)
		messages = append(messages, &wire.Results{Credit: uint32(l.told)})
	}
	if l.bye {
		l.bye = false
		messages = append(messages, &wire.Bye{})
	}
	return messages
}

// Drain returns what has not begun, and what is still to come. No more is taken, for good.
func (m *Machine) Drain() {
	m.draining = true
	for m.queue.Len() > 0 {
		if job := m.queue.Pop(); job.state == queued {
			m.answer(job, wire.Returned, nil)
		}
	}
	for i := range m.links {
		m.links[i].credit = true
	}
}

// Drained says whether everything has been answered.
func (m *Machine) Drained() bool { return m.draining && m.running == 0 && m.held == 0 }

// Waiting is how many jobs wait for a slot.
func (m *Machine) Waiting() int { return m.waiting }

// Bye takes leave of a dispatcher, if it is there: what it has not got an answer for by then, this worker has not done.
func (m *Machine) Bye(number int) bool {
	m.links[number].bye = m.links[number].welcomed
	return m.links[number].bye
}
