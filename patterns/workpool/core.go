// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// core runs the machine of a dispatcher. Whoever has something for the machine calls it under mu; what comes out is sent by pump.
// Goroutines: one receives, one looks at the clock and pumps what producers have brought, one does so with what goes to disk and writes it,
// one answers operators.
type core struct {
	log    *slog.Logger
	router *socket.Router
	store  store.Store // nil: there is none

	mu       sync.Mutex
	machine  *dispatcher.Machine
	interval time.Duration
	wakeAt   time.Time // when run looks at the clock again
	room     signal    // there may be room in the queue
	ready    signal    // there may be results
	written  signal    // a write has ended
	idle     signal    // there may be no more tasks
	draining bool
	failed   error // why it ends; errClosing: by Close
	over     bool  // the last write is made: nothing counts any more
	sinks    []*sink

	sending sync.Mutex    // around Take and sending, so that messages keep their order; taken before mu
	kick    chan struct{} // run has something to pump, or has to look at the clock earlier
	writes  chan []store.Op
	disk    chan struct{} // write has something to pump: a caller waits for the disk
	asked   chan question

	cancel context.CancelFunc
	ctx    context.Context
	others sync.WaitGroup
	ended  chan struct{}
	once   sync.Once
}

var errClosing = errors.New("workpool: closing")

// signal wakes all that wait; under the lock of what it is about.
type signal struct{ waiting chan struct{} }

func (s *signal) wait() <-chan struct{} {
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

func (s *signal) wake() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

func (c *core) start(endpoints []string, context *socket.Context, cfg dispatcher.Config) error {
	var contents *store.Contents
	if c.store != nil {
		var err error
		if contents, err = c.store.Load(); err != nil {
			return errors.Join(err, c.release())
		}
	}
	if err := c.listen(endpoints, context); err != nil {
		return errors.Join(err, c.release())
	}
	var life [8]byte
	rand.Read(life[:])
	cfg.Life = binary.BigEndian.Uint64(life[:])
	c.machine, c.interval = dispatcher.New(cfg, contents, time.Now()), cfg.Interval
	c.begin()
	return nil
}

func (c *core) listen(endpoints []string, context *socket.Context) error {
	router, err := socket.NewRouter(&socket.Options{
		Context: context, Linger: closeLinger, SendHWM: sendHWM, MessageBytes: messageBytesMax + wire.NameBytesMax, RouterMandatory: true,
		RouterHandover: true,
	})
	if err != nil {
		return err
	}
	c.router = router
	for _, endpoint := range endpoints {
		if err := router.Bind(endpoint); err != nil {
			return err
		}
	}
	return nil
}

func (c *core) begin() {
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.kick, c.writes, c.ended = make(chan struct{}, 1), make(chan []store.Op, 1), make(chan struct{})
	c.disk, c.asked = make(chan struct{}, 1), make(chan question, questionsMax)
	c.wakeAt = time.Now()
	c.others.Go(c.receive)
	c.others.Go(c.run)
	c.others.Go(c.answer)
	if c.store != nil {
		c.others.Go(c.write)
	}
}

// receive takes messages in batches. What cannot be decoded is dropped: what is missing then is noticed by the next beat.
func (c *core) receive() {
	messages := make([]socket.Message, receiveBatch)
	decoded := make([]wire.Message, receiveBatch)
	for {
		count, err := c.router.RecvBatch(c.ctx, messages)
		if err != nil {
			c.mu.Lock()
			c.fail(err) // unless it ends anyway: its context of sockets has been closed
			c.mu.Unlock()
			return
		}
		for i, message := range messages[:count] {
			decoded[i] = nil
			if message.Len() != 2 {
				continue
			}
			if decoded[i], err = wire.Decode(message.Frame(1)); err != nil {
				c.log.Debug("a message that breaks the protocol", "worker", message.Frame(0), "error", err)
			}
		}
		c.mu.Lock()
		now := time.Now()
		for i, message := range messages[:count] {
			messages[i] = socket.Message{} // what was decoded refers to its memory
			switch decoded[i].(type) {
			case nil:
			case *wire.Status, *wire.List, *wire.Settle:
				c.ask(question{string(message.Frame(0)), decoded[i]})
			default:
				c.machine.Received(string(message.Frame(0)), decoded[i], now)
			}
		}
		clear(decoded)
		c.changed()
		c.mu.Unlock()
		c.pump()
	}
}

// changed wakes those whom a call of the machine may concern, and run if it sleeps too long. Under mu.
func (c *core) changed() {
	if c.machine.Ready() {
		c.ready.wake()
	}
	if c.machine.Room() {
		c.room.wake()
	}
	if c.machine.Active() == 0 {
		c.idle.wake()
		c.ready.wake()
	}
	if c.machine.Deadline(c.wakeAt).Before(c.wakeAt) {
		c.poke()
	}
}

func (c *core) poke() { poke(c.kick) }

// run looks at the clock, and pumps what came in otherwise than by a message.
func (c *core) run() {
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
		if late := now.Sub(c.wakeAt); late > c.interval {
			c.machine.Late(late, now)
		}
		c.machine.Tick(now)
		c.wakeAt = c.machine.Deadline(now)
		timer.Reset(max(c.wakeAt.Sub(now), time.Millisecond))
		c.changed()
		c.mu.Unlock()
		c.pump()
	}
}

