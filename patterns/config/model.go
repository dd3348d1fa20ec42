// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/zwire-mq/zwire/patterns/config/internal/model"

// The words of the model, for those who use it.
type (
	// Entry is a key and what it holds: Key, Value, Revision (of the transaction that set it), TTL and Owner (of an ephemeral
	// key: how long it outlives its owner, and the session that is its owner).
	Entry = model.Entry
	// Op sets a key, or deletes it: Key, Value, TTL (above 0: the key is ephemeral), Delete.
	Op = model.Op
	// Condition asks that a key be at a revision; 0: that there be no such key. Its fields are Key and Revision.
	Condition = model.Condition
	// Transaction is a set of changes that become visible at once, under one revision, or not at all: Conditions, which is a
	// []Condition, and Ops, a []Op with at most one for each key.
	Transaction = model.Transaction
	// Record is a transaction that has its revision: Revision, Epoch, Time (by the authority's clock), Author (as claimed),
	// Session and Request (of the client that asked for it), Ops.
	Record = model.Record
	// Epoch is one life of the authority: from taking over to the end. Its fields are Number and Authority.
	Epoch = model.Epoch
	// Digest stands for the content of a tree or of several.
	Digest = model.Digest
	// KeyError says what is wrong with a key, a tree or a prefix.
	KeyError = model.KeyError
)
