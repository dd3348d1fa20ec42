// SPDX-License-Identifier: Apache-2.0

// Limit measures what no library can beat: the same bytes and copies on the
// bare primitives, without protocol, queues or fairness. Operations, flags and
// reports are those of bench/perf, as far as they make sense here.
//
//	limit thr-pull -bind EP -size B -count N -batch M  limit thr-push -connect EP ...
//	limit lat-rep  -bind EP -size B -count N           limit lat-req  -connect EP ...
//	limit inproc-thr -size B -count N                  limit inproc-lat -size B -count N
//
// thr: a thread on each side and blocking system calls: the sender writes M
// messages with their frame headers at a time, over and over from one buffer,
// the receiver reads up to 64 KiB and looks at nothing. lat: a plain net.Conn.
// inproc-thr: a ring between two goroutines, one copy in and one out.
// inproc-lat: two channels. The binder comes first.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

const (
	exitFailed   = 1
	exitBadFlags = 2
)

// A limit is one run of one operation.
type limit struct {
	endpoint string
	size     int
	count    int
	batch    int
	timeout  time.Duration
	stderr   io.Writer
}

type operation struct {
	name     string
	endpoint string // "bind", "connect" or, with neither, ""
	batches  bool
	run      func(*limit) (figures.Report, error)
}

func operations() []operation {
	return []operation{
		{"thr-pull", "bind", true, throughputPull},
		{"thr-push", "connect", true, throughputPush},
		{"lat-rep", "bind", false, latencyReply},
		{"lat-req", "connect", false, latencyRequest},
		{"inproc-thr", "", false, inprocThroughput},
		{"inproc-lat", "", false, inprocLatency},
	}
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, stdout, stderr io.Writer) int {
	operation, limit, err := parseFlags(arguments, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "limit: %v\n", err)
		return exitBadFlags
	}
	report, err := execute(operation, limit)
	switch {
	case err != nil:
	case report != nil:
		report.TakeCPU()
		err = json.NewEncoder(stdout).Encode(report)
	default:
		figures.PrintCPU(stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "limit: %s: %v\n", operation.name, err)
		return exitFailed
	}
	return 0
}

// execute gives up when the time is over, wherever the operation stands.
func execute(operation operation, limit *limit) (figures.Report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit.timeout)
	defer cancel()
	done := make(chan error, 1)
	var report figures.Report
	go func() {
		var err error
		report, err = operation.run(limit)
		done <- err
	}()
	select {
	case err := <-done:
		return report, err
	case <-ctx.Done():
		return nil, fmt.Errorf("timeout after %v", limit.timeout)
	}
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, `usage:
  limit thr-pull -bind EP -size B -count N [-batch M]   limit thr-push -connect EP -size B -count N [-batch M]
  limit lat-rep -bind EP -size B -count N               limit lat-req -connect EP -size B -count N
  limit inproc-thr -size B -count N                     limit inproc-lat -size B -count N
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
	for _, operation := range operations() {
		if operation.name == arguments[0] {
			limit, err := parseOperation(operation, arguments[1:], stderr)
			return operation, limit, err
		}
	}
	printUsage(stderr)
	return operation{}, nil, fmt.Errorf("unknown operation %q", arguments[0])
}

func parseOperation(operation operation, arguments []string, stderr io.Writer) (*limit, error) {
	l := &limit{stderr: stderr, batch: 1}
	flags := flag.NewFlagSet(operation.name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	if operation.endpoint != "" {
		flags.StringVar(&l.endpoint, operation.endpoint, "", "`endpoint` to "+operation.endpoint+", tcp or ipc")
	}
	if operation.batches {
		flags.IntVar(&l.batch, "batch", 1, "`messages` per write")
	}
	flags.IntVar(&l.size, "size", -1, "`bytes` of every message")
	flags.IntVar(&l.count, "count", 0, "`number` of messages or exchanges")
	flags.DurationVar(&l.timeout, "timeout", time.Minute, "limit for the whole run")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected %q", strings.Join(flags.Args(), " "))
	case operation.endpoint != "" && l.endpoint == "":
		return nil, fmt.Errorf("-%s is missing", operation.endpoint)
	case l.size < 0 || l.size > math.MaxInt32:
		return nil, fmt.Errorf("-size is missing or not from 0 to %d", math.MaxInt32)
	case l.count < 1:
		return nil, errors.New("-count is missing or less than 1")
	case l.batch < 1 || l.batch > batchMax:
		return nil, fmt.Errorf("-batch is not from 1 to %d", batchMax)
	case l.timeout <= 0:
		return nil, errors.New("-timeout is not positive")
	}
	return l, nil
}
