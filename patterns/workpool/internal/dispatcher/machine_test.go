// SPDX-License-Identifier: Apache-2.0

package dispatcher

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

// scene is a dispatcher and what it has said to workers.
type scene struct {
	t    *testing.T
	m    *Machine
	now  time.Time
	sent map[string][]wire.Task // tasks that were not answered
}

func newScene(t *testing.T, change func(*Config)) *scene {
	cfg := Config{
		Life: 1 << 63, Interval: time.Second, QueueTasks: 100, QueueBytes: 1000, DeadLetters: 10, Attempts: 2, Timeout: 10 * time.Second,
		ResultBytes: 1000, BackoffMin: time.Second, BackoffMax: 8 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	s := &scene{t: t, now: time.Unix(1, 0), sent: map[string][]wire.Task{}}
	s.m = New(cfg, nil, s.now)
	return s
}

func (s *scene) submit(task Task) uint64 {
	s.t.Helper()
	id, batch, err := s.m.Submit(&task, s.now)
	if err != nil || batch != 0 {
		s.t.Fatalf("submit: %v", err)
	}
	return id
}

func (s *scene) hello(worker string, credit uint32) {
	s.m.Received(worker, &wire.Hello{Version: wire.Version, Credit: credit, Name: worker}, s.now)
}

// take collects what is sent.
func (s *scene) take() {
	for _, send := range s.m.Take(s.now).Send {
		if tasks, are := send.Message.(*wire.Tasks); are {
			s.sent[send.To] = append(s.sent[send.To], tasks.Items...)
		}
	}
}

func (s *scene) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.m.Tick(s.now)
	s.take()
}

// answer is the worker's answer to its oldest task.
func (s *scene) answer(worker string, credit uint32, outcome wire.Outcome) {
	s.t.Helper()
	if len(s.sent[worker]) == 0 {
		s.t.Fatalf("%s has no task", worker)
	}
	task := s.sent[worker][0]
	s.sent[worker] = s.sent[worker][1:]
	s.m.Received(worker, &wire.Results{Credit: credit, Items: []wire.Result{{Lease: task.Lease, Outcome: outcome}}}, s.now)
	s.take()
}

// results are the IDs that the sink gets now.
func (s *scene) results() (ids []uint64) {
	for _, r := range s.m.Results(make([]Result, 0, 100)) {
		ids = append(ids, r.ID)
		s.m.Acked(r.ID, s.now)
	}
	return ids
}

// TestCredit: a task goes to the worker that holds least, and never beyond its credit.
func TestCredit(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 3)
	s.hello("b", 1)
	for range 10 {
		s.submit(Task{})
	}
	s.take()
	if len(s.sent["a"]) != 3 || len(s.sent["b"]) != 1 {
		t.Fatalf("a has %d, b has %d", len(s.sent["a"]), len(s.sent["b"]))
	}
	s.answer("b", 5, wire.Done)
	if len(s.sent["a"]) != 3 || len(s.sent["b"]) != 5 {
		t.Errorf("a has %d, b has %d", len(s.sent["a"]), len(s.sent["b"]))
	}
	s.answer("a", 0, wire.Done)
	if len(s.sent["a"]) != 2 || s.m.Idle() != true {
		t.Errorf("a has %d", len(s.sent["a"]))
	}
	s.hello("c", 3)
	s.take()
	if len(s.sent["c"]) != 1 {
		t.Errorf("c has %d", len(s.sent["c"]))
	}
}

// TestAnotherWorker: what one worker refuses goes to another, after a while, even if that one holds more.
func TestAnotherWorker(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 9)
	id := s.submit(Task{})
	s.take()
	s.hello("b", 9)
	for range 3 {
		s.submit(Task{})
	}
	s.take()
	s.answer("a", 9, wire.Refused)
	if s.pass(999 * time.Millisecond); len(s.sent["a"])+len(s.sent["b"]) != 3 {
		t.Fatalf("no back-off: %v", s.sent)
	}
	s.pass(time.Millisecond)
	last := s.sent["b"][len(s.sent["b"])-1]
	if last.ID != id || last.Attempt != 2 {
		t.Errorf("%v", s.sent)
	}
}

