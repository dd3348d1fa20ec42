// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/worker"
)

// world is dispatchers and workers as machines, a network between them that loses, repeats and delays, and producers and sinks. Any of
// them ends or stops at any moment.
type world struct {
	t       *testing.T
	random  *rand.Rand
	now     time.Time
	calm    bool // nothing goes wrong any more
	sites   []*site
	workers []*hand
	names   int
	history []string
}

const (
	simStep     = 5 * time.Millisecond
	simInterval = 100 * time.Millisecond
)

// site is a dispatcher with its producer and its sink.
type site struct {
	number   int
	ordered  bool
	disk     *store.Memory
	lives    int
	machine  *dispatcher.Machine
	in       wireQueue
	write    []store.Op
	ready    time.Time // when the write ends
	tasks    map[uint64]*expected
	sink     []taken
	lastSunk uint64 // ordered: of the tasks that were not run again
}

// expected is what the producer and the sink know of a task.
type expected struct {
	life      int // that accepted it
	durable   bool
	batch     uint64 // until which it is not accepted
	accepted  bool
	cancelled bool
	rerun     bool
	dead      bool
	seen      int // the last life in which the sink has seen it
	acked     bool
}

// taken is a result that the sink is busy with.
type taken struct {
	id    uint64
	until time.Time
}

// hand is a worker.
type hand struct {
	id      string
	machine *worker.Machine
	slots   int
	in      []wireQueue // by dispatcher
	jobs    []*runningJob
	frozen  bool
}

type runningJob struct {
	job     *worker.Job
	until   time.Time
	outcome wire.Outcome
	stopped bool
}

// wireQueue is what is on its way to somebody, in order for each sender.
type wireQueue []packet

type packet struct {
	from    string
	at      time.Time
	message wire.Message
}

func (q *wireQueue) push(p packet) {
	for _, before := range *q {
		if before.from == p.from && before.at.After(p.at) {
			p.at = before.at
		}
	}
	*q = append(*q, p)
}

// take returns one packet that has arrived.
func (q *wireQueue) take(now time.Time) (packet, bool) {
	for i, p := range *q {
		if !p.at.After(now) {
			*q = slices.Delete(*q, i, i+1)
			return p, true
		}
	}
	return packet{}, false
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 2)), now: time.Unix(1000, 0)}
	for number := range 1 + w.random.IntN(2) {
		s := &site{number: number, ordered: w.random.IntN(2) == 0, disk: store.NewMemory(), tasks: map[uint64]*expected{}}
		w.sites = append(w.sites, s)
		w.begin(s)
	}
	for range 1 + w.random.IntN(4) {
		w.hire()
	}
	return w
}

func (w *world) note(format string, values ...any) {
	w.history = append(w.history, fmt.Sprintf("%v ", w.now.Sub(time.Unix(1000, 0)))+fmt.Sprintf(format, values...))
}

func (w *world) fail(format string, values ...any) {
	w.t.Helper()
	for _, line := range w.history[max(0, len(w.history)-60):] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, values...)
}

// begin starts a dispatcher.
func (w *world) begin(s *site) {
	contents, err := s.disk.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	s.lives++
	s.lastSunk = 0
	s.machine = dispatcher.New(dispatcher.Config{
		Life: w.random.Uint64(), Interval: simInterval, QueueTasks: 40, QueueBytes: 1000, DeadLetters: 1000, ResultBytes: 100, Attempts: 6,
		Timeout: 2 * time.Second, BackoffMin: 20 * time.Millisecond, BackoffMax: time.Second, Ordered: s.ordered,
	}, contents, w.now)
	w.note("dispatcher %d begins life %d with %d records", s.number, s.lives, len(contents.Records))
}

// crash ends a dispatcher and starts it again. What is not durable is gone, and what is not on disk.
func (w *world) crash(s *site) {
	if s.write != nil && w.random.IntN(2) == 0 {
		s.disk.Write(s.write) // it reached the disk, and nobody was told
	}
	w.note("dispatcher %d crashes", s.number)
	s.write, s.in, s.sink = nil, nil, nil
	for id, e := range s.tasks {
		if !e.durable || !e.accepted && !e.cancelled {
			delete(s.tasks, id) // what was not acknowledged may be there or not
		}
	}
	for _, h := range w.workers {
		h.in[s.number] = nil
	}
	w.begin(s)
}

func (w *world) hire() {
	w.names++
	h := &hand{id: fmt.Sprint("w", w.names), slots: 1 + w.random.IntN(4), in: make([]wireQueue, len(w.sites))}
	h.machine = worker.New(worker.Config{
		Name: h.id, Links: len(w.sites), Slots: h.slots, Ahead: w.random.IntN(4),
	}, w.now)
	w.workers = append(w.workers, h)
	w.note("%s begins", h.id)
}

