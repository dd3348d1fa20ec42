// SPDX-License-Identifier: Apache-2.0

// Pool measures patterns/workpool beside asynq on Redis, on the same work and in turns, and writes POOL.md and POOL.json in bench;
// with -quick, -only, -who, -producers or -rounds in a temporary folder, unless -out names another.
//
//	go run ./pool                     everything, in less than eight minutes
//	go run ./pool -quick              everything, smaller and once, in about one
//	go run ./pool -only tcp/durable   the scenes whose name matches
//	go run ./pool -redraw             the page from POOL.json
//
// scenes.go says what is measured, ours.go and redis.go of whom, page.go how it is shown. Redis and remote workers are processes of
// their own. Exit status 1: somebody failed, and the page says who.
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
	"syscall"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/duel"
	"github.com/zwire-mq/zwire/bench/internal/machine"
)

// roleWorkers makes this program a child of itself: contender, endpoint, number of workers, file of a profile
const roleWorkers = "workers"

// settings are the values of the flags.
type settings struct {
	quick, redraw                  bool
	rounds, producers              int
	only, who, folder, profilesDir string
}

func main() {
	if role := os.Args[1:]; len(role) == 5 && role[0] == roleWorkers {
		exit(serveWorkers(role[1], role[2], role[3], role[4]))
	}
	var s settings
	flag.BoolVar(&s.quick, "quick", false, "fewer, shorter and smaller measurements")
	flag.BoolVar(&s.redraw, "redraw", false, "measure nothing; the page from POOL.json")
	flag.IntVar(&s.rounds, "rounds", 0, "how often each scene is held (default 3, the skewed load 2; with -quick 1)")
	flag.IntVar(&s.producers, "producers", 0, "how many submit tasks (default 64): durable ones go to disk together")
	flag.StringVar(&s.only, "only", "", "hold only the scenes whose name matches this `regexp`: (process|tcp)/(memory|durable)/workers, skew")
	flag.StringVar(&s.who, "who", "", "measure only this one: zwire or asynq")
	flag.StringVar(&s.folder, "out", "", "`folder` of the results")
	flag.StringVar(&s.profilesDir, "profiles", "", "write profiles of zwire's processes into this `folder`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := s.run(ctx)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "pool: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
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
	wanted, err := regexp.Compile(s.only)
	if err != nil {
		return err
	}
	start := time.Now()
	r := results{
		Machine: machine.Look(ctx, bench, start), Plan: s.plan(), Disk: machine.FileSystem(os.TempDir()),
		Command: strings.Join(append([]string{"go run ./pool"}, os.Args[1:]...), " "),
	}
	contenders, err := s.contenders(ctx, &r)
	if err != nil {
		return err
	}
	for _, scene := range r.Plan.scenes() {
		if wanted.MatchString(scene.name) && ctx.Err() == nil {
			r.Outcomes = append(r.Outcomes, s.hold(ctx, scene, r.Plan, contenders))
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	r.Minutes = time.Since(start).Minutes()
	folder, err := s.target(bench)
	if err != nil {
		return err
	}
	if err := r.write(folder); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "results are in %s\n", folder)
	return r.failure()
}

func (s settings) plan() plan {
	p := wholePlan()
	if s.quick {
		p = quickPlan()
	}
	if s.rounds > 0 {
		p.Rounds, p.SkewRounds = s.rounds, s.rounds
	}
	if s.producers > 0 {
		p.Producers = s.producers
	}
	return p
}

// contenders are ours alone where there is no Redis.
func (s settings) contenders(ctx context.Context, r *results) ([]contender, error) {
	if s.who == (ours{}).name() {
		return []contender{ours{}}, nil
	}
	version, err := redisVersion(ctx)
	r.Redis = version
	switch {
	case s.who != "":
		c, unknown := contenderOf(s.who)
		return []contender{c}, errors.Join(unknown, err)
	case err != nil:
		fmt.Fprintf(os.Stderr, "pool: %v; measuring zwire alone\n", err)
		return []contender{ours{}}, nil
	}
	return []contender{ours{}, redisQueue{}}, nil
}

// target is where the results go: only a whole run replaces what bench has.
func (s settings) target(bench string) (string, error) {
	switch {
	case s.folder != "":
		return s.folder, os.MkdirAll(s.folder, 0o755)
	case s.quick || s.only != "" || s.who != "" || s.rounds > 0 || s.producers > 0:
		return os.MkdirTemp("", "pool-results")
	}
	return bench, nil
}

// hold changes who begins from round to round. Who has failed once is out.
func (s settings) hold(ctx context.Context, scene scene, p plan, contenders []contender) outcome {
	o := outcome{Scene: scene.name, Entries: make([]entry, len(contenders))}
	for i, c := range contenders {
		o.Entries[i] = entry{Name: c.name(), Samples: []sample{}}
	}
	for round := range scene.rounds {
		for turn := range contenders {
			i := (round + turn) % len(contenders)
			e := &o.Entries[i]
			if e.Failure != "" || ctx.Err() != nil {
				continue
			}
			began := time.Now()
			found, err := scene.hold(ctx, contenders[i], p, s.profilesDir)
			if err != nil {
				e.Failure = err.Error()
				fmt.Fprintf(os.Stderr, "%s, %s: %v\n", scene.name, e.Name, err)
				continue
			}
			e.Samples = append(e.Samples, found)
			fmt.Fprintf(os.Stderr, "%5.1f s  %s, %s, round %d\n", time.Since(began).Seconds(), scene.name, e.Name, round+1)
		}
	}
	return o
}
