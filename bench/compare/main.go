// SPDX-License-Identifier: Apache-2.0

// Compare measures the library beside libzmq and others, in processes of their
// own that take turns, and writes RESULTS.md, RESULTS.json and plots/ in bench;
// with -quick or -only in a temporary folder, unless -out names another.
//
//	go run ./compare                          everything, in less than twenty minutes
//	go run ./compare -quick                   everything, in less than two, to look at
//	go run ./compare -only 'tcp throughput'   the contests whose name matches
//	go run ./compare -list                    their names
//	go run ./compare -redraw                  page and plots from RESULTS.json
//
// rows.go and crowds.go say what is measured, runner.go how; verdict.go,
// table.go and plots.go make of it what is shown. Exit status 1: some program
// failed, and the tables say which.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/duel"
	"github.com/zwire-mq/zwire/bench/internal/machine"
)

const (
	defaultRounds   = 5
	roundTripRounds = 9
	senderRounds    = 9 // over tcp at 1 kB their number changes nothing: with five rounds it was 0.96 to 1.02
	rivalRounds     = 3
	rivalSeconds    = 1
	defaultSeconds  = 0.6
	wholeLimit      = 20 * time.Minute
	wholeSpare      = 6 * time.Minute

	quickRounds  = 1
	quickSeconds = 0.15
	quickLimit   = 2 * time.Minute
)

// settings are the values of the flags.
type settings struct {
	quick, redraw, list bool
	rounds              int
	seconds             float64
	only, folder        string
}

func main() {
	var s settings
	flag.BoolVar(&s.quick, "quick", false, "fewer, shorter and smaller measurements")
	flag.BoolVar(&s.redraw, "redraw", false, "measure nothing; page and plots from RESULTS.json")
	flag.BoolVar(&s.list, "list", false, "print the names of the contests")
	flag.IntVar(&s.rounds, "rounds", 0, "measurements of each contender (default 5; 9 of round trips and of several senders, 3 of other Go libraries)")
	flag.Float64Var(&s.seconds, "seconds", 0, "rough length of one measurement (default 0.6)")
	flag.StringVar(&s.only, "only", "", "hold only the contests whose name matches this `regexp`")
	flag.StringVar(&s.folder, "out", "", "`folder` of the results (default: that of the module bench; with -quick or -only a new temporary one)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := s.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(1)
	}
}

func (s settings) run(ctx context.Context) error {
	bench, err := duel.Folder(ctx)
	if err != nil {
		return err
	}
	if s.redraw {
		folder := cmp.Or(s.folder, bench)
		r, err := readResults(folder)
		if err != nil {
			return err
		}
		return r.draw(folder)
	}
	plan, err := s.plan()
	if err != nil {
		return err
	}
	if s.list {
		for _, contest := range plan.contests() {
			fmt.Println(contest.name)
		}
		return nil
	}
	return s.compare(ctx, bench, plan)
}

func (s settings) plan() (plan, error) {
	p := plan{Quick: s.quick, Peers: 10_000, Subscriptions: 1_000_000}
	if s.quick {
		p.Peers, p.Subscriptions = 1000, 100_000
	}
	var err error
	p.Peers, err = peersThatFit(p.Peers)
	return p, err
}

// compare measures and writes what it has, also when the time is over. Once
// interrupted, it leaves out the contest that was being held, and overwrites nothing.
func (s settings) compare(ctx context.Context, bench string, plan plan) error {
	start := time.Now()
	wanted, err := regexp.Compile(s.only)
	if err != nil {
		return err
	}
	place, err := look(ctx, bench, start)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	programs := &programs{folder: scratch, built: map[string]built{}}
	for _, name := range []string{"perf", "libzmq"} { // without others only their lines fail
		if _, err := programs.path(ctx, name); err != nil {
			return err
		}
	}
	runner := s.runner(programs.execute)
	r := results{
		Machine: place, Plan: plan, Rounds: runner.String(),
		Command: strings.Join(append([]string{"go run ./compare"}, os.Args[1:]...), " "),
	}
	limited, cancel := context.WithDeadline(ctx, start.Add(s.mostTime()))
	defer cancel()
	for _, contest := range plan.contests() {
		if !wanted.MatchString(contest.name) {
			continue
		}
		began := time.Now()
		outcome := runner.hold(limited, contest)
		if ctx.Err() != nil {
			break
		}
		r.Outcomes = append(r.Outcomes, outcome)
		fmt.Fprintf(os.Stderr, "%5.1f s  %s\n", time.Since(began).Seconds(), contest.name)
	}
	if len(r.Outcomes) == 0 {
		return errors.New("no contest was held")
	}
	r.Minutes = time.Since(start).Minutes()
	interrupted := ctx.Err() != nil
	folder, err := s.target(bench, interrupted)
	if err != nil {
		return err
	}
	if err := r.write(folder); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "results are in %s\n", folder)
	if interrupted {
		return errors.New("interrupted")
	}
	fmt.Println(summary(r.verdicts(), r.failures()))
	if failures := r.failures(); failures > 0 {
		return fmt.Errorf("%d contenders failed", failures)
	}
	return nil
}

// target is where the results go: what bench has is replaced by a run of all
// contests alone, and nothing by an interrupted one.
func (s settings) target(bench string, interrupted bool) (string, error) {
	switch {
	case interrupted || s.folder == "" && (s.quick || s.only != ""):
		return os.MkdirTemp("", "compare-results")
	case s.folder != "":
		return s.folder, nil
	}
	return bench, nil
}

func (s settings) mostTime() time.Duration {
	if s.quick {
		return quickLimit
	}
	return wholeLimit
}

func (s settings) runner(execute executor) *runner {
	r := &runner{rounds: s.rounds, seconds: s.seconds, quick: s.quick, execute: execute, distance: machine.Distance}
	switch {
	case s.seconds > 0:
	case s.quick:
		r.seconds = quickSeconds
	default:
		r.seconds = defaultSeconds
	}
	if s.quick && r.rounds == 0 {
		r.rounds = quickRounds
	}
	if !s.quick {
		r.spare = wholeSpare
	}
	return r
}
