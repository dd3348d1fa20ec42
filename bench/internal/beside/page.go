// SPDX-License-Identifier: Apache-2.0

package beside

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/bench/internal/machine"
)

// QuickNote begins the introduction to what a quick run has measured.
const QuickNote = "**A quick run**, with too few and too short measurements to quote.\n\n"

// A Figure is one line of a table.
type Figure struct {
	Table, Work string
	Scene, Key  string
	Scale       float64 // from the sample to what is shown
	Target      float64 // of zwire's median divided by the rival's; 0: none
	Lower       bool    // less is better
	Most        float64 // target of zwire's median itself; 0: none
}

// WritePage writes tables with a line for each figure whose scene was held.
func (p *Program[P]) WritePage(w io.Writer, r *Results[P]) {
	fmt.Fprintf(w, "# %s\n", p.Title)
	fmt.Fprintf(w, "\nMade by `%s` in `bench/`; do not edit. All data: [%s](%s).\n", r.Command, p.dataFile(), p.dataFile())
	fmt.Fprintf(w, "How it is measured: [README.md](README.md#%s).\n\n", p.Anchor)
	beside := ""
	if r.Beside != "" {
		beside = p.Server + " " + r.Beside + ", " + p.Module + " " + machine.ModuleVersion(p.Module)
	}
	r.Machine.Write(w, beside)
	fmt.Fprintf(w, "- %s on a file system %s\n", p.Stores, r.Disk)
	fmt.Fprintf(w, "- %s; the run took %.1f minutes\n\n%s\n", p.Rounds(r.Plan), r.Minutes, p.Intro(r.Plan))
	table := ""
	for _, f := range p.Figures(r.Plan) {
		i := slices.IndexFunc(r.Outcomes, func(o Outcome) bool { return o.Scene == f.Scene })
		if i < 0 {
			continue
		}
		if f.Table != table {
			table = f.Table
			fmt.Fprintf(w, "\n## %s\n\n", table)
			if note := p.Note(r.Plan, table); note != "" {
				fmt.Fprintf(w, "%s\n\n", note)
			}
			fmt.Fprintf(w, "| work | %s | %s | ratio | target | met |\n|---|---|---|---|---|---|\n", Own, p.Rival)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(f.cells(r.Outcomes[i]), " | "))
	}
}

// cells are those of one line.
func (f Figure) cells(o Outcome) []string {
	cells := []string{f.Work, "", "", "", f.target(), ""}
	medians := map[bool]float64{} // of zwire, and of the other
	for _, e := range o.Entries {
		own := e.Name == Own
		column := 2
		if own {
			column = 1
		}
		cells[column] = f.side(e, own, medians)
	}
	own, haveOwn := medians[true]
	other, haveOther := medians[false]
	ratio := 0.0
	if both := haveOwn && haveOther && other != 0; both {
		ratio = own / other
		cells[3] = figures.Number(ratio)
	}
	met := ratio >= f.Target
	switch {
	case f.Most != 0 && haveOwn:
		met = own <= f.Most
	case f.Most != 0 || f.Target == 0 || cells[3] == "":
		return cells
	case f.Lower:
		met = ratio <= f.Target
	}
	if cells[5] = "no"; met {
		cells[5] = "yes"
	}
	return cells
}

// side adds the median, unless the side has failed.
func (f Figure) side(e Entry, own bool, medians map[bool]float64) string {
	if e.Failure != "" {
		return figures.Failed(e.Failure)
	}
	var values []float64
	for _, s := range e.Samples {
		if value, found := s[f.Key]; found {
			values = append(values, value*f.Scale)
		}
	}
	if len(values) == 0 {
		return ""
	}
	medians[own] = figures.Median(values)
	return figures.Spread(values)
}

func (f Figure) target() string {
	switch {
	case f.Most != 0:
		return fmt.Sprintf("%s ≤ %g", Own, f.Most)
	case f.Target == 0:
		return ""
	case f.Lower:
		return fmt.Sprintf("≤ %g", f.Target)
	}
	return fmt.Sprintf("≥ %g", f.Target)
}
