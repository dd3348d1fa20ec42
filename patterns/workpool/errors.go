// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"errors"
	"fmt"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
)

// Errors that callers tell apart with errors.Is. What is closed is net.ErrClosed.
var (
	// ErrFull says that the queue is full, or that there are too many dead letters.
	ErrFull = dispatcher.ErrFull
	// ErrUnknown says that there is no such task, or not any more.
	ErrUnknown = dispatcher.ErrUnknown
	// ErrTooLate says that a task cannot be cancelled because the sink has its result.
	ErrTooLate = dispatcher.ErrTooLate
	// ErrTooLarge says that a task or a result is larger than PayloadBytes.
	ErrTooLarge = errors.New("workpool: payload too large")
	// ErrDraining says that a dispatcher that drains takes no more tasks.
	ErrDraining = errors.New("workpool: the dispatcher drains")
	// ErrNotDurable says that a durable task was given to a dispatcher without a Path.
	ErrNotDurable = errors.New("workpool: a durable task needs a dispatcher with a store")
	// ErrRefused is what the function of a worker returns, or wraps, to say that this worker will not do this task.
	ErrRefused = errors.New("workpool: refused")
	// ErrInUse says that another process has the store open.
	ErrInUse = store.ErrInUse
	// ErrFormat says that the store was written by a later version of this package.
	ErrFormat = store.ErrFormat
)

// DamagedError says that what a store holds is not what was written, or not all of it.
type DamagedError = store.DamagedError

// OptionError names an option and what is wrong with it.
type OptionError struct{ Option, Reason string }

// Error names option and reason.
func (e *OptionError) Error() string {
	return fmt.Sprintf("workpool: option %s: %s", e.Option, e.Reason)
}
