// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"iter"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
)

// Results are the results, as they come or, if Ordered, in the order of their tasks. The sink has done with one when its turn of the
// loop has ended; a result whose turn is ended by a panic comes again only after a restart, and only if its task is durable. Several
// loops share the results. They end without an error once the dispatcher has been drained, else with that of ctx, net.ErrClosed, or
// that of the store.
func (d *Dispatcher[T, R]) Results(ctx context.Context) iter.Seq2[Result[R], error] {
	return func(yield func(Result[R], error) bool) {
		s := sink{core: d.core, batch: make([]dispatcher.Result, 0, sinkBatch)}
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
			for !s.empty() {
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
	batch []dispatcher.Result
	at    int
	acked []uint64
	told  time.Time // when the machine was told last what was done with
}

func (s *sink) empty() bool { return s.at == len(s.batch) }

func (s *sink) next() *dispatcher.Result {
	s.at++
	return &s.batch[s.at-1]
}

// turned notes the end of a turn.
func (s *sink) turned(id uint64) {
	s.acked = append(s.acked, id)
	if now := time.Now(); now.Sub(s.told) > sinkFlush {
		s.told = now
		s.core.mu.Lock()
		s.tell()
		s.core.mu.Unlock()
	}
}

// tell says what was done with; under mu.
func (s *sink) tell() {
	if len(s.acked) == 0 || s.core.failed != nil && s.core.store == nil {
		return
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
}

// take waits for results; without an error there are none any more when there is not more.
func (s *sink) take(ctx context.Context) (more bool, err error) {
	c := s.core
	for {
		c.mu.Lock()
		s.tell()
		if err := c.over(); err != nil {
			c.mu.Unlock()
			return false, err
		}
		if err := ctx.Err(); err != nil {
			c.mu.Unlock()
			return false, err
		}
		s.batch, s.at = c.machine.Results(s.batch[:0]), 0
		over := c.draining && c.machine.Active() == 0
		found := len(s.batch) > 0
		var ready <-chan struct{}
		if !found && !over {
			ready = c.ready.wait()
		}
		c.mu.Unlock()
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
	s.core.machine.PutBack(s.batch[s.at:])
	s.tell()
	if s.core.machine.Ready() {
		s.core.ready.wake()
	}
}
