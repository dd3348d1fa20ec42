// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// work is what is measured, and how many messages or exchanges take libzmq
// about a second.
type work struct {
	transport string
	kind      string // thr or lat
	binder    string // operations of perf; none for inproc
	connecter string
	size      int
	perSecond int
	figures   []figure
}

// String is what -only matches.
func (w work) String() string {
	return fmt.Sprintf("%s %s %d B", w.transport, w.kind, w.size)
}

// A figure is a key of the report.
type figure struct {
	name           string
	key            string
	unit           string
	scale          float64
	higherIsBetter bool
}

func (f figure) format(sorted []float64) string {
	lowest, highest := sorted[0], sorted[len(sorted)-1]
	return fmt.Sprintf("%.2f [%.2f..%.2f] %s", median(sorted)*f.scale, lowest*f.scale, highest*f.scale, f.unit)
}

func allWork() []work {
	rate := []figure{{"", "msgs_per_s", "M/s", 1e-6, true}}
	halfRoundTrip := []figure{{"p50", "p50_us", "µs", 1, false}, {"p99", "p99_us", "µs", 1, false}}
	perSecond := map[int]int{10: 4_000_000, 100: 2_000_000, 1000: 600_000}
	var all []work
	for _, transport := range []string{"tcp", "ipc", "inproc"} {
		for _, size := range []int{10, 100, 1000} {
			all = append(all, work{transport, "thr", "thr-pull", "thr-push", size, perSecond[size], rate})
		}
	}
	for _, transport := range []string{"tcp", "ipc", "inproc"} {
		all = append(all, work{transport, "lat", "lat-rep", "lat-req", 16, 20_000, halfRoundTrip})
	}
	return all
}
