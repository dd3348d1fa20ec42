// SPDX-License-Identifier: Apache-2.0

// Limit measures what no library can beat: the same bytes and copies on the
// bare primitives, without protocol, queues or fairness. Operations, flags and
// reports are those of bench/perf, as far as they make sense here.
//
//	limit thr-pull -bind EP -size B -count N -batch M  limit thr-push -connect EP ...
//	limit lat-rep  -bind EP -size B -count N           limit lat-req  -connect EP ...
//	limit inproc-thr -size B -count N                  limit inproc-lat -size B -count N
//	limit fan-pub -bind EP -size B -count N -subs K -batch M
//	                                                   limit fan-sub -connect EP ...
//	limit conns-echo -bind EP -count K -each N         limit conns-echo -connect EP ...
//
// thr: a thread on each side and blocking system calls: the sender writes M
// messages with their frame headers at a time, over and over from one buffer,
// the receiver reads up to 64 KiB and looks at nothing. lat: a plain net.Conn.
// inproc-thr: a ring between two goroutines, one copy in and one out.
// inproc-lat: two channels. fan: a thread that writes M messages to each of K
// streams in turn, and one that reads from all of them. conns-echo: a thread on
// each side; of each of K streams, one echo is under way. Both need Linux. The
// binder comes first.
package main

import (
	"context"
	"io"
	"os"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/bench/internal/program"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, stdout, stderr io.Writer) int {
	return program.Run("limit", func() (program.Task, error) {
		operation, limit, err := parseFlags(arguments, stderr)
		if err != nil {
			return program.Task{}, err
		}
		run := func(context.Context) (figures.Report, error) { return operation.run(limit) }
		return program.Task{Operation: operation.name, Timeout: limit.timeout, Run: run}, nil
	}, stdout, stderr)
}