func (w *world) kill(i int) {
	w.note("%s is killed", w.workers[i].id)
	w.workers = slices.Delete(w.workers, i, i+1)
	if len(w.workers) == 0 || w.random.IntN(4) > 0 {
		w.hire()
	}
}

// sent puts a message into a queue, as a network does that is not calm.
func (w *world) sent(q *wireQueue, from string, message wire.Message) {
	decoded, err := wire.Decode(wire.Encode(message))
	if err != nil {
		w.t.Fatal(err)
	}
	p := packet{from, w.now.Add(time.Duration(w.random.IntN(8)) * time.Millisecond), decoded}
	if !w.calm && w.random.IntN(50) == 0 {
		p.at = w.now.Add(time.Duration(w.random.IntN(400)) * time.Millisecond)
	}
	if !w.calm && w.random.IntN(60) == 0 {
		return
	}
	q.push(p)
	if !w.calm && w.random.IntN(100) == 0 {
		q.push(p)
	}
}

func (w *world) step() {
	w.now = w.now.Add(simStep)
	for _, s := range w.sites {
		w.stepSite(s)
	}
	for _, h := range w.workers {
		if !h.frozen {
			w.stepHand(h)
		}
	}
}

func (w *world) stepSite(s *site) {
	for p, ok := s.in.take(w.now); ok; p, ok = s.in.take(w.now) {
		s.machine.Received(p.from, p.message, w.now)
	}
	if s.write != nil && !s.ready.After(w.now) {
		s.disk.Write(s.write)
		s.write = nil
		s.machine.Written(w.now)
	}
	for _, e := range s.tasks {
		if e.batch <= s.machine.Stored() && e.life == s.lives {
			e.accepted = true
		}
	}
	w.stepSink(s)
	s.machine.Tick(w.now)
	out := s.machine.Take(w.now)
	if out.Write != nil {
		if s.write != nil {
			w.fail("two writes at a time")
		}
		s.write, s.ready = out.Write, w.now.Add(time.Duration(w.random.IntN(20))*time.Millisecond)
	}
	for _, send := range out.Send {
		i := slices.IndexFunc(w.workers, func(h *hand) bool { return h.id == send.To })
		if i < 0 || !w.calm && w.random.IntN(200) == 0 {
			s.machine.Unsent(send, i >= 0, w.now)
			continue
		}
		w.sent(&w.workers[i].in[s.number], "", send.Message)
	}
	for _, letter := range s.machine.DeadLetters() {
		if e := s.tasks[letter.ID]; e != nil && !e.dead {
			e.dead = true
			if len(letter.Errors) == 0 || e.seen == s.lives {
				w.fail("dispatcher %d: dead letter %d with %v, seen in life %d", s.number, letter.ID, letter.Errors, e.seen)
			}
		}
	}
}

func (w *world) stepSink(s *site) {
	if len(s.sink) < 5 && (w.calm || w.random.IntN(3) > 0) {
		for _, r := range s.machine.Results(make([]dispatcher.Result, 0, 1+w.random.IntN(4))) {
			w.sunk(s, r)
		}
	}
	for len(s.sink) > 0 && !s.sink[0].until.After(w.now) {
		s.machine.Acked(s.sink[0].id, w.now)
		if e := s.tasks[s.sink[0].id]; e != nil {
			e.acked = true
		}
		s.sink = s.sink[1:]
	}
}

// sunk checks what the sink is promised.
func (w *world) sunk(s *site, r dispatcher.Result) {
	w.note("sink %d sees %d, redelivered %v", s.number, r.ID, r.Redelivered)
	s.sink = append(s.sink, taken{r.ID, w.now.Add(time.Duration(w.random.IntN(100)) * time.Millisecond)})
	e := s.tasks[r.ID]
	if e == nil { // its acceptance was not acknowledged before a crash
		s.tasks[r.ID] = &expected{life: -1, durable: true, accepted: true, seen: s.lives}
		return
	}
	switch {
	case e.seen == s.lives:
		w.fail("dispatcher %d, life %d: the sink sees %d twice", s.number, s.lives, r.ID)
	case e.seen != 0 && !r.Redelivered:
		w.fail("dispatcher %d, life %d: the sink sees %d again, as in life %d, unmarked", s.number, s.lives, r.ID, e.seen)
	case r.Redelivered && e.life == s.lives:
		w.fail("dispatcher %d, life %d: %d is marked, of this life", s.number, s.lives, r.ID)
	case e.cancelled:
		w.fail("dispatcher %d: the sink sees %d, which was cancelled", s.number, r.ID)
	case string(r.Value) != "result of "+strconv.FormatUint(r.ID, 10):
		w.fail("dispatcher %d: the result of %d is %q", s.number, r.ID, r.Value)
	}
	e.seen = s.lives
	if s.ordered && !e.rerun {
		if r.ID < s.lastSunk {
			w.fail("dispatcher %d: the sink sees %d after %d", s.number, r.ID, s.lastSunk)
		}
		s.lastSunk = r.ID
	}
}

