// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

func wholePlan() plan { return plan{Peers: 10_000, Subscriptions: 1_000_000} }

// TestRowsBelongTogether looks for names that nothing has.
func TestRowsBelongTogether(t *testing.T) {
	headings, plots, names := map[string]bool{}, map[string]bool{"": true}, map[string]bool{}
	for _, table := range tables() {
		headings[table.heading] = true
	}
	for _, drawing := range drawings() {
		plots[drawing.name] = true
	}
	for _, c := range wholePlan().contests() {
		if names[c.name] {
			t.Errorf("two contests are called %s", c.name)
		}
		names[c.name] = true
		if !plots[c.plot] {
			t.Errorf("%s: no plot %s", c.name, c.plot)
		}
		var contenders []string
		for _, contender := range c.contenders {
			contenders = append(contenders, contender.name)
			if c.transport != "" && contender.connecter == "" {
				t.Errorf("%s: %s has no second process", c.name, contender.name)
			}
		}
		for _, f := range c.figures {
			if !headings[f.table] {
				t.Errorf("%s: no table %s", c.name, f.table)
			}
			for _, name := range append([]string{f.ours, f.limit}, f.against...) {
				if name != "" && !slices.Contains(contenders, name) {
					t.Errorf("%s: no contender %s", c.name, name)
				}
			}
		}
	}
	contests, outcomes := stubResults().held()
	for _, drawing := range drawings() {
		if lines := drawing.lines(contests, outcomes); len(lines) != len(drawing.curves) {
			t.Errorf("%s: only %d of %d curves have points", drawing.name, len(lines), len(drawing.curves))
		}
	}
}

// TestTargets counts what the project has set itself.
func TestTargets(t *testing.T) {
	got := map[string]int{}
	for _, c := range wholePlan().contests() {
		for _, f := range c.figures {
			if f.target > 0 {
				got[f.table]++
			}
		}
	}
	want := map[string]int{
		tableThroughput: 15, tableRoundTrip: 11, tableFan: 4, tableSubscriptions: 8,
		tablePeers: 2, tableMixed: 12, tableSenders: 8, tableCost: 4,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("targets by table: %v, want %v", got, want)
	}
}

func TestParse(t *testing.T) {
	got, err := parse([][]byte{
		[]byte(`{"op":"fan-sub","count":100,"subs":2,"seconds":0.5,"cpu_s":1}` + "\n"), []byte("bound tcp://127.0.0.1:1\n"),
		nil, []byte("text\n{\"least\":0.9}\n{\"cpu_s\":3}\n"),
	})
	want := sample{"count": 100, "subs": 2, "seconds": 0.5, "cpu_s": 4, "least": 0.9, runSeconds: 0.5, cpuPerMessage: 0.02}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	latency, err := parse([][]byte{[]byte(`{"count":1000,"oneway_us_mean":50}`)})
	if err != nil || latency[runSeconds] != 0.1 {
		t.Errorf("a thousand round trips: %v, %v", latency, err)
	}
	for _, text := range []string{"", "text", "{", `{"op":"a"}`} {
		if got, err := parse([][]byte{[]byte(text)}); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := figures.Median(test.values); got != test.want {
			t.Errorf("of %v: %v, want %v", test.values, got, test.want)
		}
	}
}

func entryOf(name, key string, values ...float64) entry {
	e := entry{Name: name}
	for _, value := range values {
		e.Samples = append(e.Samples, sample{key: value})
	}
	return e
}

