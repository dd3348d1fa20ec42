// SPDX-License-Identifier: Apache-2.0

// Perf is the probe: it measures what an application gets from the library's
// public API, and speaks plain ZeroMQ, so that a program on any other library
// can be the other side. bench/libzmq/perf.c is the same program on libzmq.
//
//	perf thr-pull -bind EP -size B -count N         perf thr-push -connect EP -size B -count N
//	perf lat-rep  -bind EP -size B -count N         perf lat-req  -connect EP -size B -count N
//	perf fan-pub  -bind EP -size B -count N -subs K perf fan-sub  -connect EP -size B -count N -subs K
//	perf inproc-thr -size B -count N                perf inproc-lat -size B -count N
//	perf conns-router -bind EP -count K             perf conns-dealer -connect EP -count K
//	perf conns-echo -bind EP -count K -each M       perf conns-echo -connect EP -count K -each M
//	perf subs [-bind EP] -count N
//
//	-hwm H      high-water mark in both directions; 0: none (default 1000, fan 0)
//	-loops L    I/O loops (default: the library's)
//	-recv R     into or iter: RecvInto, or ranging over Messages (default into)
//	-timeout D  for the whole run, the final Close included (default 60s)
//
//	-send-buffer B  -recv-buffer B  of the kernel, per stream (default: the system's)
//	-busy-poll                      Options.BusyPoll of 100 µs; all with an endpoint
//	-senders S                      goroutines that share the sending socket; thr-push, inproc-thr
//	-owned                          SendOwned instead of Send; thr-push
//	-batch M                        messages per call; thr-push, thr-pull, inproc-thr
//
// thr-pull, lat-req, fan-sub, inproc-*, conns-router, the connecting conns-echo and subs print one
// line of JSON; text for people, and the CPU seconds of a side that prints nothing, go to standard error. Exit status 1 means an error, a wrong
// size or count, loss, or timeout; 2 means bad flags.
package main

import (
	"context"
	"io"
	"os"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/bench/internal/program"
	"github.com/zwire-mq/zwire/socket"
)

// A probe is one run of one operation.
type probe struct {
	settings
	context *socket.Context
	stderr  io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, stdout, stderr io.Writer) int {
	return program.Run("perf", func() (program.Task, error) {
		operation, settings, err := parseFlags(arguments, stderr)
		if err != nil {
			return program.Task{}, err
		}
		run := func(ctx context.Context) (figures.Report, error) {
			zwireContext, err := socket.NewContext(&socket.ContextOptions{Loops: settings.loops})
			if err != nil {
				return nil, err
			}
			return operation.run(ctx, &probe{settings, zwireContext, stderr})
		}
		return program.Task{Operation: operation.name, Timeout: settings.timeout, Run: run}, nil
	}, stdout, stderr)
}
