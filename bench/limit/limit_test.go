// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/bench/internal/program"
)

var (
	throughputKeys = []string{"op", "endpoint", "size", "count", "seconds", "msgs_per_s", "mb_per_s", "allocs_per_msg", "cpu_s"}
	latencyKeys    = []string{"op", "endpoint", "size", "count", "oneway_us_mean", "p50_us", "p99_us", "p999_us",
		"p10_us", "p25_us", "p75_us", "p90_us", "p95_us", "cpu_s"}
	fanKeys  = []string{"op", "endpoint", "size", "subs", "count", "seconds", "deliveries_per_s", "lost", "all_seconds", "all_per_s", "cpu_s"}
	echoKeys = []string{"op", "endpoint", "count", "each", "seconds", "echoes_per_s", "cpu_s"}
)

func TestInproc(t *testing.T) {
	for arguments, keys := range map[string][]string{
		"inproc-thr -size 10 -count 50000": throughputKeys,
		"inproc-thr -size 0 -count 5000":   throughputKeys,
		"inproc-thr -size 600000 -count 9": throughputKeys, // more than the ring's bytes
		"inproc-lat -size 10 -count 500":   latencyKeys,
	} {
		t.Run(arguments, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if status := run(strings.Fields(arguments), &stdout, &stderr); status != 0 {
				t.Fatalf("exit status %d: %s", status, &stderr)
			}
			checkReport(t, stdout.Bytes(), strings.Fields(arguments)[0], keys)
		})
	}
}

func TestStreams(t *testing.T) {
	folder, err := os.MkdirTemp("", "limit") // t.TempDir would be too long for ipc
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://" + filepath.Join(folder, "s")} {
		for _, flags := range []string{"-size 10 -count 50000", "-size 10 -count 50001 -batch 64", "-size 70000 -count 50 -batch 3"} {
			t.Run(endpoint[:3]+" "+flags, func(t *testing.T) {
				fromBinder, fromConnecter := runPair(t, "thr-pull -bind "+endpoint+" "+flags, "thr-push "+flags)
				checkReport(t, fromBinder, "thr-pull", throughputKeys)
				if len(fromConnecter) > 0 {
					t.Errorf("thr-push wrote %q", fromConnecter)
				}
			})
		}
		t.Run(endpoint[:3]+" latency", func(t *testing.T) {
			fromBinder, fromConnecter := runPair(t, "lat-rep -size 16 -count 300 -bind "+endpoint, "lat-req -size 16 -count 300")
			checkReport(t, fromConnecter, "lat-req", latencyKeys)
			if len(fromBinder) > 0 {
				t.Errorf("lat-rep wrote %q", fromBinder)
			}
		})
	}
}

// TestCrowds has more streams than connect at a time, and than one wait reports.
func TestCrowds(t *testing.T) {
	skipWithoutEpoll(t)
	folder, err := os.MkdirTemp("", "limit")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://" + filepath.Join(folder, "s")} {
		for _, flags := range []string{
			"-size 100 -count 5000 -subs 1", "-size 100 -count 2001 -subs 300 -batch 64", "-size 70000 -count 20 -subs 3 -batch 3",
		} {
			t.Run(endpoint[:3]+" fan "+flags, func(t *testing.T) {
				fromBinder, fromConnecter := runPair(t, "fan-pub -bind "+endpoint+" "+flags, "fan-sub "+flags)
				checkReport(t, fromConnecter, "fan-sub", fanKeys)
				if len(fromBinder) > 0 {
					t.Errorf("fan-pub wrote %q", fromBinder)
				}
			})
		}
		for _, flags := range []string{"-count 1 -each 1000", "-count 600 -each 3"} {
			t.Run(endpoint[:3]+" echo "+flags, func(t *testing.T) {
				fromBinder, fromConnecter := runPair(t, "conns-echo -bind "+endpoint+" "+flags, "conns-echo "+flags)
				checkReport(t, fromConnecter, "conns-echo", echoKeys)
				if len(fromBinder) > 0 {
					t.Errorf("the binder wrote %q", fromBinder)
				}
			})
		}
	}
}

func skipWithoutEpoll(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux's epoll")
	}
}

// runPair runs both sides here, the connecter when the binder says where it is.
func runPair(t *testing.T, binder, connecter string) (fromBinder, fromConnecter []byte) {
	t.Helper()
	var binderOut, connecterOut, connecterErr bytes.Buffer
	said, saying := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(strings.Fields(binder), &binderOut, saying)
		saying.Close()
	}()
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "bound ") {
		t.Fatalf("%s: said %q", binder, lines.Text())
	}
	endpoint := strings.TrimPrefix(lines.Text(), "bound ")
	go io.Copy(io.Discard, said)
	if status := run(strings.Fields(connecter+" -connect "+endpoint), &connecterOut, &connecterErr); status != 0 {
		t.Errorf("%s: exit status %d: %s", connecter, status, &connecterErr)
	}
	if status := <-ended; status != 0 {
		t.Errorf("%s: exit status %d", binder, status)
	}
	return binderOut.Bytes(), connecterOut.Bytes()
}

