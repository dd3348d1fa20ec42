// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
)

// Results are the results, as they come or, if Ordered, in the order of their tasks. The sink has done with one when its turn of the
// loop has ended; a result whose turn is ended by a panic comes again only after a restart, and only if its task is durable. Several
// loops share the results. They end without an error once the dispatcher has been drained, else with that of ctx, net.ErrClosed, or
// that of the store.
func (d *Dispatcher[T, R]) Results(ctx context.Context) iter.Seq2[Result[R], error] {
	return func(yield func(Result[R], error) bool) {
		s := d.core.newSink()
		defer s.end()
		for {
			more, err := s.take(ctx)
			if err != nil {
				yield(Result[R]{}, err)
				return
			}
			if !more {
				return
			}
			for !s.empty() && ctx.Err() == nil && d.core.ctx.Err() == nil {
				taken := s.next()
				r := Result[R]{ID: ID(taken.ID), Attempts: taken.Attempts, Redelivered: taken.Redelivered}
				r.Value, r.Err = d.results.decode(taken.Value)
				goOn := yield(r, nil)
				s.turned(taken.ID)
				if !goOn {
					return
				}
			}
		}
	}
}

// call is the loop of OnResult.
func (d *Dispatcher[T, R]) call(onResult func(Result[R])) {
	for result, err := range d.Results(d.core.ctx) {
		if err != nil {
			return
		}
		onResult(result)
	}
}

// sink is one loop over results.
type sink struct {
	core  *core
	room  []dispatcher.Result
	batch []dispatcher.Result
	at    int
	told  time.Time // when the machine was told last what was done with

	mu    sync.Mutex // within that of core
	acked []uint64
}

func (c *core) newSink() *sink {
	s := &sink{core: c, room: make([]dispatcher.Result, sinkBatch)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sinks = append(c.sinks, s)
	return s
}

// gather tells the machine what all loops have done with, and reports whether that was anything; under mu.
func (c *core) gather() (any bool) {
	for _, s := range c.sinks {
		any = s.tell() || any
	}
	return any
}

func (s *sink) empty() bool { return s.at == len(s.batch) }

func (s *sink) next() *dispatcher.Result {
	s.at++
	return &s.batch[s.at-1]
}

// turned notes the end of a turn.
func (s *sink) turned(id uint64) {
	s.mu.Lock()
	s.acked = append(s.acked, id)
	s.mu.Unlock()
	if now := time.Now(); now.Sub(s.told) > sinkFlush {
		s.told = now
		s.core.mu.Lock()
		s.tell()
		if len(s.core.sinks) > 1 { // this one is not fast: others shall have the rest
			s.putBack()
		}
		s.core.mu.Unlock()
	}
}

// putBack gives back what the loop has not looked at; under mu of core.
func (s *sink) putBack() {
	s.core.machine.PutBack(s.batch[s.at:])
	s.batch = s.batch[:s.at]
	if s.core.machine.Ready() {
		s.core.ready.wake()
	}
}

// tell says what was done with, and reports whether that was anything; under mu of core.
func (s *sink) tell() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.acked) == 0 || s.core.over || s.core.failed != nil && s.core.store == nil {
		return false
	}
	now := time.Now()
	for _, id := range s.acked {
		s.core.machine.Acked(id, now)
	}
	s.acked = s.acked[:0]
	if s.core.failed == nil {
		s.core.changed()
		s.core.nudge()
	}
	return true
}

// take waits for results; without an error there are none any more when there is not more.
func (s *sink) take(ctx context.Context) (more bool, err error) {
	c := s.core
	for {
		c.mu.Lock()
		s.tell()
		if err := c.ending(); err != nil {
			c.mu.Unlock()
			return false, err
		}
		if err := ctx.Err(); err != nil {
			c.mu.Unlock()
			return false, err
		}
		share := (c.machine.Waiting() + len(c.sinks) - 1) / len(c.sinks) // several loops take turns
		s.batch, s.at = c.machine.Results(s.room[:0:min(len(s.room), share)]), 0
		over := c.draining && c.machine.Active() == 0
		found := len(s.batch) > 0
		var ready <-chan struct{}
		if !found && !over {
			ready = c.ready.wait()
		}
		c.mu.Unlock()
		if !found {
			clear(s.room) // the results are the loop's
		}
		if found || over {
			s.told = time.Now()
			return found, nil
		}
		select {
		case <-ready:
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
	}
}

// end gives back what the loop has not looked at.
func (s *sink) end() {
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	s.tell()
	s.core.sinks = slices.DeleteFunc(s.core.sinks, func(other *sink) bool { return other == s })
	if !s.core.over {
		s.putBack()
	}
}
