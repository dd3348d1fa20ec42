// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
)

// A tally counts, and wakes the one who waits for a number.
type tally struct {
	count   atomic.Int64
	worked  atomic.Int64 // time that tasks took, in ns
	goal    atomic.Int64
	reached chan struct{} // capacity 1
}

func newTally() *tally {
	t := &tally{reached: make(chan struct{}, 1)}
	t.goal.Store(math.MaxInt64)
	return t
}

func (t *tally) add() {
	if t.count.Add(1) < t.goal.Load() {
		return
	}
	select {
	case t.reached <- struct{}{}:
	default:
	}
}

// await returns when it has counted so many. The goal is set first: whoever counts on from there sees it, or is seen.
func (t *tally) await(ctx context.Context, goal int64) error {
	t.goal.Store(goal)
	for t.count.Load() < goal {
		select {
		case <-t.reached:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d tasks are done: %w", t.count.Load(), goal, ctx.Err())
		}
	}
	t.goal.Store(math.MaxInt64)
	return nil
}
