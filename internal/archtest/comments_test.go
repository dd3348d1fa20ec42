// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

func namesRule() rule {
	return rule{
		name:  "names",
		check: checkNames,
		bad: []sample{
			{map[string]string{"internal/util/a.go": "package util"}, "util says nothing"},
			{map[string]string{"internal/pipe/a.go": "package pipes"}, "package pipes in folder pipe"},
			{map[string]string{"internal/pipe/a_test.go": "package test"}, "package test in folder pipe"},
		},
		good: []sample{{files: map[string]string{
			"doc.go": "package zwire", "internal/pipe/a_test.go": "package pipe_test", "cmd/zwire/main.go": "package main",
		}}},
	}
}

func checkNames(t tree) []string {
	var findings []string
	for _, s := range t.module() {
		name, folder := s.file.Name.Name, path.Base(s.folder)
		if s.folder == "." {
			folder = path.Base(modulePath)
		}
		if s.test {
			name = strings.TrimSuffix(name, "_test")
		}
		if name != folder && name != "main" {
			findings = append(findings, s.finding(s.file.Name.Pos(), "package %s in folder %s", name, folder))
		}
		if slices.Contains([]string{"util", "utils", "common", "base", "helper", "helpers", "misc"}, name) {
			findings = append(findings, s.finding(s.file.Name.Pos(), "the name %s says nothing: a package is one noun with one job", name))
		}
	}
	return findings
}

func packageCommentRule() rule {
	return rule{
		name:  "package comment",
		check: checkPackageComments,
		bad: []sample{
			{map[string]string{"internal/pipe/a.go": licenceLine + "\npackage pipe"}, "internal/pipe has no package comment"},
			{map[string]string{"internal/pipe/a.go": licenceLine + "package pipe"}, "internal/pipe has no package comment"},
			{map[string]string{"internal/pipe/a.go": "// Words.\npackage pipe"}, "that begins \"Package pipe\""},
			{map[string]string{"examples/chat/main.go": "package main"}, "examples/chat has no package comment"},
		},
		good: []sample{{files: map[string]string{
			"internal/pipe/a.go": "package pipe", "internal/pipe/doc.go": "// Package pipe is one.\npackage pipe",
			"examples/chat/main.go": "// Command chat talks.\npackage main",
			"bench/go.mod":          "module bench", "bench/a.go": "package a",
		}}},
	}
}

func checkPackageComments(t tree) []string {
	wanted := map[string]string{} // by folder, "" once found
	for _, s := range t.module() {
		start := "Package " + strings.TrimSuffix(s.file.Name.Name, "_test")
		if s.file.Name.Name == "main" {
			start = "Command " + path.Base(s.folder)
		}
		if _, seen := wanted[s.folder]; !seen {
			wanted[s.folder] = start
		}
		doc := strings.Fields(s.file.Doc.Text())
		if len(doc) > 1 && slices.Contains([]string{start, start + "_test"}, doc[0]+" "+doc[1]) {
			wanted[s.folder] = ""
		}
	}
	var findings []string
	for _, folder := range slices.Sorted(maps.Keys(wanted)) {
		if wanted[folder] != "" {
			findings = append(findings, fmt.Sprintf("%s has no package comment that begins %q", folder, wanted[folder]))
		}
	}
	return findings
}

func commentsRule() rule {
	inPipe := func(body string) map[string]string {
		return map[string]string{"internal/pipe/a.go": "package pipe\n" + body}
	}
	return rule{
		name:  "comments",
		check: checkComments,
		bad: []sample{
			{inPipe("func Open() {}"), "a.go:2: Open has no comment"},
			{inPipe("type End int"), "End"},
			{inPipe("// End is one.\ntype End int\nfunc (e *End[T]) Close() {}"), "Close"},
			{inPipe("const Max = 1"), "Max"},
			{inPipe("var (\n\tErrA error // a\n\n\tErrB error\n)"), "ErrB"},
		},
		good: []sample{
			{files: inPipe("// Open opens.\nfunc Open() {}\nfunc close() {}\ntype end struct { Room int }\nfunc (e end) Close() {}")},
			{files: inPipe("// Limits.\nconst (\n\tA = 1\n\tB = 2\n)\n// End is one.\ntype End struct { Room int }")},
			{files: map[string]string{"internal/pipe/a_test.go": "package pipe\nfunc Open() {}"}},
		},
	}
}

// checkComments looks at declarations. The comment of a type speaks for its
// fields and methods too, as far as their names do not.
func checkComments(t tree) []string {
	var findings []string
	for _, s := range t.module() {
		if s.test {
			continue
		}
		missing := func(at token.Pos, name string) {
			findings = append(findings, s.finding(at, "%s has no comment", name))
		}
		for _, declaration := range s.file.Decls {
			switch declaration := declaration.(type) {
			case *ast.FuncDecl:
				if declaration.Doc == nil && declaration.Name.IsExported() &&
					(declaration.Recv == nil || ast.IsExported(typeName(declaration.Recv.List[0].Type))) {
					missing(declaration.Pos(), declaration.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range declaration.Specs {
					checkSpec(declaration, spec, missing)
				}
			}
		}
	}
	return findings
}

func checkSpec(group *ast.GenDecl, spec ast.Spec, missing func(token.Pos, string)) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && group.Doc == nil && spec.Doc == nil && spec.Comment == nil {
			missing(spec.Pos(), spec.Name.Name)
		}
	case *ast.ValueSpec:
		if group.Doc != nil || spec.Doc != nil || spec.Comment != nil {
			return
		}
		for _, name := range spec.Names {
			if name.IsExported() {
				missing(name.Pos(), name.Name)
			}
		}
	}
}