// TestRerunInOrder: a dead letter that is run again has a place at the end, and its old place holds nobody up.
func TestRerunInOrder(t *testing.T) {
	s := newScene(t, func(c *Config) { c.Ordered, c.Attempts = true, 1 })
	s.hello("a", 9)
	s.hello("b", 9)
	first := s.submit(Task{})
	s.take()
	dead := s.submit(Task{})
	s.take()
	third := s.submit(Task{})
	s.take()
	holder := func(id uint64) string {
		for worker, tasks := range s.sent {
			if i := slices.IndexFunc(tasks, func(task wire.Task) bool { return task.ID == id }); i >= 0 {
				tasks[0], tasks[i] = tasks[i], tasks[0]
				return worker
			}
		}
		t.Fatalf("nobody has %d", id)
		return ""
	}
	s.answer(holder(dead), 9, wire.Failed)
	if _, err := s.m.Rerun(dead, s.now); err != nil {
		t.Fatal(err)
	}
	s.take()
	s.answer(holder(third), 9, wire.Done)
	s.answer(holder(first), 9, wire.Done)
	if ids := s.results(); !slices.Equal(ids, []uint64{first, third}) {
		t.Errorf("%v", ids)
	}
	s.answer(holder(dead), 9, wire.Done)
	if ids := s.results(); !slices.Equal(ids, []uint64{dead}) || s.m.Active() != 0 {
		t.Errorf("%v", ids)
	}
}

// TestBounds: tasks, octets and dead letters are bounded; one task always fits.
func TestBounds(t *testing.T) {
	s := newScene(t, func(c *Config) { c.QueueTasks, c.DeadLetters = 2, 1 })
	large := s.submit(Task{Payload: make([]byte, 2000)})
	if _, _, err := s.m.Submit(&Task{}, s.now); !errors.Is(err, ErrFull) {
		t.Errorf("octets: %v", err)
	}
	if _, err := s.m.Cancel(large, s.now); err != nil {
		t.Fatal(err)
	}
	s.submit(Task{Deadline: s.now.Add(time.Second)})
	s.submit(Task{Payload: make([]byte, 1000)})
	if _, _, err := s.m.Submit(&Task{}, s.now); !errors.Is(err, ErrFull) {
		t.Errorf("tasks: %v", err)
	}
	s.pass(time.Second)
	if _, _, err := s.m.Submit(&Task{}, s.now); !errors.Is(err, ErrFull) || len(s.m.DeadLetters()) != 1 {
		t.Errorf("dead letters: %v", err)
	}
	if _, err := s.m.Cancel(s.m.DeadLetters()[0].ID, s.now); err != nil {
		t.Fatal(err)
	}
	s.hello("a", 1)
	s.take()
	s.answer("a", 1, wire.Done)
	if s.results(); s.m.bytes != 0 || s.m.active != 0 || len(s.m.tasks) != 0 || s.m.timers.size() != 0 {
		t.Errorf("left over: %d octets, %d active, %d tasks", s.m.bytes, s.m.active, len(s.m.tasks))
	}
}

// TestLargeResult: a result above its bound is none.
func TestLargeResult(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 1)
	s.submit(Task{})
	s.take()
	lease := s.sent["a"][0].Lease
	s.m.Received("a", &wire.Results{Items: []wire.Result{{Lease: lease, Outcome: wire.Done, Value: make([]byte, 1001)}}}, s.now)
	if s.m.counts.Failed != 1 || s.m.Ready() {
		t.Errorf("%+v", s.m.counts)
	}
}