func TestVerdicts(t *testing.T) {
	o := outcome{Entries: []entry{
		entryOf("ours", "k", 30, 10, 20), entryOf("a", "k", 8, 9, 10), entryOf("b", "k", 5, 5, 11),
		entryOf("bound", "k", 24, 24, 24), entryOf("other", "q", 1),
		{Name: "broken", Failure: "perf x: exit status 1\nbound tcp://127.0.0.1:1\nperf: out of | order\nmore"},
	}}
	higher := measure{key: "k", unit: "k/s", scale: 0.1}
	lower := measure{key: "k", unit: "µs", scale: 1, lower: true}
	for _, test := range []struct {
		figure figure
		want   string
	}{
		{
			figure{"", "more", higher, "ours", []string{"a", "b"}, "bound", 2},
			"more, k/s | 2.00 [1.00..3.00] | 0.90 [0.80..1.00] a | 2.00 | ≥ 2 | yes | 2.40 [2.40..2.40] | 0.83",
		},
		{
			figure{"", "more", higher, "ours", []string{"a", "b"}, "bound", 3},
			"more, k/s | 2.00 [1.00..3.00] | 0.90 [0.80..1.00] a | 2.00 | ≥ 3 | no; near the limit | 2.40 [2.40..2.40] | 0.83",
		},
		{
			figure{"", "more", higher, "a", []string{"ours"}, "bound", 3},
			"more, k/s | 0.90 [0.80..1.00] | 2.00 [1.00..3.00] ours | 0.50 | ≥ 3 | no | 2.40 [2.40..2.40] | 0.37",
		},
		{
			figure{"", "less", lower, "a", []string{"bound", "ours"}, "b", 0.5},
			"less, µs | 9.00 [8.00..10.0] | 20.0 [10.0..30.0] ours | 0.50 | ≤ 0.5 | yes | 5.00 [5.00..11.0] | 1.60",
		},
		{
			figure{"", "less", lower, "ours", []string{"a", "b"}, "bound", 0.5},
			"less, µs | 20.0 [10.0..30.0] | 5.00 [5.00..11.0] b | 2.00 | ≤ 0.5 | no; near the limit | 24.0 [24.0..24.0] | 0.83",
		},
		{
			figure{"", "alone", lower, "ours", nil, "", 0},
			"alone, µs | 20.0 [10.0..30.0] |  |  |  |  |  | ",
		},
		{
			figure{"", "alone", lower, "ours", nil, "", 1},
			"alone, µs | 20.0 [10.0..30.0] |  |  | ≤ 1 | no |  | ",
		},
		{
			figure{"", "gone", lower, "broken", []string{"a"}, "", 1},
			`gone, µs | **failed** (perf: out of \| order) | 9.00 [8.00..10.0] a |  | ≤ 1 |  |  | `,
		},
		{
			figure{"", "gone", lower, "ours", []string{"a", "broken"}, "", 1},
			`gone, µs | 20.0 [10.0..30.0] | **failed** (perf: out of \| order) broken |  | ≤ 1 |  |  | `,
		},
		{
			figure{"", "gone", lower, "ours", []string{"a"}, "broken", 9},
			`gone, µs | 20.0 [10.0..30.0] | 9.00 [8.00..10.0] a | 2.00 | ≤ 9 | yes | **failed** (perf: out of \| order) | `,
		},
		{
			figure{"", "gone", lower, "other", []string{"nobody"}, "", 1},
			"gone, µs | **failed** (no k in the report) | **failed** (not run) nobody |  | ≤ 1 |  |  | ",
		},
	} {
		if got := strings.Join(judge(test.figure, o).cells(), " | "); got != test.want {
			t.Errorf("\ngot  %s\nwant %s", got, test.want)
		}
	}
}

func TestHalfOfTheMixed(t *testing.T) {
	cell := func(ratio float64) verdict { return verdict{ours: &side{}, ratio: ratio} }
	for want, lines := range map[string][]verdict{
		"2 of 4 do, met.":     {cell(1.2), cell(1.19), cell(3), cell(1)},
		"1 of 3 do, not met.": {cell(1.2), cell(0.9), {ours: &side{err: errors.New("x")}, ratio: 9}},
	} {
		if got := mixedSummary(lines); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.00012345: "0.00012", 0.005: "0.005", 0.65: "0.65", 9.994: "9.99", 9.996: "10.0",
		12.34: "12.3", 99.96: "100", 28412.3: "28412",
	} {
		if got := figures.Number(value); got != want {
			t.Errorf("%v is %s, want %s", value, got, want)
		}
	}
}

// TestTurns holds a contest with programs that are none.
func TestTurns(t *testing.T) {
	var order []string
	r := runner{rounds: 3, seconds: 1, distance: func() time.Duration { return 100 }}
	r.execute = func(_ context.Context, binder, connecter []string, transport string) (sample, error) {
		order = append(order, binder[0])
		if binder[0] == "bad" && len(order) > 6 {
			return nil, errors.New("over")
		}
		if transport != "tcp" || strings.Join(connecter[1:4], " ") != "push -size 9" {
			t.Errorf("%s: %v over %s", binder[0], connecter, transport)
		}
		var count float64
		if _, err := fmt.Sscan(connecter[5], &count); err != nil || connecter[4] != "-count" {
			t.Errorf("%v: %v", connecter, err)
		}
		return sample{"count": count, runSeconds: count / 5000}, nil
	}
	result := r.hold(t.Context(), contest{
		name: "a", transport: "tcp", flags: "-size 9", counted: "-count", start: 10,
		contenders: []contender{{"good", "good pull", "good push"}, {"bad", "bad pull", "bad push"}},
	})
	if got, want := strings.Join(order, " "), "good good good bad bad bad good bad good good"; got != want {
		t.Errorf("order is %s, want %s", got, want)
	}
	good, bad := result.entry("good"), result.entry("bad")
	if good.Count != 5000 || len(good.Samples) != 3 || good.Failure != "" {
		t.Errorf("good: %+v", good)
	}
	if bad.Failure != "over" || len(bad.Samples) != 0 {
		t.Errorf("bad: %+v", bad)
	}
	if want := "good pull -size 9 -count 5000"; good.Command[0] != want {
		t.Errorf("command is %q, want %q", good.Command[0], want)
	}
}