func (w *world) stepHand(h *hand) {
	for number := range h.in {
		for p, ok := h.in[number].take(w.now); ok; p, ok = h.in[number].take(w.now) {
			for _, job := range h.machine.Received(number, p.message, w.now) {
				for _, r := range h.jobs {
					if r.job == job && r.outcome != 0 {
						r.stopped, r.until = true, w.now // a function that heeds its context
					}
				}
			}
		}
	}
	for i := len(h.jobs) - 1; i >= 0; i-- {
		if r := h.jobs[i]; !r.until.After(w.now) {
			h.jobs = slices.Delete(h.jobs, i, i+1)
			outcome := r.outcome
			if r.stopped || outcome == 0 {
				outcome = wire.Failed
			}
			h.machine.Finished(r.job, outcome, []byte("result of "+strconv.FormatUint(r.job.ID, 10)), w.now)
		}
	}
	h.machine.Tick(w.now)
	for job := h.machine.Next(w.now); job != nil; job = h.machine.Next(w.now) {
		h.jobs = append(h.jobs, w.work(job))
	}
	if len(h.jobs) > h.slots {
		w.fail("%s has %d jobs at once", h.id, len(h.jobs))
	}
	for number := range h.in {
		if h.machine.Pending(number) {
			for _, message := range h.machine.Take(number, w.now) {
				w.sent(&w.sites[number].in, h.id, message)
			}
		}
	}
}

// work is a function: the first octet of the task says how it goes.
func (w *world) work(job *worker.Job) *runningJob {
	r := &runningJob{job: job, until: w.now.Add(time.Duration(w.random.IntN(60)) * time.Millisecond), outcome: wire.Done}
	switch kind := job.Payload[0]; {
	case kind == poison || kind == flaky && w.random.IntN(2) == 0:
		r.outcome = wire.Failed + wire.Outcome(w.random.IntN(2))
	case kind == hanging && job.Attempt == 1: // and does not heed its context
		r.outcome, r.until = 0, w.now.Add(4*time.Second)
	case kind == long:
		r.until = w.now.Add(500 * time.Millisecond)
	}
	return r
}

// kinds of tasks
const (
	normal byte = iota
	flaky
	poison
	hanging
	long
	kinds
)

// disturb does what people and machines do.
func (w *world) disturb() {
	s := w.sites[w.random.IntN(len(w.sites))]
	if w.random.IntN(5) == 0 {
		w.submit(s)
	}
	switch w.random.IntN(400) {
	case 0, 1, 2:
		w.kill(w.random.IntN(len(w.workers)))
	case 3, 4, 5, 6, 7, 8:
		h := w.workers[w.random.IntN(len(w.workers))]
		h.frozen = !h.frozen
		w.note("%s is frozen: %v", h.id, h.frozen)
	case 9, 10:
		w.crash(s)
	case 11, 12, 13: // a stream breaks
		h := w.workers[w.random.IntN(len(w.workers))]
		h.in[s.number] = nil
		s.in = slices.DeleteFunc(s.in, func(p packet) bool { return p.from == h.id })
	case 14, 15, 16, 17:
		w.cancel(s)
	case 18, 19:
		for _, letter := range s.machine.DeadLetters() {
			if _, err := s.machine.Rerun(letter.ID, w.now); err == nil {
				w.note("dispatcher %d: %d runs again", s.number, letter.ID)
				if e := s.tasks[letter.ID]; e != nil {
					e.rerun, e.dead = true, false
				}
			}
		}
	}
}