func checkReport(t *testing.T, output []byte, operation string, keys []string) {
	t.Helper()
	var report map[string]any
	if err := json.Unmarshal(output, &report); err != nil {
		t.Fatalf("%q: %v", output, err)
	}
	if got, want := slices.Sorted(maps.Keys(report)), slices.Sorted(slices.Values(keys)); !slices.Equal(got, want) {
		t.Errorf("keys are %v, want %v", got, want)
	}
	if report["op"] != operation {
		t.Errorf("op is %v, want %s", report["op"], operation)
	}
	for _, key := range []string{"p50_us", "p99_us", "cpu_s", "echoes_per_s"} {
		if value, given := report[key]; given && value.(float64) <= 0 {
			t.Errorf("%s is %v", key, value)
		}
	}
}

func TestTooMuchAndTooLittle(t *testing.T) {
	for name, count := range map[string]string{"too few": "99", "too many": "101"} {
		t.Run(name, func(t *testing.T) {
			said, saying := io.Pipe()
			ended := make(chan int, 1)
			var stdout bytes.Buffer
			go func() {
				ended <- run(strings.Fields("thr-pull -size 10 -count 100 -bind tcp://127.0.0.1:*"), &stdout, saying)
				saying.Close()
			}()
			lines := bufio.NewScanner(said)
			lines.Scan()
			endpoint := strings.TrimPrefix(lines.Text(), "bound ")
			go io.Copy(io.Discard, said)
			run(strings.Fields("thr-push -size 10 -connect "+endpoint+" -count "+count), io.Discard, io.Discard)
			if status := <-ended; status != program.ExitFailed || stdout.Len() > 0 {
				t.Errorf("exit status %d, %q", status, &stdout)
			}
		})
	}
}

func TestCrowdsOfWrongCount(t *testing.T) {
	skipWithoutEpoll(t)
	for binder, connecter := range map[string]string{
		"fan-pub -size 10 -count 99 -subs 2":  "fan-sub -size 10 -count 100 -subs 2",
		"fan-pub -size 10 -count 101 -subs 2": "fan-sub -size 10 -count 100 -subs 2",
		"conns-echo -count 2 -each 3":         "conns-echo -count 2 -each 2",
	} {
		said, saying := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			ended <- run(strings.Fields(binder+" -bind tcp://127.0.0.1:*"), io.Discard, saying)
			saying.Close()
		}()
		lines := bufio.NewScanner(said)
		lines.Scan()
		endpoint := strings.TrimPrefix(lines.Text(), "bound ")
		go io.Copy(io.Discard, said)
		var stdout bytes.Buffer
		status := run(strings.Fields(connecter+" -connect "+endpoint), &stdout, io.Discard)
		if counts := strings.HasPrefix(connecter, "fan-sub"); counts != (status == program.ExitFailed && stdout.Len() == 0) {
			t.Errorf("%s: exit status %d, %q", connecter, status, &stdout)
		}
		if counts := strings.HasPrefix(binder, "conns-echo"); (<-ended == program.ExitFailed) != counts {
			t.Errorf("%s: exit status is wrong", binder)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, arguments := range []string{
		"",
		"nothing",
		"thr-pull -size 1 -count 1",
		"thr-pull -bind a -size 1 -count 1 -batch 0",
		"lat-rep -bind a -size 1 -count 1 -batch 1",
		"lat-req -bind a -size 1 -count 1",
		"fan-pub -bind a -size 1 -count 1",
		"fan-sub -connect a -size 1 -count 1 -subs 0",
		"conns-echo -bind a -count 1",
		"conns-echo -connect a -count 1 -each 1 -size 16",
		"conns-echo -count 1 -each 1",
		"inproc-thr -size -1 -count 1",
		"inproc-thr -size 1 -count 0",
		"inproc-thr -size 1 -count 1 -timeout 0s",
		"inproc-thr -size 1 -count 1 rest",
	} {
		var stdout, stderr bytes.Buffer
		if status := run(strings.Fields(arguments), &stdout, &stderr); status != program.ExitBadFlags || stdout.Len() > 0 {
			t.Errorf("%s: exit status %d, %q", arguments, status, &stdout)
		}
	}
	for _, arguments := range []string{"-help", "thr-pull -help"} {
		if status := run(strings.Fields(arguments), io.Discard, io.Discard); status != 0 {
			t.Errorf("%s: exit status %d", arguments, status)
		}
	}
	if status := run(strings.Fields("lat-req -size 1 -count 1 -connect inproc://a"), io.Discard, io.Discard); status != program.ExitFailed {
		t.Errorf("over inproc: exit status %d", status)
	}
}
