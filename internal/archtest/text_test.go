// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"fmt"
	"go/format"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func gofmtRule() rule {
	return rule{
		name: "gofmt",
		check: func(t tree) []string {
			var findings []string
			for _, s := range t.sources {
				formatted, err := format.Source([]byte(s.text))
				if err != nil || string(formatted) != s.text {
					findings = append(findings, s.path+": not as gofmt writes it")
				}
			}
			return findings
		},
		bad:  []sample{{map[string]string{"a/a.go": "package a\nfunc  f() {}\n"}, "a/a.go: not as gofmt"}},
		good: []sample{{files: map[string]string{"a/a.go": "package a\n\nfunc f() {}\n"}}},
	}
}

const licenceLine = "// SPDX-License-Identifier: Apache-2.0\n"

func licenceRule() rule {
	return rule{
		name: "licence",
		check: func(t tree) []string {
			var findings []string
			for _, s := range t.sources {
				if !strings.HasPrefix(s.text, licenceLine) {
					findings = append(findings, s.path+":1: first line is not the licence: "+strings.TrimSpace(licenceLine))
				}
			}
			return findings
		},
		bad: []sample{
			{map[string]string{"a/a.go": "package a\n"}, "a/a.go:1: first line"},
			{map[string]string{"a/a.go": "// Package a.\n" + licenceLine + "package a\n"}, "first line"},
		},
		good: []sample{{files: map[string]string{"a/a.go": licenceLine + "\npackage a\n", "a/a.txt": "text"}}},
	}
}

// machinePaths matches paths that exist on some machine only. The names stand
// apart from the slash so that this file does not match.
func machinePaths() *regexp.Regexp {
	folders := []string{"work", "root", "farm"}
	return regexp.MustCompile(`(^|[^\w./~-]|://)/(` + strings.Join(folders, "|") + `)($|[^\w-])`)
}

func pathsRule() rule {
	work, home := "/"+"work", "/"+"root"
	return rule{
		name: "paths",
		check: func(t tree) []string {
			var findings []string
			pattern := machinePaths()
			for _, name := range slices.Sorted(maps.Keys(t.texts)) {
				for i, line := range strings.Split(t.texts[name], "\n") {
					if pattern.MatchString(line) {
						findings = append(findings, fmt.Sprintf("%s:%d: names a path of one machine", name, i+1))
					}
				}
			}
			return findings
		},
		bad: []sample{
			{map[string]string{"README.md": "\nsee " + work + "/main\n"}, "README.md:2: names a path"},
			{map[string]string{"a/a.go": "package a\n\nconst home = \"" + home + "\"\n"}, "a/a.go:3"},
			{map[string]string{".ci/run": "cd " + home}, ".ci/run:1"},
			{map[string]string{"a.md": "ipc://" + home + "/socket"}, "a.md:1"},
		},
		good: []sample{{files: map[string]string{
			"README.md": "https://example.com" + work + "/a and ./x" + home + " and " + work + "er\n",
		}}},
	}
}
