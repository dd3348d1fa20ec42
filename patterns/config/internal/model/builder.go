// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
)

// ErrDamaged says that data contradicts itself: keys out of order, or a digest that is not the one that was promised.
var ErrDamaged = errors.New("config: damaged data")

// Builder puts a state together from its heads and its entries, and checks that they belong together. It is for one goroutine.
type Builder struct {
	revision uint64
	heads    []Head
	at       int // the tree of heads that is being filled
	last     string
	filling  tree
	entries  []*Entry
	trees    []*tree
}

// NewBuilder begins a state of the revision; heads are of all its trees, sorted by name.
func NewBuilder(revision uint64, heads []Head) (*Builder, error) {
	for i, head := range heads {
		if i > 0 && head.Tree <= heads[i-1].Tree || CheckTree(head.Tree) != nil || head.Revision > revision {
			return nil, fmt.Errorf("%w: head %d, of tree %.80q", ErrDamaged, i, head.Tree)
		}
	}
	return &Builder{revision: revision, heads: heads}, nil
}

// Add adds an entry; trees come in the order of heads, and entries of a tree in that of their keys. The entry is of the state from now
// on: it must not be changed any more, nor be added to another.
func (b *Builder) Add(entry *Entry) error {
	if err := CheckKey(entry.Key); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	name := TreeOf(entry.Key)
	for b.at < len(b.heads) && b.heads[b.at].Tree != name {
		if err := b.endTree(); err != nil {
			return err
		}
	}
	switch {
	case b.at == len(b.heads):
		return fmt.Errorf("%w: no head for the tree of %q, or it is out of order", ErrDamaged, entry.Key)
	case entry.Key <= b.last:
		return fmt.Errorf("%w: %q is out of order", ErrDamaged, entry.Key)
	case entry.Revision > b.heads[b.at].Revision:
		return fmt.Errorf("%w: %q is of a later revision than its tree", ErrDamaged, entry.Key)
	}
	b.last = entry.Key
	b.filling.count(entry)
	b.entries = append(b.entries, entry)
	return nil
}

func (b *Builder) endTree() error {
	head := b.heads[b.at]
	if b.filling.digest != head.Digest {
		return fmt.Errorf("%w: tree %q at revision %d has digest %v, want %v", ErrDamaged, head.Tree, head.Revision,
			b.filling.digest, head.Digest)
	}
	filled := b.filling
	filled.called, filled.revision, filled.entries = head.Tree, head.Revision, grow(b.entries)
	b.trees = append(b.trees, &filled)
	clear(b.entries)
	b.filling, b.entries, b.last = tree{}, b.entries[:0], ""
	b.at++
	return nil
}

// State returns the state, once all entries are in.
func (b *Builder) State() (*State, error) {
	for b.at < len(b.heads) {
		if err := b.endTree(); err != nil {
			return nil, err
		}
	}
	return &State{revision: b.revision, trees: grow(b.trees), count: len(b.heads)}, nil
}
