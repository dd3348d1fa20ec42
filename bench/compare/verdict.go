// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

// nearLimit is how far from the limit counts as close, where the target is not met.
const nearLimit = 1.25

// A side is what the runs of one contender gave, in the unit of the measure, or
// why they gave nothing.
type side struct {
	name             string
	values           []float64 // of each round
	median, min, max float64
	err              error
}

// A verdict is one line of a table.
type verdict struct {
	figure
	ours, theirs, limit *side   // theirs and limit may be nil
	ratio               float64 // ours to theirs, or ours alone
	ofLimit             float64
}

// judge looks at the samples of one figure.
func judge(f figure, o outcome) verdict {
	v := verdict{figure: f, ours: f.best(o, []string{f.ours})}
	v.ratio = v.ours.median
	if len(f.against) > 0 {
		v.theirs = f.best(o, f.against)
		v.ratio = v.ours.to(v.theirs)
	}
	if f.limit != "" {
		v.limit = f.best(o, []string{f.limit})
		v.ofLimit = v.ours.to(v.limit)
	}
	return v
}

// to is the median of the ratios in each round: a round compares like with like, two rounds need not.
func (s *side) to(other *side) float64 {
	var ratios []float64
	for i := range min(len(s.values), len(other.values)) {
		ratios = append(ratios, s.values[i]/other.values[i])
	}
	if len(ratios) == 0 {
		return math.NaN()
	}
	return figures.Median(ratios)
}

// best fails if one of the contenders has failed: it might have been the best.
func (f figure) best(o outcome, names []string) *side {
	var best *side
	for _, name := range names {
		s := f.side(o.entry(name))
		if s.err != nil {
			return s
		}
		if best == nil || (s.median < best.median) == f.lower {
			best = s
		}
	}
	return best
}

func (f figure) side(e entry) *side {
	s := &side{name: e.Name}
	if e.Failure != "" {
		s.err = errors.New(reason(e.Failure))
		return s
	}
	var values []float64
	for _, sample := range e.Samples {
		if value, given := sample[f.key]; given {
			values = append(values, value*f.scale)
		}
	}
	if len(values) == 0 || len(values) < len(e.Samples) {
		s.err = fmt.Errorf("no %s in the report", f.key)
		return s
	}
	s.values = values
	s.median, s.min, s.max = figures.Median(values), slices.Min(values), slices.Max(values)
	return s
}

// known tells whether there is a ratio.
func (v verdict) known() bool {
	return v.ours.err == nil && (v.theirs == nil || v.theirs.err == nil)
}

func (v verdict) met() bool {
	return v.known() && (v.ratio == v.target || (v.ratio < v.target) == v.lower)
}

// near tells whether the limit is close.
func (v verdict) near() bool {
	if v.ours.err != nil || v.limit == nil || v.limit.err != nil {
		return false
	}
	if v.lower {
		return v.ofLimit <= nearLimit
	}
	return v.ofLimit >= 1/nearLimit
}

// reason is the first thing that a failed program said after what it had bound;
// the first line names the command.
func reason(failure string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(failure), "\n")
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "bound ") {
			return line
		}
	}
	return first
}
