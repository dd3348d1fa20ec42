// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/profile"
)

// orders to a process of nodes
const (
	orderJoin    = "join"    // Nodes more, the first of them First, AtOnce at a time
	orderWatch   = "watch"   // from now on
	orderKeys    = "keys"    // fail unless every node has as many as Keys
	orderForget  = "forget"  // what was counted, and from now on write times down or not
	orderAwait   = "await"   // until all nodes have applied Revision
	orderTimes   = "times"   // when the last node had applied each of From to Revision
	orderCounts  = "counts"  // what was seen since forget
	orderMemory  = "memory"  // after a garbage collection
	orderProfile = "profile" // into the file Path; end it if that is empty
)

type order struct {
	Do       string `json:"do"`
	First    int    `json:"first,omitempty"`
	Nodes    int    `json:"nodes,omitempty"`
	AtOnce   int    `json:"at_once,omitempty"`
	Keys     int    `json:"keys,omitempty"`
	Stamping bool   `json:"stamping,omitempty"`
	From     uint64 `json:"from,omitempty"`
	Revision uint64 `json:"revision,omitempty"`
	Path     string `json:"path,omitempty"`
}

type answer struct {
	Error    string  `json:"error,omitempty"`
	At       int64   `json:"at,omitempty"` // when the last node had joined, or applied the revision
	Times    []int64 `json:"times,omitempty"`
	Resident int64   `json:"resident,omitempty"`
	counts
}

// nodes are those of one process.
type nodes struct {
	contender contender
	endpoint  string
	clock     clock
	profile   profile.Profile

	mu        sync.Mutex
	nodes     []node
	followers []*follower
}

// serveNodes does what it is told until its standard input ends.
func serveNodes(name, endpoint string) error {
	c, err := contenderOf(name)
	if err != nil {
		return err
	}
	n := &nodes{contender: c, endpoint: endpoint, clock: newClock()}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	orders, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return n.close()
		}
		a, err := n.carryOut(ctx, o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return errors.Join(err, n.close())
		}
	}
}

func (n *nodes) carryOut(ctx context.Context, o order) (answer, error) {
	switch o.Do {
	case orderJoin:
		return n.join(ctx, o)
	case orderWatch:
		for _, node := range n.nodes {
			node.watch(ctx)
		}
		return answer{}, nil
	case orderKeys:
		return answer{}, n.checkKeys(o.Keys)
	case orderForget:
		for _, f := range n.followers {
			f.forget(o.Stamping)
		}
		return answer{}, nil
	case orderAwait:
		return n.await(o.Revision)
	case orderTimes:
		return n.times(o)
	case orderCounts:
		var a answer
		for _, f := range n.followers {
			counted := f.counted()
			a.Changes += counted.Changes
			a.Revisions += counted.Revisions
		}
		return a, nil
	case orderMemory:
		debug.FreeOSMemory()
		resident, err := residentOf(os.Getpid())
		return answer{Resident: resident}, err
	case orderProfile:
		return answer{}, n.profile.Turn(o.Path)
	}
	return answer{}, fmt.Errorf("no such order")
}

// join ends a node's joining only with the process: its context is for the node's whole life.
func (n *nodes) join(ctx context.Context, o order) (answer, error) {
	places := make(chan struct{}, o.AtOnce)
	failures := make([]error, o.Nodes)
	var joining sync.WaitGroup
	for i := range o.Nodes {
		places <- struct{}{}
		joining.Go(func() {
			defer func() { <-places }()
			failures[i] = n.joinOne(ctx, fmt.Sprintf("node %d", o.First+i))
		})
	}
	joining.Wait()
	var a answer
	for _, f := range n.followers {
		reached, err := f.reached()
		failures = append(failures, err)
		a.At = max(a.At, reached.at)
	}
	return a, errors.Join(failures...)
}

func (n *nodes) joinOne(ctx context.Context, name string) error {
	f := &follower{clock: n.clock}
	joined, err := n.contender.join(ctx, n.endpoint, name, f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes = append(n.nodes, joined)
	n.followers = append(n.followers, f)
	return nil
}

func (n *nodes) checkKeys(wanted int) error {
	for _, node := range n.nodes {
		if got := node.keys(); got != wanted {
			return fmt.Errorf("a node has %d keys, want %d", got, wanted)
		}
	}
	return nil
}

func (n *nodes) await(revision uint64) (answer, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	limit := time.Now().Add(orderLimit)
	var a answer
	for _, f := range n.followers {
		for {
			reached, err := f.reached()
			if err != nil {
				return a, err
			}
			if reached.revision >= revision {
				a.At = max(a.At, reached.at)
				break
			}
			if time.Now().After(limit) {
				return a, fmt.Errorf("a node is at revision %d, want %d", reached.revision, revision)
			}
			<-ticker.C
		}
	}
	return a, nil
}

func (n *nodes) times(o order) (answer, error) {
	var a answer
	for revision := o.From; revision <= o.Revision; revision++ {
		var last int64
		for _, f := range n.followers {
			at, reached := f.reachedAt(revision)
			if !reached {
				return a, fmt.Errorf("a node did not reach revision %d", revision)
			}
			last = max(last, at)
		}
		a.Times = append(a.Times, last)
	}
	return a, nil
}

func (n *nodes) close() error {
	failures := make([]error, len(n.nodes))
	var closing sync.WaitGroup
	for i, node := range n.nodes {
		closing.Go(func() { failures[i] = node.close() })
	}
	closing.Wait()
	return errors.Join(append(failures, n.profile.Stop())...)
}
