// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
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

// topicsMax is what the digits of a topic can tell apart.
const topicsMax = 100_000_000

// settings are the values of the flags.
type settings struct {
	endpoint    string
	size        int
	count       int
	subscribers int
	each        int
	highWater   int // 0: no limit
	loops       int // 0: the library's default
	iterate     bool
	timeout     time.Duration

	senders    int
	batch      int
	owned      bool
	busyPoll   bool
	sendBuffer int // 0: the system's default
	recvBuffer int
}

// An operation names the flags that it takes besides those that all take. Of
// the two operations with one name, the endpoint's flag tells which is meant.
type operation struct {
	name      string
	endpoint  string // "bind", "connect" or, with neither, ""
	standard  string // endpoint where none need be given
	takes     string // flags, separated by spaces
	highWater int
	run       func(context.Context, *probe) (figures.Report, error)
}

func operations() []operation {
	return []operation{
		{"thr-pull", "bind", "", "size batch", 1000, throughputPull},
		{"thr-push", "connect", "", "size senders owned batch", 1000, throughputPush},
		{"lat-rep", "bind", "", "size", 1000, latencyReply},
		{"lat-req", "connect", "", "size", 1000, latencyRequest},
		{"fan-pub", "bind", "", "size subs", 0, fanPublish},
		{"fan-sub", "connect", "", "size subs", 0, fanSubscribe},
		{"inproc-thr", "", "", "size senders batch", 1000, inprocThroughput},
		{"inproc-lat", "", "", "size", 1000, inprocLatency},
		{"conns-router", "bind", "", "", 1000, peersRouter},
		{"conns-dealer", "connect", "", "", 1000, peersDealer},
		{"conns-echo", "bind", "", "each", 1000, echoRouter},
		{"conns-echo", "connect", "", "each", 1000, echoDealers},
		{"subs", "bind", "inproc://subs", "", 0, subscriptions},
	}
}

func (o operation) key() (name, endpoint string) { return o.name, o.endpoint }

func (o operation) has(name string) bool {
	return slices.Contains(strings.Fields(o.takes), name)
}

func (o operation) usage() string {
	text := "perf " + o.name
	switch {
	case o.standard != "":
		text += " [-" + o.endpoint + " EP]"
	case o.endpoint != "":
		text += " -" + o.endpoint + " EP"
	}
	if o.has("size") {
		text += " -size B"
	}
	text += " -count N"
	if o.has("subs") {
		text += " -subs K"
	}
	if o.has("each") {
		text += " -each M"
	}
	return text
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "usage:")
	for _, operation := range operations() {
		fmt.Fprintln(w, "  "+operation.usage())
	}
	fmt.Fprint(w, `flags of all: -hwm H, -loops L, -recv into|iter, -timeout D
of those with an endpoint: -send-buffer B, -recv-buffer B, -busy-poll
thr-push and inproc-thr: -senders S; thr-push: -owned; thr-push, thr-pull and inproc-thr: -batch M
perf OPERATION -help explains them
`)
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
	if operation, found := program.Choose(operations(), arguments[0], arguments[1:], operation.key); found {
		parsed, err := parseOperation(operation, arguments[1:], stderr)
		return operation, parsed, err
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
	s.define(flags, operation)
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
	return s, errors.Join(s.check(operation), s.checkWays(operation))
}

func (s *settings) define(flags *flag.FlagSet, operation operation) {
	if operation.endpoint != "" {
		flags.StringVar(&s.endpoint, operation.endpoint, operation.standard, "`endpoint` to "+operation.endpoint)
		flags.BoolVar(&s.busyPoll, "busy-poll", false, "look for messages for a while before waiting: Options.BusyPoll")
		flags.IntVar(&s.sendBuffer, "send-buffer", 0, "`bytes` of the kernel's buffer per stream; 0: the system's default")
		flags.IntVar(&s.recvBuffer, "recv-buffer", 0, "`bytes` of the kernel's buffer per stream; 0: the system's default")
	}
	if operation.has("size") {
		flags.IntVar(&s.size, "size", -1, "`bytes` of every message")
	}
	if operation.has("subs") {
		flags.IntVar(&s.subscribers, "subs", 0, "`number` of subscribers")
	}
	if operation.has("each") {
		flags.IntVar(&s.each, "each", 0, "`number` of echoes of each peer")
	}
	if operation.has("senders") {
		flags.IntVar(&s.senders, "senders", 1, "`number` of goroutines that send on one socket")
	}
	if operation.has("owned") {
		flags.BoolVar(&s.owned, "owned", false, "SendOwned instead of Send")
	}
	if operation.has("batch") {
		flags.IntVar(&s.batch, "batch", 1, "`messages` per call: SendBatch and RecvBatch")
	}
	flags.IntVar(&s.count, "count", 0, "`number` of messages, exchanges, peers or subscriptions")
	flags.IntVar(&s.highWater, "hwm", operation.highWater, "high-water mark, both directions; 0: none")
	flags.IntVar(&s.loops, "loops", 0, "I/O loops; 0: the library's default")
	flags.DurationVar(&s.timeout, "timeout", time.Minute, "limit for the whole run")
}

func (s *settings) check(operation operation) error {
	switch {
	case operation.endpoint != "" && s.endpoint == "":
		return fmt.Errorf("-%s is missing", operation.endpoint)
	case operation.has("size") && (s.size < 0 || s.size > math.MaxInt32):
		return fmt.Errorf("-size is missing or not from 0 to %d", math.MaxInt32)
	case s.count < 1:
		return errors.New("-count is missing or less than 1")
	case operation.name == "subs" && s.count > topicsMax:
		return fmt.Errorf("-count is more than %d", topicsMax)
	case operation.has("subs") && s.subscribers < 1:
		return errors.New("-subs is missing or less than 1")
	case operation.has("each") && s.each < 1:
		return errors.New("-each is missing or less than 1")
	case s.highWater < 0:
		return errors.New("-hwm is negative")
	case s.loops < 0:
		return errors.New("-loops is negative")
	case s.timeout <= 0:
		return errors.New("-timeout is not positive")
	}
	return nil
}

// checkWays checks the flags that choose among ways to do the same.
func (s *settings) checkWays(operation operation) error {
	switch {
	case operation.has("senders") && s.senders < 1:
		return errors.New("-senders is less than 1")
	case operation.has("batch") && s.batch < 1:
		return errors.New("-batch is less than 1")
	case s.sendBuffer < 0 || s.recvBuffer < 0:
		return errors.New("-send-buffer or -recv-buffer is negative")
	}
	return nil
}
