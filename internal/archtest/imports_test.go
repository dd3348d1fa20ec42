// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"fmt"
	"strings"
)

// level is one line of the import order. A package may use packages of
// greater depth only, never one beside it.
type level struct {
	folders string
	depth   int
}

// importOrder: the first line that matches a folder counts. Packages that
// help tests stand just below what they test.
func importOrder() []level {
	return []level{
		{".", 10},
		{"examples/...", 10},
		{"cmd/zwire", 10},
		{"cmd/zwire/terminal", 16},
		{"cmd/...", 15}, // its commands
		{"patterns/internal/...", 29},
		{"patterns/config/internal/model", 28},
		{"patterns/config/internal/wire", 27},
		{"patterns/config/internal/store", 26},
		{"patterns/config/internal/...", 25},
		{"patterns/workpool/internal/fifo", 28},
		{"patterns/workpool/internal/wire", 27},
		{"patterns/workpool/internal/store", 26},
		{"patterns/workpool/internal/...", 25},
		{"patterns/...", 20},
		{"socket", 30},
		{"socket/sockettest", 35},
		{"internal/session", 40},
		{"transport/inproc", 40},
		{"socket/security", 70}, // what a mechanism is
		{"socket/security/securitytest", 45},
		{"socket/security/...", 40},
		{"internal/route", 50},
		{"internal/zmtp", 50},
		{"internal/ioloop", 50},
		{"transport", 70}, // what a transport is
		{"transport/transporttest", 65},
		{"transport/...", 50},
		{"internal/pipe", 60},
		{"internal/simnet", 60},
		{"internal/subtrie", 70},
		{"internal/wire", 70},
		{"internal/archtest", 70},
	}
}

// publicOnly names the folders that live without internal packages, as users do.
func publicOnly() []string { return []string{"examples/...", "cmd/...", "patterns/..."} }

func depthOf(folder string) (depth int, known bool) {
	for _, level := range importOrder() {
		if within(folder, level.folders) {
			return level.depth, true
		}
	}
	return 0, false
}

func importsRule() rule {
	return rule{
		name:  "imports",
		check: checkImports,
		bad: []sample{
			{map[string]string{"internal/pipe/a.go": "package pipe\nimport _ \"" + modulePath + "/socket\"\n"}, "internal/pipe/a.go:2: internal/pipe may not import socket"},
			{map[string]string{"internal/zmtp/a_test.go": "package zmtp\nimport _ \"" + modulePath + "/internal/route\"\n"}, "may not import internal/route"},
			{map[string]string{"patterns/pool/a.go": "package pool\nimport _ \"" + modulePath + "/internal/wire\"\n"}, "public packages only"},
			{map[string]string{"socket/a.go": "package socket\nimport _ \"" + modulePath + "/lib\"\n"}, "lib has no line"},
			{map[string]string{"extras/a.go": "package extras\n"}, "extras has no line"},
			{map[string]string{"transport/tcp/a.go": "package tcp\nimport _ \"" + modulePath + "/transport/ipc\"\n"}, "may not import transport/ipc"},
		},
		good: []sample{
			{files: map[string]string{"socket/a.go": "package socket\nimport _ \"" + modulePath + "/internal/pipe\"\n"}},
			{files: map[string]string{"socket/a_test.go": "package socket_test\nimport _ \"" + modulePath + "/socket\"\n"}},
			{files: map[string]string{"transport/ws/a.go": "package ws\nimport _ \"" + modulePath + "/transport\"\n"}},
			{files: map[string]string{"patterns/pool/a.go": "package pool\nimport _ \"" + modulePath + "/socket\"\n"}},
			{files: map[string]string{"bench/go.mod": "module bench", "bench/a.go": "package bench\nimport _ \"" + modulePath + "/socket\"\n"}},
		},
	}
}

func checkImports(t tree) []string {
	var findings []string
	for _, s := range t.module() {
		depth, known := depthOf(s.folder)
		if !known {
			findings = append(findings, s.finding(s.file.Package, "folder %s has no line in the import order", s.folder))
			continue
		}
		for _, spec := range s.file.Imports {
			imported, own := strings.CutPrefix(strings.Trim(spec.Path.Value, "`\""), modulePath+"/")
			if !own || imported == s.folder && s.test {
				continue
			}
			below, known := depthOf(imported)
			switch {
			case !known:
				findings = append(findings, s.finding(spec.Pos(), "folder %s has no line in the import order", imported))
			case below <= depth:
				findings = append(findings, s.finding(spec.Pos(), "%s may not import %s: imports point down", s.folder, imported))
			case withinAny(s.folder, publicOnly()) && within(imported, "internal/...") && !(s.test && imported == "internal/simnet"):
				findings = append(findings, s.finding(spec.Pos(), "%s may not import %s: it uses public packages only", s.folder, imported))
			}
		}
	}
	return findings
}

// restricted is a package outside the module, or one that needs a reason, and
// who may use it.
type restricted struct {
	path    string
	folders []string
}

