// SPDX-License-Identifier: Apache-2.0

// Package beside is what the programs have in common that measure a pattern of zwire beside a rival, on the same work and in turns, and
// write a page about it.
package beside

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

// Own is the name of zwire among the contenders.
const Own = "zwire"

// A Program measures by plans of type P.
type Program[P any] struct {
	Name   string // of its folder; results are in files with this name
	Title  string // of the page
	Anchor string // in README.md, of how it is measured
	Rival  string // the name of the other contender
	Server string // what the rival runs on, for people
	Module string // of the rival's client
	Stores string // whose files are in the system's temporary folder, with the verb

	// Version is that of the rival's server; an error: it is not there.
	Version func(context.Context) (string, error)
	Plan    func(Flags) P
	Scenes  func(P) []Scene
	Figures func(P) []Figure
	// Rounds, Intro and Note tell on the page how often, what, and what of one table.
	Rounds, Intro func(P) string
	Note          func(p P, table string) string

	RoundsUsage, ScenesUsage string // for -help
}

// Flags are those of all such programs.
type Flags struct {
	Quick, Redraw               bool
	Rounds                      int
	Only, Who, Folder, Profiles string

	whole bool // nothing is left out: only such results replace what bench has
}

// A Scene is measured with a server of its own in each round.
type Scene struct {
	Name   string
	Rounds int
	// Hold measures a contender once. Profiles, of zwire alone, go into a folder, unless its name is empty.
	Hold func(ctx context.Context, contender, profiles string) (Sample, error)
}

// Main reads the command line, does what it says, and exits: 1 if somebody has failed.
func (p *Program[P]) Main() {
	var f Flags
	upper := strings.ToUpper(p.Name)
	flag.BoolVar(&f.Quick, "quick", false, "fewer, shorter and smaller measurements")
	flag.BoolVar(&f.Redraw, "redraw", false, "measure nothing; the page from "+upper+".json")
	flag.IntVar(&f.Rounds, "rounds", 0, "how often each scene is held ("+p.RoundsUsage+"; with -quick 1)")
	flag.StringVar(&f.Only, "only", "", "hold only the scenes whose name matches this `regexp`: "+p.ScenesUsage)
	flag.StringVar(&f.Who, "who", "", "measure only this one: "+Own+" or "+p.Rival)
	flag.StringVar(&f.Folder, "out", "", "`folder` of the results")
	flag.StringVar(&f.Profiles, "profiles", "", "write profiles of zwire's processes into this `folder`")
	flag.Parse()
	f.whole = true
	flag.Visit(func(given *flag.Flag) {
		f.whole = f.whole && (given.Name == "out" || given.Name == "redraw" || given.Name == "profiles")
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := p.run(ctx, f)
	stop()
	p.Exit(err)
}

// Exit ends the program, or a child of it.
func (p *Program[P]) Exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (p *Program[P]) run(ctx context.Context, f Flags) error {
	bench, err := duel.Folder(ctx)
	if err != nil {
		return err
	}
	if f.Redraw {
		folder := cmp.Or(f.Folder, bench)
		r, err := p.read(folder)
		if err != nil {
			return err
		}
		return p.draw(r, folder)
	}
	wanted, err := regexp.Compile(f.Only)
	if err != nil {
		return err
	}
	start := time.Now()
	r := Results[P]{
		Machine: machine.Look(ctx, bench, start), Plan: p.Plan(f), Disk: machine.FileSystem(os.TempDir()),
		Command: strings.Join(append([]string{"go run ./" + p.Name}, os.Args[1:]...), " "),
	}
	contenders, err := p.contenders(ctx, f.Who, &r)
	if err != nil {
		return err
	}
	for _, scene := range p.Scenes(r.Plan) {
		if wanted.MatchString(scene.Name) && ctx.Err() == nil {
			r.Outcomes = append(r.Outcomes, hold(ctx, scene, contenders, f.Profiles))
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	r.Minutes = time.Since(start).Minutes()
	folder, err := p.target(f, bench)
	if err != nil {
		return err
	}
	if err := p.write(&r, folder); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "results are in %s\n", folder)
	return r.Failure()
}

// contenders are zwire alone where the rival is not there.
func (p *Program[P]) contenders(ctx context.Context, who string, r *Results[P]) ([]string, error) {
	switch who {
	case Own:
		return []string{Own}, nil
	case "", p.Rival:
	default:
		return nil, fmt.Errorf("no contender is called %q", who)
	}
	version, err := p.Version(ctx)
	r.Beside = version
	switch {
	case who != "":
		return []string{who}, err
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v; measuring %s alone\n", p.Name, err, Own)
		return []string{Own}, nil
	}
	return []string{Own, p.Rival}, nil
}

func (p *Program[P]) target(f Flags, bench string) (string, error) {
	switch {
	case f.Folder != "":
		return f.Folder, os.MkdirAll(f.Folder, 0o755)
	case !f.whole:
		return os.MkdirTemp("", p.Name+"-results")
	}
	return bench, nil
}

// hold changes who begins from round to round. Who has failed once is out.
func hold(ctx context.Context, scene Scene, contenders []string, profiles string) Outcome {
	o := Outcome{Scene: scene.Name, Entries: make([]Entry, len(contenders))}
	for i, name := range contenders {
		o.Entries[i] = Entry{Name: name, Samples: []Sample{}}
	}
	for round := range scene.Rounds {
		for turn := range contenders {
			e := &o.Entries[(round+turn)%len(contenders)]
			if e.Failure != "" || ctx.Err() != nil {
				continue
			}
			began := time.Now()
			found, err := scene.Hold(ctx, e.Name, profiles)
			if err != nil {
				e.Failure = err.Error()
				fmt.Fprintf(os.Stderr, "%s, %s: %v\n", scene.Name, e.Name, err)
				continue
			}
			e.Samples = append(e.Samples, found)
			fmt.Fprintf(os.Stderr, "%5.1f s  %s, %s, round %d\n", time.Since(began).Seconds(), scene.Name, e.Name, round+1)
		}
	}
	return o
}
