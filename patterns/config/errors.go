// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// Errors that callers tell apart with errors.Is. A client that is closed gives net.ErrClosed; a context's end is its Err.
var (
	// About a change, or a key.

	// ErrNotFound says that there is no such key.
	ErrNotFound = model.ErrNotFound
	// ErrConflict says that a key was not at the revision that the transaction asked for. Nothing was changed.
	ErrConflict = model.ErrConflict
	// ErrTooLarge says that a value or a transaction is above its limit. Nothing was changed.
	ErrTooLarge = model.ErrTooLarge
	// ErrInvalid says that a transaction makes no sense. Nothing was changed.
	ErrInvalid = model.ErrInvalid
	// ErrTooManyTrees says that there would be too many trees. Nothing was changed.
	ErrTooManyTrees = model.ErrTooManyTrees
	// ErrNotHeld says that a key is of a tree that this client does not hold.
	ErrNotHeld = errors.New("config: this client does not hold the tree")

	// About the authority.

	// ErrReadOnly says that no change is accepted at present. Nothing was changed.
	ErrReadOnly = errors.New("config: no change is accepted at present")
	// ErrUncertain says that nobody knows whether the change was made, or will be: look before trying again.
	ErrUncertain = errors.New("config: the change may have been made")
	// ErrStore says that the authority's disk failed. Nothing was changed.
	ErrStore = errors.New("config: the authority cannot store")
	// ErrFenced says that the authority's epoch is over. Nothing was changed.
	ErrFenced = errors.New("config: the authority's epoch is over")

	// About the history.

	// ErrCompacted says that the history does not go back so far.
	ErrCompacted = errors.New("config: the history does not go back so far")
	// ErrFuture says that there is no such revision yet.
	ErrFuture = errors.New("config: no such revision yet")

	// ErrDamaged says that data contradicts itself: a digest, or an order, that is not the one that was promised.
	ErrDamaged = model.ErrDamaged
)

// sentinel is the error that a code of the protocol stands for; nil for success.
func sentinel(code wire.Code) error {
	switch code {
	case wire.CodeDone:
		return nil
	case wire.CodeNotFound:
		return ErrNotFound
	case wire.CodeConflict:
		return ErrConflict
	case wire.CodeTooLarge:
		return ErrTooLarge
	case wire.CodeTooManyTrees:
		return ErrTooManyTrees
	case wire.CodeUncertain:
		return ErrUncertain
	case wire.CodeCompacted:
		return ErrCompacted
	case wire.CodeFuture:
		return ErrFuture
	case wire.CodeFenced:
		return ErrFenced
	case wire.CodeStore:
		return ErrStore
	case wire.CodeReadOnly, wire.CodeNotPrimary, wire.CodeBusy:
		return ErrReadOnly
	}
	return ErrInvalid
}

// resultError makes an error of a Result; nil of a success, and of none.
func resultError(result *wire.Result) error {
	if result == nil {
		return nil
	}
	what := sentinel(result.Code)
	if what == nil {
		return nil
	}
	text := strings.TrimPrefix(strings.TrimPrefix(result.Text, what.Error()), ": ")
	if text == "" {
		return what
	}
	return fmt.Errorf("%w: %s", what, strings.TrimPrefix(text, "config: "))
}
