// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"iter"
	"net"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// Change is what became of a key. Its entries are those of the copy, and must not be changed, nor their values: bytes.Clone makes one
// that may be.
type Change struct {
	Key      string `json:"key"`
	Old      *Entry `json:"old"`      // nil: there was none
	New      *Entry `json:"new"`      // nil: there is none any more
	Revision uint64 `json:"revision"` // of the copy in which it became visible
	More     bool   `json:"more"`     // another change of the same revision of the copy follows
}

// Watch yields the keys that are there and that a prefix covers (see Snapshot.List), with Old nil, then what changes, for ever. It compares states: a reader
// that is slow sees fewer of them, but never misses what a key came to last, and nothing piles up in memory. Changes of one state come
// in the order of keys, all but the last with More set. The last turn has an error: ctx's, net.ErrClosed after Close, or ErrNotHeld at
// once for a tree that this client does not hold.
func (c *Client) Watch(ctx context.Context, prefix string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if c.options.Observer || prefix != "" && !c.holds(model.TreeOf(prefix)) {
			yield(Change{}, fmt.Errorf("%w: %q", ErrNotHeld, prefix))
			return
		}
		seen := &model.State{}
		for {
			if err := ctx.Err(); err != nil {
				yield(Change{}, err)
				return
			}
			v := c.view.Load()
			if !yieldChanges(seen, v.state, prefix, yield) {
				return
			}
			seen = v.state
			select {
			case <-v.next:
			case <-ctx.Done():
			case <-c.life.Done():
				yield(Change{}, net.ErrClosed)
				return
			}
		}
	}
}

// yieldChanges is one behind, so that it knows of each whether another follows.
func yieldChanges(seen, now *model.State, prefix string, yield func(Change, error) bool) bool {
	last := Change{Revision: now.Revision()}
	for before, after := range model.Diff(seen, now, prefix) {
		if last.More = true; last.Key != "" && !yield(last, nil) {
			return false
		}
		last.Old, last.New = before, after
		if after != nil {
			before = after
		}
		last.Key = before.Key
	}
	last.More = false
	return last.Key == "" || yield(last, nil)
}
