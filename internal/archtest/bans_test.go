// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// coreFolders are packages without I/O, threads and clock.
func coreFolders() []string {
	return []string{"internal/zmtp", "internal/wire", "internal/route", "internal/subtrie", "socket/security/..."}
}

// clockNames are the names of package time that read or await the clock.
func clockNames() []string {
	return []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
}

func bansRule() rule {
	inCore := func(body string) map[string]string {
		return map[string]string{"internal/zmtp/a.go": "package zmtp\n" + body}
	}
	return rule{
		name:  "bans",
		check: checkBans,
		bad: []sample{
			{inCore("func f() { go f() }"), "a.go:2: goroutine"},
			{inCore("func f(c chan int) {}"), "channel"},
			{inCore("func f() { <-c() }"), "channel"},
			{inCore("func f() { select {} }"), "select"},
			{inCore("import \"time\"\nvar _ = time.Now()"), "time.Now"},
			{inCore("import clock \"time\"\nfunc f() { clock.Sleep(1) }"), "time.Sleep"},
			{inCore("import _ \"net\""), "net"},
			{inCore("import _ \"net/netip\""), "net/netip"},
			{inCore("import _ \"os/signal\""), "os/signal"},
			{inCore("import _ \"syscall\""), "syscall"},
			{map[string]string{"socket/security/plain/a.go": "package plain\nimport _ \"os\""}, "os"},
		},
		good: []sample{
			{files: inCore("import \"time\"\nfunc f(now time.Time) time.Duration { return now.Sub(now.Add(time.Second)) }")},
			{files: map[string]string{"internal/zmtp/a_test.go": "package zmtp\nfunc f() { go f() }"}},
			{files: map[string]string{"internal/session/a.go": "package session\nfunc f() { go f() }"}},
		},
	}
}

func checkBans(t tree) []string {
	var findings []string
	for _, s := range t.module() {
		if s.test || !withinAny(s.folder, coreFolders()) {
			continue
		}
		for _, spec := range s.file.Imports {
			imported := strings.Trim(spec.Path.Value, "`\"")
			if withinAny(imported, []string{"net/...", "os/...", "syscall"}) {
				findings = append(findings, s.finding(spec.Pos(), "%s does no I/O: it may not import %s", s.folder, imported))
			}
		}
		imports := s.imports()
		ast.Inspect(s.file, func(node ast.Node) bool {
			if what := bannedInCore(imports, node); what != "" {
				findings = append(findings, s.finding(node.Pos(), "%s in %s: the core is single-threaded and timeless", what, s.folder))
			}
			return true
		})
	}
	return findings
}

func bannedInCore(imports map[string]string, node ast.Node) string {
	switch node := node.(type) {
	case *ast.GoStmt:
		return "goroutine"
	case *ast.SelectStmt:
		return "select"
	case *ast.ChanType, *ast.SendStmt:
		return "channel"
	case *ast.UnaryExpr:
		if node.Op == token.ARROW {
			return "channel"
		}
	case *ast.SelectorExpr:
		name := qualified(imports, node)
		if clock, ok := strings.CutPrefix(name, "time."); ok && slices.Contains(clockNames(), clock) {
			return name
		}
	}
	return ""
}

func initRule() rule {
	return rule{
		name: "init",
		check: func(t tree) []string {
			var findings []string
			for _, s := range t.module() {
				for _, declaration := range s.file.Decls {
					function, ok := declaration.(*ast.FuncDecl)
					if ok && function.Recv == nil && function.Name.Name == "init" {
						findings = append(findings, s.finding(function.Pos(), "func init: nothing happens by being imported"))
					}
				}
			}
			return findings
		},
		bad: []sample{
			{map[string]string{"socket/a.go": "package socket\nfunc init() {}"}, "socket/a.go:2: func init"},
			{map[string]string{"socket/a_test.go": "package socket\nfunc init() {}"}, "func init"},
		},
		good: []sample{{files: map[string]string{"socket/a.go": "package socket\ntype x int\nfunc (x) init() {}"}}},
	}
}

// reasonLines is how far above a use of unsafe its reason may stand.
const reasonLines = 3

func unsafeRule() rule {
	inPipe := func(body string) map[string]string {
		return map[string]string{"internal/pipe/a.go": "package pipe\nimport \"unsafe\"\n" + body}
	}
	return rule{
		name:  "unsafe",
		check: checkUnsafe,
		bad: []sample{
			{inPipe("\n\n\nvar x = unsafe.Sizeof(1)"), "a.go:6: unsafe.Sizeof without its reason"},
			{inPipe("// x is small.\n\n\n\n\nvar x = unsafe.Pointer(nil)"), "without its reason"},
		},
		good: []sample{
			{files: inPipe("\n\n\n// The kernel wants an address.\nvar x = unsafe.Sizeof(1)")},
			{files: inPipe("\n\n\nvar x = unsafe.Sizeof(1) // a cache line")},
			{files: inPipe("\n// f is unsafe where the kernel wants addresses.\nfunc f() {\n\n\n\n\n_ = unsafe.Sizeof(1)\n}")},
		},
	}
}

func checkUnsafe(t tree) []string {
	var findings []string
	for _, s := range t.module() {
		imports := s.imports()
		if imports["unsafe"] == "" {
			continue
		}
		for _, declaration := range s.file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && strings.Contains(function.Doc.Text(), "unsafe") {
				continue
			}
			ast.Inspect(declaration, func(node ast.Node) bool {
				expression, ok := node.(ast.Expr)
				if ok && strings.HasPrefix(qualified(imports, expression), "unsafe.") && !hasReason(s, node.Pos()) {
					findings = append(findings, s.finding(node.Pos(), "%s without its reason: a comment there, just above, or in the function's comment with the word unsafe", qualified(imports, expression)))
				}
				return true
			})
		}
	}
	return findings
}

func hasReason(s *source, at token.Pos) bool {
	line := s.line(at)
	return slices.ContainsFunc(s.file.Comments, func(comment *ast.CommentGroup) bool {
		end := s.line(comment.End())
		return line-reasonLines <= end && s.line(comment.Pos()) <= line
	})
}