// TestMovedCores holds rounds while the cores are moved; each run gives its number.
func TestMovedCores(t *testing.T) {
	for _, test := range []struct {
		name             string
		spare            time.Duration
		distances        string // before each round, then after each run
		runs             string // that count, of the first contender
		repeated, uneven int
	}{
		{"at rest", time.Hour, "nnn nnn", "1 3", 0, 0},
		{"far away", time.Hour, "fff fff", "1 3", 0, 0},
		{"between rounds", time.Hour, "nnn fff", "1 3", 0, 0},
		{"in a round", time.Hour, "nnn nfn nnn", "1 5", 1, 0},
		{"at its end", time.Hour, "nnf fff fnn nnn", "3 7", 2, 0},
		{"without time", 0, "nnn nfn", "1 3", 0, 1},
		{"all the time", time.Hour, "nfn nfn nfn nfn nnn", "7 9", 3, 1},
		{"almost twice", time.Hour, "nan ana", "1 3", 0, 0},
		{"twice", time.Hour, "ntn nnn nnn", "3 5", 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			looks := strings.ReplaceAll(test.distances, " ", "")
			after := map[float64]float64{} // in seconds, by run
			runs := 0.0
			r := runner{rounds: 2, spare: test.spare}
			r.distance = func() time.Duration {
				look := looks[0]
				looks = looks[1:]
				distance := map[byte]time.Duration{'n': 100, 'a': 199, 't': 200, 'f': 500}[look]
				if _, looked := after[runs]; !looked { // the next look is before another round
					after[runs] = distance.Seconds()
				}
				return distance
			}
			r.execute = func(context.Context, []string, []string, string) (sample, error) {
				runs++
				return sample{"count": runs}, nil
			}
			result := r.hold(t.Context(), contest{contenders: []contender{{"a", "a", ""}, {"b", "b", ""}}})
			counted := func(name string) string {
				var all []string
				for _, sample := range result.entry(name).Samples {
					all = append(all, fmt.Sprint(sample["count"]))
					if count := sample["count"]; sample[lineSeconds] != after[count] {
						t.Errorf("run %v has distance %v, want %v", count, sample[lineSeconds], after[count])
					}
				}
				return strings.Join(all, " ")
			}
			// Who begins changes from round to round: b runs first in the second.
			var first, second float64
			fmt.Sscan(test.runs, &first, &second)
			if got, want := counted("a")+", "+counted("b"), fmt.Sprint(first, " ", second+1, ", ", first+1, " ", second); got != want {
				t.Errorf("runs %s count, want %s", got, want)
			}
			if result.Repeated != test.repeated || result.Uneven != test.uneven {
				t.Errorf("%d rounds again, %d uneven, want %d and %d", result.Repeated, result.Uneven, test.repeated, test.uneven)
			}
			if looks != "" {
				t.Errorf("nobody looked at %q", looks)
			}
		})
	}
}

// TestFailedAgain holds rounds again. In one a contender fails: what it had before remains, and the other goes on.
func TestFailedAgain(t *testing.T) {
	distances := []time.Duration{100, 100, 100, 100, 500, 100, 100, 100, 100, 100, 500, 100, 100}
	r := runner{rounds: 3, spare: time.Hour}
	r.distance = func() time.Duration {
		distance := distances[0]
		distances = distances[1:]
		return distance
	}
	runs := map[string]float64{}
	r.execute = func(_ context.Context, binder, _ []string, _ string) (sample, error) {
		who := binder[0]
		if runs[who]++; who == "a" && runs[who] == 3 {
			return nil, errors.New("over")
		}
		return sample{"count": runs[who]}, nil
	}
	result := r.hold(t.Context(), contest{contenders: []contender{{"a", "a", ""}, {"b", "b", ""}}})
	a, b := result.entry("a"), result.entry("b")
	if len(a.Samples) != 1 || a.Failure != "over" || len(b.Samples) != 3 || b.Samples[2]["count"] != 5 || result.Repeated != 2 || len(distances) > 0 {
		t.Errorf("%+v, and nobody looked at %v", result, distances)
	}
}

