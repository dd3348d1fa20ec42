// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/program"
)

func TestBadFlags(t *testing.T) {
	for _, arguments := range []string{
		"",
		"nothing",
		"-bind tcp://127.0.0.1:1 thr-pull",
		"thr-pull",
		"thr-pull -size 1 -count 1",
		"thr-pull -bind= -size 1 -count 1",
		"thr-pull -bind inproc://a -count 1",
		"thr-pull -bind inproc://a -size 1",
		"thr-pull -connect inproc://a -size 1 -count 1",
		"thr-push -bind inproc://a -size 1 -count 1",
		"thr-pull -bind inproc://a -size 1 -count 1 -subs 1",
		"thr-pull -bind inproc://a -size 1 -count 1 rest",
		"fan-sub -connect inproc://a -size 1 -count 1",
		"fan-sub -connect inproc://a -size 1 -count 1 -subs 0",
		"conns-router -bind inproc://a -count 1 -size 1",
		"conns-echo -count 1 -each 1",
		"conns-echo -bind inproc://a -count 1",
		"conns-echo -bind inproc://a -connect inproc://a -count 1 -each 1",
		"conns-router -bind inproc://a -count 1 -each 1",
		"subs",
		"subs -connect inproc://a -count 1",
		"subs -count 100000001",
		"inproc-thr -size 1 -count 1 -senders 0",
		"inproc-thr -size 1 -count 1 -batch 0",
		"inproc-thr -size 1 -count 1 -owned",
		"inproc-thr -size 1 -count 1 -recv-buffer 1",
		"thr-pull -bind inproc://a -size 1 -count 1 -senders 2",
		"thr-pull -bind inproc://a -size 1 -count 1 -recv-buffer -1",
		"inproc-thr -size -2 -count 1",
		"inproc-thr -size 2147483648 -count 1",
		"inproc-thr -size ten -count 1",
		"inproc-thr -size 1 -count 0",
		"inproc-thr -size 1 -count 1 -hwm -1",
		"inproc-thr -size 1 -count 1 -loops -1",
		"inproc-thr -size 1 -count 1 -recv never",
		"inproc-thr -size 1 -count 1 -timeout 60",
		"inproc-thr -size 1 -count 1 -timeout 0s",
		"inproc-thr -size 1 -count 1 -colour red",
	} {
		t.Run(arguments, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if status := run(strings.Fields(arguments), &stdout, &stderr); status != program.ExitBadFlags {
				t.Errorf("exit status %d, want %d", status, program.ExitBadFlags)
			}
			if stdout.Len() > 0 {
				t.Errorf("standard output has %q", &stdout)
			}
			if !strings.Contains(stderr.String(), "perf: ") {
				t.Errorf("standard error says only %q", &stderr)
			}
		})
	}
}

func TestBalance(t *testing.T) {
	if got, want := *newBalance([]int{50, 100, 150}), (balance{3, 0.5, 1.5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := *newBalance([]int{0, 1}), (balance{2, 0, 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHelp(t *testing.T) {
	for _, arguments := range []string{"-help", "--help", "-h", "thr-pull -help", "conns-echo -help"} {
		var stdout, stderr bytes.Buffer
		if status := run(strings.Fields(arguments), &stdout, &stderr); status != 0 {
			t.Errorf("%s: exit status %d", arguments, status)
		}
		if stdout.Len() > 0 || !strings.Contains(stderr.String(), "-count") {
			t.Errorf("%s: standard output has %q, standard error %q", arguments, &stdout, &stderr)
		}
	}
}

func TestDefaults(t *testing.T) {
	for arguments, want := range map[string]settings{
		"thr-pull -bind a -size 0 -count 3": {endpoint: "a", count: 3, batch: 1, highWater: 1000, timeout: time.Minute},
		"fan-sub -connect=a --size=5 -count 3 -subs 4 -recv iter": {endpoint: "a", size: 5, count: 3,
			subscribers: 4, iterate: true, timeout: time.Minute},
		"conns-dealer -connect a -count 3 -hwm 0 -loops 2 -timeout 1m30s": {endpoint: "a", count: 3,
			loops: 2, timeout: 90 * time.Second},
		"thr-push -connect a -size 1 -count 3 -owned -senders 4 -send-buffer 5 -recv-buffer 6": {endpoint: "a",
			size: 1, count: 3, owned: true, senders: 4, batch: 1, sendBuffer: 5, recvBuffer: 6, highWater: 1000,
			timeout: time.Minute},
		"conns-echo --connect=a -count 3 -each 4": {endpoint: "a", count: 3, each: 4, highWater: 1000,
			timeout: time.Minute},
		"subs -count 3": {endpoint: "inproc://subs", count: 3, timeout: time.Minute},
	} {
		var stderr bytes.Buffer
		_, got, err := parseFlags(strings.Fields(arguments), &stderr)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", arguments, got, err, want)
		}
	}
}
