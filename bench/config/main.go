// SPDX-License-Identifier: Apache-2.0

// Config measures patterns/config beside etcd, on the same work and in turns, and writes CONFIG.md and CONFIG.json in bench; with
// -quick, -only or -rounds in a temporary folder, unless -out names another.
//
//	go run ./config                   everything, in less than ten minutes
//	go run ./config -quick            everything, smaller and once, in about one
//	go run ./config -only crowd       one scene
//	go run ./config -redraw           the page from CONFIG.json
//
// scenes.go says what is measured, ours.go and etcd.go of whom, page.go how it is shown. Server and nodes are processes of their own.
// Exit status 1: somebody failed, and the page says who.
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

// roles of this program as a child of itself
const (
	roleAuthority = "authority" // and the path of its store
	roleNodes     = "nodes"     // and the contender, and the endpoint of the server
)

// settings are the values of the flags.
type settings struct {
	quick, redraw                  bool
	rounds                         int
	only, who, folder, profilesDir string
}

func main() {
	if role := os.Args[1:]; len(role) > 0 && (role[0] == roleAuthority || role[0] == roleNodes) {
		exit(asChild(role))
	}
	var s settings
	flag.BoolVar(&s.quick, "quick", false, "fewer, shorter and smaller measurements")
	flag.BoolVar(&s.redraw, "redraw", false, "measure nothing; the page from CONFIG.json")
	flag.IntVar(&s.rounds, "rounds", 0, "how often each scene is held (default 5; with -quick 1)")
	flag.StringVar(&s.only, "only", "", "hold only the scenes whose name matches this `regexp`: crowd, joining, writers")
	flag.StringVar(&s.who, "who", "", "measure only this one: zwire or etcd")
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
		fmt.Fprintf(os.Stderr, "config: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func asChild(role []string) error {
	switch {
	case role[0] == roleAuthority && len(role) == 2:
		return authority(role[1])
	case role[0] == roleNodes && len(role) == 3:
		return serveNodes(role[1], role[2])
	}
	return fmt.Errorf("%q: this program starts itself so", role)
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
		Command: strings.Join(append([]string{"go run ./config"}, os.Args[1:]...), " "),
	}
	contenders, err := s.contenders(ctx, &r)
	if err != nil {
		return err
	}
	for _, scene := range scenes() {
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
		p.Rounds = s.rounds
	}
	return p
}

// contenders are ours alone where there is no etcd.
func (s settings) contenders(ctx context.Context, r *results) ([]contender, error) {
	if s.who != "" {
		c, err := contenderOf(s.who)
		return []contender{c}, err
	}
	version, err := etcdVersion(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "config: %v; measuring zwire alone\n", err)
		return []contender{ours{}}, nil
	}
	r.Etcd = version
	return []contender{ours{}, etcd{}}, nil
}

// target is where the results go: only a whole run replaces what bench has.
func (s settings) target(bench string) (string, error) {
	switch {
	case s.folder != "":
		return s.folder, os.MkdirAll(s.folder, 0o755)
	case s.quick || s.only != "" || s.who != "" || s.rounds > 0:
		return os.MkdirTemp("", "config-results")
	}
	return bench, nil
}

// hold changes who begins from round to round. Who has failed once is out.
func (s settings) hold(ctx context.Context, scene scene, p plan, contenders []contender) outcome {
	o := outcome{Scene: scene.name, Entries: make([]entry, len(contenders))}
	for i, c := range contenders {
		o.Entries[i] = entry{Name: c.name(), Samples: []sample{}}
	}
	for round := range p.Rounds {
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
