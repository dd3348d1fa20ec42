// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// settings are the values of the flags.
type settings struct {
	endpoint    string
	size        int
	count       int
	subscribers int
	highWater   int // 0: no limit
	loops       int // 0: the library's default
	iterate     bool
	timeout     time.Duration
}

// An operation names the flags that it takes besides those that all take.
type operation struct {
	name      string
	endpoint  string // "bind", "connect" or, with neither, ""
	sized     bool
	fans      bool
	highWater int
	run       func(context.Context, *probe) (report any, err error)
}

func operations() []operation {
	return []operation{
		{"thr-pull", "bind", true, false, 1000, throughputPull},
		{"thr-push", "connect", true, false, 1000, throughputPush},
		{"lat-rep", "bind", true, false, 1000, latencyReply},
		{"lat-req", "connect", true, false, 1000, latencyRequest},
		{"fan-pub", "bind", true, true, 0, fanPublish},
		{"fan-sub", "connect", true, true, 0, fanSubscribe},
		{"inproc-thr", "", true, false, 1000, inprocThroughput},
		{"inproc-lat", "", true, false, 1000, inprocLatency},
		{"conns-router", "bind", false, false, 1000, peersRouter},
		{"conns-dealer", "connect", false, false, 1000, peersDealer},
	}
}

func (o operation) usage() string {
	text := "perf " + o.name
	if o.endpoint != "" {
		text += " -" + o.endpoint + " EP"
	}
	if o.sized {
		text += " -size B"
	}
	text += " -count N"
	if o.fans {
		text += " -subs K"
	}
	return text
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "usage:")
	for _, operation := range operations() {
		fmt.Fprintln(w, "  "+operation.usage())
	}
	fmt.Fprintln(w, "flags: -hwm H, -loops L, -recv into|iter, -timeout D; perf OPERATION -help explains them")
}

// parseFlags has already told stderr what it has to say about usage when it
// returns an error.
func parseFlags(arguments []string, stderr io.Writer) (operation, settings, error) {
	if len(arguments) == 0 {
		printUsage(stderr)
		return operation{}, settings{}, errors.New("no operation")
	}
	switch arguments[0] {
	case "-h", "-help", "--help":
		printUsage(stderr)
		return operation{}, settings{}, flag.ErrHelp
	}
	for _, operation := range operations() {
		if operation.name == arguments[0] {
			parsed, err := parseOperation(operation, arguments[1:], stderr)
			return operation, parsed, err
		}
	}
	printUsage(stderr)
	return operation{}, settings{}, fmt.Errorf("unknown operation %q", arguments[0])
}

func parseOperation(operation operation, arguments []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet(operation.name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: "+operation.usage()+" [flags]")
		flags.PrintDefaults()
	}
	if operation.endpoint != "" {
		flags.StringVar(&s.endpoint, operation.endpoint, "", "`endpoint` to "+operation.endpoint)
	}
	if operation.sized {
		flags.IntVar(&s.size, "size", -1, "`bytes` of every message")
	}
	if operation.fans {
		flags.IntVar(&s.subscribers, "subs", 0, "`number` of subscribers")
	}
	flags.IntVar(&s.count, "count", 0, "`number` of messages, exchanges or peers")
	flags.IntVar(&s.highWater, "hwm", operation.highWater, "high-water mark, both directions; 0: none")
	flags.IntVar(&s.loops, "loops", 0, "I/O loops; 0: the library's default")
	flags.DurationVar(&s.timeout, "timeout", time.Minute, "limit for the whole run")
	receive := flags.String("recv", "into", "`how` to receive: into or iter")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	s.iterate = *receive == "iter"
	if *receive != "into" && *receive != "iter" {
		return s, fmt.Errorf("-recv is %q, want into or iter", *receive)
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected %q", strings.Join(flags.Args(), " "))
	}
	return s, s.check(operation)
}

func (s *settings) check(operation operation) error {
	switch {
	case operation.endpoint != "" && s.endpoint == "":
		return fmt.Errorf("-%s is missing", operation.endpoint)
	case operation.sized && (s.size < 0 || s.size > math.MaxInt32):
		return fmt.Errorf("-size is missing or not from 0 to %d", math.MaxInt32)
	case s.count < 1:
		return errors.New("-count is missing or less than 1")
	case operation.fans && s.subscribers < 1:
		return errors.New("-subs is missing or less than 1")
	case s.highWater < 0:
		return errors.New("-hwm is negative")
	case s.loops < 0:
		return errors.New("-loops is negative")
	case s.timeout <= 0:
		return errors.New("-timeout is not positive")
	}
	return nil
}
