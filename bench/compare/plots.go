// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

const (
	plotWidth  = 17 * vg.Centimeter
	plotHeight = 10 * vg.Centimeter
)

// A drawing is one plot: a measure over the x of its contests or, without a
// measure, the quantiles of the one contest.
type drawing struct {
	name, title, x, y string
	measure           measure
	curves            []curve
}

// A curve takes the best of its contenders at each point.
type curve struct {
	label      string
	contenders []string
}

// A point has the spread of its runs.
type point struct{ x, y, min, max float64 }

func drawings() []drawing {
	rate := measure{key: "mb_per_s", scale: 1}
	ours, theirs := curve{zwire, []string{zwire}}, curve{libzmq, []string{libzmq}}
	best := curve{libzmq, anyLibzmq()}
	batch, bound := curve{zwireBatch, []string{zwireBatch}}, curve{limit, []string{limit}}
	busy, conn := curve{zwireBusyPoll, []string{zwireBusyPoll}}, curve{netConn, []string{netConn}}
	const size, megabytes = "bytes of a message", "MB / s, bodies alone"
	const share, trip = "share of the exchanges", "half a round trip, µs"
	return []drawing{
		{"throughput-tcp", "Throughput over tcp", size, megabytes, rate, []curve{ours, best, batch, bound}},
		{"throughput-ipc", "Throughput over ipc", size, megabytes, rate, []curve{ours, best, bound}},
		{"throughput-inproc", "Throughput on inproc", size, megabytes, rate, []curve{ours, theirs, batch, bound}},
		{"latency-tcp", "Round trip over tcp, 16 B", share, trip, measure{}, []curve{ours, theirs, busy, conn}},
		{"latency-ipc", "Round trip over ipc, 16 B", share, trip, measure{}, []curve{ours, theirs, busy, conn}},
		{"latency-inproc", "Round trip on inproc, 16 B", share, trip, measure{}, []curve{ours, theirs, bound}},
		{"fanout", "PUB to K SUB over tcp, 100 B", "subscribers", "deliveries / s",
			measure{key: "all_per_s", scale: 1}, []curve{ours, best, bound}},
		{"memory", "ROUTER with idle peers over tcp", "peers", "resident bytes of a peer",
			measure{key: "rss_bytes_per_conn", scale: 1, lower: true}, []curve{ours, theirs}},
	}
}

// quantiles are the keys of a report of round trips.
func quantiles() []struct {
	share float64
	key   string
} {
	return []struct {
		share float64
		key   string
	}{
		{0.1, "p10_us"}, {0.25, "p25_us"}, {0.5, "p50_us"}, {0.75, "p75_us"}, {0.9, "p90_us"},
		{0.95, "p95_us"}, {0.99, "p99_us"}, {0.999, "p999_us"},
	}
}

// drawPlots returns the names of the plots that there is something to draw in.
func (r *results) drawPlots(folder string) (map[string]bool, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	drawn := map[string]bool{}
	contests, outcomes := r.held()
	for _, d := range drawings() {
		path := filepath.Join(folder, d.name+".svg")
		lines := d.lines(contests, outcomes)
		if len(lines) == 0 {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return nil, err
			}
			continue
		}
		if err := d.save(path, lines); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
		drawn[d.name] = true
	}
	return drawn, nil
}

// A line is a curve with its points; colour is its number among all curves.
type line struct {
	label  string
	colour int
	points []point
}

func (d drawing) lines(contests []contest, outcomes []outcome) []line {
	var lines []line
	for i, curve := range d.curves {
		var points []point
		for j, contest := range contests {
			if contest.plot == d.name {
				points = append(points, d.points(curve, contest.x, outcomes[j])...)
			}
		}
		if len(points) > 0 {
			lines = append(lines, line{curve.label, i, points})
		}
	}
	return lines
}

