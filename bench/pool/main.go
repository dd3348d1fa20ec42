// SPDX-License-Identifier: Apache-2.0

// Pool measures patterns/workpool beside asynq on Redis, on the same work and in turns, and writes POOL.md and POOL.json in bench;
// with -quick, -only, -who or -rounds in a temporary folder, unless -out names another.
//
//	go run ./pool                     everything, in less than eight minutes
//	go run ./pool -quick              everything, smaller and once, in about one
//	go run ./pool -only tcp/durable   the scenes whose name matches
//	go run ./pool -redraw             the page from POOL.json
//
// scenes.go says what is measured, ours.go and redis.go of whom, page.go how it is shown. Redis and remote workers are processes of
// their own. Exit status 1: somebody failed, and the page says who.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/zwire-mq/zwire/bench/internal/beside"
)

// roleWorkers makes this program a child of itself: contender, endpoint, number of workers, file of a profile
const roleWorkers = "workers"

func main() {
	program := newProgram()
	if role := os.Args[1:]; isRole(role) {
		program.Exit(serveWorkers(role[1], role[2], role[3], role[4]))
	}
	program.Main()
}

func isRole(role []string) bool { return len(role) == 5 && role[0] == roleWorkers }

func newProgram() *beside.Program[plan] {
	return &beside.Program[plan]{
		Name: "pool", Title: "patterns/workpool beside asynq on Redis", Anchor: "a-pool-beside-asynq", Rival: redisQueue{}.name(), Server: "Redis",
		Module: "github.com/hibiken/asynq", Stores: "stores and Redis's files are",
		Version: redisVersion,
		Plan:    planOf,
		Scenes: func(p plan) (all []beside.Scene) {
			for _, s := range p.scenes() {
				all = append(all, beside.Scene{Name: s.name, Rounds: s.rounds, Hold: func(ctx context.Context, who, profiles string) (beside.Sample, error) {
					c, err := contenderOf(who)
					if err != nil {
						return nil, err
					}
					return s.hold(ctx, c, p, profiles)
				}})
			}
			return all
		},
		Figures:     plan.figures,
		Rounds:      func(p plan) string { return fmt.Sprintf("rounds: %d, %d of the skewed load", p.Rounds, p.SkewRounds) },
		Intro:       plan.intro,
		Note:        plan.note,
		RoundsUsage: "default 5, the skewed load 3", ScenesUsage: "(process|tcp)/(memory|durable)/workers, few/durable/producers, skew",
	}
}

func planOf(f beside.Flags) plan {
	p := wholePlan()
	if f.Quick {
		p = quickPlan()
	}
	if f.Rounds > 0 {
		p.Rounds, p.SkewRounds = f.Rounds, f.Rounds
	}
	return p
}
