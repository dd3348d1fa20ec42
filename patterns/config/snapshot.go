// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// Snapshot is the content at one revision. It never changes, and may be read by any number of goroutines.
type Snapshot struct {
	state   *model.State
	epoch   model.Epoch
	trees   []string // that it has, sorted; nil: all
	prefix  string   // it has only what this covers
	nothing bool     // it has none: it is an observer's
}

// Revision returns the revision that it shows; 0 before the first change.
func (s *Snapshot) Revision() uint64 { return s.state.Revision() }

// Epoch returns the epoch in which it was seen; zero for one of At.
func (s *Snapshot) Epoch() Epoch { return s.epoch }

// Digest stands for its content: two snapshots of the same trees with equal digests are equal.
func (s *Snapshot) Digest() Digest { return s.state.Digest() }

// Len returns how many keys there are.
func (s *Snapshot) Len() int {
	_, keys, _ := s.state.Size()
	return keys
}

// Get returns the entry of a key: ErrNotFound, ErrNotHeld, or a *KeyError. The value is the caller's.
func (s *Snapshot) Get(key string) (Entry, error) {
	if entry, found := s.state.Get(key); found {
		return copied(entry), nil
	}
	if err := model.CheckKey(key); err != nil {
		return Entry{}, err
	}
	if !s.holds(model.TreeOf(key)) || !model.Covers(s.prefix, key) {
		return Entry{}, fmt.Errorf("%w: %q", ErrNotHeld, key)
	}
	return Entry{}, fmt.Errorf("%w: %q", ErrNotFound, key)
}

// List yields the entries that a prefix covers, in the order of trees, then of keys. A prefix is a path: "web" covers web/port and
// web/tls/key and not webster/port, "web/tls" covers web/tls and what is below, "web/tls/" only what is below, and "" all. Values are
// the caller's.
func (s *Snapshot) List(prefix string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for entry := range s.state.List(prefix) {
			if !yield(copied(entry)) {
				return
			}
		}
	}
}

func (s *Snapshot) holds(tree string) bool {
	if s.nothing || s.trees == nil {
		return !s.nothing
	}
	_, found := slices.BinarySearch(s.trees, tree)
	return found
}

func copied(entry *model.Entry) Entry {
	same := *entry
	same.Value = bytes.Clone(entry.Value)
	return same
}
