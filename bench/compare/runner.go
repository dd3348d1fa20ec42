// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	calibrationRuns = 3  // at most, until one is long enough to tell
	calibrationGrow = 50 // times, from one such run to the next
	againMost       = 3  // times that one round is held again
	distanceChange  = 2  // from this factor on
)

// keys of a sample that no program reports
const (
	runSeconds    = "run_s"
	cpuPerMessage = "cpu_s_per_msg"
	lineSeconds   = "line_s" // what machine.Distance was behind the run
)

// A runner holds contests.
type runner struct {
	rounds  int // 0: each contest's own
	seconds float64
	quick   bool
	execute executor
	// distance says how far the cores are apart: some of what is measured takes
	// twice as long when they are far. A round in which that changes would not
	// compare like with like; it is held again while there is spare time.
	distance func() time.Duration
	spare    time.Duration
}

// An executor runs one process or a pair of them.
type executor func(ctx context.Context, binder, connecter []string, transport string) (sample, error)

// String says for the page how often and how long is measured.
func (r *runner) String() string {
	if r.rounds > 0 {
		return fmt.Sprintf("rounds of about %g s: %d", r.seconds, r.rounds)
	}
	return fmt.Sprintf("rounds of about %g s: %d; of round trips %d; of several senders %d; of other Go libraries %d, of about %d s",
		r.seconds, defaultRounds, roundTripRounds, senderRounds, rivalRounds, rivalSeconds)
}

// hold changes who begins from round to round. Who has failed once is out.
func (r *runner) hold(ctx context.Context, c contest) outcome {
	result := outcome{Contest: c.name, Entries: make([]entry, len(c.contenders))}
	for i, contender := range c.contenders {
		entry := &result.Entries[i]
		entry.Name, entry.Samples = contender.name, []sample{}
		var err error
		if entry.Count, err = r.calibrate(ctx, c, contender); err != nil {
			entry.Failure = err.Error()
		}
		binder, connecter := c.commands(contender, entry.Count)
		entry.Command = []string{strings.Join(binder, " "), strings.Join(connecter, " ")}
	}
	for round := range r.roundsOf(c) {
		r.holdEvenly(ctx, c, round, &result)
	}
	return result
}

// holdEvenly holds a round until the cores are not moved in it.
func (r *runner) holdEvenly(ctx context.Context, c contest, round int, result *outcome) {
	for again := 0; ; again++ {
		began := time.Now()
		if r.holdRound(ctx, c, round, result) {
			return
		}
		if r.spare -= time.Since(began); r.spare < 0 || again == againMost {
			result.Uneven++
			return
		}
		result.Repeated++
		for i := range result.Entries {
			samples := &result.Entries[i].Samples
			*samples = (*samples)[:min(round, len(*samples))]
		}
	}
}

// holdRound reports whether the cores stayed as far apart as they were.
func (r *runner) holdRound(ctx context.Context, c contest, round int, result *outcome) bool {
	nearest := r.distance()
	farthest := nearest
	for turn := range c.contenders {
		i := (round + turn) % len(c.contenders)
		entry := &result.Entries[i]
		if entry.Failure != "" {
			continue
		}
		r.runOnce(ctx, c, c.contenders[i], entry)
		distance := r.distance()
		nearest, farthest = min(nearest, distance), max(farthest, distance)
		if len(entry.Samples) > round {
			entry.Samples[round][lineSeconds] = distance.Seconds()
		}
	}
	return farthest < distanceChange*max(nearest, 1)
}

func (r *runner) runOnce(ctx context.Context, c contest, who contender, entry *entry) {
	binder, connecter := c.commands(who, entry.Count)
	sample, err := r.execute(ctx, binder, connecter, c.transport)
	if err != nil {
		entry.Failure = err.Error()
		return
	}
	entry.Samples = append(entry.Samples, sample)
}

func (r *runner) roundsOf(c contest) int {
	switch {
	case r.rounds > 0:
		return r.rounds
	case c.rounds > 0:
		return c.rounds
	}
	return defaultRounds
}

// calibrate finds the count with which a run takes as long as it should.
func (r *runner) calibrate(ctx context.Context, c contest, who contender) (int, error) {
	if c.counted == "" {
		return 0, nil
	}
	wanted := r.seconds
	if c.seconds > 0 && !r.quick {
		wanted = c.seconds
	}
	count := c.start
	for range calibrationRuns {
		binder, connecter := c.commands(who, count)
		sample, err := r.execute(ctx, binder, connecter, c.transport)
		if err != nil {
			return 0, err
		}
		took := max(sample[runSeconds], 1e-6)
		count = max(c.start/100, int(float64(count)*min(calibrationGrow, wanted/took)), 2)
		if took > wanted/5 {
			break
		}
	}
	return count, nil
}

// commands gives what is run, but for the endpoint.
func (c contest) commands(who contender, count int) (binder, connecter []string) {
	flags := strings.Fields(c.flags)
	if c.counted != "" {
		flags = append(flags, c.counted, strconv.Itoa(count))
	}
	binder = append(strings.Fields(who.binder), flags...)
	if who.connecter != "" {
		connecter = append(strings.Fields(who.connecter), flags...)
	}
	return binder, connecter
}

// parse collects the numbers of every line of JSON; the processor time of the
// two processes is added.
func parse(written [][]byte) (sample, error) {
	numbers := sample{}
	for _, line := range bytes.Split(bytes.Join(written, []byte("\n")), []byte("\n")) {
		if line = bytes.TrimSpace(line); !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var report map[string]any
		if err := json.Unmarshal(line, &report); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		for key, value := range report {
			if number, ok := value.(float64); ok && key == "cpu_s" {
				numbers[key] += number
			} else if ok {
				numbers[key] = number
			}
		}
	}
	if len(numbers) == 0 {
		return nil, errors.New("no report")
	}
	numbers.derive()
	return numbers, nil
}

func (s sample) derive() {
	s[runSeconds] = s["seconds"]
	if mean, given := s["oneway_us_mean"]; given {
		s[runSeconds] = 2 * mean * s["count"] / 1e6
	}
	if cpu, given := s["cpu_s"]; given && s["count"] > 0 {
		s[cpuPerMessage] = cpu / (s["count"] * max(1, s["subs"]))
	}
}
