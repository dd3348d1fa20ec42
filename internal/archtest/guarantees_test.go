// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// guaranteesMin is how many lines the table of a pattern has at least: one that is lost, or not found, must not pass.
const guaranteesMin = 10

// guaranteesRule is about the tables of guarantees in package comments: each line but the first, which may be a head, names tests
// that prove it. Each pattern has one.
func guaranteesRule() rule {
	page := func(lines string) string {
		return "// Package a.\n//\n// # Guarantees\n//\n" + lines + "//\n// # End\n//\n//\tno test\npackage a"
	}
	const tests = "package b\nfunc TestIt(t *testing.T) {}"
	return rule{
		name:  "guarantees",
		check: checkGuarantees,
		bad: []sample{
			{map[string]string{"a/doc.go": page("//\tIt holds   TestIt\n//\tIt too   TestThat, TestIt\n"), "b/b_test.go": tests}, "a/doc.go:6: there is no TestThat"},
			{map[string]string{"a/doc.go": page("//\tIt holds   TestIt\n//\tIt too\n"), "b/b_test.go": tests}, "a/doc.go:6: no test"},
			{map[string]string{"patterns/a/doc.go": page("//\tIt holds   TestIt\n"), "b/b_test.go": tests}, "patterns/a/doc.go:1: a table of 1"},
			{map[string]string{"patterns/a/doc.go": "// Package a.\npackage a"}, "patterns/a/doc.go:1: a table of 0"},
		},
		good: []sample{
			{files: map[string]string{"a/doc.go": page("//\tWhat   test\n//\tIt holds   TestIt in b\n"), "b/b_test.go": tests}},
		},
	}
}

func checkGuarantees(t tree) []string {
	known := map[string]bool{}
	for _, s := range t.sources {
		for _, declaration := range s.file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && s.test {
				known[function.Name.Name] = true
			}
		}
	}
	pattern := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w*`)
	var findings []string
	for _, s := range t.module() {
		rows, most, within := 0, 0, false
		for i, line := range strings.Split(s.text, "\n") {
			if strings.HasPrefix(line, "// # ") {
				rows, within = 0, line == "// # Guarantees"
			}
			if !within || !strings.HasPrefix(line, "//\t") {
				continue
			}
			names := pattern.FindAllString(line, -1)
			rows++
			most = max(most, rows)
			if rows > 1 && len(names) == 0 {
				findings = append(findings, fmt.Sprintf("%s:%d: no test is named", s.path, i+1))
			}
			for _, name := range names {
				if !known[name] {
					findings = append(findings, fmt.Sprintf("%s:%d: there is no %s", s.path, i+1, name))
				}
			}
		}
		if ok, _ := path.Match("patterns/*/doc.go", s.path); ok && most < guaranteesMin {
			findings = append(findings, fmt.Sprintf("%s:1: a table of %d guarantees, want %d", s.path, most, guaranteesMin))
		}
	}
	return findings
}
