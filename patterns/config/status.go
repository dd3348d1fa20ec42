// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/node"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// AllNodes asks WaitApplied for all nodes that are there.
const AllNodes = 0

// logMax bounds the records of one Log: an answer is one message.
const logMax = 1000

// Freshness says how far a copy can be trusted to be the newest.
type Freshness struct {
	Connected bool      // an authority is followed, and was heard within three of its intervals
	Authority string    // the endpoint of the one that is followed; empty: none
	Role      string    // of it: "primary", "looking"
	Epoch     Epoch     // of the copy
	Revision  uint64    // of the copy
	Proved    time.Time // when the copy was last known to equal the authority's; zero: not in this life
	FromCache bool      // the copy is from the cache file
	// Err is why the copy may be old: why no authority is followed, what was wrong with a message or with the cache file; nil: no reason
	// is known.
	Err error
}

// Freshness tells without waiting.
func (c *Client) Freshness() Freshness {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, v := c.machine.View(), c.view.Load()
	f := Freshness{
		Connected: m.Connected && !c.closed, Epoch: v.epoch, Revision: v.state.Revision(), Proved: m.Proved,
		FromCache: v.have && !v.synced, Err: c.reason(),
	}
	if m.Link >= 0 {
		f.Authority, f.Role = c.links[m.Link].endpoint, roleName(m.Welcome.Role)
	}
	if m.Connected && m.Err == nil {
		f.Err = nil // another authority may well be away
	}
	if f.Err == nil {
		f.Err = c.err
	}
	return f
}

func roleName(role wire.Role) string {
	switch role {
	case wire.RolePrimary:
		return "primary"
	case wire.RoleStandby:
		return "standby"
	case wire.RoleLooking:
		return "looking"
	}
	return "unknown"
}

// Status is the roll-out as the authority sees it.
type Status struct {
	Authority string       `json:"authority"` // its number, in hexadecimal
	Role      string       `json:"role"`
	Epoch     uint64       `json:"epoch"`
	Revision  uint64       `json:"revision"`
	Oldest    uint64       `json:"oldest"`             // revision of the history
	ReadOnly  string       `json:"readOnly,omitempty"` // why no change is accepted
	Standby   string       `json:"standby,omitempty"`  // what is known of the other authority
	Trees     uint64       `json:"trees"`
	Keys      uint64       `json:"keys"`
	Bytes     uint64       `json:"bytes"` // of keys and values
	Nodes     []NodeStatus `json:"nodes"`
}

// NodeStatus is a node of the roll-out.
type NodeStatus struct {
	Session  string        `json:"session"`
	Name     string        `json:"name"`
	Trees    []string      `json:"trees,omitempty"` // that it holds; none: all
	Revision uint64        `json:"revision"`        // the last all of whose changes to its trees it has applied
	Lag      time.Duration `json:"lag"`             // in ns, since the oldest change that it has not applied; 0: it has all
	Seen     time.Duration `json:"seen"`            // in ns, since its last report
	Proved   bool          `json:"proved"`          // its digest is the authority's
}

// Status asks the authority that is followed who has what.
func (c *Client) Status(ctx context.Context) (*Status, error) { return c.status(ctx, node.Anywhere) }

// StatusOf is Status of the authority at an endpoint, which is one of Options.Authorities, whatever its role. It is asked once. Nodes
// report to the primary alone.
func (c *Client) StatusOf(ctx context.Context, endpoint string) (*Status, error) {
	link := slices.Index(c.options.Authorities, endpoint)
	if link < 0 {
		return nil, fmt.Errorf("config: %q is not one of Options.Authorities", endpoint)
	}
	return c.status(ctx, link)
}

func (c *Client) status(ctx context.Context, link int) (*Status, error) {
	answer, err := c.ask(ctx, &wire.Status{}, link)
	if err != nil {
		return nil, err
	}
	nodes, is := answer.Message.(*wire.Nodes)
	if !is {
		return nil, errUnexpected(answer)
	}
	s := &Status{
		Authority: nodes.Authority.String(), Role: roleName(nodes.Role), Epoch: nodes.Epoch.Number, Revision: nodes.Revision,
		Oldest: nodes.Oldest, ReadOnly: nodes.ReadOnly, Standby: nodes.Standby, Trees: nodes.Trees, Keys: nodes.Keys,
		Bytes: nodes.Bytes, Nodes: make([]NodeStatus, 0, len(nodes.Nodes)),
	}
	for _, n := range nodes.Nodes {
		s.Nodes = append(s.Nodes, NodeStatus(n))
	}
	return s, nil
}

// WaitApplied returns when so many nodes, or AllNodes that are there, have applied a revision; ctx's error if that does not come.
func (c *Client) WaitApplied(ctx context.Context, revision uint64, nodes int) error {
	if nodes < 0 {
		return fmt.Errorf("%w: %d nodes", ErrInvalid, nodes)
	}
	answer, err := c.ask(ctx, &wire.Wait{Revision: revision, Nodes: uint64(nodes)}, node.Anywhere)
	if err != nil {
		return err
	}
	if result, is := answer.Message.(*wire.Result); is {
		return resultError(result)
	}
	return errUnexpected(answer)
}

// At asks the authority for what stood at a revision of its history, 0: now, of what a prefix covers (see Snapshot.List). All trees can
// be read, those too that this client does not hold. Errors: ErrCompacted, ErrFuture, or ctx's.
func (c *Client) At(ctx context.Context, revision uint64, prefix string) (*Snapshot, error) {
	if len(prefix) > model.KeyBytesMax {
		return nil, &KeyError{Key: prefix, Reason: fmt.Sprintf("%d octets, at most %d", len(prefix), model.KeyBytesMax)}
	}
	answer, err := c.ask(ctx, &wire.Read{Revision: revision, Prefix: prefix}, node.Anywhere)
	if err != nil {
		return nil, err
	}
	if answer.State == nil {
		return nil, errUnexpected(answer)
	}
	return &Snapshot{state: answer.State, prefix: prefix}, nil
}

// Log asks the authority for records, from a revision on, the oldest first: at most max, and at most 1,000; none if there is no such
// revision yet. Errors: ErrCompacted if the history begins later, or ctx's.
func (c *Client) Log(ctx context.Context, from uint64, max int) ([]Record, error) {
	if max < 1 {
		return nil, fmt.Errorf("%w: at most %d records", ErrInvalid, max)
	}
	answer, err := c.ask(ctx, &wire.Log{From: from, Max: uint64(min(max, logMax))}, node.Anywhere)
	if err != nil {
		return nil, err
	}
	records, is := answer.Message.(*wire.Records)
	if !is {
		return nil, errUnexpected(answer)
	}
	return slices.Clip(records.Records), nil
}
