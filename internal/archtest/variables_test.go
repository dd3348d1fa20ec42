// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// changingVariables are the package variables that may change, as
// "folder.name", each with its reason.
func changingVariables() map[string]string {
	return map[string]string{
		"socket.defaultContext": "the one context per process, made on first use",
	}
}

// constantMakers are functions whose result never changes once it is made.
func constantMakers() []string {
	return []string{
		"errors.New", "fmt.Errorf", "errors.Join", "regexp.MustCompile", "regexp.MustCompilePOSIX", "time.Now",
		"time.Unix", "time.Date", "strings.NewReplacer", "hash/crc32.MakeTable", "hash/crc64.MakeTable",
		"reflect.TypeFor", "reflect.TypeOf", "net/netip.MustParseAddr", "net/netip.MustParsePrefix", "hash/maphash.MakeSeed",
	}
}

// variable is one package variable.
type variable struct {
	s     *source
	spec  *ast.ValueSpec
	name  *ast.Ident
	value ast.Expr // nil when there is none of its own
}

// unit is the files of one folder that share a package, tests included.
type unit struct {
	sources   []*source
	variables []variable
	types     map[string]ast.Expr        // by name, as declared
	pointers  map[string]map[string]bool // methods with pointer receiver, by type
}

func units(t tree) []*unit {
	byPackage := map[string]*unit{}
	for _, s := range t.module() {
		key := s.folder + " " + s.file.Name.Name
		if byPackage[key] == nil {
			byPackage[key] = &unit{types: map[string]ast.Expr{}, pointers: map[string]map[string]bool{}}
		}
		byPackage[key].add(s)
	}
	var all []*unit
	for _, key := range slices.Sorted(maps.Keys(byPackage)) {
		all = append(all, byPackage[key])
	}
	return all
}

func (u *unit) add(s *source) {
	u.sources = append(u.sources, s)
	for _, declaration := range s.file.Decls {
		if method, ok := declaration.(*ast.FuncDecl); ok && method.Recv != nil {
			if pointer, ok := method.Recv.List[0].Type.(*ast.StarExpr); ok {
				receiver := typeName(pointer.X)
				if u.pointers[receiver] == nil {
					u.pointers[receiver] = map[string]bool{}
				}
				u.pointers[receiver][method.Name.Name] = true
			}
		}
		group, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				u.types[spec.Name.Name] = spec.Type
			case *ast.ValueSpec:
				if group.Tok == token.VAR && !isEmbedded(group.Doc) && !isEmbedded(spec.Doc) {
					u.addVariables(s, spec)
				}
			}
		}
	}
}

func (u *unit) addVariables(s *source, spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if name.Name == "_" {
			continue
		}
		v := variable{s: s, spec: spec, name: name}
		if len(spec.Values) == len(spec.Names) {
			v.value = spec.Values[i]
		} else if len(spec.Values) > 0 {
			v.value = spec.Values[0] // one call for all
		}
		u.variables = append(u.variables, v)
	}
}

func isEmbedded(comment *ast.CommentGroup) bool {
	return comment != nil && slices.ContainsFunc(comment.List, func(line *ast.Comment) bool {
		return strings.HasPrefix(line.Text, "//go:embed ")
	})
}

// typeName is the name of a type without its parameters, "" if it has none.
func typeName(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.Ident:
		return expression.Name
	case *ast.IndexExpr:
		return typeName(expression.X)
	case *ast.IndexListExpr:
		return typeName(expression.X)
	case *ast.StarExpr:
		return typeName(expression.X)
	}
	return ""
}

func checkVariables(t tree) []string {
	var findings []string
	exceptions, used := changingVariables(), map[string]bool{}
	for folder := range exceptions {
		before, _, _ := strings.Cut(folder, ".")
		// A sample, or a tree still without that folder, has nothing to excuse.
		used[folder] = !slices.ContainsFunc(t.sources, func(s *source) bool { return s.folder == before })
	}
	for _, u := range units(t) {
		for _, v := range u.variables {
			why := u.whyChanging(v)
			if why == "" {
				continue
			}
			if key := v.s.folder + "." + v.name.Name; exceptions[key] != "" {
				used[key] = true
				continue
			}
			findings = append(findings, v.s.finding(v.name.Pos(), "package variable %s may change: %s", v.name.Name, why))
		}
	}
	for _, s := range t.module() {
		findings = append(findings, foreignAssignments(s)...)
	}
	return append(findings, unused("changingVariables", exceptions, used)...)
}

