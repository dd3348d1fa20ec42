// SPDX-License-Identifier: Apache-2.0

// Rivals measures other ZeroMQ libraries for Go, as bench/perf measures zwire:
//
//	rivals -lib L thr-pull -bind EP -size B -count N
//	rivals -lib L thr-push -connect EP -size B -count N
//
// L is zeromq (go-zeromq/zmq4, pure Go), pebbe (pebbe/zmq4) or goczmq
// (go-zeromq/goczmq); the last two need cgo, libzmq and for goczmq CZMQ, which
// the build tag noczmq leaves out. Reports, exit codes and what stands on standard
// error are those of bench/perf. Each library is used as its documentation shows,
// with its defaults, except that a sender's Close waits until all is handed over.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/bench/internal/program"
)

// A side is a socket of some library. Its calls come from one goroutine.
type side interface {
	// Bind returns the endpoint with the port that was chosen.
	Bind(endpoint string) (bound string, err error)
	Connect(endpoint string) error
	Send(body []byte) error
	// Receive returns the body of a message of one frame.
	Receive() (body []byte, err error)
	Close() error
}

// A library makes the two sides.
type library struct {
	push, pull func() (side, error)
}

// A rival is one run of one operation.
type rival struct {
	library  library
	endpoint string
	size     int
	count    int
	timeout  time.Duration
	stderr   io.Writer
}

type operation struct {
	name     string
	endpoint string // "bind" or "connect"
	run      func(*rival) (figures.Report, error)
}

func operations() []operation {
	return []operation{{"thr-pull", "bind", pull}, {"thr-push", "connect", push}}
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, stdout, stderr io.Writer) int {
	return program.Run("rivals", func() (program.Task, error) {
		operation, rival, err := parseFlags(arguments, stderr)
		if err != nil {
			return program.Task{}, err
		}
		run := func(context.Context) (figures.Report, error) { return operation.run(rival) }
		return program.Task{Operation: operation.name, Timeout: rival.timeout, Run: run}, nil
	}, stdout, stderr)
}

func pull(r *rival) (figures.Report, error) {
	from, err := r.library.pull()
	if err != nil {
		return nil, err
	}
	bound, err := from.Bind(r.endpoint)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(r.stderr, "bound %s\n", bound)
	if err := r.take(from, 1); err != nil {
		return nil, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := r.take(from, r.count-1); err != nil {
		return nil, err
	}
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	report := &figures.Throughput{Operation: "thr-pull", Endpoint: r.endpoint, Size: r.size, Count: r.count}
	report.Summarize(float64(r.count-1), elapsed, after.Mallocs-before.Mallocs)
	return report, from.Close()
}

func (r *rival) take(from side, count int) error {
	for range count {
		body, err := from.Receive()
		if err != nil {
			return err
		}
		if len(body) != r.size {
			return fmt.Errorf("got a message of %d bytes, want %d", len(body), r.size)
		}
	}
	return nil
}

func push(r *rival) (figures.Report, error) {
	to, err := r.library.push()
	if err != nil {
		return nil, err
	}
	if err := to.Connect(r.endpoint); err != nil {
		return nil, err
	}
	body := make([]byte, r.size)
	for range r.count {
		if err := to.Send(body); err != nil {
			return nil, err
		}
	}
	return nil, to.Close()
}

func parseFlags(arguments []string, stderr io.Writer) (operation, *rival, error) {
	choosing := flag.NewFlagSet("rivals", flag.ContinueOnError)
	choosing.SetOutput(stderr)
	known := strings.Join(slices.Sorted(maps.Keys(libraries())), ", ")
	choosing.Usage = func() {
		fmt.Fprint(stderr, `usage:
  rivals -lib L thr-pull -bind EP -size B -count N
  rivals -lib L thr-push -connect EP -size B -count N
L is one of `+known+"; also -timeout D\n")
	}
	name := choosing.String("lib", "", "the `library`")
	if err := choosing.Parse(arguments); err != nil {
		return operation{}, nil, err
	}
	library, found := libraries()[*name]
	if !found {
		return operation{}, nil, fmt.Errorf("-lib is %q, want one of those built in: %s", *name, known)
	}
	for _, operation := range operations() {
		if operation.name == choosing.Arg(0) {
			rival, err := parseOperation(operation, choosing.Args()[1:], stderr)
			if rival != nil {
				rival.library = library
			}
			return operation, rival, err
		}
	}
	choosing.Usage()
	return operation{}, nil, fmt.Errorf("unknown operation %q", choosing.Arg(0))
}

func parseOperation(operation operation, arguments []string, stderr io.Writer) (*rival, error) {
	r := &rival{stderr: stderr}
	flags := flag.NewFlagSet(operation.name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&r.endpoint, operation.endpoint, "", "`endpoint` to "+operation.endpoint)
	flags.IntVar(&r.size, "size", -1, "`bytes` of every message")
	flags.IntVar(&r.count, "count", 0, "`number` of messages")
	flags.DurationVar(&r.timeout, "timeout", time.Minute, "limit for the whole run")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected %q", strings.Join(flags.Args(), " "))
	case r.endpoint == "":
		return nil, fmt.Errorf("-%s is missing", operation.endpoint)
	case r.size < 0 || r.size > math.MaxInt32:
		return nil, fmt.Errorf("-size is missing or not from 0 to %d", math.MaxInt32)
	case r.count < 1:
		return nil, errors.New("-count is missing or less than 1")
	case r.timeout <= 0:
		return nil, errors.New("-timeout is not positive")
	}
	return r, nil
}
