// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// The contests of streams: throughput with all its variants, round trips, and
// libzmq on one side. The others are in crowds.go.

// names of contenders
const (
	zwire         = "zwire"
	zwireBatch    = "zwire, SendBatch and RecvBatch of 64"
	zwireOwned    = "zwire, SendOwned"
	zwireTuned    = "zwire, buffers of 1 MiB"
	zwireBusyPoll = "zwire, BusyPoll"
	libzmq        = "libzmq"
	libzmq1       = "libzmq, 1 I/O thread"
	libzmq2       = "libzmq, 2 I/O threads"
	libzmqTuned1  = "libzmq, buffers of 1 MiB, 1 I/O thread"
	libzmqTuned2  = "libzmq, buffers of 1 MiB, 2 I/O threads"
	limit         = "limit"
	netConn       = "net.Conn"
)

const (
	tunedFlags    = " -send-buffer 1048576 -recv-buffer 1048576"
	batchFlags    = " -batch 64"
	startBytes    = 20_000_000 // in the first run of a throughput that finds the count
	startMessages = 100_000    // but no more
)

// A plan is what the contests depend on.
type plan struct {
	Quick         bool `json:"quick"`
	Peers         int  `json:"peers"`
	Subscriptions int  `json:"subscriptions"`
}

func (p plan) contests() []contest {
	return slices.Concat(throughputs(), roundTrips(), fans(), p.subscriptions(), p.peers(),
		mixed(), senders(), allocations(), rivals())
}

func anyLibzmq() []string { return []string{libzmq1, libzmq2} }

func messagesPerSecond(size int) measure {
	if size > 1000 {
		return measure{key: "msgs_per_s", unit: "k/s", scale: 1e-3}
	}
	return measure{key: "msgs_per_s", unit: "M/s", scale: 1e-6}
}

// cpuPerMillion is of both processes, their start and end included.
func cpuPerMillion() measure {
	return measure{key: cpuPerMessage, unit: "s", scale: 1e6, lower: true}
}

func pushPull(name, program, flags string) contender {
	return contender{name, program + " thr-pull" + flags, program + " thr-push" + flags}
}

func sizeText(size int) string {
	switch {
	case size >= 1_000_000:
		return fmt.Sprintf("%d MB", size/1_000_000)
	case size >= 1000:
		return fmt.Sprintf("%d kB", size/1000)
	}
	return fmt.Sprintf("%d B", size)
}

// limitBatch is how many messages the limit moves with one system call: as many
// as zwire's sender did, counted with perf stat, median of three runs.
func limitBatch(transport string, size int) int {
	seen := map[string]map[int]int{
		"tcp": {10: 942, 100: 780, 1000: 248, 10_000: 26, 100_000: 2},
		"ipc": {10: 861, 100: 738, 1000: 157, 10_000: 15},
	}
	return max(1, seen[transport][size])
}

// fanBatch is limitBatch for the fan-out: deliveries by system calls of zwire's
// publisher, counted in the same way, median of seven runs at 8 and of five at the
// others. It varies much: 154 to 1996 at 8, 3029 to 3178 at 1, 294 to 2370 at 64, 649 to 1644 at 256.
func fanBatch(subscribers int) int {
	return max(1, map[int]int{1: 3102, 8: 457, 64: 2212, 256: 1150}[subscribers])
}

// throughput is a contest without contenders.
func throughput(name, transport string, size int) contest {
	return contest{
		name:      name + " " + sizeText(size),
		transport: transport,
		flags:     fmt.Sprintf("-size %d", size),
		counted:   "-count",
		start:     min(startMessages, max(20, startBytes/size)),
		plot:      "throughput-" + transport,
		x:         float64(size),
	}
}

func throughputs() []contest {
	var all []contest
	targets := []float64{5, 5, 3, 2.2, 1.5, 1.3}
	for _, transport := range []string{"tcp", "ipc"} {
		for i, size := range []int{10, 100, 1000, 10_000, 100_000, 1_000_000} {
			all = append(all, streamThroughput(transport, size, targets[i]))
		}
	}
	targets = []float64{5, 8, 6}
	for i, size := range []int{10, 100, 1000} {
		all = append(all, inprocThroughput(size, targets[i]))
	}
	return all
}