func (w *world) submit(s *site) {
	kind := normal
	if w.random.IntN(3) == 0 {
		kind = byte(w.random.IntN(int(kinds)))
	}
	task := &dispatcher.Task{Priority: int32(w.random.IntN(3)), Durable: w.random.IntN(2) == 0, Payload: []byte{kind, 0, 0, 0}}
	switch w.random.IntN(10) {
	case 0:
		task.NotBefore = w.now.Add(time.Duration(w.random.IntN(1000)) * time.Millisecond)
	case 1:
		task.Deadline = w.now.Add(time.Duration(w.random.IntN(1000)) * time.Millisecond)
	case 2:
		task.Timeout = -1
		if kind == hanging {
			task.Timeout = 300 * time.Millisecond
		}
	}
	id, batch, err := s.machine.Submit(task, w.now)
	if err != nil {
		return
	}
	if s.tasks[id] != nil {
		w.fail("dispatcher %d: %d is given twice", s.number, id)
	}
	s.tasks[id] = &expected{life: s.lives, durable: task.Durable, batch: batch, accepted: batch == 0}
	w.note("dispatcher %d: %+v is %d", s.number, task, id)
}

func (w *world) cancel(s *site) {
	ids := make([]uint64, 0, len(s.tasks))
	for id := range s.tasks {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	id := ids[w.random.IntN(len(ids))]
	batch, err := s.machine.Cancel(id, w.now)
	if err == nil {
		w.note("dispatcher %d: %d is cancelled", s.number, id)
		delete(s.tasks, id) // after a crash it may come again
		if batch == 0 {
			s.tasks[id] = &expected{life: s.lives, cancelled: true}
		}
	}
}

// settle lets everything end well.
func (w *world) settle() {
	w.calm = true
	for _, h := range w.workers {
		h.frozen = false
	}
	for steps, last := 0, false; ; steps++ {
		w.step()
		busy := !last
		for _, s := range w.sites {
			stats := s.machine.Stats(w.now)
			held := 0
			for _, worker := range stats.Workers {
				held += worker.Held
			}
			busy = busy || s.machine.Active() > 0 || held > 0 || s.write != nil || len(s.sink) > 0
		}
		if !busy {
			break
		}
		last = true
		for _, s := range w.sites {
			last = last && s.machine.Active() == 0
		}
		if last {
			for _, s := range w.sites {
				s.machine.Hurry() // what was forgotten is still on disk
			}
		}
		if steps > 60*200 {
			for _, s := range w.sites {
				w.t.Logf("dispatcher %d: %+v", s.number, s.machine.Stats(w.now))
			}
			w.fail("it does not come to an end")
		}
	}
	for _, s := range w.sites {
		w.check(s)
	}
	w.calm = false
}

// check looks for what is missing.
func (w *world) check(s *site) {
	letters := map[uint64]bool{}
	durable := 0
	for _, letter := range s.machine.DeadLetters() {
		letters[letter.ID] = true
		if letter.Durable {
			durable++
		}
	}
	for id, e := range s.tasks {
		if e.accepted && !e.cancelled && e.seen == 0 && !letters[id] {
			w.fail("dispatcher %d, life %d: task %d is lost: %+v", s.number, s.lives, id, e)
		}
		if e.acked || e.cancelled {
			delete(s.tasks, id)
		}
	}
	contents, err := s.disk.Load()
	if err != nil || len(contents.Records) != durable {
		w.fail("dispatcher %d: the disk has %d records, want %d dead letters, %v", s.number, len(contents.Records), durable, err)
	}
}

// TestPoolSimulation: every accepted task is done, dead or cancelled; the sink sees each once in each life of its dispatcher, and again
// only marked.
func TestPoolSimulation(t *testing.T) {
	seeds := 100 * soakFactor(t)
	var total dispatcher.Counts
	lives := 0
	for seed := range seeds {
		w := newWorld(t, uint64(seed))
		for range 2 {
			for range 1500 {
				w.disturb()
				w.step()
			}
			w.settle()
		}
		for _, s := range w.sites {
			stats := s.machine.Stats(w.now) // of the last life
			total.Done += stats.Done
			total.Late += stats.Late
			total.Lost += stats.Lost
			total.Hung += stats.Hung
			total.Died += stats.Died
			total.Returned += stats.Returned
			total.WorkersLost += stats.WorkersLost
			lives += s.lives
		}
	}
	t.Logf("%d runs, %d lives, in the last of each: %+v", seeds, lives, total)
	n := uint64(seeds)
	if total.Done < 30*n || total.Late < n || total.Lost < n || total.Died < n || total.WorkersLost < n || lives < 3*seeds {
		t.Error("too quiet to show anything")
	}
}

// soakFactor is by how much long tests are longer.
func soakFactor(t *testing.T) int {
	text := os.Getenv("ZWIRE_SOAK")
	if text == "" {
		return 1
	}
	factor, err := strconv.Atoi(text)
	if err != nil || factor < 1 {
		t.Fatalf("ZWIRE_SOAK=%q, want a number from 1", text)
	}
	return factor
}
