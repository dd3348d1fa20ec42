// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/zwire-mq/zwire/bench/internal/beside"
)

// intro stands before the tables.
func (p plan) intro() string {
	text := fmt.Sprintf("Nodes are in %d processes, each with connections of its own; values have %d octets. "+
		"A cell is `median [minimum..maximum]`\nof the rounds; the contenders took turns.", processes, valueBytes)
	if p.Quick {
		return beside.QuickNote + text
	}
	return text
}

// figures are the lines of the page.
func (p plan) figures() []beside.Figure {
	var all []beside.Figure
	for _, r := range p.rows() {
		all = append(all, beside.Figure{
			Table: r.table, Work: r.work + ", " + r.unit, Scene: r.scene, Key: r.key, Scale: r.scale, Target: r.target, Lower: r.lower,
		})
	}
	return all
}

type row struct {
	table, work, unit string
	scene, key        string
	scale             float64 // from the sample to the unit
	target            float64 // of zwire's median divided by etcd's; 0: none
	lower             bool    // less is better
}

func (p plan) rows() []row {
	const ms, us, kib = 1e3, 1e6, 1.0 / 1024
	last := fmt.Sprintf("The last of %d nodes", p.Nodes)
	rate := fmt.Sprintf("%d writers, %d nodes", p.Writers, p.Nodes)
	const join, alone, memory = "Joining", "Without nodes", "Nodes at rest"
	all := []row{
		{last, "acknowledged to applied by the last, p50", "ms", "crowd", keyLastP50, ms, 0.5, true},
		{last, "acknowledged to applied by the last, p99", "ms", "crowd", keyLastP99, ms, 0.5, true},
		{last, "call to acknowledgement, p50", "ms", "crowd", keyAckP50, ms, 0, true},
		{last, "call to applied by the last, p50", "ms", "crowd", keyWholeP50, ms, 0, true},
		{last, "call to applied by the last, p99", "ms", "crowd", keyWholeP99, ms, 0, true},
		{last, "processor time of the server for a delivery", "µs", "crowd", keyOneServer, us, 0, true},
		{last, "processor time of the nodes for a delivery", "µs", "crowd", keyOneNodes, us, 0, true},
		{rate, "deliveries, a change applied by a node", "1000/s", "crowd", keyDeliverPS, 1e-3, 5, false},
		{rate, "changes acknowledged", "1/s", "crowd", keyChangesPerS, 1, 0, false},
		{rate, "changes that the nodes' watches showed", "1000/s", "crowd", keySeenPerS, 1e-3, 0, false},
		{rate, "revisions that the nodes' watches showed", "1000/s", "crowd", keyRevisionsPS, 1e-3, 0, false},
		{rate, "last acknowledgement to the last node", "ms", "crowd", keyDrain, ms, 0, true},
		{rate, "processor time of the server for a delivery", "µs", "crowd", keyServerCPU, us, 0, true},
		{rate, "processor time of the nodes for a delivery", "µs", "crowd", keyNodesCPU, us, 0, true},
		{join, fmt.Sprintf("%d nodes at once, %d keys, until the last has all", p.JoinNodes, p.JoinKeys), "s", "joining", keyJoin, 1, 0, true},
		{join, fmt.Sprintf("%d nodes, %d at once, %d keys, until the last has all", p.Nodes, processes*joiningAtOnce, p.Keys), "s",
			"crowd", keyCrowdJoin, 1, 0, true},
	}
	for _, writers := range p.AloneWriters {
		work := fmt.Sprintf("%d writers", writers)
		all = append(all, row{alone, work, "changes/s", "writers", keyAlone(writers), 1, 0, false})
	}
	return append(all,
		row{memory, fmt.Sprintf("processor time of %d idle nodes", p.Nodes), "% of a core", "crowd", keyIdleNodes, 100, 0, true},
		row{memory, "processor time of their server", "% of a core", "crowd", keyIdleServer, 100, 0, true},
		row{memory, fmt.Sprintf("memory of an idle node, %d keys", p.Keys), "KiB", "crowd", keyNodeBytes, kib, 0, true},
		row{memory, fmt.Sprintf("memory of the server, for each of %d nodes", p.Nodes), "KiB", "crowd", keyServerBytes, kib, 0, true},
		row{memory, fmt.Sprintf("memory of a node, %d keys", p.JoinKeys), "KiB", "joining", keyJoinedBytes, kib, 0, true})
}
