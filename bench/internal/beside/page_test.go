// SPDX-License-Identifier: Apache-2.0

package beside

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func aProgram() *Program[int] {
	return &Program[int]{
		Name: "thing", Title: "Thing beside other", Anchor: "thing", Rival: "other", Server: "Server", Module: "example.org/other", Stores: "files are",
		Figures: func(int) []Figure {
			return []Figure{
				{Table: "Rates", Work: "more is better", Scene: "one", Key: "rate", Scale: 1e-3, Target: 5},
				{Table: "Rates", Work: "less is better", Scene: "one", Key: "time", Scale: 1e3, Target: 0.5, Lower: true},
				{Table: "Rates", Work: "without a target", Scene: "one", Key: "time", Scale: 1},
				{Table: "Shares", Work: "alone", Scene: "two", Key: "share", Scale: 1, Most: 1.2},
				{Table: "Not held", Work: "nothing", Scene: "three", Key: "share", Scale: 1},
			}
		},
		Rounds: func(int) string { return "rounds: 2" },
		Intro:  func(int) string { return "How it was." },
		Note: func(_ int, table string) string {
			if table == "Shares" {
				return "Shares of all."
			}
			return ""
		},
	}
}

func someResults() *Results[int] {
	return &Results[int]{Beside: "7", Outcomes: []Outcome{
		{Scene: "one", Entries: []Entry{
			{Name: Own, Samples: []Sample{{"rate": 10_000, "time": 0.003}, {"rate": 30_000, "time": 0.001}}},
			{Name: "other", Samples: []Sample{{"rate": 4_000, "time": 0.003}}},
		}},
		{Scene: "two", Entries: []Entry{{Name: Own, Samples: []Sample{{"share": 1.25}}}}},
	}}
}

func TestPage(t *testing.T) {
	r := someResults()
	var page bytes.Buffer
	aProgram().WritePage(&page, r)
	for _, line := range []string{
		"# Thing beside other\n", "Server 7, example.org/other", "- rounds: 2; the run took 0.0 minutes\n\nHow it was.\n\n## Rates\n\n| work | zwire | other |",
		"| more is better | 20.0 [10.0..30.0] | 4.00 [4.00..4.00] | 5.00 | ≥ 5 | yes |\n",
		"| less is better | 2.00 [1.00..3.00] | 3.00 [3.00..3.00] | 0.67 | ≤ 0.5 | no |\n",
		"| without a target | 0.002 [0.001..0.003] | 0.003 [0.003..0.003] | 0.67 |  |  |\n",
		"## Shares\n\nShares of all.\n\n| work", "| alone | 1.25 [1.25..1.25] |  |  | zwire ≤ 1.2 | no |\n",
	} {
		if !strings.Contains(page.String(), line) {
			t.Errorf("the page lacks %q:\n%s", line, &page)
		}
	}
	if strings.Contains(page.String(), "Not held") || r.Failure() != nil {
		t.Errorf("%v\n%s", r.Failure(), &page)
	}
	r.Outcomes[0].Entries[1].Failure = "a|b\nc"
	page.Reset()
	aProgram().WritePage(&page, r)
	if !strings.Contains(page.String(), "**failed** (a\\|b; c)") || r.Failure() == nil {
		t.Errorf("the failure is not told:\n%s", &page)
	}
}

// TestFiles: what was written is read again, and the page is drawn.
func TestFiles(t *testing.T) {
	p, folder := aProgram(), t.TempDir()
	if err := p.write(someResults(), folder); err != nil {
		t.Fatal(err)
	}
	r, err := p.read(folder)
	if err != nil || !reflect.DeepEqual(r, someResults()) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "THING.md")); err != nil {
		t.Error(err)
	}
}

// TestHold: who begins changes from round to round, and who has failed is out.
func TestHold(t *testing.T) {
	var turns []string
	scene := Scene{Name: "one", Rounds: 3, Hold: func(_ context.Context, who, _ string) (Sample, error) {
		turns = append(turns, who)
		if who == "other" && len(turns) > 2 {
			return nil, errors.New("no")
		}
		return Sample{"rate": 1}, nil
	}}
	o := hold(t.Context(), scene, []string{Own, "other"}, "")
	if got := strings.Join(turns, " "); got != "zwire other other zwire zwire" || len(o.Entries[0].Samples) != 3 || o.Entries[1].Failure != "no" {
		t.Errorf("%s, %+v", got, o)
	}
}

func TestContenders(t *testing.T) {
	p, r := aProgram(), &Results[int]{}
	for _, version := range []error{nil, errors.New("not there")} {
		p.Version = func(context.Context) (string, error) { return "7", version }
		for who, want := range map[string]string{"": "zwire other", Own: Own, "other": "other", "nobody": ""} {
			if version != nil && who == "" {
				want = Own
			}
			found, err := p.contenders(t.Context(), who, r)
			if got := strings.Join(found, " "); got != want || (err != nil) != (who == "nobody" || who == "other" && version != nil) {
				t.Errorf("%q: %s, %v", who, got, err)
			}
		}
	}
}
