// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// State is the content at one revision: trees of entries. It never changes, so any number of goroutines may read it. The zero
// State is revision 0, without keys. Entries that it gives out are shared: nobody may change them.
type State struct {
	revision uint64
	trees    radix[*tree]
	count    int // of trees
}

// Head says what a tree has come to: the revision that changed it last, and the digest of its content.
type Head struct {
	Tree     string
	Revision uint64
	Digest   Digest
}

type tree struct {
	called   string
	revision uint64
	digest   Digest
	keys     int
	bytes    int // of keys and values
	entries  radix[*Entry]
}

func (t *tree) name() string { return t.called }

func (t *tree) head() Head { return Head{t.called, t.revision, t.digest} }

func (e *Entry) name() string { return e.Key }

// Revision returns the revision that the state stands for.
func (s *State) Revision() uint64 { return s.revision }

// Get returns the entry of a key.
func (s *State) Get(key string) (*Entry, bool) {
	return s.tree(TreeOf(key)).entries.get(key)
}

// tree returns an empty one when it never had a key.
func (s *State) tree(name string) *tree {
	if t, found := s.trees.get(name); found {
		return t
	}
	return &tree{called: name}
}

// Head returns the head of a tree; zero but for the name when it never had a key.
func (s *State) Head(name string) Head {
	return s.tree(name).head()
}

// Heads yields the heads of all trees that ever had a key, by name, beginning with the first not below start.
func (s *State) Heads(start string) iter.Seq[Head] {
	return func(yield func(Head) bool) {
		for t := range s.trees.from(start) {
			if !yield(t.head()) {
				return
			}
		}
	}
}

// Size tells how many trees there are, how many keys, and how many octets keys and values have together.
func (s *State) Size() (trees, keys, bytes int) {
	for t := range s.trees.from("") {
		keys += t.keys
		bytes += t.bytes
	}
	return s.count, keys, bytes
}

// Digest sums the digests of the named trees, or of all without names.
func (s *State) Digest(names ...string) (sum Digest) {
	if len(names) == 0 {
		for t := range s.trees.from("") {
			sum = sum.Plus(t.digest)
		}
	}
	for _, name := range names {
		sum = sum.Plus(s.tree(name).digest)
	}
	return sum
}

// List yields the entries that a prefix covers, in the order of their trees and then of their keys.
func (s *State) List(prefix string) iter.Seq[*Entry] { return s.ListFrom(prefix, "") }

// ListFrom is List from a key of it on.
func (s *State) ListFrom(prefix, start string) iter.Seq[*Entry] {
	if prefix == "" {
		return s.listAll(start)
	}
	return func(yield func(*Entry) bool) {
		entries := s.tree(TreeOf(prefix)).entries
		below := prefix
		if below[len(below)-1] != '/' {
			if entry, found := entries.get(prefix); found && start <= prefix && !yield(entry) {
				return
			}
			below += "/" // between the two there are other names
		}
		entries.under(below).from(start)(yield)
	}
}

func (s *State) listAll(start string) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		from := start
		for t := range s.trees.from(TreeOf(start)) { // a tree's name may come before another's whose keys come first
			for entry := range t.entries.from(from) {
				if !yield(entry) {
					return
				}
			}
			from = ""
		}
	}
}

// Diff yields what differs between two states among keys that a prefix covers: the old entry and the new one, nil where there is none.
// It takes time in proportion to what differs, if one state was made from the other.
func Diff(old, new *State, prefix string) iter.Seq2[*Entry, *Entry] {
	return func(yield func(*Entry, *Entry) bool) {
		if prefix != "" {
			name := TreeOf(prefix)
			differ(old.tree(name).entries.under(prefix), new.tree(name).entries.under(prefix), 0, func(before, after *Entry) bool {
				return !Covers(prefix, cmp.Or(after, before).Key) || same(before, after) || yield(before, after)
			})
			return
		}
		differ(old.trees, new.trees, 0, func(before, after *tree) bool {
			return differ(before.content(), after.content(), 0, func(before, after *Entry) bool {
				return same(before, after) || yield(before, after)
			})
		})
	}
}

func (t *tree) content() radix[*Entry] {
	if t == nil {
		return radix[*Entry]{}
	}
	return t.entries
}

// same compares by revision: within one history a key is set once under each.
func same(before, after *Entry) bool {
	return before == after || before != nil && after != nil && before.Revision == after.Revision && before.sum == after.sum
}

// Changed says whether any key that the prefix covers differs.
func Changed(old, new *State, prefix string) bool {
	for range Diff(old, new, prefix) {
		return true
	}
	return false
}

