// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// Operator looks at one dispatcher from elsewhere, and takes care of its dead letters. The zero value is ready for use; all methods may
// be called from any goroutine. Each question has a connection of its own, is asked once, and waits until the dispatcher answers or ctx
// ends: give it a deadline, since a dispatcher with too many questions, or one that ends, does not answer. What was asked of one that
// has not answered it may do or not.
type Operator struct {
	// Dispatcher is its endpoint. Default: DefaultEndpoint.
	Dispatcher string
	// Context is the one of the sockets. Default: that of the process.
	Context *socket.Context
}

// Stats are those of the dispatcher.
func (o *Operator) Stats(ctx context.Context) (stats Stats, err error) {
	report, err := ask[*wire.Report](ctx, o, &wire.Status{})
	if err != nil {
		return stats, err
	}
	return stats, json.Unmarshal(report.JSON, &stats)
}

// DeadLetters lists the dead letters with an ID above after, by ID; Task is the payload as it is, of which there are the first 1024
// octets at most. It asks for some at a time: what happens meanwhile it may show or not. An error ends it.
func (o *Operator) DeadLetters(ctx context.Context, after ID) iter.Seq2[DeadLetter[[]byte], error] {
	return func(yield func(DeadLetter[[]byte], error) bool) {
		for {
			page, err := ask[*wire.Letters](ctx, o, &wire.List{After: uint64(after)})
			if err != nil {
				yield(DeadLetter[[]byte]{}, err)
				return
			}
			for i := range page.Items {
				letter := letterOf(&page.Items[i])
				if letter.ID <= after {
					yield(DeadLetter[[]byte]{}, o.failed(fmt.Errorf("dead letter %d after %d: %w", letter.ID, after, wire.ErrMalformed)))
					return
				}
				if after = letter.ID; !yield(letter, nil) {
					return
				}
			}
			if page.Left == 0 || len(page.Items) == 0 {
				return
			}
		}
	}
}

func letterOf(l *wire.Letter) DeadLetter[[]byte] {
	letter := DeadLetter[[]byte]{
		ID: ID(l.ID), Task: l.Payload, TaskBytes: int(l.Bytes), Attempts: int(l.Attempts), Durable: l.Durable,
		Errors: make([]AttemptError, len(l.Errors)),
	}
	for i := range l.Errors {
		e := &l.Errors[i]
		letter.Errors[i] = AttemptError{int(e.Attempt), e.Worker, e.Text, time.Unix(0, int64(e.At))}
	}
	return letter
}

// Rerun makes dead letters tasks again, as Dispatcher.Rerun does, and tells of how many. For each of the others the error has one that
// names it, of ErrUnknown, ErrFull or ErrDraining.
func (o *Operator) Rerun(ctx context.Context, ids ...ID) (count int, err error) {
	return o.settle(ctx, wire.Rerun, ids)
}

// Forget throws dead letters away, and tells how many. For each of the others the error has one that names it, of ErrUnknown.
func (o *Operator) Forget(ctx context.Context, ids ...ID) (count int, err error) {
	return o.settle(ctx, wire.Forget, ids)
}

func (o *Operator) settle(ctx context.Context, action wire.Action, ids []ID) (count int, err error) {
	var failed []error
	for some := range slices.Chunk(ids, wire.SettleMax) {
		message := &wire.Settle{Action: action, IDs: make([]uint64, len(some))}
		for i, id := range some {
			message.IDs[i] = uint64(id)
		}
		settled, err := ask[*wire.Settled](ctx, o, message)
		if err == nil && len(settled.Verdicts) != len(some) {
			err = o.failed(fmt.Errorf("%d answers to %d questions: %w", len(settled.Verdicts), len(some), wire.ErrMalformed))
		}
		if err != nil {
			return count, errors.Join(append(failed, err)...)
		}
		for i, verdict := range settled.Verdicts {
			if err := errorOf(verdict); err != nil {
				failed = append(failed, fmt.Errorf("dead letter %d: %w", some[i], err))
			} else {
				count++
			}
		}
	}
	return count, errors.Join(failed...)
}

func errorOf(verdict wire.Verdict) error {
	switch verdict {
	case wire.Agreed:
		return nil
	case wire.Full:
		return ErrFull
	case wire.Draining:
		return ErrDraining
	}
	return ErrUnknown
}

func (o *Operator) endpoint() string { return cmp.Or(o.Dispatcher, DefaultEndpoint) }

func (o *Operator) failed(err error) error {
	return fmt.Errorf("workpool: ask %s: %w", o.endpoint(), err)
}

// ask waits for an answer of its kind.
func ask[A wire.Message](ctx context.Context, o *Operator, question wire.Message) (answer A, err error) {
	dealer, err := socket.NewDealer(&socket.Options{
		Context: o.Context, Immediate: true, Linger: socket.LingerNone, MessageBytes: messageBytesMax,
	})
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, dealer.Close()) }()
	if err := dealer.Connect(o.endpoint()); err != nil {
		return answer, err
	}
	if err := dealer.Send(ctx, socket.NewMessage(wire.Encode(question))); err != nil {
		return answer, o.failed(err)
	}
	for {
		message, err := dealer.Recv(ctx)
		if err != nil {
			return answer, o.failed(err)
		}
		decoded, err := wire.Decode(message.Body())
		if err != nil {
			return answer, o.failed(err)
		}
		if answer, is := decoded.(A); is {
			return answer, nil
		}
	}
}