func streamThroughput(transport string, size int, target float64) contest {
	c := throughput(transport+" throughput", transport, size)
	work := transport + ", " + sizeText(size)
	rate := messagesPerSecond(size)
	c.contenders = []contender{
		pushPull(zwire, "perf", ""),
		pushPull(libzmq1, "libzmq", " -io 1"),
		pushPull(libzmq2, "libzmq", " -io 2"),
		pushPull(limit, "limit", fmt.Sprintf(" -batch %d", limitBatch(transport, size))),
	}
	c.figures = []figure{
		{tableThroughput, work, rate, zwire, anyLibzmq(), limit, target},
		{tableCost, work, cpuPerMillion(), zwire, anyLibzmq(), limit, 0},
	}
	if transport == "tcp" {
		c.addOptions(work, size)
	}
	return c
}

// addOptions adds what is not the default: batches for small messages,
// references and larger socket buffers for large ones.
func (c *contest) addOptions(work string, size int) {
	rate := messagesPerSecond(size)
	if size <= 1000 {
		c.contenders = append(c.contenders, pushPull(zwireBatch, "perf", batchFlags))
		c.figures = append(c.figures, figure{tableOptions, work + ", batches of 64", rate, zwireBatch, anyLibzmq(), limit, 0})
	} else {
		c.contenders = append(c.contenders, contender{zwireOwned, "perf thr-pull", "perf thr-push -owned"})
		c.figures = append(c.figures, figure{tableOptions, work + ", SendOwned", rate, zwireOwned, anyLibzmq(), limit, 0})
	}
	if size >= 100_000 {
		c.contenders = append(c.contenders,
			pushPull(zwireTuned, "perf", tunedFlags),
			pushPull(libzmqTuned1, "libzmq", " -io 1"+tunedFlags),
			pushPull(libzmqTuned2, "libzmq", " -io 2"+tunedFlags))
		c.figures = append(c.figures, figure{tableOptions, work + ", socket buffers of 1 MiB on both sides", rate,
			zwireTuned, []string{libzmqTuned1, libzmqTuned2}, "", 0})
	}
}

func inprocThroughput(size int, target float64) contest {
	c := throughput("inproc throughput", "", size)
	c.plot = "throughput-inproc"
	work := "inproc, " + sizeText(size)
	rate := messagesPerSecond(size)
	c.contenders = []contender{
		{zwire, "perf inproc-thr", ""},
		{zwireBatch, "perf inproc-thr" + batchFlags, ""},
		{libzmq, "libzmq inproc-thr", ""},
		{limit, "limit inproc-thr", ""},
	}
	c.figures = []figure{
		{tableThroughput, work, rate, zwire, []string{libzmq}, limit, target},
		{tableOptions, work + ", batches of 64", rate, zwireBatch, []string{libzmq}, limit, 0},
		{tableCost, work, cpuPerMillion(), zwire, []string{libzmq}, limit, 0},
	}
	return c
}

func microseconds(key string) measure { return measure{key: key, unit: "µs", scale: 1, lower: true} }

func requestReply(name, program, flags string) contender {
	return contender{name, program + " lat-rep" + flags, program + " lat-req" + flags}
}

func roundTrips() []contest {
	p50, p99 := microseconds("p50_us"), microseconds("p99_us")
	var all []contest
	for _, transport := range []string{"tcp", "ipc"} {
		all = append(all, contest{
			name: transport + " round trip", transport: transport, flags: "-size 16", counted: "-count", start: 1000,
			rounds: roundTripRounds, plot: "latency-" + transport,
			contenders: []contender{
				requestReply(zwire, "perf", ""),
				requestReply(zwireBusyPoll, "perf", " -busy-poll"),
				requestReply(libzmq, "libzmq", ""),
				requestReply(netConn, "limit", ""),
			},
			figures: []figure{
				{tableRoundTrip, transport + ", p50", p50, zwire, []string{libzmq}, netConn, 0.65},
				{tableRoundTrip, transport + ", p99", p99, zwire, []string{libzmq}, netConn, 0.75},
				{tableRoundTrip, transport + ", p50", p50, zwire, []string{netConn}, "", 1.2},
				{tableRoundTrip, transport + ", p99", p99, zwire, []string{netConn}, "", 1.2},
				{tableRoundTrip, transport + ", BusyPoll, p50", p50, zwireBusyPoll, []string{libzmq}, netConn, 0.35},
				{tableRoundTrip, transport + ", BusyPoll, p99", p99, zwireBusyPoll, []string{libzmq}, netConn, 0},
			},
		})
	}
	return append(all, contest{
		name: "inproc round trip", flags: "-size 16", counted: "-count", start: 1000,
		rounds: roundTripRounds, plot: "latency-inproc",
		contenders: []contender{
			{zwire, "perf inproc-lat", ""},
			{libzmq, "libzmq inproc-lat", ""},
			{limit, "limit inproc-lat", ""},
		},
		figures: []figure{
			{tableRoundTrip, "inproc, p50", p50, zwire, []string{libzmq}, limit, 0.1},
			{tableRoundTrip, "inproc, p99", p99, zwire, []string{libzmq}, limit, 0},
		},
	})
}

