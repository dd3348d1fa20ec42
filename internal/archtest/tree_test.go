// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modulePath is the module that the rules are about.
const modulePath = "github.com/zwire-mq/zwire"

// textBytesMax is the size from which a file counts as data.
const textBytesMax = 4 << 20

// tree is the repository as the rules see it.
type tree struct {
	texts   map[string]string // every text file by its path from the top, with slashes
	sources []*source         // the Go files among them, in order of path
	broken  []string          // why other Go files are not among the sources
}

// source is one parsed Go file.
type source struct {
	path      string
	text      string
	folder    string // "." at the top
	test      bool
	nested    bool // in a module of its own
	positions *token.FileSet
	file      *ast.File
}

// readTree reads the repository that this package lies in.
func readTree(t *testing.T) tree {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	err = filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() || entry.Name() == ".git" { // a file in a linked work tree
			return nil
		}
		relative, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err == nil && len(text) <= textBytesMax && !bytes.ContainsRune(text, 0) {
			texts[filepath.ToSlash(relative)] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return newTree(texts)
}

func newTree(texts map[string]string) tree {
	read := tree{texts: texts}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, name, texts[name], parser.ParseComments)
		if err != nil {
			read.broken = append(read.broken, err.Error())
			continue
		}
		read.sources = append(read.sources, &source{
			path: name, text: texts[name], folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
			nested: inNestedModule(texts, name), positions: positions, file: file,
		})
	}
	return read
}

func inNestedModule(texts map[string]string, name string) bool {
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		if _, has := texts[folder+"/go.mod"]; has {
			return true
		}
	}
	return false
}

// module gives the sources of the main module, without those of bench.
func (t tree) module() []*source {
	return slices.DeleteFunc(slices.Clone(t.sources), func(s *source) bool { return s.nested })
}

func (s *source) line(at token.Pos) int { return s.positions.Position(at).Line }

// finding words what is wrong at a place of s.
func (s *source) finding(at token.Pos, format string, values ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.line(at), fmt.Sprintf(format, values...))
}

// imports maps the names by which s knows packages to their paths.
func (s *source) imports() map[string]string {
	names := map[string]string{}
	for _, spec := range s.file.Imports {
		imported := strings.Trim(spec.Path.Value, "`\"")
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
	}
	return names
}

// qualified gives "path.Name" when expression is Name of an imported package,
// else "".
func qualified(imports map[string]string, expression ast.Expr) string {
	selector, ok := expression.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	name, ok := selector.X.(*ast.Ident)
	if !ok || name.Obj != nil || imports[name.Name] == "" {
		return ""
	}
	return imports[name.Name] + "." + selector.Sel.Name
}

// within says whether folder matches pattern: itself, or with "/..." at the
// end of pattern also everything below.
func within(folder, pattern string) bool {
	above, below := strings.CutSuffix(pattern, "/...")
	return folder == above || below && strings.HasPrefix(folder, above+"/")
}

func withinAny(folder string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return within(folder, pattern) })
}

// unused gives a finding for each entry of an exception list that excused
// nothing.
func unused(list string, exceptions map[string]string, used map[string]bool) []string {
	var findings []string
	for _, entry := range slices.Sorted(maps.Keys(exceptions)) {
		if !used[entry] {
			findings = append(findings, fmt.Sprintf("%s: entry %q excuses nothing: remove it", list, entry))
		}
	}
	return findings
}

func syntaxRule() rule {
	return rule{
		name:  "syntax",
		check: func(t tree) []string { return t.broken },
		bad:   []sample{{map[string]string{"a/a.go": "package a\nfunc {"}, "a/a.go:2"}},
		good:  []sample{{files: map[string]string{"a/a.go": "package a\n", "a/testdata/x.go": "no Go"}}},
	}
}
