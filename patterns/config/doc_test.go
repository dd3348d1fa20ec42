// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuarantees: each line of the table of guarantees names tests that there are.
func TestGuarantees(t *testing.T) {
	page, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "# Guarantees")
	table, _, _ = strings.Cut(table, "# Limits")
	var code []byte
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code = append(code, text...)
		}
	}
	lines := 0
	for line := range strings.SplitSeq(table, "\n") {
		if !strings.HasPrefix(line, "//\t") {
			continue
		}
		names := regexp.MustCompile(`\b(Test|Fuzz)[A-Za-z]+`).FindAllString(line, -1)
		if lines++; lines > 1 && len(names) == 0 {
			t.Errorf("no test is named by %q", line)
		}
		for _, name := range names {
			if !bytes.Contains(code, []byte("func "+name+"(")) {
				t.Errorf("there is no %s", name)
			}
		}
	}
	if lines < 10 {
		t.Errorf("a table of %d lines", lines)
	}
}