// whyChanging says what makes v a variable that changes, "" if nothing does.
func (u *unit) whyChanging(v variable) string {
	declared := v.spec.Type
	value := v.value
	if pointer, ok := value.(*ast.UnaryExpr); ok && pointer.Op == token.AND {
		value = pointer.X
	}
	if literal, ok := value.(*ast.CompositeLit); ok && declared == nil {
		declared = literal.Type
	}
	imports := v.s.imports()
	state, pooled := u.stateIn(imports, declared, map[string]bool{})
	if state != "" {
		return "it holds a " + state
	}
	if call, ok := v.value.(*ast.CallExpr); ok && !u.isConstantCall(imports, call, v.s.test) {
		return "what makes it is not on the list of constantMakers"
	}
	if pooled {
		return u.whereChanged(v, assigned)
	}
	methods := u.pointers[typeName(declared)]
	return u.whereChanged(v, func(node ast.Node) []ast.Expr {
		return append(assigned(node), exposed(node, methods)...)
	})
}

// stateIn looks through a type for what exists to change, and for a
// sync.Pool, which may: what it holds is nobody's state.
func (u *unit) stateIn(imports map[string]string, declared ast.Expr, seen map[string]bool) (state string, pooled bool) {
	if declared == nil {
		return "", false
	}
	ast.Inspect(declared, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncType:
			return false
		case *ast.ChanType:
			state = "channel"
		case *ast.SelectorExpr:
			switch name := qualified(imports, node); {
			case name == "sync.Pool":
				pooled = true
			case strings.HasPrefix(name, "sync.") || strings.HasPrefix(name, "sync/atomic."):
				state = name
			}
			return false
		case *ast.Ident:
			if below := u.types[node.Name]; below != nil && !seen[node.Name] {
				seen[node.Name] = true
				belowState, belowPooled := u.stateIn(u.importsOf(below), below, seen)
				if belowState != "" {
					state = belowState
				}
				pooled = pooled || belowPooled
			}
		}
		return true
	})
	return state, pooled
}

// importsOf gives the imports of the file in which a type is declared.
func (u *unit) importsOf(declared ast.Expr) map[string]string {
	for _, s := range u.sources {
		for _, declaration := range s.file.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if ok && slices.ContainsFunc(group.Specs, func(spec ast.Spec) bool {
				named, ok := spec.(*ast.TypeSpec)
				return ok && named.Type == declared
			}) {
				return s.imports()
			}
		}
	}
	return nil
}

// isConstantCall accepts conversions, literal functions called at once, pure
// built-in functions and the list of constantMakers; in tests also flags.
func (u *unit) isConstantCall(imports map[string]string, call *ast.CallExpr, test bool) bool {
	switch function := call.Fun.(type) {
	case *ast.FuncLit, *ast.ArrayType, *ast.MapType:
		return true
	case *ast.ParenExpr:
		return true // (*T)(nil)
	case *ast.Ident:
		pure := []string{"len", "cap", "min", "max", "string", "complex", "real", "imag"}
		return u.types[function.Name] != nil || slices.Contains(pure, function.Name)
	case *ast.IndexExpr:
		return slices.Contains(constantMakers(), qualified(imports, function.X))
	}
	name := qualified(imports, call.Fun)
	return slices.Contains(constantMakers(), name) || test && strings.HasPrefix(name, "flag.")
}

// whereChanged finds an expression among those that changed picks from nodes
// which begins with v.
func (u *unit) whereChanged(v variable, changed func(ast.Node) []ast.Expr) string {
	where := ""
	for _, s := range u.sources {
		ast.Inspect(s.file, func(node ast.Node) bool {
			for _, target := range changed(node) {
				if root := rootOf(target); root != nil && root.Name == v.name.Name && isPackageLevel(root, v.spec) {
					where = s.finding(target.Pos(), "changes it")
				}
			}
			return where == ""
		})
	}
	return where
}

// isPackageLevel tells a use of the variable declared by spec from one of a
// local variable with its name. The parser resolves names within a file.
func isPackageLevel(name *ast.Ident, spec *ast.ValueSpec) bool {
	return name.Obj == nil || name.Obj.Decl == spec
}

