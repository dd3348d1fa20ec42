// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"slices"
	"strings"
	"testing"
)

// rule is one thing that holds for the whole repository.
type rule struct {
	name  string
	check func(tree) []string // what breaks the rule, as "path:line: why"
	bad   []sample
	good  []sample
}

// sample is a small repository. In a bad one the rule finds exactly one thing,
// in which want stands.
type sample struct {
	files map[string]string
	want  string
}

func rules() []rule {
	return []rule{
		syntaxRule(),
		importsRule(), dependenciesRule(), goModRule(),
		bansRule(), initRule(), unsafeRule(), variablesRule(),
		functionsRule(), parametersRule(), fileLinesRule(),
		gofmtRule(), licenceRule(), pathsRule(),
		namesRule(), packageCommentRule(), commentsRule(), folderMapRule(),
		sleepRule(), fuzzRule(), guaranteesRule(),
	}
}

func TestTree(t *testing.T) {
	tree := readTree(t)
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			for _, finding := range rule.check(tree) {
				t.Error(finding)
			}
		})
	}
}

func TestRules(t *testing.T) {
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			if len(rule.bad) == 0 || len(rule.good) == 0 {
				t.Fatal("a rule needs samples of both kinds")
			}
			for i, bad := range rule.bad {
				findings := rule.check(newTree(bad.files))
				if len(findings) != 1 || !strings.Contains(findings[0], bad.want) {
					t.Errorf("bad sample %d: want one finding with %q, got %q", i, bad.want, findings)
				}
			}
			for i, good := range rule.good {
				if findings := rule.check(newTree(good.files)); len(findings) > 0 {
					t.Errorf("good sample %d: got %q", i, findings)
				}
			}
		})
	}
}

func TestRuleNamesDiffer(t *testing.T) {
	var names []string
	for _, rule := range rules() {
		if slices.Contains(names, rule.name) {
			t.Errorf("two rules are named %s", rule.name)
		}
		names = append(names, rule.name)
	}
}