func dependencies() []restricted {
	return []restricted{
		{"unsafe", []string{"internal/pipe", "internal/ioloop", "transport/..."}},
		{"golang.org/x/sys", []string{"internal/pipe", "internal/ioloop", "transport/..."}},
		{"golang.org/x/crypto", []string{"socket/security/curve"}},
		{"go.etcd.io/bbolt", []string{"patterns/..."}},
		{"github.com/urfave/cli/v3", []string{"cmd/..."}},
	}
}

func dependenciesRule() rule {
	return rule{
		name:  "dependencies",
		check: checkDependencies,
		bad: []sample{
			{map[string]string{"socket/a.go": "package socket\nimport _ \"golang.org/x/sys/unix\"\n"}, "socket may not import golang.org/x/sys/unix"},
			{map[string]string{"internal/zmtp/a.go": "package zmtp\nimport _ \"unsafe\"\n"}, "internal/zmtp may not import unsafe"},
			{map[string]string{"cmd/zwire/a.go": "package main\nimport _ \"example.com/flags\"\n"}, "may not import example.com/flags"},
			{map[string]string{"internal/pipe/a.go": "package pipe\nimport \"C\"\n"}, "internal/pipe may not import C"},
			{map[string]string{"internal/pipe/a.go": "package pipe\nimport . \"time\"\n"}, "dot import"},
		},
		good: []sample{
			{files: map[string]string{"internal/ioloop/a.go": "package ioloop\nimport (\n_ \"golang.org/x/sys/unix\"\n_ \"unsafe\"\n_ \"net/netip\"\n)\n"}},
			{files: map[string]string{"bench/go.mod": "module bench", "bench/a.go": "package bench\nimport \"C\"\n"}},
		},
	}
}

func checkDependencies(t tree) []string {
	var findings []string
	for _, s := range t.module() {
		for _, spec := range s.file.Imports {
			imported := strings.Trim(spec.Path.Value, "`\"")
			if spec.Name != nil && spec.Name.Name == "." {
				findings = append(findings, s.finding(spec.Pos(), "dot import: it hides where names come from"))
			}
			if !mayDepend(s.folder, imported) {
				findings = append(findings, s.finding(spec.Pos(), "%s may not import %s", s.folder, imported))
			}
		}
	}
	return findings
}

func mayDepend(folder, imported string) bool {
	if imported == "C" {
		return false
	}
	for _, dependency := range dependencies() {
		if within(imported, dependency.path+"/...") {
			return withinAny(folder, dependency.folders)
		}
	}
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") || within(imported, modulePath+"/...")
}

func goModRule() rule {
	const head = "module " + modulePath + "\n\ngo 1.26.0\n\n"
	return rule{
		name:  "go.mod",
		check: checkGoMod,
		bad: []sample{
			{map[string]string{}, "go.mod is missing"},
			{map[string]string{"go.mod": "module example.com/other\n"}, "module is not " + modulePath},
			{map[string]string{"go.mod": head + "require example.com/flags v1.0.0\n"}, "go.mod:5: example.com/flags is not on the list"},
			{map[string]string{"go.mod": head + "require (\n\tgolang.org/x/sys v0.1.0\n\texample.com/flags v1.0.0 // indirect\n)\n"}, "go.mod:7: example.com/flags"},
			{map[string]string{"go.mod": head + "replace golang.org/x/sys => ../sys\n"}, "go.mod:5: replace"},
		},
		good: []sample{
			{files: map[string]string{"go.mod": head + "require golang.org/x/sys v0.1.0\n"}},
			{files: map[string]string{"go.mod": head + "require (\n\tgolang.org/x/sys v0.1.0 // reason\n\n\tgo.etcd.io/bbolt v1.0.0\n)\n"}},
		},
	}
}

func checkGoMod(t tree) []string {
	text, has := t.texts["go.mod"]
	if !has {
		return []string{"go.mod is missing"}
	}
	var findings []string
	add := func(line int, format string, values ...any) {
		findings = append(findings, fmt.Sprintf("go.mod:%d: %s", line, fmt.Sprintf(format, values...)))
	}
	block := ""
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(fields[0], "//"):
			continue
		case fields[0] == ")":
			block = ""
			continue
		case len(fields) == 2 && fields[1] == "(":
			block = fields[0]
			continue
		case block != "":
			fields = append([]string{block}, fields...)
		}
		switch {
		case len(fields) < 2 || fields[0] == "go" || fields[0] == "toolchain":
		case fields[0] == "module":
			if fields[1] != modulePath {
				add(i+1, "module is not %s", modulePath)
			}
		case fields[0] != "require":
			add(i+1, "%s has no place here: what needs it goes into bench", fields[0])
		case !isDependency(fields[1]):
			add(i+1, "%s is not on the list of dependencies", fields[1])
		}
	}
	return findings
}

func isDependency(module string) bool {
	for _, dependency := range dependencies() {
		if dependency.path == module {
			return true
		}
	}
	return false
}
