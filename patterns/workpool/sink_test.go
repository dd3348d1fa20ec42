// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// finished is a dispatcher with so many results that nobody has taken.
func finished(t *testing.T, opts numbers, count int, task *TaskOptions) dispatched {
	t.Helper()
	d := mustDispatch(t, opts)
	mustWork(t, hands{}, double)
	submit(t, d, count, task)
	awaitResults(t, d, count)
	return d
}

func awaitResults(t *testing.T, d dispatched, count int) {
	t.Helper()
	sockettest.Until(t, "all results are there", func() bool { return d.Stats().Results == count })
}

// What the sink has done with gives its place to a task that it submits, also while it has more results.
func TestSinkSubmits(t *testing.T) {
	d := finished(t, numbers{QueueTasks: 2}, 2, nil)
	turn := 0
	for _, err := range d.Results(patient(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if turn++; turn == 2 {
			if _, err := d.TrySubmit(7, nil); err != nil {
				t.Errorf("one of two places is free: %v", err)
			}
			return
		}
	}
}

// A loop that takes its time leaves results to the others.
func TestLoopsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const loops, count = 4, 100
		d := mustDispatch(t, numbers{})
		w := mustWork(t, hands{}, double)
		submit(t, d, count, nil)
		synctest.Wait()
		var all sync.WaitGroup
		turns := make([]int, loops)
		for i := range loops {
			all.Go(func() {
				for _, err := range d.Results(t.Context()) {
					if err != nil {
						t.Error(err)
						return
					}
					turns[i]++
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		for _, n := range turns {
			if n < count/loops/2 {
				t.Errorf("turns %v", turns)
			}
		}
		w.Close()
		d.Close()
	})
}

// The end of the context, and Close, end a loop with its turn, although it has taken more results.
func TestEndWithinABatch(t *testing.T) {
	d := finished(t, numbers{}, 200, nil)
	turns := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range d.Results(ctx) {
		if last = err; err == nil {
			turns++
			cancel()
		}
	}
	if turns != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d turns, then %v", turns, last)
	}
	for _, err := range d.Results(t.Context()) {
		if last = err; err == nil {
			turns++
			d.Close()
		}
	}
	if turns != 2 || !errors.Is(last, net.ErrClosed) {
		t.Errorf("%d turns, then %v", turns, last)
	}
}

func TestCloseEndsOnResult(t *testing.T) {
	turn, goOn := make(chan struct{}), make(chan struct{})
	turns := 0
	d := finished(t, numbers{OnResult: func(Result[int]) {
		if turns++; turns == 1 {
			turn <- struct{}{}
			<-goOn
		}
	}}, 1, nil)
	<-turn
	submit(t, d, 250, nil)
	awaitResults(t, d, 251)
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	<-d.core.ctx.Done()
	close(goOn)
	if err := <-closed; err != nil || turns != 1 {
		t.Errorf("%d turns after Close, %v", turns-1, err)
	}
}

// Close may come while several loops take results of durable tasks; what they have done with does not come again.
func TestStressCloseBesideLoops(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "store")
		d := mustDispatch(t, numbers{Path: path})
		w := mustWork(t, hands{}, double)
		const count = 300
		submit(t, d, count, &TaskOptions{Durable: true})
		var all sync.WaitGroup
		var done atomic.Int32
		for range 3 {
			all.Go(func() {
				for _, err := range d.Results(context.Background()) {
					if err != nil {
						return
					}
					if done.Add(1) == count/3 {
						go d.Close()
					}
				}
			})
		}
		<-d.Done()
		all.Wait()
		w.Close()
		sockettest.Until(t, "the store is closed", func() bool {
			again, err := NewDispatcher(&numbers{Path: path, Endpoints: []string{"inproc://" + t.Name() + " again"}})
			if err != nil {
				return false
			}
			defer again.Close()
			if left := again.Stats(); left.Waiting+left.Results < count-int(done.Load()) {
				t.Errorf("%d done, and only %+v are left", done.Load(), left)
			}
			return true
		})
	}
}

// A dispatcher whose context of sockets is closed says that it has ended.
func TestSocketsClosed(t *testing.T) {
	own, err := socket.NewContext(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := mustDispatch(t, numbers{Context: own})
	own.Close()
	<-d.Done()
	if err := d.Err(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Err: %v", err)
	}
	if _, err := d.Submit(patient(t), 1, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Submit: %v", err)
	}
}

// While results that the sink does not take fill QueueBytes, workers get no more tasks.
func TestResultsFillTheQueue(t *testing.T) {
	const limit, size = 1 << 20, 100 << 10
	for _, ordered := range []bool{false, true} {
		d, err := NewDispatcher(&DispatcherOptions[int, string]{Endpoints: []string{"inproc://" + t.Name()}, QueueBytes: limit, Ordered: ordered})
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWorker(&WorkerOptions[int, string]{Dispatchers: []string{d.Endpoint()}, Concurrency: 1, Ahead: AheadNone},
			func(context.Context, Task[int]) (string, error) { return strings.Repeat("x", size), nil })
		if err != nil {
			t.Fatal(err)
		}
		const count = 50
		for i := range count {
			if _, err := d.TrySubmit(i, nil); err != nil {
				t.Fatal(err)
			}
		}
		sockettest.Until(t, "the queue is full", func() bool { s := d.Stats(); return s.QueueBytes >= limit && s.Leased == 0 })
		if s := d.Stats(); s.QueueBytes > limit+2*size {
			t.Errorf("%d octets, QueueBytes is %d", s.QueueBytes, limit)
		}
		taken := 0
		for _, err := range d.Results(patient(t)) {
			if err != nil {
				t.Fatal(err)
			}
			if taken++; taken == count {
				break
			}
		}
		if err := errors.Join(w.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	}
}