// assigned gives the expressions that a node assigns to.
func assigned(node ast.Node) []ast.Expr {
	switch node := node.(type) {
	case *ast.AssignStmt:
		if node.Tok != token.DEFINE {
			return node.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{node.X}
	case *ast.RangeStmt:
		if node.Tok == token.ASSIGN {
			return []ast.Expr{node.Key, node.Value}
		}
	case *ast.CallExpr:
		function, ok := node.Fun.(*ast.Ident)
		if ok && slices.Contains([]string{"delete", "clear", "copy"}, function.Name) && len(node.Args) > 0 {
			return node.Args[:1]
		}
	}
	return nil
}

// exposed gives the expressions that a node may change elsewhere: it takes
// their address or calls one of the methods named.
func exposed(node ast.Node, methods map[string]bool) []ast.Expr {
	switch node := node.(type) {
	case *ast.UnaryExpr:
		_, element := node.X.(*ast.IndexExpr) // of a table, to read it
		if node.Op == token.AND && !element {
			return []ast.Expr{node.X}
		}
	case *ast.CallExpr:
		if selector, ok := node.Fun.(*ast.SelectorExpr); ok && methods[selector.Sel.Name] {
			return []ast.Expr{selector.X}
		}
	}
	return nil
}

// rootOf is the variable in which an assignable expression begins, nil if it
// does not begin with one.
func rootOf(expression ast.Expr) *ast.Ident {
	for {
		switch inner := expression.(type) {
		case *ast.Ident:
			return inner
		case *ast.IndexExpr:
			expression = inner.X
		case *ast.SelectorExpr:
			expression = inner.X
		case *ast.StarExpr:
			expression = inner.X
		case *ast.ParenExpr:
			expression = inner.X
		case *ast.SliceExpr:
			expression = inner.X
		default:
			return nil
		}
	}
}

// foreignAssignments finds assignments to variables of other packages.
func foreignAssignments(s *source) []string {
	var findings []string
	imports := s.imports()
	ast.Inspect(s.file, func(node ast.Node) bool {
		var targets []ast.Expr
		switch node := node.(type) {
		case *ast.AssignStmt:
			targets = node.Lhs
		case *ast.IncDecStmt:
			targets = []ast.Expr{node.X}
		}
		for _, target := range targets {
			if name := qualified(imports, target); name != "" {
				findings = append(findings, s.finding(target.Pos(), "changes %s, a variable of another package", name))
			}
		}
		return true
	})
	return findings
}

func variablesRule() rule {
	files := func(bodies ...string) map[string]string {
		texts := map[string]string{}
		for i, body := range bodies {
			texts["internal/pipe/"+string(rune('a'+i))+".go"] = "package pipe\n" + body
		}
		return texts
	}
	return rule{
		name:  "variables",
		check: checkVariables,
		bad: []sample{
			{files("var count int\nfunc f() { count++ }"), "a.go:2: package variable count may change"},
			{files("var table = [2]int{1, 2}", "func f() { table[1] = 3 }"), "b.go:2: changes it"},
			{files("var names = map[string]int{}\nfunc f() { delete(names, \"a\") }"), "names"},
			{files("import \"sync\"\nvar lock sync.Mutex"), "it holds a sync.Mutex"},
			{files("import \"sync/atomic\"\nvar serial atomic.Int32"), "it holds a sync/atomic.Int32"},
			{files("var all = &registry{}", "import \"sync\"\ntype registry struct { lock sync.Mutex }"), "it holds a sync.Mutex"},
			{files("var wake = make(chan int)"), "constantMakers"},
			{files("type list struct { n int }\nfunc (l *list) add() { l.n++ }\nvar all list\nfunc f() { all.add() }"), "all may change"},
			{files("var total int\nfunc f(p func(*int)) { p(&total) }"), "total"},
			{files("var last error\nfunc f() { for _, last = range []error{} {} }"), "last"},
			{files("import \"os\"\nfunc f() { os.Args = nil }"), "changes os.Args"},
			{map[string]string{"socket/a.go": "package socket\n"}, "\"socket.defaultContext\" excuses nothing"},
		},
		good: []sample{
			{files: files("import \"errors\"\nvar ErrLate = errors.New(\"late\")\nvar _ error = ErrLate")},
			{files: files("import \"sync\"\nvar pools [4]sync.Pool\nvar pool = sync.Pool{New: func() any { return make(chan int) }}\nfunc f() { pools[1].Put(1); _ = &pool }")},
			{files: files("import \"regexp\"\nvar word = regexp.MustCompile(`a`)")},
			{files: files("import _ \"embed\"\n\n//go:embed a.txt\nvar text string")},
			{files: files("var table = [2]int{1, 2}\nfunc f() { table := table; table[0] = 1; _ = table }")},
			{files: files("var table = func() (t [2]int) { t[0] = 1; return t }()", "func f(table []int) { table[0] = 1 }")},
			{files: files("type late struct{}\nfunc (late) Error() string { return \"\" }\nvar ErrLate error = late{}\nvar errLost = &late{}")},
			{files: map[string]string{"socket/a.go": "package socket\nimport \"sync\"\nvar defaultContext struct { lock sync.Mutex }"}},
		},
	}
}
