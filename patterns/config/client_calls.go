// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/node"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// Set sets a key, and returns the revision under which it did. As every change it returns once the change is on disk, on that of the
// standby as well where there is one, and visible in the copy of this client, if it holds the tree. Errors: *KeyError, ErrTooLarge,
// ErrReadOnly, ErrStore, or ctx's; when the change was sent and ctx has ended, ErrUncertain as well.
func (c *Client) Set(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	return c.Commit(ctx, &Transaction{Ops: []Op{{Key: key, Value: value}}})
}

// SetTTL is Set of an ephemeral key: it goes with Close of this client, and when nothing was heard of the client for ttl, 1 s to
// 24 h. A client keeps its keys alive by itself.
func (c *Client) SetTTL(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	if ttl == 0 {
		return 0, fmt.Errorf("%w: a time to live of 0", ErrInvalid)
	}
	return c.Commit(ctx, &Transaction{Ops: []Op{{Key: key, Value: value, TTL: ttl}}})
}

// Delete deletes a key; ErrNotFound if there is none. Else as Set.
func (c *Client) Delete(ctx context.Context, key string) (revision uint64, err error) {
	return c.Commit(ctx, &Transaction{Ops: []Op{{Key: key, Delete: true}}})
}

// CompareAndSet is Set if the key is at a revision; 0: if there is no such key. Else it is ErrConflict.
func (c *Client) CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return c.Commit(ctx, &Transaction{
		Conditions: []Condition{{Key: key, Revision: revision}}, Ops: []Op{{Key: key, Value: value}},
	})
}

// Commit makes all changes of a transaction under one revision, or none. Errors are those of Set, and ErrConflict, ErrNotFound,
// ErrInvalid, ErrTooManyTrees. The transaction must not be changed before Commit returns.
func (c *Client) Commit(ctx context.Context, transaction *Transaction) (revision uint64, err error) {
	if err := transaction.Check(c.valueBytesMax()); err != nil {
		return 0, err
	}
	held := slices.ContainsFunc(transaction.Ops, func(op Op) bool { return c.holds(model.TreeOf(op.Key)) })
	return c.change(ctx, &wire.Propose{Author: c.options.Author, Transaction: *transaction}, held)
}

// Rollback sets trees to what they were at a revision, under a new one, and returns that; without trees, all. Ephemeral keys stay as
// they are. If nothing differs nothing is changed, and the present revision is returned; a tree that is not there is no error. Errors
// are those of Set, and ErrCompacted, ErrFuture.
func (c *Client) Rollback(ctx context.Context, revision uint64, trees ...string) (uint64, error) {
	return c.RollbackIf(ctx, 0, revision, trees...)
}

// RollbackIf is Rollback if no key of those trees was changed after the revision seen, ephemeral ones aside; 0: in any case. Else it is
// ErrConflict.
func (c *Client) RollbackIf(ctx context.Context, seen, revision uint64, trees ...string) (uint64, error) {
	for _, tree := range trees {
		if err := model.CheckTree(tree); err != nil {
			return 0, err
		}
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(trees)))
	held := len(sorted) == 0 && !c.options.Observer || slices.ContainsFunc(sorted, c.holds)
	return c.change(ctx, &wire.Rollback{Author: c.options.Author, Revision: revision, Seen: seen, Trees: sorted}, held)
}

// Promote makes the authority at an endpoint, which is one of Options.Authorities, the one that acknowledges alone. It is for an
// operator who knows that the other one is gone. A standby that is not known to have all that was acknowledged refuses it by
// ErrReadOnly unless force is set: then that may be lost. It is asked once.
func (c *Client) Promote(ctx context.Context, endpoint string, force bool) error {
	link := slices.Index(c.options.Authorities, endpoint)
	if link < 0 {
		return fmt.Errorf("config: %q is not one of Options.Authorities", endpoint)
	}
	answer, err := c.ask(ctx, &wire.Promote{Author: c.options.Author, Force: force}, link)
	if err != nil {
		return err
	}
	result, is := answer.Message.(*wire.Result)
	if !is {
		return errUnexpected(answer)
	}
	return resultError(result)
}

func (c *Client) holds(tree string) bool {
	s := Snapshot{trees: c.options.Trees, nothing: c.options.Observer}
	return s.holds(tree)
}

