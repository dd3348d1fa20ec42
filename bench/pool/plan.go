// SPDX-License-Identifier: Apache-2.0

package main

import "time"

const (
	// startLimit and sceneLimit bound what waits for others: a server that starts, and all that is measured with one.
	startLimit = 15 * time.Second
	sceneLimit = 90 * time.Second
	retryEvery = 5 * time.Millisecond

	// spareConnections are for what a server of asynq does besides its tasks.
	spareConnections = 16
	// longEvery is the number of tasks among which one is long, and longTimes how much longer it takes.
	longEvery, longTimes = 100, 100
)

// A plan says how much is measured.
type plan struct {
	Quick   bool  `json:"quick"`
	Rounds  int   `json:"rounds"`
	Workers []int `json:"workers"`
	// Producers submit one task after the other, each.
	Producers int `json:"producers"`
	// Few are numbers of producers of scenes of their own, with so many workers: the fewer, the fewer durable tasks go to disk together.
	Few        []int         `json:"few"`
	FewWorkers int           `json:"few_workers"`
	Short      time.Duration `json:"short_ns"`   // of the run that finds how many tasks to measure with
	Measure    time.Duration `json:"measure_ns"` // about

	SkewRounds  int           `json:"skew_rounds"`
	SkewWorkers int           `json:"skew_workers"`
	SkewLong    int           `json:"skew_long"` // tasks for each worker
	SkewWait    time.Duration `json:"skew_wait_ns"`
}

func wholePlan() plan {
	return plan{
		Rounds: 5, Workers: []int{1, 2, 8, 64}, Producers: 64, Few: []int{1, 8}, FewWorkers: 8,
		Short: 80 * time.Millisecond, Measure: 800 * time.Millisecond, SkewRounds: 3, SkewWorkers: 8, SkewLong: 100, SkewWait: time.Millisecond,
	}
}

func quickPlan() plan {
	p := wholePlan()
	p.Quick = true
	p.Rounds, p.SkewRounds = 1, 1
	p.Measure = 300 * time.Millisecond
	p.SkewLong = 10
	return p
}