// pump sends and writes what the machine wants.
func (c *core) pump() {
	c.sending.Lock()
	defer c.sending.Unlock()
	for {
		c.mu.Lock()
		if c.failed != nil {
			c.mu.Unlock()
			return
		}
		out := c.machine.Take(time.Now())
		c.mu.Unlock()
		if out.Write != nil {
			c.writes <- out.Write
		}
		if !c.sendAll(out.Send) {
			return
		}
	}
}

// sendAll says whether something could not be sent, so that others may get it.
func (c *core) sendAll(sends []dispatcher.Send) (again bool) {
	for i := range sends {
		err := c.router.TrySend(socket.NewMessage([]byte(sends[i].To), wire.Encode(sends[i].Message)))
		if err == nil {
			continue
		}
		_, again = sends[i].Message.(*wire.Tasks)
		c.mu.Lock()
		c.machine.Unsent(sends[i], errors.Is(err, socket.ErrWouldBlock), time.Now())
		c.mu.Unlock()
	}
	return again
}

// write carries out writes, one at a time. Before it pumps it lets those go first who have been woken as well: their tasks go to disk
// together.
func (c *core) write() {
	for {
		select {
		case <-c.disk:
			runtime.Gosched()
			c.pump()
		case ops := <-c.writes:
			err := c.store.Write(ops)
			c.mu.Lock()
			if err != nil {
				c.log.Error("the store has failed", "error", err)
				c.fail(err)
				c.mu.Unlock()
				return
			}
			c.machine.Written(time.Now())
			c.written.wake()
			c.changed()
			c.mu.Unlock()
			runtime.Gosched()
			c.pump()
		case <-c.ctx.Done():
			return
		}
	}
}

// fail ends the dispatcher; under mu.
func (c *core) fail(err error) {
	if c.failed != nil {
		return
	}
	c.failed = err
	c.cancel()
	if !errors.Is(err, errClosing) {
		close(c.ended) // else Close does it
	}
}

// failure says why the dispatcher has failed; nil: it has not.
func (c *core) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.failed, errClosing) {
		return nil
	}
	return c.failed
}

// ending is the error of calls after the end; under mu.
func (c *core) ending() error {
	switch {
	case c.failed == nil:
		return nil
	case errors.Is(c.failed, errClosing):
		return fmt.Errorf("workpool: dispatcher: %w", net.ErrClosed)
	}
	return fmt.Errorf("workpool: the dispatcher has ended: %w", c.failed)
}

