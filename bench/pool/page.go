// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/bench/internal/machine"
)

const dataFile, pageFile = "POOL.json", "POOL.md"

// targets: zwire's median divided by asynq's, and the time of a skewed load divided by each worker's share of the work.
const (
	memoryTarget  = 10
	durableTarget = 3
	skewTarget    = 1.2
)

// results are all that POOL.json has; the page is made from it.
type results struct {
	Machine  machine.Machine `json:"machine"`
	Redis    string          `json:"redis"` // version of the server; empty: it was not there
	Disk     string          `json:"disk"`
	Plan     plan            `json:"plan"`
	Command  string          `json:"command"`
	Minutes  float64         `json:"minutes"`
	Outcomes []outcome       `json:"outcomes"`
}

type outcome struct {
	Scene   string  `json:"scene"`
	Entries []entry `json:"entries"`
}

type entry struct {
	Name    string   `json:"name"`
	Samples []sample `json:"samples"`
	Failure string   `json:"failure,omitempty"`
}

func readResults(folder string) (*results, error) {
	text, err := os.ReadFile(filepath.Join(folder, dataFile))
	if err != nil {
		return nil, err
	}
	var r results
	return &r, json.Unmarshal(text, &r)
}

func (r *results) write(folder string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(r); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, dataFile), text.Bytes(), 0o644); err != nil {
		return err
	}
	return r.draw(folder)
}

func (r *results) draw(folder string) error {
	var page bytes.Buffer
	r.writePage(&page)
	return os.WriteFile(filepath.Join(folder, pageFile), page.Bytes(), 0o644)
}

func (r *results) failure() error {
	var failed []error
	for _, o := range r.Outcomes {
		for _, e := range o.Entries {
			if e.Failure != "" {
				failed = append(failed, fmt.Errorf("%s failed in %s", e.Name, o.Scene))
			}
		}
	}
	return errors.Join(failed...)
}

// A figure is one line of a table.
type figure struct {
	table, work string
	scene, key  string
	scale       float64 // from the sample to what is shown
	least       float64 // target of zwire's median divided by asynq's; 0: none
	most        float64 // target of zwire's median itself; 0: none
}

func (p plan) figures() []figure {
	var all []figure
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
				all = append(all, figure{table, work, rateScene(place, store, workers), keyRate, 1e-3, target, 0})
			}
		}
	}
	table := fmt.Sprintf("A skewed load over tcp, %d workers in another process", p.SkewWorkers)
	const by = "time to the end / (total of task times / workers), "
	return append(all,
		figure{table, by + "as the tasks took", skewScene, keySkewWorked, 1, 0, skewTarget},
		figure{table, by + "as they should take", skewScene, keySkewNominal, 1, 0, 0},
		figure{table, "time to the end, s", skewScene, keySkewTime, 1, 0, 0})
}

func (r *results) writePage(w io.Writer) {
	p := r.Plan
	fmt.Fprintln(w, "# patterns/workpool beside asynq on Redis")
	fmt.Fprintf(w, "\nMade by `%s` in `bench/`; do not edit. All data: [%s](%s).\n", r.Command, dataFile, dataFile)
	fmt.Fprintln(w, "How it is measured: [README.md](README.md#a-pool-beside-asynq).")
	if p.Quick {
		fmt.Fprintln(w, "\n**A quick run**, with too few and too short measurements to quote.")
	}
	fmt.Fprintln(w)
	beside := ""
	if r.Redis != "" {
		beside = "Redis " + r.Redis + ", " + clientModule + " " + machine.ModuleVersion(clientModule)
	}
	r.Machine.Write(w, beside)
	fmt.Fprintf(w, "- stores and Redis's files are on a file system %s\n", r.Disk)
	fmt.Fprintf(w, "- rounds: %d, %d of the skewed load; the run took %.1f minutes\n", p.Rounds, p.SkewRounds, r.Minutes)
	fmt.Fprintf(w, "\n%d producers submit tasks of 8 octets, one after the other. ", p.Producers)
	fmt.Fprintln(w, "A rate is that of tasks, from the first submission to the last task\nthat is done, with its result at the sink; "+
		"for asynq, which has none, to the last call of the function. A cell is\n`median [minimum..maximum]` of the rounds; "+
		"the contenders took turns. Redis is a process of its own in all lines.")
	table := ""
	for _, f := range p.figures() {
		o, held := r.outcome(f.scene)
		if !held {
			continue
		}
		if f.table != table {
			table = f.table
			fmt.Fprintf(w, "\n## %s\n", table)
			if f.scene == skewScene {
				fmt.Fprintf(w, "\nTasks wait %v, 1 in %d of them %d times as long; %d long ones for each worker.\n",
					p.SkewWait, longEvery, longTimes, p.SkewLong)
			}
			fmt.Fprint(w, "\n| work | zwire | asynq | ratio | target | met |\n|---|---|---|---|---|---|\n")
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(f.cells(o), " | "))
	}
}

func (r *results) outcome(scene string) (outcome, bool) {
	i := slices.IndexFunc(r.Outcomes, func(o outcome) bool { return o.Scene == scene })
	if i < 0 {
		return outcome{}, false
	}
	return r.Outcomes[i], true
}

// cells are those of one line.
func (f figure) cells(o outcome) []string {
	cells := []string{f.work, "", "", "", "", ""}
	medians := map[string]float64{}
	for _, e := range o.Entries {
		column := 1
		if e.Name == (redisQueue{}).name() {
			column = 2
		}
		cells[column] = f.side(e, medians)
	}
	own, haveOwn := medians[ours{}.name()]
	other, haveOther := medians[redisQueue{}.name()]
	if haveOwn && haveOther && other != 0 {
		cells[3] = figures.Number(own / other)
	}
	switch {
	case f.most != 0:
		cells[4] = fmt.Sprintf("zwire ≤ %g", f.most)
		if haveOwn {
			cells[5] = met(own <= f.most)
		}
	case f.least != 0:
		cells[4] = fmt.Sprintf("≥ %g", f.least)
		if cells[3] != "" {
			cells[5] = met(own/other >= f.least)
		}
	}
	return cells
}

func met(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// side adds the median, unless the side has failed.
func (f figure) side(e entry, medians map[string]float64) string {
	if e.Failure != "" {
		return figures.Failed(e.Failure)
	}
	var values []float64
	for _, s := range e.Samples {
		if value, found := s[f.key]; found {
			values = append(values, value*f.scale)
		}
	}
	if len(values) == 0 {
		return ""
	}
	medians[e.Name] = figures.Median(values)
	return figures.Spread(values)
}
