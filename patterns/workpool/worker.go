// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/worker"
	"github.com/zwire-mq/zwire/socket"
)

// AheadNone in WorkerOptions means that a worker holds no task that it does not begin with at once.
const AheadNone = -1

// WorkerOptions configure a worker. In every field the zero value is the default, and nil options are all defaults.
type WorkerOptions[T, R any] struct {
	// Dispatchers are the endpoints of the dispatchers to work for. Default: DefaultEndpoint.
	Dispatchers []string
	// Name is for people to read, up to 255 octets. Default: host and process.
	Name string
	// Concurrency is how many tasks are worked on at once, for all dispatchers together. Default: GOMAXPROCS.
	Concurrency int
	// Ahead bounds the tasks that are held beyond that, so that the next one need not be waited for. There are only as many as
	// last a millisecond by what the last ones took, and those that wait for longer go back. Default 1024; AheadNone.
	Ahead int

	// TaskCodec and ResultCodec are those of the dispatchers. Default: JSON.
	TaskCodec   Codec[T]
	ResultCodec Codec[R]
	// PayloadBytes bounds one task and one result. Default 1 MiB; at most 64 MiB less 1 KiB.
	PayloadBytes int

	// Context is the one of the sockets. Default: that of the process.
	Context *socket.Context
	// Log gets what an operator should know. Default: nothing is logged.
	Log *slog.Logger
}

// Task is one attempt at a task.
type Task[T any] struct {
	// ID is the same in each attempt: work that must not happen twice can be told by it and by the dispatcher.
	ID         ID
	Dispatcher string // its endpoint
	Attempt    int    // from 1
	Value      T
}

// Worker works on tasks of any number of dispatchers. All methods may be called from any goroutine.
type Worker struct{ crew *crew }

// NewWorker begins to work. The function gets a context that ends with the attempt's time, when the task is cancelled or given to
// another worker, and in Close; its error or panic makes the attempt a failed one. Errors: *OptionError, *socket.EndpointError.
func NewWorker[T, R any](opts *WorkerOptions[T, R], do func(context.Context, Task[T]) (R, error)) (*Worker, error) {
	var o WorkerOptions[T, R]
	if opts != nil {
		o = *opts
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	if do == nil {
		return nil, &OptionError{"do", "there is no function"}
	}
	tasks, results := limited[T]{o.TaskCodec, o.PayloadBytes}, limited[R]{o.ResultCodec, o.PayloadBytes}
	c := &crew{log: o.Log, slots: o.Concurrency}
	c.do = func(ctx context.Context, job *worker.Job) ([]byte, error) {
		value, err := tasks.decode(job.Payload)
		if err != nil {
			return nil, err
		}
		task := Task[T]{ID: ID(job.ID), Dispatcher: o.Dispatchers[job.Link], Attempt: job.Attempt, Value: value}
		result, err := do(ctx, task)
		if err != nil {
			return nil, err
		}
		return results.encode(result)
	}
	c.machine = worker.New(worker.Config{
		Name: o.Name, Links: len(o.Dispatchers), Slots: o.Concurrency, Ahead: max(o.Ahead, 0),
	}, time.Now())
	if err := c.start(o.Dispatchers, o.Context); err != nil {
		return nil, err
	}
	return &Worker{c}, nil
}

func (o *WorkerOptions[T, R]) complete() error {
	if len(o.Dispatchers) == 0 {
		o.Dispatchers = []string{DefaultEndpoint}
	}
	if o.TaskCodec == nil {
		o.TaskCodec = JSON[T]{}
	}
	if o.ResultCodec == nil {
		o.ResultCodec = JSON[R]{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Name == "" {
		host, _ := os.Hostname() // empty is fine: it is for people
		o.Name = fmt.Sprintf("%.200s:%d", host, os.Getpid())
	}
	fill(&o.PayloadBytes, payloadBytesDefault)
	fill(&o.Concurrency, runtime.GOMAXPROCS(0))
	fill(&o.Ahead, aheadDefault)
	switch {
	case o.PayloadBytes < 1 || o.PayloadBytes > wire.PayloadBytesMax:
		return &OptionError{"PayloadBytes", fmt.Sprintf("%d, want 1 to %d", o.PayloadBytes, wire.PayloadBytesMax)}
	case o.Concurrency < 1:
		return &OptionError{"Concurrency", fmt.Sprintf("%d, want at least 1", o.Concurrency)}
	case o.Ahead < AheadNone:
		return &OptionError{"Ahead", "negative, and not AheadNone"}
	case len(o.Name) > wire.NameBytesMax:
		return &OptionError{"Name", fmt.Sprintf("%d octets, at most %d", len(o.Name), wire.NameBytesMax)}
	}
	return nil
}

// Drain takes no more tasks, returns those that have not begun, finishes the others, and closes the worker when their results are
// on their way. When ctx ends before, it goes on as Close and returns the error of ctx. The function must not call Drain or Close,
// which wait for it.
func (w *Worker) Drain(ctx context.Context) error {
	drained := w.crew.drain()
	select {
	case <-drained:
		return w.Close()
	case <-ctx.Done():
		return errors.Join(ctx.Err(), w.Close())
	case <-w.crew.ctx.Done():
		return fmt.Errorf("workpool: worker: %w", net.ErrClosed)
	}
}

// Close ends the contexts of what is worked on, waits for the functions, and hands back what they did not finish. It returns when
// sockets and goroutines are gone. Closing once more is net.ErrClosed.
func (w *Worker) Close() error { return w.crew.close() }

// identity makes up the name that a dispatcher knows the worker by.
func identity() []byte { return []byte("w" + rand.Text()) }
