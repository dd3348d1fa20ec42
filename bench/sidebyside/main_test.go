// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// TestTable measures next to nothing, once, and looks at the table alone.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := run(&out, 1, 0.001, "thr 10 B|lat"); err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^\| (tcp|ipc|inproc) (thr|lat p50|lat p99) \| \d+ B \| [^|]+ (M/s|µs) \| [^|]+ (M/s|µs) \| \d+\.\d\d \|$`)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2+9 {
		t.Errorf("%d lines:\n%s", len(lines), &out)
	}
	for _, line := range lines[2:] {
		if !row.MatchString(line) {
			t.Errorf("no row: %s", line)
		}
	}
}
