// SPDX-License-Identifier: Apache-2.0

// Package program is what the measuring programs have in common: how an
// operation is chosen, a limit for its time, one line of JSON, exit statuses.
package program

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

// Exit statuses besides 0.
const (
	ExitFailed   = 1
	ExitBadFlags = 2
)

// A Task is what the arguments ask for.
type Task struct {
	Operation string
	Timeout   time.Duration
	// Run may return both: a report that counts what was lost is printed, and
	// the run has failed. No report: only errors are told.
	Run func(context.Context) (figures.Report, error)
}

// Run runs the task that parse finds and returns the exit status. parse has
// already told stderr what it has to say about usage when it returns an error.
func Run(name string, parse func() (Task, error), stdout, stderr io.Writer) int {
	task, err := parse()
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return ExitBadFlags
	}
	report, err := task.execute()
	switch {
	case report != nil:
		report.TakeCPU()
		err = errors.Join(err, json.NewEncoder(stdout).Encode(report))
	case err == nil:
		figures.PrintCPU(stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %s: %v\n", name, task.Operation, err)
		return ExitFailed
	}
	return 0
}

// execute gives up when the time is over, wherever the operation stands: not
// all that it calls can be ended.
func (t Task) execute() (figures.Report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), t.Timeout)
	defer cancel()
	type outcome struct {
		report figures.Report
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		report, err := t.Run(ctx)
		done <- outcome{report, err}
	}()
	select {
	case o := <-done:
		return o.report, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("timeout after %v", t.Timeout)
	}
}

// Choose returns, of the operations with a name, the one whose endpoint's flag
// is among the arguments, or else the first. key says an operation's name and
// the flag of its endpoint.
func Choose[O any](operations []O, name string, arguments []string, key func(O) (name, endpoint string)) (chosen O, found bool) {
	for _, operation := range operations {
		own, endpoint := key(operation)
		if own != name {
			continue
		}
		given := slices.ContainsFunc(arguments, func(text string) bool {
			before, _, _ := strings.Cut(text, "=")
			return strings.HasPrefix(text, "-") && strings.TrimLeft(before, "-") == endpoint
		})
		if !found || given {
			chosen = operation
		}
		found = true
	}
	return chosen, found
}