// TestUnsent: what a worker cannot be sent goes to another, without an attempt; it gets nothing more until it is heard.
func TestUnsent(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 5)
	s.m.Take(s.now)
	s.submit(Task{})
	out := s.m.Take(s.now)
	s.m.Unsent(out.Send[0], true, s.now)
	if s.take(); len(s.sent) != 0 || !s.m.Idle() {
		t.Fatalf("%v", s.sent)
	}
	s.hello("b", 1)
	s.take()
	if got := s.sent["b"]; len(got) != 1 || got[0].Attempt != 1 {
		t.Errorf("%v", s.sent)
	}
	s.m.Unsent(Send{"b", &wire.Alive{}}, false, s.now)
	s.pass(2 * time.Second)
	if s.m.workers["b"] == nil {
		t.Error("given up too early")
	}
	s.pass(time.Millisecond)
	if s.m.workers["b"] != nil || s.m.counts.Failed != 1 {
		t.Error("not given up")
	}
}

// TestWritesTogether: a result waits for the next task of its producer, and goes to disk with it; when none comes, alone after a while.
func TestWritesTogether(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 5)
	submit := func() uint64 {
		_, batch, err := s.m.Submit(&Task{Durable: true}, s.now)
		if err != nil || batch == 0 || s.m.Idle() {
			t.Fatalf("batch %d, %v", batch, err)
		}
		return batch
	}
	write := func(ops int, batch uint64) {
		t.Helper()
		out := s.m.Take(s.now)
		if len(out.Write) != ops {
			t.Fatalf("%d changes go to disk, want %d", len(out.Write), ops)
		}
		if s.m.Written(s.now); s.m.Stored() != batch {
			t.Fatalf("batch %d is stored, want %d", s.m.Stored(), batch)
		}
		s.take()
	}
	write(1, submit())
	s.answer("a", 5, wire.Done)
	if out := s.m.Take(s.now); out.Write != nil || !s.m.Idle() || s.m.Ready() {
		t.Fatalf("a result does not wait: %+v", out)
	}
	write(2, submit()) // the result of the first, and the second task
	if ids := s.results(); len(ids) != 1 {
		t.Fatalf("%v", ids)
	}
	s.answer("a", 5, wire.Done)
	if due := s.m.Deadline(s.now); due != s.now.Add(writeWait) {
		t.Fatalf("due in %v", due.Sub(s.now))
	}
	s.now = s.now.Add(writeWait)
	write(2, 3) // the end of the first, and the result of the second
	s.results()
	s.m.Hurry()
	write(1, 4)
}

// TestLetters: an answer with dead letters has as many as its bound allows, and one at least.
func TestLetters(t *testing.T) {
	s := newScene(t, func(c *Config) { c.Attempts, c.BackoffMin, c.BackoffMax = 200, 1, 1 })
	s.hello("a", 9)
	for range 3 {
		s.submit(Task{Payload: make([]byte, 2*wire.ExcerptBytesMax)})
		s.take()
		for len(s.sent["a"]) > 0 {
			lease := s.sent["a"][0].Lease
			s.sent["a"] = nil
			text := make([]byte, 2*wire.TextBytesMax)
			s.m.Received("a", &wire.Results{Credit: 9, Items: []wire.Result{{Lease: lease, Outcome: wire.Failed, Value: text}}}, s.now)
			s.pass(1)
		}
	}
	for i, left := range []uint32{2, 1, 0} {
		letters := s.m.Letters(uint64(i))
		if len(letters.Items) != 1 || letters.Left != left || letters.Items[0].ID != uint64(i+1) || len(letters.Items[0].Errors) != errorsKept {
			t.Errorf("after %d: %d letters, %d left", i, len(letters.Items), letters.Left)
		}
		frame := wire.Encode(letters)
		if _, err := wire.Decode(frame); err != nil || len(frame) > wire.LettersBytesMax {
			t.Errorf("%d octets, %v", len(frame), err)
		}
	}
}

