// SPDX-License-Identifier: Apache-2.0

package figures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func TestLatency(t *testing.T) {
	var roundTrips []time.Duration
	for i := range 1000 {
		roundTrips = append(roundTrips, time.Duration(1000-i)*2*time.Microsecond)
	}
	var report Latency
	report.Summarize(roundTrips)
	got := fmt.Sprint(report.Mean, report.P10, report.P25, report.P50, report.P75, report.P90, report.P95, report.P99, report.P999)
	if want := "500.5 100 250 500 750 900 950 990 999"; got != want {
		t.Errorf("mean and percentiles are %s, want %s", got, want)
	}
	report = Latency{}
	report.Summarize(nil)
	if report != (Latency{}) {
		t.Errorf("of no samples: %+v", report)
	}
}

func TestThroughput(t *testing.T) {
	report := Throughput{Size: 500}
	report.Summarize(1000, 2*time.Second, 10)
	if want := (Throughput{Size: 500, Seconds: 2, MessagesPerSecond: 500, MegabytesPerSecond: 0.25, AllocsPerMessage: 0.01}); report != want {
		t.Errorf("got %+v, want %+v", report, want)
	}
	report = Throughput{}
	report.Summarize(0, time.Second, 10)
	if report != (Throughput{}) {
		t.Errorf("of no messages: %+v", report)
	}
}

func TestCrowds(t *testing.T) {
	fan := Fan{Subscribers: 4}
	fan.Summarize(1000, 2*time.Second)
	if want := (Fan{Subscribers: 4, Seconds: 2, DeliveriesPerSecond: 500}); fan != want {
		t.Errorf("got %+v, want %+v", fan, want)
	}
	fan = Fan{}
	fan.Summarize(10, 0)
	if fan != (Fan{}) {
		t.Errorf("in no time: %+v", fan)
	}
	echo := Echo{Count: 20, Each: 50}
	echo.Summarize(2 * time.Second)
	if want := (Echo{Count: 20, Each: 50, Seconds: 2, EchoesPerSecond: 500}); echo != want {
		t.Errorf("got %+v, want %+v", echo, want)
	}
}

func TestCPU(t *testing.T) {
	var printed bytes.Buffer
	PrintCPU(&printed)
	var first, second CPU
	if err := json.Unmarshal(printed.Bytes(), &first); err != nil {
		t.Fatalf("%q: %v", &printed, err)
	}
	for second.CPUSeconds <= first.CPUSeconds { // ends, for this takes time of the CPU
		second.TakeCPU()
	}
	if first.CPUSeconds <= 0 {
		t.Errorf("used %v s of CPU", first.CPUSeconds)
	}
}