func (c *core) submit(ctx context.Context, task *dispatcher.Task) (id, batch uint64, err error) {
	for {
		c.mu.Lock()
		id, batch, err = c.offer(task)
		if !errors.Is(err, ErrFull) {
			c.mu.Unlock()
			return id, batch, err
		}
		room := c.room.wait()
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-c.ctx.Done():
		}
	}
}

func (c *core) trySubmit(task *dispatcher.Task) (id, batch uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offer(task)
}

// offer gives a task to the machine; under mu.
func (c *core) offer(task *dispatcher.Task) (id, batch uint64, err error) {
	if err := c.ending(); err != nil {
		return 0, 0, err
	}
	if c.draining {
		return 0, 0, ErrDraining
	}
	id, batch, err = c.machine.Submit(task, time.Now())
	if errors.Is(err, ErrFull) && c.gather() {
		id, batch, err = c.machine.Submit(task, time.Now())
	}
	if err != nil {
		return 0, 0, err
	}
	c.nudge()
	return id, batch, nil
}

// nudge makes write or run do what the machine wants now; under mu.
func (c *core) nudge() {
	switch {
	case c.machine.Urgent():
		poke(c.disk)
	case !c.machine.Idle() || c.machine.Deadline(c.wakeAt).Before(c.wakeAt):
		c.poke()
	}
}

// request asks the machine for something that may have to go to disk.
func (c *core) request(ask func(*dispatcher.Machine, time.Time) (uint64, error)) error {
	c.mu.Lock()
	if err := c.ending(); err != nil {
		c.mu.Unlock()
		return err
	}
	batch, err := ask(c.machine, time.Now())
	c.changed()
	c.nudge()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.stored(batch)
}

// stored waits for a write; 0: there is none.
func (c *core) stored(batch uint64) error {
	for batch != 0 {
		c.mu.Lock()
		done, over, written := c.machine.Stored() >= batch, c.ending(), c.written.wait()
		c.mu.Unlock()
		if done || over != nil {
			if done {
				return nil
			}
			return over
		}
		select {
		case <-written:
		case <-c.ctx.Done():
		}
	}
	return nil
}

func (c *core) drain(ctx context.Context) error {
	for {
		c.mu.Lock()
		c.draining = true
		c.ready.wake()
		c.room.wake() // whoever waits for room waits in vain
		left, over, idle := c.machine.Active(), c.ending(), c.idle.wait()
		c.mu.Unlock()
		switch {
		case over != nil:
			return over
		case left == 0:
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
		}
	}
}

func (c *core) close() error {
	err := fmt.Errorf("workpool: dispatcher: %w", net.ErrClosed)
	c.once.Do(func() {
		c.mu.Lock()
		c.fail(errClosing)
		c.mu.Unlock()
		c.others.Wait()
		err = errors.Join(c.lastWrite(), c.release())
		if c.failure() == nil {
			close(c.ended)
		}
	})
	return err
}

// lastWrite keeps what the sink has done with from coming again.
func (c *core) lastWrite() error {
	if c.store == nil || c.failure() != nil {
		return nil
	}
	select {
	case ops := <-c.writes: // it was begun, and nobody took it
		if err := c.store.Write(ops); err != nil {
			return err
		}
	default:
	}
	c.mu.Lock()
	c.gather()
	c.over = true
	c.machine.Written(time.Now())
	c.machine.Hurry()
	ops := c.machine.Take(time.Now()).Write
	c.mu.Unlock()
	if len(ops) > 0 {
		return c.store.Write(ops)
	}
	return nil
}

func (c *core) release() error {
	var errs []error
	if c.router != nil {
		errs = append(errs, c.router.Close())
	}
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	var lost *socket.LostError
	for i, err := range errs {
		if errors.As(err, &lost) { // workers ask again
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}
