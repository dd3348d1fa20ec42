// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/worker"
	"github.com/zwire-mq/zwire/socket"
)

// crew runs the machine of a worker. Whoever has something for the machine calls it under mu. Goroutines: for each link one receives and
// one sends; one looks at the clock; up to one for each slot works, and stays.
type crew struct {
	log   *slog.Logger
	slots int
	do    func(context.Context, *worker.Job) ([]byte, error)
	links []*line

	mu      sync.Mutex
	machine *worker.Machine
	wakeAt  time.Time
	workers int        // goroutines that work
	resting int        // of them, those that wait for a job
	jobs    *sync.Cond // there may be a job, or the crew is closing
	drained signal
	closing bool
	left    int // links that have not sent their last word

	kick       chan struct{}
	ctx        context.Context // of the receivers and senders
	cancel     context.CancelFunc
	working    sync.WaitGroup
	others     sync.WaitGroup
	lastWords  chan struct{} // closed when all links have sent their last word
	jobCtx     context.Context
	jobsCancel context.CancelFunc
	once       sync.Once
}

// line is the socket of a link.
type line struct {
	number int
	dealer *socket.Dealer
	kick   chan struct{} // there is something to send
}

func (c *crew) start(endpoints []string, context *socket.Context) error {
	for number, endpoint := range endpoints {
		dealer, err := socket.NewDealer(&socket.Options{
			Context: context, Identity: identity(), Immediate: true, Linger: closeLinger, ReconnectMin: reconnectMin,
			ReconnectMax: reconnectMax, MessageBytes: messageBytesMax,
		})
		if err == nil {
			c.links = append(c.links, &line{number: number, dealer: dealer, kick: make(chan struct{}, 1)})
			err = dealer.Connect(endpoint)
		}
		if err != nil {
			return errors.Join(err, c.release())
		}
	}
	c.begin()
	return nil
}

func (c *crew) begin() {
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.jobCtx, c.jobsCancel = context.WithCancel(context.Background())
	c.kick, c.lastWords = make(chan struct{}, 1), make(chan struct{})
	c.jobs = sync.NewCond(&c.mu)
	c.wakeAt, c.left = time.Now(), len(c.links)
	for _, l := range c.links {
		c.others.Go(func() { c.receive(l) })
		c.others.Go(func() { c.send(l) })
	}
	c.others.Go(c.clock)
}

func poke(kick chan struct{}) {
	select {
	case kick <- struct{}{}:
	default:
	}
}

func (c *crew) receive(l *line) {
	messages := make([]socket.Message, receiveBatch)
	decoded := make([]wire.Message, 0, receiveBatch)
	for {
		count, err := l.dealer.RecvBatch(c.ctx, messages)
		if err != nil {
			if c.ctx.Err() == nil {
				c.log.Error("nothing more is heard from a dispatcher", "error", err)
			}
			return
		}
		clear(decoded)
		decoded = decoded[:0]
		for i, message := range messages[:count] {
			messages[i] = socket.Message{} // what was decoded refers to its memory
			if message.Len() != 1 {
				continue
			}
			m, err := wire.Decode(message.Frame(0))
			if err != nil {
				c.log.Debug("a message that breaks the protocol", "error", err)
				continue
			}
			decoded = append(decoded, m)
		}
		c.mu.Lock()
		now := time.Now()
		for _, m := range decoded {
			for _, job := range c.machine.Received(l.number, m, now) {
				if job.Stop != nil {
					job.Stop()
				}
			}
		}
		c.changed()
		c.mu.Unlock()
	}
}

// changed lets those go on whom a call of the machine may concern. Under mu.
func (c *crew) changed() {
	if waiting := c.machine.Waiting(); waiting > 0 {
		for range min(waiting, c.resting) {
			c.jobs.Signal()
		}
		for more := waiting - c.resting; more > 0 && c.workers < c.slots && !c.closing; more-- {
			c.workers++
			c.working.Go(c.work)
		}
	}
	for _, l := range c.links {
		if c.machine.Pending(l.number) {
			poke(l.kick)
		}
	}
	if c.machine.Drained() {
		c.drained.wake()
	}
	if c.machine.Deadline(time.Now()).Before(c.wakeAt) {
		poke(c.kick)
	}
}

func (c *crew) clock() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.kick:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		now := time.Now()
		c.machine.Tick(now)
		c.wakeAt = c.machine.Deadline(now)
		timer.Reset(c.wakeAt.Sub(now))
		c.changed()
		c.mu.Unlock()
	}
}

