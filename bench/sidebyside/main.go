// SPDX-License-Identifier: Apache-2.0

// Sidebyside measures the probe and its yardstick on libzmq in turns, in
// processes of their own, and prints a table.
//
//	go run ./sidebyside                     everything, 5 rounds of about a second
//	go run ./sidebyside -only 'tcp thr'     the rows whose work matches
//	go run ./sidebyside -rounds 9 -seconds 2
//
// libzmq's column is the better of one and two I/O threads.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/duel"
)

// runLimit is far above any run of a few seconds.
const runLimit = 2 * time.Minute

// A contender is a program with what it always gets.
type contender struct {
	path  string
	flags []string
}

// A contest is one row of measurements: the same work for every contender.
type contest struct {
	work
	count   int
	samples [][]map[string]float64 // by contender and round
}

func main() {
	rounds := flag.Int("rounds", 5, "measurements of each")
	seconds := flag.Float64("seconds", 1, "rough length of one measurement")
	only := flag.String("only", "", "measure only the work that matches this `regexp`")
	flag.Parse()
	if err := run(os.Stdout, *rounds, *seconds, *only); err != nil {
		fmt.Fprintf(os.Stderr, "sidebyside: %v\n", err)
		os.Exit(1)
	}
}

func run(out io.Writer, rounds int, seconds float64, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "sidebyside")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	contenders, err := build(folder)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| work | body | zwire: median [min..max] | libzmq: median [min..max] | zwire / libzmq |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for _, work := range allWork() {
		if !wanted.MatchString(work.String()) {
			continue
		}
		contest := contest{work: work, count: max(100, int(seconds*float64(work.perSecond)))}
		if err := contest.measure(contenders, rounds, folder); err != nil {
			return fmt.Errorf("%v: %w", work, err)
		}
		contest.print(out)
	}
	return nil
}

func build(folder string) ([]contender, error) {
	ctx := context.Background()
	probe, err := duel.BuildProbe(ctx, folder)
	if err != nil {
		return nil, err
	}
	yardstick, err := duel.BuildYardstick(ctx, folder)
	if err != nil {
		return nil, err
	}
	return []contender{
		{path: probe},
		{path: yardstick, flags: []string{"-io", "1"}},
		{path: yardstick, flags: []string{"-io", "2"}},
	}, nil
}

// measure changes who begins from round to round.
func (c *contest) measure(contenders []contender, rounds int, folder string) error {
	c.samples = make([][]map[string]float64, len(contenders))
	for round := range rounds {
		for turn := range contenders {
			i := (round + turn) % len(contenders)
			sample, err := c.runOnce(contenders[i], folder)
			if err != nil {
				return err
			}
			c.samples[i] = append(c.samples[i], sample)
		}
	}
	return nil
}

// runOnce returns the numbers of one report.
func (c *contest) runOnce(contender contender, folder string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	command := func(operation string) []string {
		sizes := []string{"-size", strconv.Itoa(c.size), "-count", strconv.Itoa(c.count)}
		return slices.Concat([]string{contender.path, operation}, sizes, contender.flags)
	}
	var output []byte
	if c.transport == "inproc" {
		process, err := duel.Start(ctx, contender.path, command("inproc-" + c.kind)[1:]...)
		if err != nil {
			return nil, err
		}
		if output, err = process.Wait(); err != nil {
			return nil, err
		}
		return numbers(output)
	}
	endpoint := "tcp://127.0.0.1:*"
	if c.transport == "ipc" {
		endpoint = "ipc://" + filepath.Join(folder, "sidebyside.ipc")
	}
	binder := append(command(c.binder), "-bind", endpoint)
	fromBinder, fromConnecter, err := duel.Pair(ctx, binder, command(c.connecter))
	if err != nil {
		return nil, err
	}
	return numbers(append(fromBinder, fromConnecter...))
}

func numbers(output []byte) (map[string]float64, error) {
	var report map[string]any
	if err := json.Unmarshal(output, &report); err != nil {
		return nil, fmt.Errorf("%q: %w", output, err)
	}
	values := map[string]float64{}
	for key, value := range report {
		if number, ok := value.(float64); ok {
			values[key] = number
		}
	}
	return values, nil
}

func (c *contest) print(out io.Writer) {
	for _, figure := range c.figures {
		values := make([][]float64, len(c.samples))
		for i, samples := range c.samples {
			for _, sample := range samples {
				values[i] = append(values[i], sample[figure.key])
			}
			slices.Sort(values[i])
		}
		ours, theirs := values[0], values[1]
		for _, other := range values[2:] {
			if (median(other) > median(theirs)) == figure.higherIsBetter {
				theirs = other
			}
		}
		name := strings.TrimSpace(c.transport + " " + c.kind + " " + figure.name)
		fmt.Fprintf(out, "| %s | %d B | %s | %s | %.2f |\n", name, c.size,
			figure.format(ours), figure.format(theirs), median(ours)/median(theirs))
	}
}

func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
