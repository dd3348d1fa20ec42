// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// The contests with many subscribers, subscriptions or peers, and those with
// other Go libraries.

func fans() []contest {
	var all []contest
	for _, subscribers := range []int{1, 8, 64, 256} {
		fan := func(name, program, flags string) contender {
			return contender{name, program + " fan-pub" + flags, program + " fan-sub" + flags}
		}
		work := fmt.Sprintf("tcp, 100 B, K = %d", subscribers)
		deliveries := measure{key: "all_per_s", unit: "M/s", scale: 1e-6}
		all = append(all, contest{
			name: fmt.Sprintf("tcp fan-out %d", subscribers), transport: "tcp",
			flags:   fmt.Sprintf("-size 100 -subs %d", subscribers),
			counted: "-count", start: max(500, startMessages/subscribers),
			contenders: []contender{
				fan(zwire, "perf", ""), fan(libzmq1, "libzmq", " -io 1"), fan(libzmq2, "libzmq", " -io 2"),
				fan(limit, "limit", fmt.Sprintf(" -batch %d", fanBatch(subscribers))),
			},
			figures: []figure{
				{tableFan, work, deliveries, zwire, anyLibzmq(), limit, 4},
				{tableCost, work, cpuPerMillion(), zwire, anyLibzmq(), limit, 0},
			},
			plot: "fanout", x: float64(subscribers),
		})
	}
	return all
}

func (p plan) subscriptions() []contest {
	perSecond := func(key string) measure { return measure{key: key, unit: "k/s", scale: 1e-3} }
	var all []contest
	for _, transport := range []string{"inproc", "tcp"} {
		endpoint := map[string]string{"inproc": "inproc://subs", "tcp": "tcp://127.0.0.1:*"}[transport]
		c := contest{
			name: transport + " subscriptions", flags: fmt.Sprintf("-bind %s -count %d", endpoint, p.Subscriptions),
			contenders: []contender{{zwire, "perf subs", ""}, {libzmq, "libzmq subs", ""}},
		}
		for _, step := range []struct {
			text string
			measure
		}{
			{"subscribe", perSecond("subscribe_per_s")},
			{"match", perSecond("match_per_s")},
			{"unsubscribe", perSecond("unsubscribe_per_s")},
			{"memory of one", measure{key: "rss_bytes_per_sub", unit: "B", scale: 1, lower: true}},
		} {
			target := 2.0
			if step.lower {
				target = 0.5
			}
			work := fmt.Sprintf("%s, %d subscriptions, %s", transport, p.Subscriptions, step.text)
			c.figures = append(c.figures, figure{tableSubscriptions, work, step.measure, zwire, []string{libzmq}, "", target})
		}
		all = append(all, c)
	}
	return all
}

// peers measures memory at several numbers for the plot; the target is for the
// last.
func (p plan) peers() []contest {
	resident := measure{key: "rss_bytes_per_conn", unit: "kB", scale: 1e-3, lower: true}
	echoes := measure{key: "echoes_per_s", unit: "k/s", scale: 1e-3}
	echo := func(name, program, flags string) contender {
		return contender{name, program + " conns-echo" + flags, program + " conns-echo" + flags}
	}
	var all []contest
	for _, peers := range []int{p.Peers / 100, p.Peers / 10, p.Peers} {
		target := 0.0
		if peers == p.Peers {
			target = 0.5
		}
		all = append(all, contest{
			name: fmt.Sprintf("tcp idle peers %d", peers), transport: "tcp", flags: fmt.Sprintf("-count %d", peers),
			contenders: []contender{
				{zwire, "perf conns-router", "perf conns-dealer"},
				{libzmq, "libzmq conns-router", "libzmq conns-dealer"},
			},
			figures: []figure{{tablePeers, fmt.Sprintf("%d idle peers, resident memory of each", peers), resident,
				zwire, []string{libzmq}, "", target}},
			plot: "memory", x: float64(peers),
		})
	}
	return append(all, contest{
		name: fmt.Sprintf("tcp echo peers %d", p.Peers), transport: "tcp", flags: fmt.Sprintf("-count %d", p.Peers),
		counted: "-each", start: 5,
		contenders: []contender{
			echo(zwire, "perf", ""), echo(libzmq1, "libzmq", " -io 1"), echo(libzmq2, "libzmq", " -io 2"), echo(limit, "limit", ""),
		},
		figures: []figure{{tablePeers, fmt.Sprintf("%d peers, all active, echoes of 16 B", p.Peers), echoes,
			zwire, anyLibzmq(), limit, 3}},
	})
}

func rivals() []contest {
	libraries := []struct{ name, flag string }{
		{"go-zeromq/zmq4", "zeromq"}, {"pebbe/zmq4", "pebbe"}, {"goczmq", "goczmq"},
	}
	var all []contest
	for _, size := range []int{100, 10_000} {
		c := throughput("tcp Go libraries", "tcp", size)
		c.plot, c.rounds, c.seconds = "", rivalRounds, rivalSeconds
		c.contenders = []contender{pushPull(zwire, "perf", "")}
		for _, library := range libraries {
			c.contenders = append(c.contenders, pushPull(library.name, "rivals -lib "+library.flag, ""))
			c.figures = append(c.figures, figure{tableRivals, "tcp, " + sizeText(size), messagesPerSecond(size),
				zwire, []string{library.name}, "", 0})
		}
		all = append(all, c)
	}
	return all
}
