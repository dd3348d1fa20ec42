// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/bench/internal/program"
)

// A limit is one run of one operation.
type limit struct {
	endpoint    string
	size        int
	count       int
	batch       int
	subscribers int
	each        int
	timeout     time.Duration
	stderr      io.Writer
}

// Of the two operations with one name, the endpoint's flag tells which is meant.
type operation struct {
	name     string
	endpoint string // "bind", "connect" or, with neither, ""
	takes    string // flags besides those that all take, separated by spaces
	run      func(*limit) (figures.Report, error)
}

func operations() []operation {
	return []operation{
		{"thr-pull", "bind", "size batch", throughputPull},
		{"thr-push", "connect", "size batch", throughputPush},
		{"lat-rep", "bind", "size", latencyReply},
		{"lat-req", "connect", "size", latencyRequest},
		{"inproc-thr", "", "size", inprocThroughput},
		{"inproc-lat", "", "size", inprocLatency},
		{"fan-pub", "bind", "size subs batch", fanPublish},
		{"fan-sub", "connect", "size subs batch", fanSubscribe},
		{"conns-echo", "bind", "each", echoAll},
		{"conns-echo", "connect", "each", echoAsk},
	}
}

func (o operation) key() (name, endpoint string) { return o.name, o.endpoint }

func (o operation) has(name string) bool {
	return slices.Contains(strings.Fields(o.takes), name)
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, `usage:
  limit thr-pull -bind EP -size B -count N [-batch M]   limit thr-push -connect EP -size B -count N [-batch M]
  limit lat-rep -bind EP -size B -count N               limit lat-req -connect EP -size B -count N
  limit inproc-thr -size B -count N                     limit inproc-lat -size B -count N
  limit fan-pub -bind EP -size B -count N -subs K [-batch M]
  limit fan-sub -connect EP -size B -count N -subs K [-batch M]
  limit conns-echo -bind EP -count K -each N            limit conns-echo -connect EP -count K -each N
limit OPERATION -help explains the flags
`)
}

func parseFlags(arguments []string, stderr io.Writer) (operation, *limit, error) {
	if len(arguments) == 0 {
		printUsage(stderr)
		return operation{}, nil, errors.New("no operation")
	}
	switch arguments[0] {
	case "-h", "-help", "--help":
		printUsage(stderr)
		return operation{}, nil, flag.ErrHelp
	}
	if operation, found := program.Choose(operations(), arguments[0], arguments[1:], operation.key); found {
		limit, err := parseOperation(operation, arguments[1:], stderr)
		return operation, limit, err
	}
	printUsage(stderr)
	return operation{}, nil, fmt.Errorf("unknown operation %q", arguments[0])
}

func parseOperation(operation operation, arguments []string, stderr io.Writer) (*limit, error) {
	l := &limit{stderr: stderr, batch: 1}
	flags := flag.NewFlagSet(operation.name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	l.define(flags, operation)
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected %q", strings.Join(flags.Args(), " "))
	}
	return l, l.check(operation)
}

func (l *limit) define(flags *flag.FlagSet, operation operation) {
	if operation.endpoint != "" {
		flags.StringVar(&l.endpoint, operation.endpoint, "", "`endpoint` to "+operation.endpoint+", tcp or ipc")
	}
	if operation.has("size") {
		flags.IntVar(&l.size, "size", -1, "`bytes` of every message")
	}
	if operation.has("batch") {
		flags.IntVar(&l.batch, "batch", 1, "`messages` per write")
	}
	if operation.has("subs") {
		flags.IntVar(&l.subscribers, "subs", 0, "`number` of streams that get every message")
	}
	if operation.has("each") {
		flags.IntVar(&l.each, "each", 0, "`number` of echoes of each stream")
	}
	flags.IntVar(&l.count, "count", 0, "`number` of messages or exchanges; of conns-echo, of streams")
	flags.DurationVar(&l.timeout, "timeout", time.Minute, "limit for the whole run")
}

func (l *limit) check(operation operation) error {
	switch {
	case operation.endpoint != "" && l.endpoint == "":
		return fmt.Errorf("-%s is missing", operation.endpoint)
	case l.size < 0 || l.size > math.MaxInt32:
		return fmt.Errorf("-size is missing or not from 0 to %d", math.MaxInt32)
	case l.count < 1:
		return errors.New("-count is missing or less than 1")
	case l.batch < 1 || l.batch > batchMax:
		return fmt.Errorf("-batch is not from 1 to %d", batchMax)
	case operation.has("subs") && l.subscribers < 1:
		return errors.New("-subs is missing or less than 1")
	case operation.has("each") && l.each < 1:
		return errors.New("-each is missing or less than 1")
	case l.timeout <= 0:
		return errors.New("-timeout is not positive")
	}
	return nil
}
