// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

const patience = 20 * time.Second

type (
	numbers    = DispatcherOptions[int, int]
	hands      = WorkerOptions[int, int]
	dispatched = *Dispatcher[int, int]
)

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func mustDispatch(t *testing.T, opts numbers) dispatched {
	t.Helper()
	if opts.Endpoints == nil {
		opts.Endpoints = []string{"inproc://" + t.Name()}
	}
	fill(&opts.Interval, time.Minute) // which nobody misses on a busy machine
	fill(&opts.BackoffMin, time.Millisecond)
	d, err := NewDispatcher(&opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func mustWork(t *testing.T, opts hands, do func(context.Context, Task[int]) (int, error)) *Worker {
	t.Helper()
	if opts.Dispatchers == nil {
		opts.Dispatchers = []string{"inproc://" + t.Name()}
	}
	w, err := NewWorker(&opts, do)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func double(_ context.Context, task Task[int]) (int, error) { return 2 * task.Value, nil }

// submit gives tasks with the values from 0 on.
func submit(t *testing.T, d dispatched, count int, opts *TaskOptions) []ID {
	t.Helper()
	values := make([]int, count)
	for i := range values {
		values[i] = i
	}
	ids, err := d.SubmitBatch(patient(t), values, opts)
	if err != nil || len(ids) != count {
		t.Fatalf("%d of %d accepted, %v", len(ids), count, err)
	}
	return ids
}

// collect takes so many results.
func collect(t *testing.T, d dispatched, count int) []Result[int] {
	t.Helper()
	results := make([]Result[int], 0, count)
	if count == 0 {
		return results
	}
	for r, err := range d.Results(patient(t)) {
		if err != nil || r.Err != nil {
			t.Fatalf("after %d of %d results: %v, %v; %+v", len(results), count, err, r.Err, d.Stats())
		}
		if results = append(results, r); len(results) == count {
			break
		}
	}
	return results
}

func values(results []Result[int]) []int {
	found := make([]int, len(results))
	for i, r := range results {
		found[i] = r.Value
	}
	return found
}

// TestEachOnce: in one process and over streams, every result comes once.
func TestEachOnce(t *testing.T) {
	sockettest.Leak(t)
	for _, endpoint := range []string{"inproc://each-once", "tcp://127.0.0.1:*", "ipc://" + filepath.Join(t.TempDir(), "pool")} {
		d := mustDispatch(t, numbers{Endpoints: []string{endpoint}})
		workers := make([]*Worker, 3)
		for i := range workers {
			workers[i] = mustWork(t, hands{Dispatchers: []string{d.Endpoint()}, Concurrency: 1 + i}, double)
		}
		const count = 5000
		go submitAll(d, count)
		found := values(collect(t, d, count))
		slices.Sort(found)
		for i, value := range found {
			if value != 2*i {
				t.Fatalf("%s: result %d is %d", endpoint, i, value)
			}
		}
		if err := d.Drain(patient(t)); err != nil {
			t.Error(err)
		}
		for _, err := range d.Results(patient(t)) {
			t.Errorf("one more result, %v", err)
		}
		for _, w := range workers {
			if err := w.Drain(patient(t)); err != nil {
				t.Error(err)
			}
		}
		if stats := d.Stats(); stats.Sunk != count || stats.Failed != 0 {
			t.Errorf("%+v", stats)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Close(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

func submitAll(d dispatched, count int) {
	for i := range count {
		if _, err := d.Submit(context.Background(), i, nil); err != nil {
			return
		}
	}
}

// TestOrdered: results come in the order of submission, though the first task takes longest.
func TestOrdered(t *testing.T) {
	d := mustDispatch(t, numbers{Ordered: true})
	rest := make(chan struct{})
	var once sync.Once
	mustWork(t, hands{Concurrency: 4}, func(_ context.Context, task Task[int]) (int, error) {
		if task.Value == 0 {
			<-rest
		} else if task.Value == 99 {
			once.Do(func() { close(rest) })
		}
		return task.Value, nil
	})
	submit(t, d, 100, nil)
	if found := values(collect(t, d, 100)); !slices.IsSorted(found) {
		t.Errorf("%v", found)
	}
}

// TestFailures: an attempt that fails, panics, refuses, or ends its goroutine is followed by another; then the task is a dead letter
// with all errors, which can be run again or thrown away.
func TestFailures(t *testing.T) {
	d := mustDispatch(t, numbers{Attempts: 3})
	var mended atomic.Bool
	mustWork(t, hands{Concurrency: 2, Name: "tester"}, func(_ context.Context, task Task[int]) (int, error) {
		switch {
		case mended.Load():
		case task.Value == 0 && task.Attempt < 3:
			return 0, errors.New("not yet")
		case task.Value == 1:
			panic("on purpose")
		case task.Value == 2:
			return 0, fmt.Errorf("not me: %w", ErrRefused)
		case task.Value == 3 && task.Attempt == 1:
			runtime.Goexit()
		case task.Value == 4:
			return 0, errors.New(strings.Repeat("x", 10000))
		}
		return 10 + task.Value, nil
	})
	ids := submit(t, d, 5, nil)
	found := values(collect(t, d, 2))
	slices.Sort(found)
	if !slices.Equal(found, []int{10, 13}) {
		t.Fatalf("%v", found)
	}
	letters := awaitDead(t, d, 3)
	for i, want := range []string{"panic: on purpose", "not me: workpool: refused", "xxxxxxxx"} {
		l := letters[i]
		if l.ID != ids[i+1+i/2] || l.Task != i+1+i/2 || l.Attempts != 3 || len(l.Errors) != 3 || !strings.HasPrefix(l.Errors[2].Text, want) ||
			l.Errors[2].Worker != "tester" {
			t.Errorf("%+v, want %q", l, want)
		}
	}
	mended.Store(true)
	if err := errors.Join(d.Rerun(ids[1]), d.Rerun(ids[2]), d.Cancel(ids[4])); err != nil {
		t.Fatal(err)
	}
	found = values(collect(t, d, 2))
	slices.Sort(found)
	if !slices.Equal(found, []int{11, 12}) || len(d.DeadLetters()) != 0 {
		t.Errorf("%v, %v", found, d.DeadLetters())
	}
	if err := d.Rerun(ids[1]); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func awaitDead(t *testing.T, d dispatched, count int) []DeadLetter[int] {
	t.Helper()
	sockettest.Until(t, "death", func() bool { return len(d.DeadLetters()) == count })
	return d.DeadLetters()
}

// TestBackPressure: a full queue makes producers wait, or says no.
func TestBackPressure(t *testing.T) {
	d := mustDispatch(t, numbers{QueueTasks: 10})
	submit(t, d, 10, nil)
	if _, err := d.TrySubmit(1, nil); !errors.Is(err, ErrFull) {
		t.Errorf("full queue: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := d.Submit(ctx, 1, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("full queue: %v", err)
	}
	waiting := make(chan error)
	go func() {
		_, err := d.Submit(context.Background(), 100, nil)
		waiting <- err
	}()
	mustWork(t, hands{}, double)
	collect(t, d, 1)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	collect(t, d, 10)
	if _, err := d.TrySubmit(1, nil); err != nil {
		t.Error(err)
	}
}

// TestOptionsOfTasks: priority, delay, deadline, and the deadline of an attempt in the worker's context.
func TestOptionsOfTasks(t *testing.T) {
	d := mustDispatch(t, numbers{Attempts: 1})
	for priority := range 5 {
		if _, err := d.Submit(t.Context(), priority, &TaskOptions{Priority: int32(priority)}); err != nil {
			t.Fatal(err)
		}
	}
	w := mustWork(t, hands{Concurrency: 1, Ahead: AheadNone}, double)
	if found := values(collect(t, d, 5)); !slices.Equal(found, []int{8, 6, 4, 2, 0}) {
		t.Errorf("by priority: %v", found)
	}
	start := time.Now()
	if _, err := d.Submit(t.Context(), 1, &TaskOptions{NotBefore: start.Add(50 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	if collect(t, d, 1); time.Since(start) < 50*time.Millisecond {
		t.Errorf("delayed task after %v", time.Since(start))
	}
	if err := w.Drain(patient(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Submit(t.Context(), 1, &TaskOptions{Deadline: time.Now().Add(20 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	if l := awaitDead(t, d, 1)[0]; !strings.Contains(l.Errors[0].Text, "deadline") {
		t.Errorf("%+v", l)
	}
	mustWork(t, hands{Concurrency: 1}, func(ctx context.Context, _ Task[int]) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
	if _, err := d.Submit(t.Context(), 1, &TaskOptions{Timeout: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if l := awaitDead(t, d, 2)[1]; l.Errors[0].Text != context.DeadlineExceeded.Error() {
		t.Errorf("%+v", l)
	}
}

// TestHung: a worker that does not heed its context loses its task, and its late answer is dropped.
func TestHung(t *testing.T) {
	d := mustDispatch(t, numbers{Interval: 100 * time.Millisecond})
	back := make(chan struct{})
	mustWork(t, hands{Concurrency: 2}, func(_ context.Context, task Task[int]) (int, error) {
		if task.Attempt == 1 {
			<-back
		}
		return task.Attempt, nil
	})
	if _, err := d.Submit(t.Context(), 1, &TaskOptions{Timeout: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if r := collect(t, d, 1)[0]; r.Value < 2 || r.Attempts != r.Value { // on a busy machine the second attempt may be late as well
		t.Errorf("%+v", r)
	}
	close(back)
	sockettest.Until(t, "late answers", func() bool { s := d.Stats(); return s.Late == s.Hung && s.Workers[0].Held == 0 })
	if s := d.Stats(); s.Hung == 0 || s.Sunk != 1 {
		t.Errorf("%+v", s)
	}
}

// TestCancel: a cancelled task does not reach the sink, and the context of its worker ends.
func TestCancel(t *testing.T) {
	d := mustDispatch(t, numbers{})
	begun, ended := make(chan struct{}), make(chan struct{})
	mustWork(t, hands{Concurrency: 1}, func(ctx context.Context, task Task[int]) (int, error) {
		if task.Value == 0 {
			close(begun)
			<-ctx.Done()
			close(ended)
		}
		return task.Value, nil
	})
	ids := submit(t, d, 3, nil)
	<-begun
	if err := errors.Join(d.Cancel(ids[0]), d.Cancel(ids[1])); err != nil {
		t.Fatal(err)
	}
	<-ended
	if r := collect(t, d, 1)[0]; r.ID != ids[2] {
		t.Errorf("%+v", r)
	}
	if err := d.Cancel(ids[2]); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if err := d.Drain(patient(t)); err != nil {
		t.Error(err)
	}
}

// TestDrainWorker: a worker that drains finishes what it has begun and takes no more; others do the rest.
func TestDrainWorker(t *testing.T) {
	d := mustDispatch(t, numbers{})
	begun, goOn := make(chan struct{}, 100), make(chan struct{})
	first := mustWork(t, hands{Concurrency: 2}, func(_ context.Context, task Task[int]) (int, error) {
		begun <- struct{}{}
		<-goOn
		return -1, nil
	})
	submit(t, d, 20, nil)
	<-begun
	<-begun
	drained := make(chan error)
	go func() { drained <- first.Drain(patient(t)) }()
	sockettest.Until(t, "no credit", func() bool { s := d.Stats(); return s.Workers[0].Credit == 0 && s.Workers[0].Held == 2 })
	close(goOn)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	sockettest.Until(t, "its leave", func() bool { return len(d.Stats().Workers) == 0 })
	mustWork(t, hands{}, double)
	found := values(collect(t, d, 20))
	count := 0
	for _, value := range found {
		if value == -1 {
			count++
		}
	}
	if s := d.Stats(); count != 2 || s.Failed != 0 || s.WorkersLost != 0 {
		t.Errorf("%d by the first, %+v", count, s)
	}
}

// TestManyDispatchers: one worker works for several, without ever doing more at once than it was told to.
func TestManyDispatchers(t *testing.T) {
	var all []dispatched
	var endpoints []string
	for i := range 3 {
		endpoints = append(endpoints, fmt.Sprint("inproc://many-dispatchers", i))
		all = append(all, mustDispatch(t, numbers{Endpoints: endpoints[i:]}))
	}
	var now, most atomic.Int64
	mustWork(t, hands{Dispatchers: endpoints, Concurrency: 2}, func(_ context.Context, task Task[int]) (int, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		runtime.Gosched()
		return task.Value, nil
	})
	for _, d := range all {
		submit(t, d, 500, nil)
	}
	for _, d := range all {
		collect(t, d, 500)
	}
	if most.Load() > 2 {
		t.Errorf("%d at once", most.Load())
	}
}

// TestDurable: what a dispatcher has accepted is there when it starts again: tasks, dead letters, and results that the sink was not
// done with, marked.
func TestDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	durable := &TaskOptions{Durable: true}
	d := mustDispatch(t, numbers{Path: path, Attempts: 1})
	w := mustWork(t, hands{Concurrency: 1}, func(_ context.Context, task Task[int]) (int, error) {
		if task.Value == 2 {
			return 0, errors.New("dead")
		}
		return task.Value, nil
	})
	ids := submit(t, d, 4, durable)
	sockettest.Until(t, "three results", func() bool { s := d.Stats(); return s.Results == 3 && s.DeadLetters == 1 })
	for r, err := range d.Results(t.Context()) {
		if err != nil || r.ID != ids[0] || r.Redelivered {
			t.Errorf("%+v, %v", r, err)
		}
		break
	}
	if err := w.Drain(patient(t)); err != nil {
		t.Fatal(err)
	}
	more, err := d.Submit(t.Context(), 7, durable)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	d = mustDispatch(t, numbers{Path: path})
	if l := d.DeadLetters(); len(l) != 1 || l[0].ID != ids[2] || l[0].Task != 2 || l[0].Errors[0].Text != "dead" {
		t.Errorf("%+v", l)
	}
	mustWork(t, hands{}, double)
	found := collect(t, d, 3)
	slices.SortFunc(found, func(a, b Result[int]) int { return int(a.ID) - int(b.ID) })
	want := []Result[int]{
		{ID: ids[1], Value: 1, Redelivered: true}, {ID: ids[3], Value: 3, Redelivered: true}, {ID: more, Value: 14, Attempts: 1},
	}
	for i := range want {
		found[i].Attempts = want[i].Attempts
	}
	if !slices.Equal(found, want) {
		t.Errorf("%+v, want %+v", found, want)
	}
	if next := submit(t, d, 1, durable)[0]; next <= more {
		t.Errorf("%d after %d", next, more)
	}
}

// TestRestart: workers find a dispatcher that has started again.
func TestRestart(t *testing.T) {
	endpoint := "ipc://" + filepath.Join(t.TempDir(), "pool")
	d := mustDispatch(t, numbers{Endpoints: []string{endpoint}, Interval: 100 * time.Millisecond})
	mustWork(t, hands{Dispatchers: []string{endpoint}}, double)
	for range 3 {
		submit(t, d, 10, nil)
		collect(t, d, 10)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = mustDispatch(t, numbers{Endpoints: []string{endpoint}, Interval: 100 * time.Millisecond})
	}
	submit(t, d, 10, nil)
	collect(t, d, 10)
}

func TestOnResult(t *testing.T) {
	var sum atomic.Int64
	d := mustDispatch(t, numbers{OnResult: func(r Result[int]) { sum.Add(int64(r.Value)) }})
	mustWork(t, hands{}, double)
	submit(t, d, 100, nil)
	if err := d.Drain(patient(t)); err != nil {
		t.Fatal(err)
	}
	if sum.Load() != 9900 {
		t.Errorf("%d", sum.Load())
	}
	if _, err := d.Submit(t.Context(), 1, nil); !errors.Is(err, ErrDraining) {
		t.Error(err)
	}
}

func TestRefusedOptions(t *testing.T) {
	for option, opts := range map[string]numbers{
		"PayloadBytes": {PayloadBytes: -1}, "QueueTasks": {QueueTasks: -1}, "Interval": {Interval: time.Millisecond}, "Timeout": {Timeout: -5},
		"BackoffMax": {BackoffMin: 2, BackoffMax: 1}, "Attempts": {Attempts: -1}, "DeadLetters": {DeadLetters: -1}, "QueueBytes": {QueueBytes: -1},
	} {
		var wrong *OptionError
		if _, err := NewDispatcher(&opts); !errors.As(err, &wrong) || wrong.Option != option {
			t.Errorf("%s: %v", option, err)
		}
	}
	for option, opts := range map[string]hands{
		"PayloadBytes": {PayloadBytes: -1}, "Concurrency": {Concurrency: -1}, "Ahead": {Ahead: -2}, "Name": {Name: strings.Repeat("x", 256)},
	} {
		var wrong *OptionError
		if _, err := NewWorker(&opts, double); !errors.As(err, &wrong) || wrong.Option != option {
			t.Errorf("%s: %v", option, err)
		}
	}
	d := mustDispatch(t, numbers{PayloadBytes: 3})
	if _, err := d.Submit(t.Context(), 1234, nil); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := d.Submit(t.Context(), 1, &TaskOptions{Durable: true}); !errors.Is(err, ErrNotDurable) {
		t.Error(err)
	}
}

// TestCloseAtWork: whoever waits for a dispatcher that is closed is told.
func TestCloseAtWork(t *testing.T) {
	sockettest.Leak(t)
	d := mustDispatch(t, numbers{QueueTasks: 1})
	begun := make(chan struct{})
	w := mustWork(t, hands{Concurrency: 1}, func(ctx context.Context, _ Task[int]) (int, error) {
		close(begun)
		<-ctx.Done()
		return 0, ctx.Err()
	})
	submit(t, d, 1, nil)
	<-begun
	ends := make(chan error, 3)
	go func() {
		_, err := d.Submit(context.Background(), 1, nil)
		ends <- err
	}()
	go func() {
		for _, err := range d.Results(context.Background()) {
			ends <- err
		}
	}()
	sockettest.Until(t, "a producer that waits", func() bool { return d.Stats().Refused > 0 })
	go func() { ends <- d.Drain(context.Background()) }()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := <-ends; !errors.Is(err, net.ErrClosed) && !errors.Is(err, ErrDraining) {
			t.Error(err)
		}
	}
	if err := d.Cancel(1); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Drain(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if d.Err() != nil {
		t.Error(d.Err())
	}
}

// failing is a store whose disk fails.
type failing struct {
	*store.Memory
	fails atomic.Bool
}

var errDisk = errors.New("disk failed")

func (f *failing) Write(ops []store.Op) error {
	if f.fails.Load() {
		return errDisk
	}
	return f.Memory.Write(ops)
}

// TestDiskFails: a dispatcher whose store fails ends, and accepts nothing that is not on disk.
func TestDiskFails(t *testing.T) {
	disk := &failing{Memory: store.NewMemory()}
	d := mustDispatch(t, numbers{store: disk})
	submit(t, d, 1, &TaskOptions{Durable: true})
	disk.fails.Store(true)
	if _, err := d.Submit(t.Context(), 1, &TaskOptions{Durable: true}); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	<-d.Done()
	if !errors.Is(d.Err(), errDisk) {
		t.Error(d.Err())
	}
	for _, err := range d.Results(t.Context()) {
		if !errors.Is(err, errDisk) {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestOperatorStats: anybody who can connect can see how the pool does.
func TestOperatorStats(t *testing.T) {
	d := mustDispatch(t, numbers{Endpoints: []string{"tcp://127.0.0.1:*"}})
	mustWork(t, hands{Dispatchers: []string{d.Endpoint()}, Name: "one", Concurrency: 3}, double)
	submit(t, d, 7, nil)
	collect(t, d, 7)
	s, err := (&Operator{Dispatcher: d.Endpoint()}).Stats(patient(t))
	if err != nil || s.Accepted != 7 || s.Done != 7 || len(s.Workers) != 1 || s.Workers[0].Name != "one" || s.Workers[0].Done != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := (&Operator{Dispatcher: "inproc://nobody"}).Stats(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestSkew: when one task in a hundred takes a hundred times as long, the pool ends within 1.2 times the total time of all tasks, shared
// by all workers. Time is virtual, and only tasks take any.
func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets, err := socket.NewContext(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer sockets.Close()
		const workers, short, long = 8, time.Millisecond, 100 * time.Millisecond
		d := mustDispatch(t, numbers{Context: sockets})
		for range workers {
			mustWork(t, hands{Context: sockets, Concurrency: 1}, func(_ context.Context, task Task[int]) (int, error) {
				if task.Value%100 == 0 {
					time.Sleep(long)
				} else {
					time.Sleep(short)
				}
				return 0, nil
			})
		}
		count := workers * 1000
		start := time.Now()
		go submitAll(d, count)
		collect(t, d, count)
		share := time.Duration(count) * (99*short + long) / 100 / workers
		ratio := float64(time.Since(start)) / float64(share)
		t.Logf("%d tasks in %v, %.3f times their share of %v", count, time.Since(start), ratio, share)
		if ratio > 1.2 {
			t.Error("too long")
		}
	})
}

// TestOperator: dead letters are listed from elsewhere, page by page, run again and thrown away; what is durable stays so.
func TestOperator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	d := mustDispatch(t, numbers{Endpoints: []string{"tcp://127.0.0.1:*"}, Path: path, BackoffMax: time.Millisecond})
	var mended atomic.Bool
	mustWork(t, hands{Dispatchers: []string{d.Endpoint()}, Concurrency: 4, Name: "tester"}, func(_ context.Context, task Task[int]) (int, error) {
		if mended.Load() {
			return task.Value, nil
		}
		return 0, fmt.Errorf("%d %s", task.Value, strings.Repeat("x", 1<<14))
	})
	ids := submit(t, d, 4, &TaskOptions{Durable: true, Attempts: 64}) // each with 256 KiB of errors: an answer has one of them
	awaitDead(t, d, 4)
	o := &Operator{Dispatcher: d.Endpoint()}
	list := func(after ID) (found []ID) {
		t.Helper()
		for l, err := range o.DeadLetters(patient(t), after) {
			if err != nil {
				t.Fatal(err)
			}
			last := l.Errors[len(l.Errors)-1]
			if string(l.Task) != fmt.Sprint(l.ID-ids[0]) || l.TaskBytes != 1 || l.Attempts != 64 || len(l.Errors) != 64 || !l.Durable || last.Worker != "tester" ||
				!strings.HasPrefix(last.Text, fmt.Sprint(l.ID-ids[0], " xxx")) || last.Attempt != 64 || !l.Time().Equal(last.At) || time.Since(last.At) > time.Minute {
				t.Errorf("%d: %q, %d attempts, %d errors, %d at %v", l.ID, l.Task, l.Attempts, len(l.Errors), last.Attempt, last.At)
			}
			found = append(found, l.ID)
		}
		return found
	}
	if found := list(0); !slices.Equal(found, ids) {
		t.Fatalf("%v, want %v", found, ids)
	}
	if found := list(ids[1]); !slices.Equal(found, ids[2:]) {
		t.Errorf("%v, want %v", found, ids[2:])
	}
	if count, err := o.Forget(patient(t), ids[0], 12345); count != 1 || !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "dead letter 12345") {
		t.Errorf("%d, %v", count, err)
	}
	mended.Store(true)
	many := make([]ID, 3000) // more than one question holds
	copy(many[2000:], ids[1:3])
	if count, err := o.Rerun(patient(t), many...); count != 2 || !errors.Is(err, ErrUnknown) {
		t.Errorf("%d, %v", count, err)
	}
	collect(t, d, 2)
	if err := d.Drain(patient(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Rerun(patient(t), ids[3]); !errors.Is(err, ErrDraining) {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = mustDispatch(t, numbers{Endpoints: []string{"tcp://127.0.0.1:*"}, Path: path, QueueTasks: 1})
	o.Dispatcher = d.Endpoint()
	if found := list(0); !slices.Equal(found, ids[3:]) {
		t.Errorf("after a restart %v, want %v", found, ids[3:])
	}
	submit(t, d, 1, nil)
	if _, err := o.Rerun(patient(t), ids[3]); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}
