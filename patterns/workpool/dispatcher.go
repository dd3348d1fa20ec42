// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// DefaultEndpoint is where a dispatcher listens and a worker looks, unless told otherwise.
const DefaultEndpoint = "tcp://127.0.0.1:7500"

// Unlimited in an option means that there is no limit.
const Unlimited = -1

// ID names a task. It is not given twice by one dispatcher; with a store also not after it has started again.
type ID uint64

// DispatcherOptions configure a dispatcher. In every field the zero value is the default, and nil options are all defaults.
type DispatcherOptions[T, R any] struct {
	// Endpoints is where workers connect to. Default: DefaultEndpoint.
	Endpoints []string
	// Path is the file of the store for durable tasks; it is made if it does not exist. Default: there is none.
	Path string

	// TaskCodec and ResultCodec make payloads. Default: JSON.
	TaskCodec   Codec[T]
	ResultCodec Codec[R]
	// PayloadBytes bounds one task and one result. Default 1 MiB; at most 64 MiB less 1 KiB.
	PayloadBytes int

	// OnResult gets each result, one after the other, in a goroutine of the dispatcher. It takes the place of Results. It must not
	// call Close or Drain.
	OnResult func(Result[R])
	// Ordered lets the sink have results in the order in which their tasks were submitted, whatever their priority or delay; tasks
	// that are dead or cancelled are skipped.
	Ordered bool

	// QueueTasks and QueueBytes bound the tasks that the sink has not done with; while their results fill QueueBytes, workers get no
	// more tasks, so that only what they have already may go beyond. Defaults 100,000 and 256 MiB.
	QueueTasks, QueueBytes int
	// DeadLetters is how many there may be before no more tasks are accepted. Default 10,000.
	DeadLetters int

	// Attempts is how often a task is tried that does not say. Default 5.
	Attempts int
	// Timeout is how long an attempt may take that does not say. Default 10 min; Unlimited.
	Timeout time.Duration
	// BackoffMin and BackoffMax bound the wait before the next attempt: it doubles from the one to the other. Defaults 100 ms, 30 s.
	BackoffMin, BackoffMax time.Duration
	// Interval is the time between heartbeats; a worker that is silent for five, or disconnected for two, is given up. Default 1 s;
	// 10 ms to 1 min.
	Interval time.Duration

	// Context is the one of the socket. Default: that of the process.
	Context *socket.Context
	// Log gets what an operator should know. Default: nothing is logged.
	Log *slog.Logger

	store store.Store // tests put in their own
}

// TaskOptions are what a task may have of its own. The zero value and nil are the defaults.
type TaskOptions struct {
	// Durable tasks survive a crash of the dispatcher from their acceptance on.
	Durable bool
	// Priority: a task of a higher one goes first; of the same, the older one.
	Priority int32
	// NotBefore is when the task may be given to a worker. Default: at once.
	NotBefore time.Time
	// Deadline is when the task becomes a dead letter if it is not done; at once if it has passed. Default: never.
	Deadline time.Time
	// Timeout is how long one attempt may take. Default: that of the dispatcher; Unlimited.
	Timeout time.Duration
	// Attempts is how often the task is tried. Default: that of the dispatcher.
	Attempts int
}

// Result is a result for the sink.
type Result[R any] struct {
	ID       ID
	Value    R
	Attempts int
	// Redelivered says that an earlier life of the dispatcher may have given this result to the sink.
	Redelivered bool
	// Err says that the result could not be decoded.
	Err error
}

// DeadLetter is a task that is not tried any more: its attempts are used up, or its deadline has passed.
type DeadLetter[T any] struct {
	ID        ID
	Task      T
	TaskBytes int   // of its payload
	Err       error // the task could not be decoded
	Attempts  int
	Errors    []AttemptError
	Durable   bool
}

// Time is when the task was given up: that of its last error.
func (l *DeadLetter[T]) Time() time.Time {
	if len(l.Errors) == 0 {
		return time.Time{}
	}
	return l.Errors[len(l.Errors)-1].At
}

// AttemptError is why an attempt has failed.
type AttemptError struct {
	Attempt int
	Worker  string // empty: none was to blame
	Text    string
	At      time.Time
}

// Dispatcher takes tasks, gives them to workers, and their results to the sink. All methods may be called from any goroutine.
type Dispatcher[T, R any] struct {
	core    *core
	tasks   limited[T]
	results limited[R]
	ordered bool
}

