// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestMain is this program for the children that the tests start.
func TestMain(m *testing.M) {
	if role := os.Args[1:]; len(role) == 5 && role[0] == roleWorkers {
		exit(serveWorkers(role[1], role[2], role[3], role[4]))
	}
	os.Exit(m.Run())
}

func smallPlan() plan {
	return plan{
		Rounds: 1, Workers: []int{2}, Producers: 3, Short: 5 * time.Millisecond, Measure: 20 * time.Millisecond,
		SkewRounds: 1, SkewWorkers: 2, SkewLong: 1, SkewWait: 100 * time.Microsecond,
	}
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skipf("needs Debian's %s", redisPackage)
	}
}

// TestScenes plays all scenes in small, and looks whether every figure of the page is measured.
func TestScenes(t *testing.T) {
	for _, c := range []contender{ours{}, redisQueue{}} {
		t.Run(c.name(), func(t *testing.T) {
			if c.name() != (ours{}).name() {
				needRedis(t)
			}
			p, found := smallPlan(), map[string]sample{}
			for _, scene := range p.scenes() {
				sample, err := scene.hold(t.Context(), c, p, "")
				if err != nil {
					t.Fatalf("%s: %v", scene.name, err)
				}
				found[scene.name] = sample
			}
			for _, f := range p.figures() {
				if found[f.scene][f.key] <= 0 {
					t.Errorf("%s of %s is %v", f.key, f.scene, found[f.scene][f.key])
				}
			}
			if share := found[skewScene][keySkewWorked]; share < 1 {
				t.Errorf("a skewed load took %v of its share", share)
			}
		})
	}
}

// TestRedisEnds has the server end with its pool, and with the context.
func TestRedisEnds(t *testing.T) {
	needRedis(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, way := range []string{"close", "context"} {
		opened, err := redisQueue{}.open(ctx, t.TempDir(), terms{durable: true, producers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := pingRedis(t.Context(), opened.endpoint()); err != nil {
			t.Fatal(err)
		}
		if way == "context" {
			cancel()
			for pingRedis(t.Context(), opened.endpoint()) == nil { // until it is gone
			}
		}
		if err := opened.close(); err != nil {
			t.Error(err)
		}
		if err := pingRedis(t.Context(), opened.endpoint()); err == nil {
			t.Errorf("%s: the server still answers", way)
		}
	}
}

func TestTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counted := newTally()
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if err := counted.await(t.Context(), 3); err != nil {
				t.Error(err)
			}
			if n := counted.count.Load(); n != 3 {
				t.Errorf("awaited at %d, want 3", n)
			}
		})
		for range 3 {
			synctest.Wait()
			counted.perform(payloadOf(0))
		}
		waiting.Wait()
		counted.perform(payloadOf(time.Hour))
		if worked := time.Duration(counted.worked.Load()); worked != time.Hour {
			t.Errorf("worked for %v, want an hour", worked)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := counted.await(ctx, 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of 5 there are 4, got %v", err)
		}
	})
}

func TestSkewed(t *testing.T) {
	p := smallPlan()
	p.SkewLong = 50
	var long int
	waits := skewed(p)
	for _, wait := range waits {
		if wait == longTimes*p.SkewWait {
			long++
		} else if wait != p.SkewWait {
			t.Fatalf("a task waits for %v", wait)
		}
	}
	if long != 100 || len(waits) != 10_000 {
		t.Errorf("%d of %d are long, want 100 of 10000", long, len(waits))
	}
}

func TestPage(t *testing.T) {
	p := smallPlan()
	r := &results{Plan: p, Redis: "7", Outcomes: []outcome{
		{Scene: rateScene(oneProcess, inMemory, 2), Entries: []entry{
			{Name: "zwire", Samples: []sample{{keyRate: 90_000}, {keyRate: 110_000}}},
			{Name: "asynq", Samples: []sample{{keyRate: 10_000}, {keyRate: 10_000}}},
		}},
		{Scene: rateScene(overTCP, durable, 2), Entries: []entry{
			{Name: "zwire", Samples: []sample{{keyRate: 29_000}}},
			{Name: "asynq", Samples: []sample{{keyRate: 10_000}}},
		}},
		{Scene: skewScene, Entries: []entry{{Name: "zwire", Samples: []sample{{keySkewWorked: 1.25}}}}},
	}}
	var page bytes.Buffer
	r.writePage(&page)
	for _, line := range []string{
		"| workers: 2; 1000 tasks/s | 100 [90.0..110] | 10.0 [10.0..10.0] | 10.0 | ≥ 10 | yes |",
		"| workers: 2; 1000 tasks/s | 29.0 [29.0..29.0] | 10.0 [10.0..10.0] | 2.90 | ≥ 3 | no |",
		"as the tasks took | 1.25 [1.25..1.25] |  |  | zwire ≤ 1.2 | no |",
	} {
		if !strings.Contains(page.String(), line) {
			t.Errorf("the page lacks %s:\n%s", line, &page)
		}
	}
	r.Outcomes[0].Entries[1].Failure = "a|b\nc"
	page.Reset()
	r.writePage(&page)
	if !strings.Contains(page.String(), "**failed** (a\\|b; c)") || r.failure() == nil {
		t.Errorf("the failure is not told:\n%s", &page)
	}
}
