// SPDX-License-Identifier: Apache-2.0

package main

import "time"

const (
	// startLimit, sceneLimit and orderLimit bound what waits for others: a server that starts, all that is measured with one, and
	// what the processes of nodes are told to do.
	startLimit = 15 * time.Second
	sceneLimit = 3 * time.Minute
	orderLimit = 90 * time.Second
	// pollEvery is how often a process of nodes looks whether all have come as far as it was asked; no figure depends on it.
	pollEvery = 10 * time.Millisecond

	valueBytes = 100
	// fillKeys go into one transaction; four times as many of 100 B and their keys would be above what etcd takes.
	fillKeys = 2000
	// processes share the nodes.
	processes = 4
	// joiningAtOnce, in each process, where joining is not what is measured.
	joiningAtOnce = 16
	// keysPerWriter is how far a node can be behind before a change hides another of the same key.
	keysPerWriter = 64
)

// A plan says how much is measured.
type plan struct {
	Quick     bool          `json:"quick"`
	Rounds    int           `json:"rounds"`
	Nodes     int           `json:"nodes"`
	Keys      int           `json:"keys"`    // of the small tree that idle nodes hold
	Rest      time.Duration `json:"rest_ns"` // of nodes that have joined, before their memory is measured
	Changes   int           `json:"changes"` // one at a time
	GapMin    time.Duration `json:"gap_min_ns"`
	GapMax    time.Duration `json:"gap_max_ns"`
	Writers   int           `json:"writers"`
	Sustained time.Duration `json:"sustained_ns"`

	JoinNodes int `json:"join_nodes"`
	JoinKeys  int `json:"join_keys"`

	AloneWriters []int         `json:"alone_writers"`
	Alone        time.Duration `json:"alone_ns"`
}

func wholePlan() plan {
	return plan{
		Rounds: 5, Nodes: 1000, Keys: 100, Rest: 2 * time.Second, Changes: 80, GapMin: 50 * time.Millisecond, GapMax: 200 * time.Millisecond,
		Writers: 16, Sustained: 3 * time.Second, JoinNodes: 100, JoinKeys: 100_000,
		AloneWriters: []int{1, 16, 128}, Alone: 2 * time.Second,
	}
}

func quickPlan() plan {
	p := wholePlan()
	p.Quick = true
	p.Rounds, p.Nodes, p.Changes, p.Sustained = 1, 400, 30, time.Second
	p.JoinNodes, p.JoinKeys = 40, 20_000
	p.Alone = time.Second / 2
	return p
}
