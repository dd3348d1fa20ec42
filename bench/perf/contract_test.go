// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/bench/internal/duel"
	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/bench/internal/program"
)

// keys are those of each operation that reports.
func keys() map[string][]string {
	throughput := []string{"op", "endpoint", "size", "count", "seconds", "msgs_per_s", "mb_per_s", "allocs_per_msg", "cpu_s"}
	latency := []string{"op", "endpoint", "size", "count", "oneway_us_mean", "p50_us", "p99_us", "p999_us",
		"p10_us", "p25_us", "p75_us", "p90_us", "p95_us", "cpu_s"}
	return map[string][]string{
		"thr-pull": throughput, "inproc-thr": throughput,
		"lat-req": latency, "inproc-lat": latency,
		"fan-sub":      {"op", "endpoint", "size", "subs", "count", "seconds", "deliveries_per_s", "lost", "all_seconds", "all_per_s", "cpu_s"},
		"conns-router": {"op", "count", "rss_bytes_per_conn", "heap_bytes_per_conn", "goroutines", "cpu_s"},
		"conns-echo":   {"op", "endpoint", "count", "each", "seconds", "echoes_per_s", "cpu_s"},
		"subs": {"op", "endpoint", "count", "subscribe_per_s", "match_per_s", "unsubscribe_per_s",
			"rss_bytes_per_sub", "cpu_s"},
	}
}

// A duo is the two operations that go together.
type duo struct {
	binder, connecter string
	flags             string // of both
	only              string // of the connecter
}

func (d duo) commands(binder, connecter, endpoint string) (binding, connecting []string) {
	flags := strings.Fields(d.flags)
	binding = slices.Concat([]string{binder, d.binder, "-bind", endpoint}, flags)
	connecting = slices.Concat([]string{connecter, d.connecter}, flags, strings.Fields(d.only))
	return binding, connecting
}