// mixed puts libzmq on one side.
func mixed() []contest {
	const toLibzmq, fromLibzmq, among = "zwire to libzmq", "libzmq to zwire", "libzmq to libzmq"
	var all []contest
	for _, transport := range []string{"tcp", "ipc"} {
		for _, size := range []int{10, 100, 1000} {
			c := throughput(transport+" mixed", transport, size)
			c.plot = ""
			c.contenders = []contender{
				{toLibzmq, "libzmq thr-pull", "perf thr-push"},
				{fromLibzmq, "perf thr-pull", "libzmq thr-push"},
				{among, "libzmq thr-pull", "libzmq thr-push"},
			}
			for _, ours := range []string{toLibzmq, fromLibzmq} {
				c.figures = append(c.figures, figure{tableMixed, transport + ", " + sizeText(size) + ", " + ours,
					messagesPerSecond(size), ours, []string{among}, "", 0.95})
			}
			all = append(all, c)
		}
	}
	return all
}

// senders compares eight goroutines that send on one socket with one.
func senders() []contest {
	const alone, together = "1 sender", "8 senders"
	var all []contest
	for _, size := range []int{10, 1000} {
		target := 0.7
		if size == 1000 {
			target = 1
		}
		tcp := throughput("tcp senders", "tcp", size)
		tcp.contenders = []contender{
			pushPull(alone, "perf", ""), {together, "perf thr-pull", "perf thr-push -senders 8"},
			pushPull(limit, "limit", fmt.Sprintf(" -batch %d", limitBatch("tcp", size))),
		}
		within := throughput("inproc senders", "", size)
		within.contenders = []contender{
			{alone, "perf inproc-thr", ""}, {together, "perf inproc-thr -senders 8", ""}, {limit, "limit inproc-thr", ""},
		}
		for _, c := range []contest{tcp, within} {
			c.plot, c.rounds = "", senderRounds
			least := measure{key: "least", unit: "of the mean", scale: 1}
			transport, _, _ := strings.Cut(c.name, " ")
			work := transport + ", " + sizeText(size)
			c.figures = []figure{
				{tableSenders, work, messagesPerSecond(size), together, []string{alone}, limit, target},
				{tableSenders, work + ", the least busy of 8", least, together, nil, "", 0.5},
			}
			all = append(all, c)
		}
	}
	return all
}

// allocations are those of receiving over tcp, and of both directions on inproc.
func allocations() []contest {
	const into, iterating = "zwire, RecvInto", "zwire, Messages"
	counted := measure{key: "allocs_per_msg", unit: "per message", scale: 1, lower: true}
	const none = 0.005 // what the process allocates besides, spread over all messages
	tcp := throughput("tcp allocations", "tcp", 100)
	tcp.contenders = []contender{
		{into, "perf thr-pull -recv into", "perf thr-push"},
		{iterating, "perf thr-pull -recv iter", "perf thr-push"},
	}
	tcp.figures = []figure{
		{tableCost, "allocations, tcp, RecvInto", counted, into, nil, "", none},
		{tableCost, "allocations, tcp, Messages", counted, iterating, nil, "", none},
	}
	inproc := throughput("inproc allocations", "", 100)
	inproc.contenders = []contender{
		{into, "perf inproc-thr -recv into", ""},
		{iterating, "perf inproc-thr -recv iter", ""},
	}
	inproc.figures = []figure{
		{tableCost, "allocations, inproc, Send and RecvInto", counted, into, nil, "", none},
		{tableCost, "allocations, inproc, Send and Messages", counted, iterating, nil, "", none},
	}
	tcp.plot, inproc.plot = "", ""
	return []contest{tcp, inproc}
}