// points leaves out what is missing and what a logarithm cannot take.
func (d drawing) points(c curve, x float64, o outcome) []point {
	var points []point
	add := func(x float64, m measure) {
		s := figure{measure: m}.best(o, c.contenders)
		if s.err == nil && s.min > 0 {
			points = append(points, point{x, s.median, s.min, s.max})
		}
	}
	if d.measure.key != "" {
		add(x, d.measure)
		return points
	}
	for _, quantile := range quantiles() {
		add(1/(1-quantile.share), microseconds(quantile.key))
	}
	return points
}

func (d drawing) save(path string, lines []line) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = d.title, d.x, d.y
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Y.Tick.Marker = plot.TickerFunc(decades)
	p.X.Tick.Marker = plot.ConstantTicks(d.ticks(lines))
	p.Legend.Top, p.Legend.XOffs = true, -vg.Centimeter/2
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant = "Sans"
	}
	p.Add(plotter.NewGrid())
	for _, line := range lines {
		if err := line.addTo(p); err != nil {
			return err
		}
	}
	// Room for the legend, and for a plot of a single value.
	p.Y.Min, p.Y.Max = p.Y.Min/1.5, p.Y.Max*math.Pow(p.Y.Max/p.Y.Min, 0.35)*1.5
	if p.X.Min == p.X.Max {
		p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	}
	var drawn bytes.Buffer
	picture, err := p.WriterTo(plotWidth, plotHeight, "svg")
	if err != nil {
		return err
	}
	if _, err := picture.WriteTo(&drawn); err != nil {
		return err
	}
	// A browser without the library's own font takes one that is much like it.
	svg := bytes.ReplaceAll(drawn.Bytes(), []byte("family:Liberation Sans"), []byte("family:Liberation Sans,Arial,sans-serif"))
	return os.WriteFile(path, svg, 0o644)
}

func (l line) addTo(p *plot.Plot) error {
	values := make(plotter.XYs, len(l.points))
	errors := make(plotter.YErrors, len(l.points))
	for i, point := range l.points {
		values[i].X, values[i].Y = point.x, point.y
		errors[i].Low, errors[i].High = point.y-point.min, point.max-point.y
	}
	drawn, marks, err := plotter.NewLinePoints(values)
	if err != nil {
		return err
	}
	bars, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{values, errors})
	if err != nil {
		return err
	}
	colour := plotutil.Color(l.colour)
	drawn.Color, drawn.Width = colour, vg.Points(1.5)
	drawn.Dashes = plotutil.Dashes(l.colour)
	marks.Color, marks.Shape = colour, plotutil.Shape(l.colour)
	bars.Color = colour
	p.Add(drawn, marks, bars)
	p.Legend.Add(l.label, drawn, marks)
	return nil
}

// ticks are at the points themselves: sizes, numbers, or shares of exchanges.
func (d drawing) ticks(lines []line) []plot.Tick {
	labels := map[float64]string{}
	for _, line := range lines {
		for _, point := range line.points {
			labels[point.x] = plainNumber(point.x)
		}
	}
	if d.measure.key == "" {
		labels = map[float64]string{}
		for _, quantile := range quantiles() {
			if quantile.share >= 0.5 {
				labels[1/(1-quantile.share)] = fmt.Sprintf("%g %%", quantile.share*100)
			}
		}
	}
	var ticks []plot.Tick
	for value, label := range labels {
		ticks = append(ticks, plot.Tick{Value: value, Label: label})
	}
	slices.SortFunc(ticks, func(a, b plot.Tick) int { return int(math.Copysign(1, a.Value-b.Value)) })
	return ticks
}

// decades labels 1, 2 and 5 of every power of ten.
func decades(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
		for step := 1.0; step < 10; step++ {
			tick := plot.Tick{Value: step * math.Pow(10, power)}
			if step == 1 || step == 2 || step == 5 {
				tick.Label = plainNumber(tick.Value)
			}
			if tick.Value >= low && tick.Value <= high {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}

func plainNumber(value float64) string {
	switch {
	case value >= 1e6:
		return fmt.Sprintf("%g M", value/1e6)
	case value >= 1e3:
		return fmt.Sprintf("%g k", value/1e3)
	}
	return fmt.Sprintf("%.3g", value)
}
