// SPDX-License-Identifier: Apache-2.0

// Config measures patterns/config beside etcd, on the same work and in turns, and writes CONFIG.md and CONFIG.json in bench; with
// -quick, -only or -rounds in a temporary folder, unless -out names another.
//
//	go run ./config                   everything, in less than ten minutes
//	go run ./config -quick            everything, smaller and once, in about one
//	go run ./config -only crowd       one scene
//	go run ./config -redraw           the page from CONFIG.json
//
// scenes.go says what is measured, ours.go and etcd.go of whom, page.go how it is shown. Server and nodes are processes of their own.
// Exit status 1: somebody failed, and the page says who.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/zwire-mq/zwire/bench/internal/beside"
)

// roles of this program as a child of itself
const (
	roleAuthority = "authority" // and the path of its store
	roleNodes     = "nodes"     // and the contender, and the endpoint of the server
)

func main() {
	program := newProgram()
	if role := os.Args[1:]; isRole(role) {
		program.Exit(asChild(role))
	}
	program.Main()
}

func isRole(role []string) bool {
	return len(role) > 0 && (role[0] == roleAuthority || role[0] == roleNodes)
}

func asChild(role []string) error {
	switch {
	case role[0] == roleAuthority && len(role) == 2:
		return authority(role[1])
	case role[0] == roleNodes && len(role) == 3:
		return serveNodes(role[1], role[2])
	}
	return fmt.Errorf("%q: this program starts itself so", role)
}

func newProgram() *beside.Program[plan] {
	return &beside.Program[plan]{
		Name: "config", Title: "patterns/config beside etcd", Anchor: "config-beside-etcd", Rival: etcd{}.name(), Server: "etcd",
		Module: "go.etcd.io/etcd/client/v3", Stores: "the stores are",
		Version: etcdVersion,
		Plan:    planOf,
		Scenes: func(p plan) (all []beside.Scene) {
			for _, s := range scenes() {
				all = append(all, beside.Scene{Name: s.name, Rounds: p.Rounds, Hold: func(ctx context.Context, who, profiles string) (beside.Sample, error) {
					c, err := contenderOf(who)
					if err != nil {
						return nil, err
					}
					found, err := s.hold(ctx, c, p, profiles)
					return beside.Sample(found), err
				}})
			}
			return all
		},
		Figures:     plan.figures,
		Rounds:      func(p plan) string { return fmt.Sprintf("rounds: %d", p.Rounds) },
		Intro:       plan.intro,
		Note:        func(plan, string) string { return "" },
		RoundsUsage: "default 5", ScenesUsage: "crowd, joining, writers",
	}
}

func planOf(f beside.Flags) plan {
	p := wholePlan()
	if f.Quick {
		p = quickPlan()
	}
	if f.Rounds > 0 {
		p.Rounds = f.Rounds
	}
	return p
}