// NewDispatcher opens the store, if there is one, and listens. Errors: of the store (ErrInUse, *DamagedError), of the endpoints
// (*socket.EndpointError, syscall.EADDRINUSE), or *OptionError.
func NewDispatcher[T, R any](opts *DispatcherOptions[T, R]) (*Dispatcher[T, R], error) {
	var o DispatcherOptions[T, R]
	if opts != nil {
		o = *opts
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	d := &Dispatcher[T, R]{
		tasks: limited[T]{o.TaskCodec, o.PayloadBytes}, results: limited[R]{o.ResultCodec, o.PayloadBytes}, ordered: o.Ordered,
	}
	d.core = &core{log: o.Log, store: o.store}
	if o.Path != "" {
		opened, err := store.Open(o.Path)
		if err != nil {
			return nil, err
		}
		d.core.store = opened
	}
	err := d.core.start(o.Endpoints, o.Context, dispatcher.Config{
		Interval: o.Interval, QueueTasks: o.QueueTasks, QueueBytes: o.QueueBytes, DeadLetters: o.DeadLetters, Attempts: o.Attempts,
		ResultBytes: o.PayloadBytes, Timeout: o.Timeout, BackoffMin: o.BackoffMin, BackoffMax: o.BackoffMax, Ordered: o.Ordered,
	})
	if err != nil {
		return nil, err
	}
	if o.OnResult != nil {
		d.core.others.Go(func() { d.call(o.OnResult) })
	}
	return d, nil
}

func (o *DispatcherOptions[T, R]) complete() error {
	if len(o.Endpoints) == 0 {
		o.Endpoints = []string{DefaultEndpoint}
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
	fill(&o.PayloadBytes, payloadBytesDefault)
	fill(&o.QueueTasks, queueTasksDefault)
	fill(&o.QueueBytes, queueBytesDefault)
	fill(&o.DeadLetters, deadLettersDefault)
	fill(&o.Attempts, attemptsDefault)
	fill(&o.Timeout, timeoutDefault)
	fill(&o.BackoffMin, backoffMinDefault)
	fill(&o.BackoffMax, max(backoffMaxDefault, o.BackoffMin))
	fill(&o.Interval, time.Second)
	switch {
	case o.PayloadBytes < 1 || o.PayloadBytes > wire.PayloadBytesMax:
		return &OptionError{"PayloadBytes", fmt.Sprintf("%d, want 1 to %d", o.PayloadBytes, wire.PayloadBytesMax)}
	case o.QueueTasks < 1:
		return &OptionError{"QueueTasks", fmt.Sprintf("%d, want at least 1", o.QueueTasks)}
	case o.QueueBytes < 1:
		return &OptionError{"QueueBytes", fmt.Sprintf("%d, want at least 1", o.QueueBytes)}
	case o.DeadLetters < 1:
		return &OptionError{"DeadLetters", fmt.Sprintf("%d, want at least 1", o.DeadLetters)}
	case o.Attempts < 1 || o.Attempts > math.MaxInt32:
		return &OptionError{"Attempts", fmt.Sprintf("%d, want 1 to %d", o.Attempts, math.MaxInt32)}
	case o.Timeout < 0 && o.Timeout != Unlimited:
		return &OptionError{"Timeout", "negative, and not Unlimited"}
	case o.BackoffMin < 0:
		return &OptionError{"BackoffMin", fmt.Sprintf("%v is negative", o.BackoffMin)}
	case o.BackoffMax < o.BackoffMin:
		return &OptionError{"BackoffMax", fmt.Sprintf("%v, BackoffMin is %v", o.BackoffMax, o.BackoffMin)}
	case o.Interval < intervalMin || o.Interval > intervalMax:
		return &OptionError{"Interval", fmt.Sprintf("%v, want %v to %v", o.Interval, intervalMin, intervalMax)}
	}
	return nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// task makes what the machine takes.
func (d *Dispatcher[T, R]) task(value T, opts *TaskOptions) (*dispatcher.Task, error) {
	payload, err := d.tasks.encode(value)
	if err != nil {
		return nil, err
	}
	task := &dispatcher.Task{Payload: payload}
	if opts == nil {
		return task, nil
	}
	switch {
	case opts.Attempts < 0 || opts.Attempts > math.MaxInt32:
		return nil, &OptionError{"Attempts", fmt.Sprintf("%d, want at most %d", opts.Attempts, math.MaxInt32)}
	case opts.Timeout < 0 && opts.Timeout != Unlimited:
		return nil, &OptionError{"Timeout", "negative, and not Unlimited"}
	case opts.Durable && d.core.store == nil:
		return nil, ErrNotDurable
	}
	task.Durable, task.Priority, task.Attempts, task.Timeout = opts.Durable, opts.Priority, opts.Attempts, opts.Timeout
	task.NotBefore, task.Deadline = opts.NotBefore, opts.Deadline
	return task, nil
}

// Submit gives a task to the pool. It waits while the queue is full, until ctx ends; then nothing has been taken. Once it has returned
// without an error the task is accepted, which for a durable one means that it is on disk. Errors: ErrTooLarge, ErrDraining,
// ErrNotDurable, of the codec, of ctx, net.ErrClosed.
func (d *Dispatcher[T, R]) Submit(ctx context.Context, value T, opts *TaskOptions) (ID, error) {
	task, err := d.task(value, opts)
	if err != nil {
		return 0, err
	}
	id, batch, err := d.core.submit(ctx, task)
	if err != nil {
		return 0, err
	}
	return ID(id), d.core.stored(batch)
}

// TrySubmit is Submit that does not wait for room: it returns ErrFull.
func (d *Dispatcher[T, R]) TrySubmit(value T, opts *TaskOptions) (ID, error) {
	task, err := d.task(value, opts)
	if err != nil {
		return 0, err
	}
	id, batch, err := d.core.trySubmit(task)
	if err != nil {
		return 0, err
	}
	return ID(id), d.core.stored(batch)
}

// SubmitBatch is Submit for several tasks with the same options; durable ones go to disk together. It returns the IDs of those that
// are accepted: all of them, or fewer and why the next one is not. After an error of the store none is known to be accepted.
func (d *Dispatcher[T, R]) SubmitBatch(ctx context.Context, values []T, opts *TaskOptions) ([]ID, error) {
	ids := make([]ID, 0, len(values))
	var last uint64
	var failed error
	for _, value := range values {
		task, err := d.task(value, opts)
		if err == nil {
			var id, batch uint64
			if id, batch, err = d.core.submit(ctx, task); err == nil {
				ids, last = append(ids, ID(id)), batch
			}
		}
		if err != nil {
			failed = err
			break
		}
	}
	if err := d.core.stored(last); err != nil {
		return nil, err
	}
	return ids, failed
}

// Cancel takes a task out of the pool: the sink does not see it, and the context of a worker that has it ends. A dead letter is
// thrown away. Errors: ErrUnknown, ErrTooLate, net.ErrClosed.
func (d *Dispatcher[T, R]) Cancel(id ID) error {
	return d.core.request(func(m *dispatcher.Machine, now time.Time) (uint64, error) { return m.Cancel(uint64(id), now) })
}

// Rerun makes a dead letter a task again, with all its attempts, at the end of the queue, and without the deadline if that has
// passed. Errors: ErrUnknown, ErrFull, ErrDraining, net.ErrClosed.
func (d *Dispatcher[T, R]) Rerun(id ID) error {
	return d.core.request(func(m *dispatcher.Machine, now time.Time) (uint64, error) { return d.core.rerun(m, uint64(id), now) })
}

// DeadLetters lists the dead letters by ID.
func (d *Dispatcher[T, R]) DeadLetters() []DeadLetter[T] {
	d.core.mu.Lock()
	found := d.core.machine.DeadLetters()
	d.core.mu.Unlock()
	letters := make([]DeadLetter[T], len(found))
	for i, f := range found {
		letters[i] = DeadLetter[T]{
			ID: ID(f.ID), TaskBytes: len(f.Payload), Attempts: f.Attempts, Durable: f.Durable, Errors: make([]AttemptError, len(f.Errors)),
		}
		letters[i].Task, letters[i].Err = d.tasks.decode(f.Payload)
		for j, e := range f.Errors {
			letters[i].Errors[j] = AttemptError{int(e.Attempt), e.Worker, e.Text, e.At}
		}
	}
	return letters
}

// Endpoint tells where it listens: the last of Endpoints, with the port that a wildcard got.
func (d *Dispatcher[T, R]) Endpoint() string { return d.core.router.LastEndpoint() }

// Drain takes no more tasks and waits until the sink has done with all of them, dead letters apart, or ctx ends. Then Results end
// without an error.
func (d *Dispatcher[T, R]) Drain(ctx context.Context) error { return d.core.drain(ctx) }

// Done is closed when the dispatcher has ended: by Close, or because its store has failed.
func (d *Dispatcher[T, R]) Done() <-chan struct{} { return d.core.ended }

// Err says why the dispatcher has ended; nil before, and after Close.
func (d *Dispatcher[T, R]) Err() error {
	select {
	case <-d.core.ended:
		return d.core.failure()
	default:
		return nil
	}
}

// Close ends the dispatcher at once: tasks that are not durable are lost. It returns when socket, goroutines and store are closed,
// and OnResult has returned. Closing once more is net.ErrClosed.
func (d *Dispatcher[T, R]) Close() error { return d.core.close() }
