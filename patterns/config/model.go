// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/zwire-mq/zwire/patterns/config/internal/model"

// The words of the model, for those who use it.
type (
	// Entry is a key and what it holds.
	Entry = model.Entry
	// Op sets a key, or deletes it.
	Op = model.Op
	// Condition asks that a key be at a revision; 0: that there be no such key.
	Condition = model.Condition
	// Transaction is a set of changes that become visible at once, under one revision, or not at all.
	Transaction = model.Transaction
	// Record is a transaction that has its revision.
	Record = model.Record
	// Epoch is one life of the authority: from taking over to the end.
	Epoch = model.Epoch
	// Digest stands for the content of a tree or of several.
	Digest = model.Digest
	// KeyError says what is wrong with a key, a tree or a prefix.
	KeyError = model.KeyError
)