// send sends what a link has to send; it waits while the dispatcher is away, and the machine gathers meanwhile.
func (c *crew) send(l *line) {
	for {
		select {
		case <-l.kick:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		taken := c.machine.Take(l.number, time.Now())
		if c.machine.Drained() {
			c.drained.wake()
		}
		c.mu.Unlock()
		messages, last := make([]socket.Message, len(taken)), false
		for i, m := range taken {
			messages[i] = socket.NewMessage(wire.Encode(m))
			_, bye := m.(*wire.Bye)
			last = last || bye
		}
		for len(messages) > 0 {
			count, err := l.dealer.SendBatch(c.ctx, messages)
			if c.ctx.Err() != nil {
				return
			}
			if err != nil {
				c.log.Error("a message that cannot be sent", "error", err)
				count++ // what is lost with it the dispatcher misses in the next beat
			}
			messages = messages[min(count, len(messages)):]
		}
		if last {
			c.gone()
			return
		}
	}
}

// gone counts the links that have sent their last word.
func (c *crew) gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		close(c.lastWords)
	}
}

// work does jobs, one after the other.
func (c *crew) work() {
	c.mu.Lock()
	for {
		job := c.machine.Next(time.Now())
		if job == nil {
			if c.closing {
				c.workers--
				c.mu.Unlock()
				return
			}
			c.resting++
			c.jobs.Wait()
			c.resting--
			continue
		}
		ctx, stop := c.contextOf(job)
		job.Stop = stop
		c.mu.Unlock()
		c.attempt(ctx, job) // it locks
	}
}

func (c *crew) contextOf(job *worker.Job) (context.Context, context.CancelFunc) {
	if job.Deadline.IsZero() {
		return context.WithCancel(c.jobCtx)
	}
	return context.WithDeadline(c.jobCtx, job.Deadline)
}

// attempt runs a job and says how it went. It returns with mu locked. A function that ends its goroutine takes this one along;
// another one takes its place.
func (c *crew) attempt(ctx context.Context, job *worker.Job) {
	outcome, value := wire.Failed, []byte("the function has ended its goroutine")
	returned := false
	defer func() {
		if reason := recover(); reason != nil {
			value = fmt.Appendf(nil, "panic: %v\n%.*s", reason, stackBytes, debug.Stack())
			c.log.Error("a task has panicked", "task", job.ID, "reason", reason)
			returned = true
		}
		job.Stop()
		value = trim(outcome, value)
		c.mu.Lock()
		c.machine.Finished(job, outcome, value, time.Now())
		c.changed()
		if !returned {
			c.working.Go(c.work)
			c.mu.Unlock()
		}
	}()
	result, err := c.do(ctx, job)
	switch {
	case err == nil:
		outcome, value = wire.Done, result
	case errors.Is(err, ErrRefused):
		outcome, value = wire.Refused, []byte(err.Error())
	case c.jobCtx.Err() != nil:
		outcome, value = wire.Returned, nil // Close has ended it
	default:
		value = []byte(err.Error())
	}
	returned = true
}

func trim(outcome wire.Outcome, value []byte) []byte {
	if outcome == wire.Done || len(value) <= wire.TextBytesMax {
		return value
	}
	return []byte(wire.Cut(string(value)))
}

// drain begins to drain; the channel is closed when everything has been answered.
func (c *crew) drain() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machine.Drain()
	drained := c.drained.wait()
	c.changed()
	return drained
}

func (c *crew) close() error {
	err := fmt.Errorf("workpool: worker: %w", net.ErrClosed)
	c.once.Do(func() {
		c.jobsCancel()
		c.mu.Lock()
		c.closing = true
		c.machine.Drain()
		c.changed()
		c.jobs.Broadcast()
		c.mu.Unlock()
		c.working.Wait()
		c.leave()
		c.cancel()
		c.others.Wait()
		err = c.release()
	})
	return err
}

// leave says Bye to those dispatchers that are there.
func (c *crew) leave() {
	c.mu.Lock()
	for _, l := range c.links {
		if !c.machine.Bye(l.number) {
			c.left--
		}
	}
	c.changed()
	if c.left == 0 {
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	timer := time.NewTimer(closeLinger)
	defer timer.Stop()
	select {
	case <-c.lastWords:
	case <-timer.C:
	}
}

func (c *crew) release() error {
	var errs []error
	for _, l := range c.links {
		var lost *socket.LostError
		if err := l.dealer.Close(); !errors.As(err, &lost) { // its dispatcher gives the tasks to others
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
