// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/bench/internal/duel"
	"github.com/zwire-mq/zwire/bench/internal/program"
)

var keys = []string{"op", "endpoint", "size", "count", "seconds", "msgs_per_s", "mb_per_s", "allocs_per_msg", "cpu_s"}

// TestThroughput has every library with itself, in processes of their own: some
// end their context for good.
func TestThroughput(t *testing.T) {
	built := filepath.Join(t.TempDir(), "rivals")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", built, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	for name := range libraries() {
		for _, flags := range []string{"-size 10 -count 3000", "-size 100000 -count 50"} {
			t.Run(name+" "+flags, func(t *testing.T) {
				pulling := strings.Fields(built + " -lib " + name + " thr-pull -bind tcp://127.0.0.1:* " + flags)
				pushing := strings.Fields(built + " -lib " + name + " thr-push " + flags)
				output, silent, err := duel.Pair(t.Context(), pulling, pushing)
				if err != nil || len(silent) > 0 {
					t.Fatalf("thr-push wrote %q, %v", silent, err)
				}
				checkReport(t, output)
			})
		}
	}
}

func checkReport(t *testing.T, output []byte) {
	t.Helper()
	var report map[string]any
	if err := json.Unmarshal(output, &report); err != nil {
		t.Fatalf("%q: %v", output, err)
	}
	if got, want := slices.Sorted(maps.Keys(report)), slices.Sorted(slices.Values(keys)); !slices.Equal(got, want) {
		t.Errorf("keys are %v, want %v", got, want)
	}
	for _, key := range []string{"seconds", "msgs_per_s", "cpu_s"} {
		if report[key].(float64) <= 0 {
			t.Errorf("%s is %v", key, report[key])
		}
	}
}

func TestWrongSize(t *testing.T) {
	said, saying := io.Pipe()
	ended := make(chan int, 1)
	var stdout bytes.Buffer
	go func() {
		ended <- run(strings.Fields("-lib zeromq thr-pull -size 10 -count 1 -bind tcp://127.0.0.1:*"), &stdout, saying)
		saying.Close()
	}()
	lines := bufio.NewScanner(said)
	lines.Scan()
	endpoint := strings.TrimPrefix(lines.Text(), "bound ")
	go io.Copy(io.Discard, said)
	run(strings.Fields("-lib zeromq thr-push -size 11 -count 1 -connect "+endpoint), io.Discard, io.Discard)
	if status := <-ended; status != program.ExitFailed || stdout.Len() > 0 {
		t.Errorf("exit status %d, %q", status, &stdout)
	}
}

func TestBadFlags(t *testing.T) {
	for _, arguments := range []string{
		"",
		"thr-pull -bind a -size 1 -count 1",
		"-lib other thr-pull -bind a -size 1 -count 1",
		"-lib zeromq",
		"-lib zeromq lat-rep -bind a -size 1 -count 1",
		"-lib zeromq thr-pull -size 1 -count 1",
		"-lib zeromq thr-push -bind a -size 1 -count 1",
		"-lib zeromq thr-pull -bind a -size -1 -count 1",
		"-lib zeromq thr-pull -bind a -size 1",
		"-lib zeromq thr-pull -bind a -size 1 -count 1 rest",
	} {
		var stdout, stderr bytes.Buffer
		if status := run(strings.Fields(arguments), &stdout, &stderr); status != program.ExitBadFlags || stdout.Len() > 0 {
			t.Errorf("%s: exit status %d, %q", arguments, status, &stdout)
		}
	}
	if status := run([]string{"-help"}, io.Discard, io.Discard); status != 0 {
		t.Errorf("-help: exit status %d", status)
	}
}
