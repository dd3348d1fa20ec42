// SPDX-License-Identifier: Apache-2.0

package config

import (
	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
)

// What another engine than the file needs, to take its place by AuthorityOptions.Store. Several authorities over one engine are
// possible: an Append says which revision it follows and under which epoch, so that the engine can refuse all but one.
type (
	// Store is where an authority keeps the configuration.
	Store = store.Store
	// StoreContents is what a Store holds.
	StoreContents = store.Contents
	// StoreMeta is what an authority has to remember beside its content.
	StoreMeta = store.Meta
	// State is the content at one revision. It never changes.
	State = model.State
	// StateBuilder puts a State together from its heads and entries, and checks that they belong together.
	StateBuilder = model.Builder
	// Head says what a tree has come to: the revision that changed it last, and the digest of its content.
	Head = model.Head
	// AuthorityID tells one authority from another.
	AuthorityID = model.AuthorityID
	// DamagedError says that what a store holds is not what was written, or not all of it.
	DamagedError = store.DamagedError
)

// NewStateBuilder begins a State of a revision; heads are of all its trees, sorted by name.
func NewStateBuilder(revision uint64, heads []Head) (*StateBuilder, error) {
	return model.NewBuilder(revision, heads)
}

// Errors of stores, from NewAuthority.
var (
	// ErrInUse says that another process has the store open.
	ErrInUse = store.ErrInUse
	// ErrFormat says that the store was written by a later version of this package.
	ErrFormat = store.ErrFormat
)
