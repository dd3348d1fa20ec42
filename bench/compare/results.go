// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

// Results are all that RESULTS.json has; the tables and plots are made from it.
type results struct {
	Machine  place     `json:"machine"`
	Plan     plan      `json:"plan"`
	Command  string    `json:"command"`
	Rounds   string    `json:"rounds"`
	Minutes  float64   `json:"minutes"`
	Outcomes []outcome `json:"outcomes"`
}

func readResults(folder string) (*results, error) {
	text, err := os.ReadFile(filepath.Join(folder, "RESULTS.json"))
	if err != nil {
		return nil, err
	}
	var r results
	return &r, json.Unmarshal(text, &r)
}

// write makes RESULTS.json, RESULTS.md and the plots anew.
func (r *results) write(folder string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(r); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "RESULTS.json"), text.Bytes(), 0o644); err != nil {
		return err
	}
	return r.draw(folder)
}

// draw makes RESULTS.md and the plots from what is there.
func (r *results) draw(folder string) error {
	var page bytes.Buffer
	drawn, err := r.drawPlots(filepath.Join(folder, "plots"))
	if err != nil {
		return err
	}
	r.writePage(&page, drawn)
	return os.WriteFile(filepath.Join(folder, "RESULTS.md"), page.Bytes(), 0o644)
}

// held pairs the contests of the plan with their outcomes.
func (r *results) held() (contests []contest, outcomes []outcome) {
	byName := map[string]outcome{}
	for _, outcome := range r.Outcomes {
		byName[outcome.Contest] = outcome
	}
	for _, contest := range r.Plan.contests() {
		if outcome, found := byName[contest.name]; found {
			contests = append(contests, contest)
			outcomes = append(outcomes, outcome)
		}
	}
	return contests, outcomes
}

func (r *results) verdicts() []verdict {
	var all []verdict
	contests, outcomes := r.held()
	for i, contest := range contests {
		for _, figure := range contest.figures {
			all = append(all, judge(figure, outcomes[i]))
		}
	}
	return all
}

func (r *results) failures() int {
	count := 0
	for _, outcome := range r.Outcomes {
		for _, entry := range outcome.Entries {
			if entry.Failure != "" {
				count++
			}
		}
	}
	return count
}

// writePage links the plots that have been drawn.
func (r *results) writePage(w io.Writer, drawn map[string]bool) {
	lines := r.verdicts()
	fmt.Fprintln(w, "# Results")
	fmt.Fprintf(w, "\nMade by `%s` in `bench/`; do not edit. All data: [RESULTS.json](RESULTS.json).\n", r.Command)
	fmt.Fprintln(w, "How it is measured: [README.md](README.md).")
	if r.Plan.Quick {
		fmt.Fprintln(w, "\n**A quick run**, with too few and too short measurements to quote.")
	}
	fmt.Fprintln(w)
	r.Machine.Write(w, "libzmq "+r.Machine.Libzmq)
	fmt.Fprintf(w, "- the run took %.1f minutes\n", r.Minutes)
	fmt.Fprintf(w, "- %s\n", r.Rounds)
	if text := r.distances(); text != "" {
		fmt.Fprintf(w, "- %s\n", text)
	}
	fmt.Fprintf(w, "\n%s\n", summary(lines, r.failures()))
	fmt.Fprintln(w, "\nA cell is `median [minimum..maximum]` of the runs. The contenders took turns; a ratio is the median of those of")
	fmt.Fprintln(w, "each round. Where libzmq ran with one and with two I/O threads, the better median counts.")
	for _, table := range tables() {
		var own []verdict
		for _, line := range lines {
			if line.table == table.heading {
				own = append(own, line)
			}
		}
		table.keepPlots(drawn)
		table.write(w, own)
	}
}

// distances says how far apart the cores were, and what that changed.
func (r *results) distances() string {
	var all []float64
	repeated, uneven := 0, 0
	for _, outcome := range r.Outcomes {
		repeated, uneven = repeated+outcome.Repeated, uneven+outcome.Uneven
		for _, entry := range outcome.Entries {
			for _, sample := range entry.Samples {
				if distance := sample[lineSeconds]; distance > 0 {
					all = append(all, distance*1e9)
				}
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("a cache line took %.0f to %.0f ns (median %.0f) from one core to the other and back; "+
		"rounds held again because that changed: %d, left as they were: %d",
		slices.Min(all), slices.Max(all), figures.Median(all), repeated, uneven)
}

func (t *table) keepPlots(drawn map[string]bool) {
	var kept []string
	for _, plot := range t.plots {
		if drawn[plot] {
			kept = append(kept, plot)
		}
	}
	t.plots = kept
}

func summary(lines []verdict, failures int) string {
	var targets, met, near int
	for _, line := range lines {
		if line.target == 0 {
			continue
		}
		targets++
		if line.met() {
			met++
		} else if line.near() {
			near++
		}
	}
	text := fmt.Sprintf("%d of %d targets are met; %d of the others are within a factor of %g of the limit.",
		met, targets, near, nearLimit)
	if failures > 0 {
		text += fmt.Sprintf(" **%d contenders failed**; RESULTS.json has all that they said.", failures)
	}
	return text
}