func TestOverLoopback(t *testing.T) {
	probe, err := duel.BuildProbe(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, duo := range append(commonDuos(),
		duo{"thr-pull", "thr-push", "-size 0 -count 1000 -recv iter -loops 1", ""},
		duo{"thr-pull", "thr-push", "-size 100000 -count 300 -hwm 0", ""},
		duo{"lat-rep", "lat-req", "-size 70000 -count 50 -recv iter", ""},
		duo{"fan-pub", "fan-sub", "-size 100 -count 2000 -subs 3 -recv iter", ""},
		duo{"thr-pull", "thr-push", "-size 10 -count 20000 -send-buffer 65536 -recv-buffer 65536", "-owned -senders 4"},
		duo{"thr-pull", "thr-push", "-size 1 -count 1", ""},
		duo{"lat-rep", "lat-req", "-size 1 -count 1", ""},
		duo{"fan-pub", "fan-sub", "-size 1 -count 1 -subs 1", ""},
		duo{"conns-router", "conns-dealer", "-count 20", ""},
		duo{"conns-echo", "conns-echo", "-count 1 -each 1 -recv iter", ""},
	) {
		for _, endpoint := range endpoints(t) {
			name, _, _ := strings.Cut(endpoint, ":")
			t.Run(fmt.Sprintf("%s/%s %s", name, duo.binder, duo.flags), func(t *testing.T) {
				checkDuo(t, duo, probe, probe, endpoint)
			})
		}
	}
	for _, arguments := range []string{
		"inproc-thr -size 10 -count 20000",
		"inproc-thr -size 10 -count 20000 -recv iter -hwm 10",
		"inproc-lat -size 10 -count 500",
		"inproc-lat -size 10 -count 500 -recv iter",
	} {
		t.Run(arguments, func(t *testing.T) {
			output, err := runAlone(t.Context(), probe, arguments)
			if err != nil {
				t.Fatal(err)
			}
			operation, _, _ := strings.Cut(arguments, " ")
			checkReport(t, output, operation, "inproc")
		})
	}
}

// TestAgainstLibzmq shows that nothing but the messages is needed to take part:
// a program on libzmq is each side once.
func TestAgainstLibzmq(t *testing.T) {
	folder := t.TempDir()
	probe, err := duel.BuildProbe(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	yardstick, err := duel.BuildYardstick(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, duo := range commonDuos() {
		for _, endpoint := range endpoints(t) {
			name, _, _ := strings.Cut(endpoint, ":")
			t.Run(name+"/libzmq-is-"+duo.connecter, func(t *testing.T) { checkDuo(t, duo, probe, yardstick, endpoint) })
			t.Run(name+"/libzmq-is-"+duo.binder, func(t *testing.T) { checkDuo(t, duo, yardstick, probe, endpoint) })
			t.Run(name+"/libzmq-is-both-"+duo.binder, func(t *testing.T) { checkDuo(t, duo, yardstick, yardstick, endpoint) })
		}
	}
}

// commonDuos are those that libzmq can take part in.
func commonDuos() []duo {
	return []duo{
		{"thr-pull", "thr-push", "-size 10 -count 20000", ""},
		{"lat-rep", "lat-req", "-size 10 -count 500", ""},
		{"fan-pub", "fan-sub", "-size 10 -count 2000 -subs 4", ""},
		{"conns-echo", "conns-echo", "-count 300 -each 5", ""},
	}
}

func endpoints(t *testing.T) []string {
	t.Helper()
	folder, err := os.MkdirTemp("", "perf") // t.TempDir would be too long for ipc
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return []string{"tcp://127.0.0.1:*", "ipc://" + filepath.Join(folder, "s")}
}

// checkDuo expects one report, from the side that makes one.
func checkDuo(t *testing.T, duo duo, binder, connecter, endpoint string) {
	t.Helper()
	binding, connecting := duo.commands(binder, connecter, endpoint)
	fromBinder, fromConnecter, err := duel.Pair(t.Context(), binding, connecting)
	if err != nil {
		t.Fatal(err)
	}
	reporter, report, silent := duo.binder, fromBinder, fromConnecter
	if keys()[duo.connecter] != nil {
		reporter, report, silent = duo.connecter, fromConnecter, fromBinder
	}
	if len(silent) > 0 {
		t.Errorf("the side that does not report wrote %q", silent)
	}
	checkReport(t, report, reporter, "")
}

// checkReport wants one line with all keys and figures that can be.
func checkReport(t *testing.T, output []byte, operation, endpoint string) {
	t.Helper()
	if bytes.Count(output, []byte("\n")) != 1 || !bytes.HasSuffix(output, []byte("\n")) {
		t.Fatalf("standard output is not one line: %q", output)
	}
	var report map[string]any
	if err := json.Unmarshal(output, &report); err != nil {
		t.Fatalf("%q: %v", output, err)
	}
	got, want := slices.Sorted(maps.Keys(report)), slices.Sorted(slices.Values(keys()[operation]))
	if !slices.Equal(got, want) {
		t.Errorf("keys are %v, want %v", got, want)
	}
	if report["op"] != operation {
		t.Errorf("op is %v, want %s", report["op"], operation)
	}
	if endpoint != "" && report["endpoint"] != endpoint {
		t.Errorf("endpoint is %v, want %s", report["endpoint"], endpoint)
	}
	if lost, counted := report["lost"]; counted && lost != 0.0 {
		t.Errorf("lost is %v", lost)
	}
	if report["count"] == 1.0 || report["allocs_per_msg"] == -1.0 {
		return // no figures, or libzmq's
	}
	for _, key := range []string{
		"seconds", "msgs_per_s", "oneway_us_mean", "p10_us", "p50_us", "p99_us", "p999_us", "deliveries_per_s", "all_per_s", "goroutines",
		"echoes_per_s", "subscribe_per_s", "match_per_s", "unsubscribe_per_s", "cpu_s",
	} {
		if value, given := report[key]; given && value.(float64) <= 0 {
			t.Errorf("%s is %v", key, value)
		}
	}
}

// TestSubscriptions runs both programs, which are alone at it.
func TestSubscriptions(t *testing.T) {
	folder := t.TempDir()
	probe, err := duel.BuildProbe(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	yardstick, err := duel.BuildYardstick(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name, path, arguments, endpoint string) {
		t.Run(name, func(t *testing.T) {
			output, err := runAlone(t.Context(), path, "subs -count 2000 "+arguments)
			if err != nil {
				t.Fatal(err)
			}
			checkReport(t, output, "subs", endpoint)
		})
	}
	for name, path := range map[string]string{"zwire": probe, "libzmq": yardstick} {
		check(name+"/inproc", path, "", "inproc://subs")
		for _, endpoint := range endpoints(t) {
			check(name+"/"+endpoint[:3], path, "-bind "+endpoint, endpoint)
		}
	}
	check("zwire/iter", probe, "-recv iter", "inproc://subs")
}

// TestStandardError looks at what the sides without a report say last.
func TestStandardError(t *testing.T) {
	folder := t.TempDir()
	probe, err := duel.BuildProbe(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	yardstick, err := duel.BuildYardstick(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	for name, pushing := range map[string]struct {
		path, flags string
		balance     bool
	}{
		"zwire":    {probe, "", false},
		"libzmq":   {yardstick, "", false},
		"balanced": {probe, "-senders 4", true},
	} {
		t.Run(name, func(t *testing.T) {
			pulling, err := duel.Start(t.Context(), probe, strings.Fields("thr-pull -size 10 -count 5000 -bind tcp://127.0.0.1:*")...)
			if err != nil {
				t.Fatal(err)
			}
			endpoint, err := pulling.Bound()
			if err != nil {
				t.Fatal(err)
			}
			flags := strings.Fields("thr-push -size 10 -count 5000 " + pushing.flags + " -connect " + endpoint)
			output, err := exec.CommandContext(t.Context(), pushing.path, flags...).CombinedOutput()
			if _, pullErr := pulling.Wait(); err != nil || pullErr != nil {
				t.Fatalf("%q, %v, %v", output, err, pullErr)
			}
			lines := strings.Split(strings.TrimSpace(string(output)), "\n")
			var last figures.CPU
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.CPUSeconds <= 0 {
				t.Errorf("last line of %q: %+v, %v", lines, last, err)
			}
			if !pushing.balance {
				return
			}
			var balance balance
			if err := json.Unmarshal([]byte(lines[0]), &balance); err != nil || !balance.makesSense(4) {
				t.Errorf("first line of %q: %+v, %v", lines, balance, err)
			}
		})
	}
}

func (b *balance) makesSense(senders int) bool {
	return b.Senders == senders && b.Least >= 0 && b.Least <= 1 && b.Most >= 1 && b.Most <= float64(senders)
}

func TestInprocBalance(t *testing.T) {
	probe, err := duel.BuildProbe(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	output, err := runAlone(t.Context(), probe, "inproc-thr -size 10 -count 20000 -senders 3")
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		figures.Throughput
		balance
	}
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil || report.MessagesPerSecond <= 0 || !report.makesSense(3) {
		t.Errorf("got %q, %v", output, err)
	}
}

func runAlone(ctx context.Context, path, arguments string) ([]byte, error) {
	process, err := duel.Start(ctx, path, strings.Fields(arguments)...)
	if err != nil {
		return nil, err
	}
	return process.Wait()
}

func TestConnecterMayStartFirst(t *testing.T) {
	probe, err := duel.BuildProbe(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, duo := range append(commonDuos(), duo{"conns-router", "conns-dealer", "-count 20", ""}) {
		t.Run(duo.connecter, func(t *testing.T) {
			binding, connecting := duo.commands(probe, probe, endpoints(t)[1])
			first, err := duel.Start(t.Context(), connecting[0], slices.Insert(connecting[1:], 1, "-connect", binding[3])...)
			if err != nil {
				t.Fatal(err)
			}
			fromBinder, err := runAlone(t.Context(), probe, strings.Join(binding[1:], " "))
			if err != nil {
				t.Fatal(err)
			}
			fromConnecter, err := first.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if keys()[duo.connecter] != nil {
				checkReport(t, fromConnecter, duo.connecter, binding[3])
			} else {
				checkReport(t, fromBinder, duo.binder, "")
			}
		})
	}
}

// TestFailures runs what cannot succeed: exit status 1, and no report but that
// of what was lost.
func TestFailures(t *testing.T) {
	probe, err := duel.BuildProbe(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, arguments := range []string{
		"thr-pull -size 1 -count 1 -timeout 200ms -bind tcp://127.0.0.1:*",
		"thr-pull -size 1 -count 1 -bind nonsense",
		"thr-pull -size 1 -count 1 -bind tcp://" + listener.Addr().String(),
		"thr-push -size 1 -count 1 -timeout 200ms -connect tcp://127.0.0.1:1",
		"lat-req -size 1 -count 1 -timeout 200ms -connect tcp://127.0.0.1:1",
		"fan-pub -size 1 -count 1 -subs 1 -timeout 200ms -bind tcp://127.0.0.1:*",
		"fan-sub -size 1 -count 1 -subs 1 -timeout 200ms -connect tcp://127.0.0.1:1",
		"conns-router -count 1 -timeout 200ms -bind tcp://127.0.0.1:*",
		"conns-dealer -count 1 -timeout 200ms -connect tcp://127.0.0.1:1",
		"conns-echo -count 1 -each 1 -timeout 200ms -bind tcp://127.0.0.1:*",
		"conns-echo -count 1 -each 1 -timeout 200ms -connect tcp://127.0.0.1:1",
		"subs -count 1 -bind nonsense",
	} {
		t.Run(arguments, func(t *testing.T) {
			output, err := runAlone(t.Context(), probe, arguments)
			checkFailed(t, output, err)
		})
	}
	for name, duo := range map[string]duo{
		"wrong size":     {"thr-pull", "thr-push", "-size 10 -count 100 -timeout 2s", "-size 11"},
		"too few":        {"thr-pull", "thr-push", "-size 10 -count 100 -timeout 1s", "-count 99"},
		"wrong question": {"lat-rep", "lat-req", "-size 10 -count 100 -timeout 2s", "-size 11"},
		"fan of wrong":   {"fan-pub", "fan-sub", "-size 10 -count 10 -subs 2 -timeout 2s", "-size 11"},
	} {
		t.Run(name, func(t *testing.T) {
			binding, connecting := duo.commands(probe, probe, "tcp://127.0.0.1:*")
			fromBinder, fromConnecter, err := duel.Pair(t.Context(), binding, connecting)
			checkFailed(t, append(fromBinder, fromConnecter...), err)
		})
	}
}

func checkFailed(t *testing.T, output []byte, err error) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != program.ExitFailed {
		t.Errorf("got %v, want exit status %d", err, program.ExitFailed)
	}
	if len(output) > 0 {
		t.Errorf("standard output has %q", output)
	}
}

// TestEchoesAreCounted has dealers that are content and a router that is not.
func TestEchoesAreCounted(t *testing.T) {
	probe, err := duel.BuildProbe(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	duo := duo{"conns-echo", "conns-echo", "-count 2 -each 3 -timeout 1s", "-each 2"}
	binding, connecting := duo.commands(probe, probe, "tcp://127.0.0.1:*")
	fromBinder, _, err := duel.Pair(t.Context(), binding, connecting)
	checkFailed(t, fromBinder, err)
}

// TestFanCountsLoss waits as long as the contract says before it gives up.
func TestFanCountsLoss(t *testing.T) {
	t.Parallel()
	probe, err := duel.BuildProbe(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	duo := duo{"fan-pub", "fan-sub", "-size 10 -count 10 -subs 3", "-count 12"}
	binding, connecting := duo.commands(probe, probe, "tcp://127.0.0.1:*")
	_, output, err := duel.Pair(t.Context(), binding, connecting)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != program.ExitFailed {
		t.Errorf("got %v, want exit status %d", err, program.ExitFailed)
	}
	var report figures.Fan
	if err := json.Unmarshal(output, &report); err != nil || report.Lost != 6 {
		t.Errorf("got %q (%v), want 6 lost", output, err)
	}
}
