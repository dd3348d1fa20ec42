// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

// headings of the tables
const (
	tableThroughput    = "Throughput"
	tableRoundTrip     = "Round trip"
	tableFan           = "Fan-out"
	tableSubscriptions = "Subscriptions"
	tablePeers         = "Many peers"
	tableMixed         = "zwire and libzmq together"
	tableSenders       = "Eight senders on one socket"
	tableOptions       = "With options"
	tableCost          = "Processor time and allocations"
	tableRivals        = "Other Go libraries"
)

// mixedHalf is what half of the cells of tableMixed have to reach.
const mixedHalf = 1.2

const failureCharacters = 120 // of a failure in a table

// A table says what its lines are; the lines come from the figures.
type table struct {
	heading string
	note    string
	plots   []string
	summary func([]verdict) string
}

func tables() []table {
	return []table{
		{heading: tableThroughput, plots: []string{"throughput-tcp", "throughput-ipc", "throughput-inproc"},
			note: "PUSH to PULL, messages received in a second. The limit is one thread on each side that moves the same " +
				"bytes through a blocking socket, or through an unlocked ring within the process."},
		{heading: tableRoundTrip, plots: []string{"latency-tcp", "latency-ipc", "latency-inproc"},
			note: "REQ and REP, 16 B, half a round trip. The p99 is the median of the 99th percentiles of the runs. The limit " +
				"is a ping-pong over a plain net.Conn, or of two goroutines over channels."},
		{heading: tableFan, plots: []string{"fanout"},
			note: "PUB to K SUB, 100 B, deliveries in a second; nothing was lost. The limit is one thread that writes the same " +
				"bytes to each of K blocking sockets in turn, and one that reads from all of them with epoll."},
		{heading: tableSubscriptions, note: "XPUB and SUB with distinct subscriptions in one process: until the publisher has " +
			"all subscriptions, one message for each of them, until it has none. Memory is of the resident set."},
		{heading: tablePeers, plots: []string{"memory"},
			note: "One ROUTER; the peers are in another process. Memory is the resident set of the ROUTER's process. " +
				"The limit of the echoes is one thread on each side with epoll."},
		{heading: tableMixed, note: "PUSH to PULL with libzmq on one side, against libzmq on both.", summary: mixedSummary},
		{heading: tableSenders, note: "Eight goroutines send on one PUSH, against one that does."},
		{heading: tableOptions, note: "What an application can ask for, against libzmq without, but for the socket buffers."},
		{heading: tableCost, note: "Seconds of the processor for a million messages (deliveries, with subscribers), user and " +
			"system, both processes from start to end. Allocations are of the process that receives, on inproc of both sides."},
		{heading: tableRivals, note: "PUSH to PULL over tcp."},
	}
}

// mixedSummary judges the table as a whole.
func mixedSummary(lines []verdict) string {
	reached := 0
	for _, line := range lines {
		if line.known() && line.ratio >= mixedHalf {
			reached++
		}
	}
	met := "not met"
	if 2*reached >= len(lines) {
		met = "met"
	}
	return fmt.Sprintf("At least half of the lines have to reach %g: %d of %d do, %s.", mixedHalf, reached, len(lines), met)
}

// write prints the table, or nothing when none of its contests was held.
func (t table) write(w io.Writer, lines []verdict) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## %s\n\n%s\n\n", t.heading, t.note)
	fmt.Fprintln(w, "| work | ours | against | ratio | target | met | limit | of the limit |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, line := range lines {
		fmt.Fprintf(w, "| %s |\n", strings.Join(line.cells(), " | "))
	}
	if t.summary != nil {
		fmt.Fprintf(w, "\n%s\n", t.summary(lines))
	}
	for _, plot := range t.plots {
		fmt.Fprintf(w, "\n![%s](plots/%s.svg)\n", plot, plot)
	}
}

func (v verdict) cells() []string {
	cells := []string{v.work + ", " + v.unit, v.ours.text(), "", "", v.targetText(), v.metText(), "", ""}
	if v.theirs != nil {
		cells[2] = v.theirs.text() + " " + v.theirs.name
		if v.known() {
			cells[3] = figures.Number(v.ratio)
		}
	}
	if v.limit != nil {
		cells[6] = v.limit.text()
		if v.ours.err == nil && v.limit.err == nil {
			cells[7] = figures.Number(v.ofLimit)
		}
	}
	return cells
}

func (v verdict) metText() string {
	switch {
	case v.target == 0 || !v.known():
		return ""
	case v.met():
		return "yes"
	case v.near():
		return "no; near the limit"
	}
	return "no"
}

func (v verdict) targetText() string {
	switch {
	case v.target == 0:
		return ""
	case v.lower:
		return fmt.Sprintf("≤ %g", v.target)
	}
	return fmt.Sprintf("≥ %g", v.target)
}

func (s side) text() string {
	if s.err == nil {
		return fmt.Sprintf("%s [%s..%s]", figures.Number(s.median), figures.Number(s.min), figures.Number(s.max))
	}
	text := []rune(strings.NewReplacer("\n", "; ", "|", "\\|").Replace(s.err.Error()))
	if len(text) > failureCharacters {
		text = append(text[:failureCharacters], '…')
	}
	return "**failed** (" + string(text) + ")"
}