// TestTimes: a deadline that has passed is one, before a worker has the task; far times are far; a clock that is set is noticed.
func TestTimes(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 9)
	late := s.submit(Task{Deadline: s.now})
	if s.take(); len(s.sent["a"]) != 0 || len(s.m.dead) != 1 || s.m.dead[late] == nil || s.m.Active() != 0 {
		t.Fatalf("%v, %v", s.sent, s.m.dead)
	}
	s.submit(Task{Timeout: 1<<63 - 1})
	s.submit(Task{Deadline: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Timeout: -1})
	for range 10 {
		s.pass(time.Second)
		s.m.Received("a", &wire.Beat{Credit: 9, Leases: []uint64{1<<63 + 1, 1<<63 + 2}}, s.now)
	}
	if s.m.counts.Hung != 0 || len(s.sent["a"]) != 2 {
		t.Fatalf("%+v, %v", s.m.counts, s.sent)
	}

	s = newScene(t, nil)
	begun := time.Now() // with both clocks, as the caller's
	s.now = begun
	s.m.Tick(s.now)
	s.hello("a", 9)
	s.submit(Task{Timeout: 10 * time.Second})
	s.submit(Task{NotBefore: begun.Round(0).Add(time.Hour)}) // by the wall clock
	s.take()
	s.m.Received("a", &wire.Beat{Credit: 9, Leases: []uint64{1<<63 + 1}}, s.now)
	wall := begun.Round(0).Add(2 * time.Hour) // it is set
	s.now = wall
	s.m.Tick(begun.Add(11 * time.Second))
	if s.m.counts.Hung != 1 {
		t.Errorf("an attempt depends on the clock: %+v", s.m.counts)
	}
	for _, timed := range s.m.timers.items {
		if timed.due.Sub(begun) > time.Minute {
			t.Errorf("task %d looks at the clock after %v", timed.id, timed.due.Sub(begun))
		}
	}
}

// TestHeap: in whatever order items come, change and go, the least is first.
func TestHeap(t *testing.T) {
	type item struct{ key, place int }
	random := rand.New(rand.NewPCG(1, 1))
	h := heap[*item]{less: func(a, b *item) bool { return a.key < b.key }, place: func(i *item) *int { return &i.place }}
	var all []*item
	for range 20000 {
		switch random.IntN(4) {
		case 0, 1:
			i := &item{key: random.IntN(1000)}
			all = append(all, i)
			h.push(i)
		case 2:
			if len(all) > 0 {
				at := random.IntN(len(all))
				h.remove(all[at])
				h.remove(all[at])
				all = slices.Delete(all, at, at+1)
			}
		case 3:
			if len(all) > 0 {
				i := all[random.IntN(len(all))]
				i.key = random.IntN(1000)
				h.fix(i)
			}
		}
		if len(all) != h.size() {
			t.Fatalf("%d items, want %d", h.size(), len(all))
		}
		if len(all) > 0 && h.items[0].key != slices.MinFunc(all, func(a, b *item) int { return a.key - b.key }).key {
			t.Fatal("the first is not the least")
		}
	}
}

// TestReady: in whatever order tasks come, go and come again, the first is the one of the highest priority and then the oldest.
func TestReady(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	r := ready{others: heap[*task]{less: before, place: func(t *task) *int { return &t.readyPlace }}}
	var in, out []*task
	place := uint64(0)
	drop := func(t *task) {
		i := slices.Index(in, t)
		in = slices.Delete(in, i, i+1)
		out = append(out, t)
	}
	for step := range 50000 {
		switch random.IntN(5) {
		case 0, 1:
			place++
			t := &task{place: place}
			if random.IntN(10) == 0 {
				t.priority = int32(random.IntN(3))
			}
			in = append(in, t)
			r.push(t)
		case 2:
			if len(in) > 0 {
				want := slices.MinFunc(in, func(a, b *task) int {
					if before(a, b) {
						return -1
					}
					return 1
				})
				if got := r.pop(); got != want {
					t.Fatalf("step %d: %+v, want %+v", step, got, want)
				}
				drop(want)
			}
		case 3:
			if len(in) > 0 {
				t := in[random.IntN(len(in))]
				r.remove(t)
				r.remove(t)
				drop(t)
			}
		case 4:
			if len(out) > 0 && random.IntN(2) == 0 {
				t := out[random.IntN(len(out))]
				if random.IntN(2) == 0 {
					place++
					t.place = place
				}
				out = slices.DeleteFunc(out, func(o *task) bool { return o == t })
				in = append(in, t)
				r.push(t)
			}
		}
		if r.size() != len(in) {
			t.Fatalf("step %d: %d tasks, want %d", step, r.size(), len(in))
		}
		if len(in) > 200 {
			for range 150 {
				drop(r.pop())
			}
		}
	}
}

