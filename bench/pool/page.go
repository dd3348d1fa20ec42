// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/zwire-mq/zwire/bench/internal/beside"
)

// targets: zwire's median divided by asynq's, and the time of a skewed load divided by each worker's share of the work.
const (
	memoryTarget  = 10
	durableTarget = 3
	skewTarget    = 1.2
)

// figures are the lines of the page.
func (p plan) figures() []beside.Figure {
	var all []beside.Figure
	for _, place := range []string{oneProcess, overTCP} {
		for _, store := range []string{inMemory, durable} {
			table, target := "In one process", float64(memoryTarget)
			if place == overTCP {
				table = "Over tcp, workers in another process"
			}
			if store == durable {
				table, target = table+", durable", durableTarget
			} else {
				table += ", in memory"
			}
			for _, workers := range p.Workers {
				work := fmt.Sprintf("workers: %d; 1000 tasks/s", workers)
				all = append(all, beside.Figure{
					Table: table, Work: work, Scene: rateScene(place, store, workers), Key: keyRate, Scale: 1e-3, Target: target,
				})
			}
		}
	}
	for _, producers := range p.Few {
		all = append(all, beside.Figure{
			Table: fmt.Sprintf("Few producers, in one process, durable, %d workers", p.FewWorkers), Work: fmt.Sprintf("producers: %d; 1000 tasks/s", producers),
			Scene: rateScene(fewProducers, durable, producers), Key: keyRate, Scale: 1e-3, Target: durableTarget,
		})
	}
	const by = "time to the end / (total of task times / workers), "
	return append(all,
		beside.Figure{Table: p.skewTable(), Work: by + "as the tasks took", Scene: skewScene, Key: keySkewWorked, Scale: 1, Most: skewTarget},
		beside.Figure{Table: p.skewTable(), Work: by + "as they should take", Scene: skewScene, Key: keySkewNominal, Scale: 1},
		beside.Figure{Table: p.skewTable(), Work: "time to the end, s", Scene: skewScene, Key: keySkewTime, Scale: 1})
}

func (p plan) skewTable() string {
	return fmt.Sprintf("A skewed load over tcp, %d workers in another process", p.SkewWorkers)
}

// note stands below the heading of a table.
func (p plan) note(table string) string {
	if table != p.skewTable() {
		return ""
	}
	return fmt.Sprintf("Tasks wait %v, 1 in %d of them %d times as long; %d long ones for each worker.", p.SkewWait, longEvery, longTimes, p.SkewLong)
}

// intro stands before the tables.
func (p plan) intro() string {
	text := fmt.Sprintf("%d producers submit tasks of 8 octets, each one after the other. A rate is that of tasks, from the first submission to the "+
		"last task\nthat is done, with its result at the sink; for asynq, which has none, to the last call of the function. A cell is\n"+
		"`median [minimum..maximum]` of the rounds; the contenders took turns. Redis is a process of its own in all lines.", p.Producers)
	if p.Quick {
		return beside.QuickNote + text
	}
	return text
}
