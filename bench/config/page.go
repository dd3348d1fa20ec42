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

const (
	dataFile, pageFile = "CONFIG.json", "CONFIG.md"
	clientModule       = "go.etcd.io/etcd/client/v3"
)

// results are all that CONFIG.json has; the page is made from it.
type results struct {
	Machine  machine.Machine `json:"machine"`
	Etcd     string          `json:"etcd"` // version of the server; empty: it was not there
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
	table, work, unit string
	scene, key        string
	scale             float64 // from the sample to the unit
	target            float64 // of zwire's median divided by etcd's; 0: none
	lower             bool    // less is better
}

func (p plan) figures() []figure {
	const ms, us, kib = 1e3, 1e6, 1.0 / 1024
	last := fmt.Sprintf("The last of %d nodes", p.Nodes)
	rate := fmt.Sprintf("%d writers, %d nodes", p.Writers, p.Nodes)
	const join, alone, memory = "Joining", "Without nodes", "Nodes at rest"
	all := []figure{
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
		all = append(all, figure{alone, work, "changes/s", "writers", keyAlone(writers), 1, 0, false})
	}
	return append(all,
		figure{memory, fmt.Sprintf("processor time of %d idle nodes", p.Nodes), "% of a core", "crowd", keyIdleNodes, 100, 0, true},
		figure{memory, "processor time of their server", "% of a core", "crowd", keyIdleServer, 100, 0, true},
		figure{memory, fmt.Sprintf("memory of an idle node, %d keys", p.Keys), "KiB", "crowd", keyNodeBytes, kib, 0, true},
		figure{memory, fmt.Sprintf("memory of the server, for each of %d nodes", p.Nodes), "KiB", "crowd", keyServerBytes, kib, 0, true},
		figure{memory, fmt.Sprintf("memory of a node, %d keys", p.JoinKeys), "KiB", "joining", keyJoinedBytes, kib, 0, true})
}

func (r *results) writePage(w io.Writer) {
	p := r.Plan
	fmt.Fprintln(w, "# patterns/config beside etcd")
	fmt.Fprintf(w, "\nMade by `%s` in `bench/`; do not edit. All data: [%s](%s).\n", r.Command, dataFile, dataFile)
	fmt.Fprintln(w, "How it is measured: [README.md](README.md#config-beside-etcd).")
	if p.Quick {
		fmt.Fprintln(w, "\n**A quick run**, with too few and too short measurements to quote.")
	}
	fmt.Fprintln(w)
	beside := ""
	if r.Etcd != "" {
		beside = "etcd " + r.Etcd + ", " + clientModule + " " + machine.ModuleVersion(clientModule)
	}
	r.Machine.Write(w, beside)
	fmt.Fprintf(w, "- the stores are on a file system %s\n", r.Disk)
	fmt.Fprintf(w, "- rounds: %d; the run took %.1f minutes\n", p.Rounds, r.Minutes)
	fmt.Fprintf(w, "\nNodes are in %d processes, each with connections of its own; values have %d octets. ", processes, valueBytes)
	fmt.Fprintf(w, "A cell is `median [minimum..maximum]`\nof the rounds; the contenders took turns.\n")
	table := ""
	for _, f := range p.figures() {
		o, held := r.outcome(f.scene)
		if !held {
			continue
		}
		if f.table != table {
			table = f.table
			fmt.Fprintf(w, "\n## %s\n\n| work | zwire | etcd | ratio | target | met |\n|---|---|---|---|---|---|\n", table)
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
	cells := []string{f.work + ", " + f.unit, "", "", "", f.targetText(), ""}
	medians := map[string]float64{}
	for _, e := range o.Entries {
		column := 1
		if e.Name == (etcd{}).name() {
			column = 2
		}
		cells[column] = f.side(e, medians)
	}
	own, haveOwn := medians[ours{}.name()]
	other, haveOther := medians[etcd{}.name()]
	if !haveOwn || !haveOther || other == 0 {
		return cells
	}
	ratio := own / other
	cells[3] = figures.Number(ratio)
	if f.target != 0 {
		cells[5] = "no"
		if ratio == f.target || (ratio < f.target) == f.lower {
			cells[5] = "yes"
		}
	}
	return cells
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

func (f figure) targetText() string {
	switch {
	case f.target == 0:
		return ""
	case f.lower:
		return fmt.Sprintf("≤ %g", f.target)
	}
	return fmt.Sprintf("≥ %g", f.target)
}
