// SPDX-License-Identifier: Apache-2.0

package dispatcher

import (
	"errors"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/fifo"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

// Config says what a dispatcher is. All fields have to be set, but for Ordered.
type Config struct {
	Life        uint64 // made up for this start: leases begin there
	Interval    time.Duration
	QueueTasks  int // that are not done with, at most; dead letters do not count
	QueueBytes  int // payloads and results of these
	DeadLetters int // above so many no task is accepted
	ResultBytes int // of one result
	Attempts    int // of a task that does not say
	Timeout     time.Duration
	BackoffMin  time.Duration
	BackoffMax  time.Duration
	Ordered     bool
}

// Errors of requests.
var (
	ErrFull    = errors.New("workpool: the queue is full")
	ErrUnknown = errors.New("workpool: no such task")
	ErrTooLate = errors.New("workpool: the sink has the result already")
)

// Task is what is submitted.
type Task struct {
	Priority  int32
	NotBefore time.Time     // zero: at once
	Deadline  time.Time     // zero: none
	Timeout   time.Duration // of an attempt; 0: that of Config; negative: none
	Attempts  int           // 0: those of Config
	Durable   bool
	Payload   []byte
}

// Output is what calls have brought about. A message that cannot be sent is given to Unsent.
type Output struct {
	Send  []Send
	Write []store.Op // to begin now; the caller says Written when it has ended
}

// Send is a message to a worker, or to whoever has asked.
type Send struct {
	To      string
	Message wire.Message
}

type state uint8

const (
	fresh   state = iota
	storing       // its record is not on disk yet
	delayed
	waiting
	leased
	saving // its result is not on disk yet
	done
	handed
	dead
	gone
	states
)

type task struct {
	id          uint64
	place       uint64 // in the order of acceptance
	priority    int32
	state       state
	durable     bool
	redelivered bool
	attemptsMax uint32
	attempts    uint32 // begun
	notBefore   time.Time
	deadline    time.Time
	timeout     time.Duration
	payload     []byte // or result, once it is there
	errors      []store.AttemptError
	lease       *lease
	lastWorker  string // who had it last
	due         time.Time
	turn        uint64 // its place if it stands in line for a worker
	readyPlace  int
	timerPlace  int
}

// turn is a place of a task; one that is run again has got another.
type turn struct {
	task  *task
	place uint64
}

type lease struct {
	number uint64
	task   *task // nil: replaced or cancelled
	worker *worker
	given  time.Time
	seen   uint64 // the beat of the worker that named it
	at     int    // in the worker's list
}

type worker struct {
	id        string
	name      string
	credit    int
	held      []*lease
	out       []wire.Task // to be sent
	outBytes  int
	cancels   []uint64 // to be sent
	touched   bool     // has something to be sent
	beats     uint64
	heard     time.Time
	away      time.Time // since when its stream is gone; zero: it is not
	lastGiven uint64
	freePlace int
	at        int // in the roster
	done      uint64
	failed    uint64
}

// Machine is a dispatcher. Calls come one at a time; each gives what it brings about to the next Take.
type Machine struct {
	cfg Config
	out Output

	tasks     map[uint64]*task // all but those gone
	lastID    uint64
	lastPlace uint64
	active    int         // tasks that are neither dead nor gone
	bytes     int         // their payloads
	in        [states]int // tasks
	dead      map[uint64]*task

	ready  ready
	timers heap[*task] // with something due

	workers   map[string]*worker
	roster    []*worker     // the same, in an order that does not change by itself
	free      heap[*worker] // with credit
	touched   []*worker
	leases    map[uint64]*lease
	lastLease uint64
	beaten    time.Time // the last Alive

	order   fifo.Queue[turn]  // ordered: accepted, not yet released to the sink
	results fifo.Queue[*task] // done, for the sink
	again   fifo.Queue[*task] // before these: put back

	pending      []store.Op
	pendingSince time.Time // when the first of them came, or the write before them ended
	urgent       bool      // a caller waits for them
	pendingTasks []*task   // that wait for them
	writing      []*task   // that wait for the write under way
	writes       bool      // one is under way
	batch        uint64    // the number of the one that is gathering
	stored       uint64    // the number of the last that has ended

	counts  Counts
	sampled time.Time
	sample  Counts
	rates   rates
}

// New begins with what the store holds; nil: there is no store.
func New(cfg Config, contents *store.Contents, now time.Time) *Machine {
	m := &Machine{
		cfg: cfg, lastLease: cfg.Life, tasks: map[uint64]*task{}, dead: map[uint64]*task{}, workers: map[string]*worker{},
		leases: map[uint64]*lease{}, beaten: now, sampled: now, batch: 1,
	}
	m.ready.others = heap[*task]{less: before, place: func(t *task) *int { return &t.readyPlace }}
	m.timers = heap[*task]{
		less:  func(a, b *task) bool { return a.due.Before(b.due) },
		place: func(t *task) *int { return &t.timerPlace },
	}
	m.free = heap[*worker]{less: freer, place: func(w *worker) *int { return &w.freePlace }}
	if contents != nil {
		m.lastID = contents.Life << lifeShift
		for i := range contents.Records {
			m.restore(&contents.Records[i], now)
		}
		m.advance()
	}
	return m
}

// lifeShift leaves room for the tasks of one life below the number of the life, so that no identity comes twice.
const lifeShift = 40

func before(a, b *task) bool {
	if a.priority != b.priority {
		return a.priority > b.priority
	}
	return a.place < b.place
}

func freer(a, b *worker) bool {
	if len(a.held) != len(b.held) {
		return len(a.held) < len(b.held)
	}
	return a.lastGiven < b.lastGiven
}

// Take returns what the calls since the last Take have brought about. One Take after many calls sends and writes more at once.
func (m *Machine) Take(now time.Time) Output {
	m.assign(now)
	for _, w := range m.touched {
		w.touched = false
		m.flushTasks(w)
		if len(w.cancels) > 0 {
			m.send(w.id, &wire.Cancel{Leases: w.cancels})
			w.cancels = nil
		}
	}
	m.touched = m.touched[:0]
	m.nextWrite(now)
	out := m.out
	m.out = Output{}
	return out
}

// Idle says that a Take would bring nothing about now: nothing waits that a worker could take, nor a caller for the disk.
func (m *Machine) Idle() bool {
	return (m.ready.size() == 0 || m.free.size() == 0) && len(m.touched) == 0 && len(m.out.Send) == 0 && !m.Urgent()
}

func (m *Machine) send(to string, message wire.Message) {
	m.out.Send = append(m.out.Send, Send{to, message})
}

// assign gives tasks to workers, as long as there are both, and room for what comes of them.
func (m *Machine) assign(now time.Time) {
	for m.ready.size() > 0 && m.free.size() > 0 {
		if m.bytes < m.cfg.QueueBytes || m.finished() == 0 {
			t := m.ready.pop()
			m.give(t, m.choose(t), now)
			continue
		}
		// The sink shall take results first; but all may wait for the first in order.
		if m.Ready() || m.in[handed] > 0 || m.order.Len() == 0 || m.order.First().task.state != waiting {
			return
		}
		t := m.order.First().task
		m.ready.remove(t)
		m.give(t, m.choose(t), now)
	}
}

// finished is how many tasks have a result that the sink has not done with.
func (m *Machine) finished() int { return m.in[saving] + m.in[done] + m.in[handed] }

func (m *Machine) set(t *task, to state) {
	m.in[t.state]--
	t.state = to
	m.in[to]++
}

// choose is the worker that holds least, but another one than had the task before, if there is one.
func (m *Machine) choose(t *task) *worker {
	first := m.free.items[0]
	if first.id != t.lastWorker || m.free.size() == 1 {
		return first
	}
	second := m.free.items[1] // the children of the first are next
	if m.free.size() > 2 && freer(m.free.items[2], second) {
		second = m.free.items[2]
	}
	return second
}

func (m *Machine) give(t *task, w *worker, now time.Time) {
	m.lastLease++
	l := &lease{number: m.lastLease, task: t, worker: w, given: now, at: len(w.held), seen: w.beats}
	m.leases[l.number] = l
	w.held = append(w.held, l)
	w.lastGiven = m.lastLease
	m.refree(w)
	m.set(t, leased)
	t.lease, t.lastWorker = l, w.id
	t.attempts++

	limit := time.Duration(0)
	if t.timeout > 0 {
		limit = t.timeout
	}
	if !t.deadline.IsZero() {
		left := max(t.deadline.Sub(now), time.Millisecond)
		if limit == 0 || left < limit {
			limit = left
		}
	}
	if limit > 0 {
		limit = min(limit, timeoutMax)
		m.schedule(t, now.Add(limit+m.cfg.Interval)) // the worker's own answer comes first
	} else {
		m.timers.remove(t)
	}
	if len(w.out) > 0 && (w.outBytes+len(t.payload) > messageBytes || len(w.out) >= messageTasks) {
		m.flushTasks(w)
	}
	w.out = append(w.out, wire.Task{
		Lease: l.number, ID: t.id, Attempt: t.attempts, Time: uint64((limit + time.Millisecond - 1) / time.Millisecond), Payload: t.payload,
	})
	w.outBytes += len(t.payload)
	m.touch(w)
}

func (m *Machine) touch(w *worker) {
	if !w.touched {
		w.touched = true
		m.touched = append(m.touched, w)
	}
}

func (m *Machine) flushTasks(w *worker) {
	if len(w.out) > 0 {
		m.send(w.id, &wire.Tasks{Items: w.out})
		w.out, w.outBytes = nil, 0
	}
}

// refree puts a worker where its credit and what it holds belong.
func (m *Machine) refree(w *worker) {
	switch {
	case len(w.held) >= w.credit || m.workers[w.id] != w:
		m.free.remove(w)
	case w.freePlace == 0:
		m.free.push(w)
	default:
		m.free.fix(w)
	}
}

func (m *Machine) schedule(t *task, due time.Time) {
	t.due = due
	if t.timerPlace == 0 {
		m.timers.push(t)
	} else {
		m.timers.fix(t)
	}
}

// Tick does what is due; call it at Deadline.
func (m *Machine) Tick(now time.Time) {
	for m.timers.size() > 0 && !m.timers.items[0].due.After(now) {
		m.expire(m.timers.pop(), now)
	}
	m.tickWorkers(now)
	m.tickRates(now)
}

// Deadline is when Tick and Take are due, at the latest a quarter of an interval from now.
func (m *Machine) Deadline(now time.Time) time.Time {
	due := now.Add(min(m.cfg.Interval/4, sampleEvery))
	if m.timers.size() > 0 && m.timers.items[0].due.Before(due) {
		due = m.timers.items[0].due
	}
	if len(m.pending) > 0 && !m.writes && m.writeAt().Before(due) {
		due = m.writeAt()
	}
	return due
}

// expire does what a task's time has come for.
func (m *Machine) expire(t *task, now time.Time) {
	switch t.state {
	case waiting, delayed:
		m.ripen(t, now)
	case leased:
		m.counts.Hung++
		worker := t.lease.worker
		m.replace(t)
		m.attemptFailed(t, worker, "no answer within the time of the attempt", now)
	}
}

// ripen makes a task wait for a worker, or for its time, unless its deadline has passed.
func (m *Machine) ripen(t *task, now time.Time) {
	due := t.deadline
	switch {
	case !t.deadline.IsZero() && !now.Before(t.deadline):
		m.fail(t, "", "the deadline of the task has passed", now)
		m.die(t, now)
		return
	case t.notBefore.After(now):
		m.set(t, delayed)
		if due.IsZero() || t.notBefore.Before(due) {
			due = t.notBefore
		}
	case t.state != waiting:
		m.set(t, waiting)
		m.ready.push(t)
	}
	if due.IsZero() {
		m.timers.remove(t)
		return
	}
	// Times of users are by a clock that may be set: timers are not, and look again after a while.
	m.schedule(t, now.Add(min(due.Sub(now), clockLook)))
}