// stubResults has a sample with every key for every contender.
func stubResults() *results {
	r := &results{Plan: wholePlan(), Command: "go run ./compare", Rounds: "none"}
	for i, c := range r.Plan.contests() {
		o := outcome{Contest: c.name}
		for j, contender := range c.contenders {
			e := entry{Name: contender.name}
			for round := range 3 {
				s := sample{}
				for _, key := range keys() {
					s[key] = float64(100 + i + 10*j + round)
				}
				e.Samples = append(e.Samples, s)
			}
			o.Entries = append(o.Entries, e)
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	return r
}

func keys() []string {
	var all []string
	for _, c := range wholePlan().contests() {
		for _, f := range c.figures {
			all = append(all, f.key)
		}
	}
	for _, q := range quantiles() {
		all = append(all, q.key)
	}
	for _, d := range drawings() {
		all = append(all, d.measure.key)
	}
	return all
}

// TestRedraw makes everything twice: from a run, and from the file it left.
func TestRedraw(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	if err := stubResults().write(folder); err != nil {
		t.Fatal(err)
	}
	page := read(t, filepath.Join(folder, "RESULTS.md"))
	for _, table := range tables() {
		if !strings.Contains(page, "\n## "+table.heading+"\n") {
			t.Errorf("no table %s", table.heading)
		}
	}
	for _, drawing := range drawings() {
		if !strings.Contains(page, "(plots/"+drawing.name+".svg)") {
			t.Errorf("no link to %s", drawing.name)
		}
		if text := read(t, filepath.Join(folder, "plots", drawing.name+".svg")); !strings.Contains(text, drawing.title) {
			t.Errorf("%s has no title", drawing.name)
		}
	}
	if err := (settings{redraw: true, folder: folder}).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := read(t, filepath.Join(folder, "RESULTS.md")); again != page {
		t.Error("the page is another when it is made again")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMissingStays shows a page of which most has not been measured.
func TestMissingStays(t *testing.T) {
	r := stubResults()
	r.Outcomes = r.Outcomes[:1]
	r.Outcomes[0].Entries[1] = entry{Name: libzmq1, Failure: "libzmq thr-pull: exit status 1\nperf: bind"}
	folder := t.TempDir()
	if err := r.write(folder); err != nil {
		t.Fatal(err)
	}
	page := read(t, filepath.Join(folder, "RESULTS.md"))
	for _, want := range []string{"**failed** (perf: bind) " + libzmq1, "**1 contenders failed**", "## " + tableThroughput} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "## "+tableFan) || strings.Contains(page, "latency-tcp") {
		t.Errorf("the page has what was not measured:\n%s", page)
	}
}

// TestMeasure runs the programs, for next to no time, and looks at the form of
// what comes out.
func TestMeasure(t *testing.T) {
	folder := t.TempDir()
	s := settings{rounds: 1, seconds: 0.001, folder: folder, quick: true}
	s.only = `^tcp mixed 10 B$|^tcp idle peers \d\d?$|^inproc allocations`
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	page := read(t, filepath.Join(folder, "RESULTS.md"))
	for _, want := range []string{
		"A quick run", "libzmq to zwire", " idle peers", "Send and Messages", "plots/memory.svg", "load average",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "failed") {
		t.Errorf("something failed:\n%s", page)
	}
	if text := read(t, filepath.Join(folder, "RESULTS.json")); !strings.Contains(text, `"samples"`) {
		t.Errorf("RESULTS.json: %s", text)
	}
}

// TestWhereResultsGo keeps a part of a run from replacing a whole one.
func TestWhereResultsGo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, test := range map[string]struct {
		settings    settings
		interrupted bool
		want        string // none: a new one
	}{
		"all":                        {settings{}, false, "bench"},
		"all elsewhere":              {settings{folder: "a"}, false, "a"},
		"quick":                      {settings{quick: true}, false, ""},
		"some":                       {settings{only: "tcp"}, false, ""},
		"quick and some elsewhere":   {settings{quick: true, only: "tcp", folder: "a"}, false, "a"},
		"all, interrupted":           {settings{}, true, ""},
		"all elsewhere, interrupted": {settings{folder: "a"}, true, ""},
	} {
		got, err := test.settings.target("bench", test.interrupted)
		if err != nil {
			t.Fatal(err)
		}
		if test.want != "" && got != test.want {
			t.Errorf("%s: into %s, want %s", name, got, test.want)
		}
		if test.want == "" && filepath.Dir(got) != os.TempDir() {
			t.Errorf("%s: into %s, want a new folder", name, got)
		}
	}
}
