// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

func sleepRule() rule {
	return rule{
		name:  "sleep",
		check: checkSleep,
		bad: []sample{
			{map[string]string{"socket/a_test.go": "package socket\nimport \"time\"\nfunc f() { time.Sleep(1) }"}, "socket/a_test.go:3: time.Sleep"},
			{map[string]string{"socket/a_test.go": "package socket\nimport t \"time\"\nvar sleep = t.Sleep"}, "time.Sleep"},
		},
		good: []sample{
			{files: map[string]string{
				"socket/a.go": "package socket\nimport \"time\"\nfunc f() { time.Sleep(1) }",
				"socket/b_test.go": "package socket\nimport (\n\"testing\"\n\"testing/synctest\"\n\"time\"\n)\n" +
					"func TestA(t *testing.T) { synctest.Test(t, func(*testing.T) { time.Sleep(1) }) }",
			}},
			{files: map[string]string{
				"socket/a_test.go": "package socket\nimport (\n\"testing\"\n\"testing/synctest\"\n)\n" +
					"func bubble(t *testing.T, f func(*testing.T)) { synctest.Test(t, f) }",
				"socket/b_test.go": "package socket\nimport (\n\"testing\"\n\"time\"\n)\n" +
					"func TestA(t *testing.T) { bubble(t, func(*testing.T) { time.Sleep(1) }) }",
			}},
		},
	}
}

// checkSleep finds sleeping tests. Where a file uses synctest.Test, or a
// function of its package's tests that does, sleeping is how fake time passes.
func checkSleep(t tree) []string {
	bubbles := make(map[string]bool) // folder and name of functions that call synctest.Test
	for _, s := range t.module() {
		for _, declaration := range s.file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && s.test && f.Recv == nil && uses(s, f, "testing/synctest.Test") {
				bubbles[s.folder+" "+f.Name.Name] = true
			}
		}
	}
	var findings []string
	for _, s := range t.module() {
		if !s.test {
			continue
		}
		imports, fake := s.imports(), uses(s, s.file, "testing/synctest.Test")
		var sleeps []string
		ast.Inspect(s.file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CallExpr:
				if name, ok := n.Fun.(*ast.Ident); ok && bubbles[s.folder+" "+name.Name] {
					fake = true
				}
			case *ast.SelectorExpr:
				if qualified(imports, n) == "time.Sleep" {
					sleeps = append(sleeps, s.finding(n.Pos(), "time.Sleep in a test: wait for the event, or use synctest.Test"))
				}
			}
			return true
		})
		if !fake {
			findings = append(findings, sleeps...)
		}
	}
	return findings
}

// uses reports whether something of another package stands in a part of a file.
func uses(s *source, part ast.Node, what string) (found bool) {
	imports := s.imports()
	ast.Inspect(part, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok && qualified(imports, selector) == what {
			found = true
		}
		return !found
	})
	return found
}

// parserFolders must have a fuzz function whatever their functions are called:
// they read what a peer or a user wrote.
func parserFolders() []string {
	return []string{"internal/subtrie", "internal/wire", "internal/zmtp", "transport"}
}

// parserName matches exported functions that read foreign bytes.
func parserName() *regexp.Regexp {
	return regexp.MustCompile(`^(Parse|Split|Decode|Unmarshal)([A-Z]|$)`)
}

func fuzzRule() rule {
	const fuzz = "package zmtp\nimport \"testing\"\nfunc FuzzAll(f *testing.F) { ParseReady(nil) }"
	return rule{
		name:  "fuzz",
		check: checkFuzz,
		bad: []sample{
			{map[string]string{"transport/a.go": "package transport"}, "transport reads foreign bytes: it needs a Fuzz function"},
			{map[string]string{"internal/zmtp/a.go": "package zmtp\nfunc ParseReady([]byte) {}\nfunc SplitFrame([]byte) {}", "internal/zmtp/a_test.go": fuzz}, "a.go:3: no file with a Fuzz function beside it uses SplitFrame"},
			{map[string]string{"socket/a.go": "package socket\ntype x int\nfunc (x) Decode() {}"}, "uses Decode"},
		},
		good: []sample{
			{files: map[string]string{"internal/zmtp/a.go": "package zmtp\nfunc ParseReady([]byte) {}\nfunc Parser() {}\nfunc parseAny() {}", "internal/zmtp/a_test.go": fuzz}},
			{files: map[string]string{"cmd/zwire/a.go": "package main\nfunc ParseFlags() {}"}},
		},
	}
}

func checkFuzz(t tree) []string {
	fuzzed, uses := map[string]bool{}, map[string]bool{} // folder; folder and name
	for _, s := range t.module() {
		if !s.test || !slices.ContainsFunc(s.file.Decls, isFuzz) {
			continue
		}
		fuzzed[s.folder] = true
		ast.Inspect(s.file, func(node ast.Node) bool {
			if name, ok := node.(*ast.Ident); ok {
				uses[s.folder+" "+name.Name] = true
			}
			return true
		})
	}
	var findings []string
	for _, folder := range parserFolders() {
		here := slices.ContainsFunc(t.sources, func(s *source) bool { return s.folder == folder })
		if here && !fuzzed[folder] {
			findings = append(findings, fmt.Sprintf("%s reads foreign bytes: it needs a Fuzz function", folder))
		}
	}
	pattern := parserName()
	for _, s := range t.module() {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, declaration := range s.file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if ok && pattern.MatchString(function.Name.Name) && !uses[s.folder+" "+function.Name.Name] {
				findings = append(findings, s.finding(function.Pos(), "no file with a Fuzz function beside it uses %s", function.Name.Name))
			}
		}
	}
	return findings
}

func isFuzz(declaration ast.Decl) bool {
	function, ok := declaration.(*ast.FuncDecl)
	return ok && function.Recv == nil && strings.HasPrefix(function.Name.Name, "Fuzz")
}
