// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"fmt"
	"go/ast"
	"strings"
)

const (
	functionLinesMax     = 70
	testFunctionLinesMax = 120
	fileLinesMax         = 500
	testFileLinesMax     = 1000
	parametersMax        = 5
)

// Exceptions, each with its reason. A function is named "path:name" or
// "path:Type.name", a file by its path.
func longFunctions() map[string]string  { return map[string]string{} }
func longFiles() map[string]string      { return map[string]string{} }
func manyParameters() map[string]string { return map[string]string{} }

// functionKey names a declared function in the lists above.
func functionKey(s *source, function *ast.FuncDecl) string {
	name := function.Name.Name
	if function.Recv != nil {
		name = typeName(function.Recv.List[0].Type) + "." + name
	}
	return s.path + ":" + name
}

func functionsRule() rule {
	function := func(lines int) string {
		return "package a\nfunc (x *x) f() {\n" + strings.Repeat("\n", lines-2) + "}\n"
	}
	return rule{
		name:  "functions",
		check: checkFunctions,
		bad: []sample{
			{map[string]string{"a/a.go": function(71)}, "a/a.go:2: a/a.go:x.f has 71 lines, more than 70"},
			{map[string]string{"a/a_test.go": function(121)}, "more than 120"},
			{map[string]string{"a/a.go": "package a\nvar f = func() {\n" + strings.Repeat("\n", 69) + "}\n"}, "71 lines"},
			{map[string]string{"bench/go.mod": "module bench", "bench/a.go": function(71)}, "bench/a.go"},
		},
		good: []sample{{files: map[string]string{"a/a.go": function(70), "a/a_test.go": function(120)}}},
	}
}

func checkFunctions(t tree) []string {
	var findings []string
	exceptions, used := longFunctions(), map[string]bool{}
	for _, s := range t.sources {
		limit := functionLinesMax
		if s.test {
			limit = testFunctionLinesMax
		}
		measure := func(node ast.Node, key string) {
			lines := s.line(node.End()) - s.line(node.Pos()) + 1
			switch {
			case lines <= limit:
			case exceptions[key] != "":
				used[key] = true
			default:
				findings = append(findings, s.finding(node.Pos(), "%s has %d lines, more than %d", key, lines, limit))
			}
		}
		for _, declaration := range s.file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				measure(function, functionKey(s, function)) // its comment does not count
				continue
			}
			ast.Inspect(declaration, func(node ast.Node) bool {
				literal, ok := node.(*ast.FuncLit)
				if ok {
					measure(literal, s.path+":func literal")
				}
				return !ok
			})
		}
	}
	return append(findings, unused("longFunctions", exceptions, used)...)
}

func parametersRule() rule {
	return rule{
		name:  "parameters",
		check: checkParameters,
		bad: []sample{
			{map[string]string{"a/a.go": "package a\nfunc f(a, b, c int, d, e, f string) {}"}, "a/a.go:2: a/a.go:f has 6 parameters, more than 5"},
			{map[string]string{"a/a.go": "package a\nfunc f() { _ = func(a, b, c, d, e, f int) {} }"}, "6 parameters"},
			{map[string]string{"a/a.go": "package a\ntype t interface { f(int, int, int, int, int, int) }"}, "6 parameters"},
		},
		good: []sample{{files: map[string]string{"a/a.go": "package a\nfunc (x *x) f(a, b, c, d, e int) (g, h int) { return }"}}},
	}
}

func checkParameters(t tree) []string {
	var findings []string
	exceptions, used := manyParameters(), map[string]bool{}
	for _, s := range t.sources {
		for _, declaration := range s.file.Decls {
			key := s.path + ":func literal or type"
			if function, ok := declaration.(*ast.FuncDecl); ok {
				key = functionKey(s, function)
			}
			ast.Inspect(declaration, func(node ast.Node) bool {
				signature, ok := node.(*ast.FuncType)
				if !ok {
					return true
				}
				count := 0
				for _, field := range signature.Params.List {
					count += max(1, len(field.Names))
				}
				switch {
				case count <= parametersMax:
				case exceptions[key] != "":
					used[key] = true
				default:
					findings = append(findings, s.finding(signature.Pos(), "%s has %d parameters, more than %d", key, count, parametersMax))
				}
				return true
			})
		}
	}
	return append(findings, unused("manyParameters", exceptions, used)...)
}

func fileLinesRule() rule {
	file := func(lines int) string { return "package a\n" + strings.Repeat("\n", lines-1) }
	return rule{
		name:  "file lines",
		check: checkFileLines,
		bad: []sample{
			{map[string]string{"a/a.go": file(501)}, "a/a.go has 501 lines, more than 500"},
			{map[string]string{"a/a_test.go": file(1001)}, "more than 1000"},
		},
		good: []sample{{files: map[string]string{"a/a.go": file(500), "a/a_test.go": file(1000)}}},
	}
}

func checkFileLines(t tree) []string {
	var findings []string
	exceptions, used := longFiles(), map[string]bool{}
	for _, s := range t.sources {
		limit := fileLinesMax
		if s.test {
			limit = testFileLinesMax
		}
		lines := strings.Count(strings.TrimSuffix(s.text, "\n")+"\n", "\n")
		switch {
		case lines <= limit:
		case exceptions[s.path] != "":
			used[s.path] = true
		default:
			findings = append(findings, fmt.Sprintf("%s has %d lines, more than %d", s.path, lines, limit))
		}
	}
	return append(findings, unused("longFiles", exceptions, used)...)
}