// TestLate: a dispatcher that was stopped for long gives nobody up, and fails no attempt, before it has heard what came meanwhile.
func TestLate(t *testing.T) {
	for _, told := range []bool{true, false} {
		s := newScene(t, nil)
		s.hello("a", 5)
		s.submit(Task{})
		s.take()
		const stopped = time.Hour
		s.now = s.now.Add(stopped)
		if told {
			s.m.Late(stopped, s.now)
		}
		s.pass(0)
		s.answer("a", 5, wire.Done)
		if got := len(s.results()) == 1; got != told {
			t.Errorf("told %v: the answer counts: %v", told, got)
		}
		if lost := s.m.Stats(s.now).WorkersLost; lost > 0 == told {
			t.Errorf("told %v: %d workers lost", told, lost)
		}
		s.submit(Task{})
		s.hello("a", 5)
		s.take()
		s.pass(time.Minute)
		if lost := s.m.Stats(s.now).WorkersLost; lost == 0 {
			t.Error("a silent worker is not given up any more")
		}
	}
}

// TestTombs: tasks that are cancelled, or done with, leave nothing behind, whatever waits in front of them.
func TestTombs(t *testing.T) {
	const rounds = 10 * tombsMin
	for _, ordered := range []bool{false, true} {
		s := newScene(t, func(cfg *Config) { cfg.Ordered, cfg.DeadLetters = ordered, 1 })
		s.submit(Task{})
		for range rounds {
			if _, err := s.m.Cancel(s.submit(Task{}), s.now); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := s.m.ready.line.Len(), s.m.order.Len(); a > 2*tombsMin || b > 2*tombsMin {
			t.Errorf("%d and %d entries for one task", a, b)
		}
	}
	s := newScene(t, nil)
	s.hello("a", 5)
	for range rounds {
		id := s.submit(Task{})
		s.take()
		s.answer("a", 5, wire.Done)
		if _, err := s.m.Cancel(id, s.now); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.m.results.Len(); n > 2*tombsMin {
		t.Errorf("%d entries without a result", n)
	}
}

// TestPutBack: what is put back comes first again, in its order.
func TestPutBack(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 9)
	var want []uint64
	for range 6 {
		want = append(want, s.submit(Task{}))
		s.take()
		s.answer("a", 9, wire.Done)
	}
	taken := s.m.Results(make([]Result, 0, 4))
	s.m.PutBack(taken[2:])
	taken = taken[:2]
	s.m.PutBack(taken[1:])
	s.m.Acked(taken[0].ID, s.now)
	if got := s.results(); !slices.Equal(got, want[1:]) {
		t.Errorf("%v, want %v", got, want[1:])
	}
	if s.m.Active() != 0 || s.m.Ready() {
		t.Error("something is left")
	}
}

// TestBeatsOfLiars: a beat that names leases without end is answered within bounds.
func TestBeatsOfLiars(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a", 1)
	s.take()
	s.m.Received("a", &wire.Beat{Credit: 1, Leases: make([]uint64, 1<<17)}, s.now)
	for _, send := range s.m.Take(s.now).Send {
		if cancel, is := send.Message.(*wire.Cancel); is && len(cancel.Leases) > cancelsMax {
			t.Errorf("%d leases cancelled at once", len(cancel.Leases))
		}
	}
}
