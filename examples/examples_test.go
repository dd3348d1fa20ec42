// SPDX-License-Identifier: Apache-2.0

// Package examples_test builds every example and runs it as a person would.
package examples_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// TestExamples checks that each example ends by itself and prints what it is for.
func TestExamples(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to build the examples with")
	}
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), tool, "build", "-o", folder, "./...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	tests := []struct {
		name  string
		args  []string
		lines []string
	}{
		{"reqrep", nil, []string{`^asked apple +answer APPLE$`, `^asked sleep +no answer in time`, `^asked pear +answer PEAR$`}},
		{"pubsub", nil, []string{`^early joiner +updates 1 2 3 4 5 6 7 8 9 10$`, `^late joiner +updates 6 7 8 9 10$`}},
		{"pipeline", nil, []string{`worker 1:\d+ worker 2:\d+ worker 3:\d+`, `^sum of squares: 8995500500 right: true$`}},
		{"chat", nil, []string{`"client \d+: hello, all" and 19 more lines`, `^20 clients said one line each, 400 lines were heard$`}},
		{"peakshaving", nil, []string{`^a burst of 100 orders: 10 taken, 90 refused at once$`, `^served 100 of 100 in `}},
		{"livesettings", nil, []string{
			`^at the start +rate 100, burst 200, timeout 2s$`, `^after a change +rate 500, burst 1000, timeout 500ms$`,
			`^after nonsense +rate 500, burst 1000, timeout 500ms$`, `livesettings/rate`, `^after the rollback +rate 100, burst 200, timeout 2s$`,
			`mixtures of two revisions: 0$`,
		}},
		{"rollout", nil, []string{`^20 nodes have revision 1$`, `^node-20 +2 +true$`, `^all 20 processes had revision 2 `}},
		{"hashes", []string{"."}, []string{
			`^ +\d+ hashed: worker 1 goes, killed: true +worker 4 comes$`, `worker 2 goes, killed: false +worker 5 comes$`,
			`differ, right: true$`,
		}},
		{"logpipeline", nil, []string{
			`^web +4998 +98 +996 ms +2$`, `^not understood: 8 lines, such as "panic: service=`, `out of order at the sink: 0$`,
			`^all 20000 lines are there: true$`,
		}},
		{"quickstart", []string{"-workers", "2", "."}, []string{`^verdict: RIGHT\.`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out, err := exec.CommandContext(ctx, filepath.Join(folder, tt.name), tt.args...).CombinedOutput()
			if err != nil {
				t.Errorf("exit: %v", err)
			}
			for _, line := range tt.lines {
				if !regexp.MustCompile(`(?m)` + line).Match(out) {
					t.Errorf("no line like %q", line)
				}
			}
			if t.Failed() {
				t.Logf("output:\n%s", out)
			}
		})
	}
}