// Validate says whether a transaction, which has passed Check, can be applied to the state.
func (s *State) Validate(t *Transaction) error {
	for _, condition := range t.Conditions {
		entry, found := s.Get(condition.Key)
		switch {
		case !found && condition.Revision != 0:
			return fmt.Errorf("%w: %q does not exist, want revision %d", ErrConflict, condition.Key, condition.Revision)
		case found && entry.Revision != condition.Revision:
			return fmt.Errorf("%w: %q is at %d, want %d", ErrConflict, condition.Key, entry.Revision, condition.Revision)
		}
	}
	made := make(map[string]struct{})
	for i := range t.Ops {
		op := &t.Ops[i]
		if _, found := s.Get(op.Key); op.Delete && !found {
			return fmt.Errorf("%w: %q", ErrNotFound, op.Key)
		}
		name := TreeOf(op.Key)
		if _, found := s.trees.get(name); !found {
			made[name] = struct{}{}
		}
	}
	if s.count+len(made) > TreesMax {
		return fmt.Errorf("%w: at most %d", ErrTooManyTrees, TreesMax)
	}
	return nil
}

// Apply returns the state after a record, which was validated when it was made. Trees for which holds is false are left out; nil
// holds all.
func (s *State) Apply(record *Record, holds func(tree string) bool) *State {
	c := changing{next: *s, holds: holds, batch: &edit{}}
	c.apply(record)
	return c.end(record.Revision)
}

// ApplyAll returns the state after records, in order: what Apply one after the other comes to, without the states in between. Of the
// operations on a key only the last costs more than a look.
func (s *State) ApplyAll(records []*Record, holds func(tree string) bool) *State {
	c := changing{next: *s, holds: holds, batch: &edit{}}
	if len(records) == 0 {
		return c.end(s.revision)
	}
	if len(records) > 1 {
		c.gone = make(map[string]struct{})
	}
	for _, record := range slices.Backward(records) {
		c.apply(record)
	}
	return c.end(records[len(records)-1].Revision)
}

// changing is a state on its way. It takes records from the last to the first: what is there already of a later one stays.
type changing struct {
	next  State
	holds func(tree string) bool
	batch *edit               // by itself, since what it made keeps it
	gone  map[string]struct{} // keys that a later record deletes; nil: no other record comes

	tree  *tree // that is being changed
	known bool  // it was there before
}

func (c *changing) apply(record *Record) {
	for i := range slices.Backward(record.Ops) {
		op := &record.Ops[i]
		if name := TreeOf(op.Key); (c.tree == nil || name != c.tree.called) && !c.turn(name) {
			continue
		}
		c.tree.revision = max(c.tree.revision, record.Revision)
		if _, over := c.gone[op.Key]; over {
			continue
		}
		key := op.Key
		if old, found := c.tree.entries.get(key); found {
			if old.Revision >= record.Revision {
				continue
			}
			key = old.Key // kept once, and alone
			c.tree.forget(old)
			if op.Delete {
				c.tree.entries = c.tree.entries.remove(c.batch, op.Key)
			}
		}
		if op.Delete {
			if c.gone != nil {
				c.gone[op.Key] = struct{}{}
			}
			continue
		}
		entry := &Entry{Key: key, Value: op.Value, Revision: record.Revision, TTL: op.TTL}
		if op.TTL != 0 {
			entry.Owner = record.Session
		}
		c.tree.entries = c.tree.entries.put(c.batch, entry)
		c.tree.count(entry)
	}
}

// turn goes on with another tree, if that is held.
func (c *changing) turn(name string) bool {
	if c.holds != nil && !c.holds(name) {
		return false
	}
	c.leave()
	old, known := c.next.trees.get(name)
	c.tree, c.known = &tree{called: name}, known
	if known {
		*c.tree = *old
	}
	return true
}

func (c *changing) leave() {
	if c.tree == nil {
		return
	}
	if !c.known {
		c.next.count++
	}
	c.next.trees = c.next.trees.put(c.batch, c.tree)
}

func (c *changing) end(revision uint64) *State {
	c.leave()
	state := c.next
	state.revision = revision
	return &state
}

func (t *tree) count(entry *Entry) {
	entry.sum = entry.digest()
	t.digest = t.digest.Plus(entry.sum)
	t.keys++
	t.bytes += len(entry.Key) + len(entry.Value)
}

func (t *tree) forget(entry *Entry) {
	t.digest = t.digest.Minus(entry.sum)
	t.keys--
	t.bytes -= len(entry.Key) + len(entry.Value)
}

// At returns the same content under another revision, at which nothing in it has changed.
func (s *State) At(revision uint64) *State {
	next := *s
	next.revision = revision
	return &next
}

// Only returns a state of the trees for which holds is true.
func (s *State) Only(holds func(tree string) bool) *State {
	next := &State{revision: s.revision}
	var trees []*tree
	for t := range s.trees.from("") {
		if holds(t.called) {
			trees = append(trees, t)
		}
	}
	next.trees, next.count = grow(trees), len(trees)
	return next
}
