// SPDX-License-Identifier: Apache-2.0

// Package figures holds the reports that several programs of bench print, each
// as one line of JSON.
package figures

import (
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"
)

// A Report takes the process's CPU time right before it is printed.
type Report interface {
	TakeCPU()
}

// CPU is part of every report.
type CPU struct {
	CPUSeconds float64 `json:"cpu_s"`
}

// TakeCPU fills in what the process has used so far.
func (c *CPU) TakeCPU() { c.CPUSeconds = cpuSeconds() }

// PrintCPU is for the side that has no report.
func PrintCPU(w io.Writer) {
	fmt.Fprintf(w, "{\"cpu_s\":%.6f}\n", cpuSeconds())
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return -1
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// Throughput is the report of the side that receives.
type Throughput struct {
	Operation          string  `json:"op"`
	Endpoint           string  `json:"endpoint"`
	Size               int     `json:"size"`
	Count              int     `json:"count"`
	Seconds            float64 `json:"seconds"`
	MessagesPerSecond  float64 `json:"msgs_per_s"`
	MegabytesPerSecond float64 `json:"mb_per_s"`
	AllocsPerMessage   float64 `json:"allocs_per_msg"`
	CPU
}

// Summarize fills in the rates of messages that came within elapsed.
func (t *Throughput) Summarize(messages float64, elapsed time.Duration, allocs uint64) {
	if messages <= 0 || elapsed <= 0 {
		return
	}
	t.Seconds = elapsed.Seconds()
	t.MessagesPerSecond = messages / t.Seconds
	t.MegabytesPerSecond = t.MessagesPerSecond * float64(t.Size) / 1e6
	t.AllocsPerMessage = float64(allocs) / messages
}

// Latency gives half round trips.
type Latency struct {
	Operation string  `json:"op"`
	Endpoint  string  `json:"endpoint"`
	Size      int     `json:"size"`
	Count     int     `json:"count"`
	Mean      float64 `json:"oneway_us_mean"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p999_us"`
	P10       float64 `json:"p10_us"` // this one and the rest for the distribution
	P25       float64 `json:"p25_us"`
	P75       float64 `json:"p75_us"`
	P90       float64 `json:"p90_us"`
	P95       float64 `json:"p95_us"`
	CPU
}

// Summarize sorts the round trips.
func (l *Latency) Summarize(roundTrips []time.Duration) {
	if len(roundTrips) == 0 {
		return
	}
	slices.Sort(roundTrips)
	var sum time.Duration
	for _, roundTrip := range roundTrips {
		sum += roundTrip
	}
	l.Mean = halfMicroseconds(sum) / float64(len(roundTrips))
	for _, quantile := range []struct {
		perMille int
		to       *float64
	}{
		{100, &l.P10}, {250, &l.P25}, {500, &l.P50}, {750, &l.P75}, {900, &l.P90}, {950, &l.P95}, {990, &l.P99}, {999, &l.P999},
	} {
		*quantile.to = halfMicroseconds(Percentile(roundTrips, quantile.perMille))
	}
}

// Percentile takes the nearest rank, without interpolation.
func Percentile(sorted []time.Duration, perMille int) time.Duration {
	return sorted[(len(sorted)*perMille+999)/1000-1]
}

func halfMicroseconds(roundTrip time.Duration) float64 {
	return float64(roundTrip.Nanoseconds()) / 2e3
}