// valueBytesMax is what the authority takes; the most that any takes before it has said so.
func (c *Client) valueBytesMax() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.machine.View().Welcome; w != nil && w.ValueBytesMax > 0 && w.ValueBytesMax <= model.ValueBytesMax {
		return int(w.ValueBytesMax)
	}
	return model.ValueBytesMax
}

// change asks for a change, and waits until the copy has it.
func (c *Client) change(ctx context.Context, message wire.Message, held bool) (uint64, error) {
	if c.options.FailFast {
		if err := c.refusedNow(); err != nil {
			return 0, err
		}
	}
	answer, err := c.ask(ctx, message, node.Anywhere)
	if err != nil {
		return 0, err
	}
	result, is := answer.Message.(*wire.Result)
	if !is {
		return 0, errUnexpected(answer)
	}
	if err := resultError(result); err != nil {
		return 0, err
	}
	if held {
		if err := c.reach(ctx, result.Revision); err != nil {
			return result.Revision, fmt.Errorf("config: revision %d is acknowledged, but not in this copy yet: %w", result.Revision, err)
		}
	}
	return result.Revision, nil
}

// refusedNow says why no authority accepts a change at present.
func (c *Client) refusedNow() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.machine.View()
	switch {
	case c.closed:
		return net.ErrClosed
	case v.Welcome == nil || !v.Connected:
		return fmt.Errorf("%w: no authority is there", ErrReadOnly)
	case v.Welcome.Role != wire.RolePrimary:
		return fmt.Errorf("%w: no authority is the primary", ErrReadOnly)
	}
	return nil
}

// reach waits until the copy is at a revision. A primary that has just taken over may not know yet that it is acknowledged; if it
// was lost, because an operator promoted by force an authority that did not have it, other changes come to that number.
func (c *Client) reach(ctx context.Context, revision uint64) error {
	for v := c.view.Load(); v.state.Revision() < revision; v = c.view.Load() {
		select {
		case <-v.next:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.life.Done():
			return net.ErrClosed
		}
	}
	return nil
}

// ask sends a request and waits for its answer.
func (c *Client) ask(ctx context.Context, message wire.Message, link int) (node.Answer, error) {
	if err := ctx.Err(); err != nil {
		return node.Answer{}, err
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return node.Answer{}, ctx.Err()
	case <-c.life.Done():
		return node.Answer{}, net.ErrClosed
	}
	defer func() { <-c.slots }()
	answered := make(chan node.Answer, 1)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return node.Answer{}, net.ErrClosed
	}
	handle := c.machine.Ask(message, link, time.Now())
	c.calls[handle] = answered
	c.flush()
	c.mu.Unlock()
	var end error
	select {
	case answer := <-answered:
		return answer, nil
	case <-ctx.Done():
		end = ctx.Err()
	case <-c.life.Done():
		end = net.ErrClosed
	}
	return c.giveUp(handle, message, answered, end)
}

// giveUp ends a request that was not answered in time.
func (c *Client) giveUp(handle uint64, message wire.Message, answered chan node.Answer, end error) (node.Answer, error) {
	c.mu.Lock()
	delete(c.calls, handle)
	open, last := c.machine.Forget(handle)
	reason := c.reason()
	nobody := c.machine.View().Link < 0
	c.flushOpen()
	c.mu.Unlock()
	select {
	case answer := <-answered: // at the last moment
		return answer, nil
	default:
	}
	switch message.(type) {
	case *wire.Propose, *wire.Rollback, *wire.Promote:
		if open {
			return node.Answer{}, fmt.Errorf("%w: %w", ErrUncertain, end)
		}
		if last == nil && nobody {
			end = fmt.Errorf("%w: no primary has answered: %w", ErrReadOnly, end)
		}
	}
	if last != nil {
		return node.Answer{}, fmt.Errorf("%w: %w", end, resultError(last))
	}
	if reason != nil {
		return node.Answer{}, fmt.Errorf("%w: %w", end, reason)
	}
	return node.Answer{}, end
}

// errUnexpected is for an answer of another kind than was asked for.
func errUnexpected(answer node.Answer) error {
	if result, is := answer.Message.(*wire.Result); is {
		if err := resultError(result); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: an answer to something else", ErrDamaged)
}
