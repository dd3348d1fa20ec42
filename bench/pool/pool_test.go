// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/beside"
)

// TestMain is this program for the children that the tests start.
func TestMain(m *testing.M) {
	if role := os.Args[1:]; isRole(role) {
		newProgram().Exit(serveWorkers(role[1], role[2], role[3], role[4]))
	}
	os.Exit(m.Run())
}

func smallPlan() plan {
	return plan{
		Rounds: 1, Workers: []int{2}, Producers: 3, Few: []int{1}, FewWorkers: 2, Short: 5 * time.Millisecond, Measure: 20 * time.Millisecond,
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
			p, found := smallPlan(), map[string]beside.Sample{}
			for _, scene := range p.scenes() {
				sample, err := scene.hold(t.Context(), c, p, "")
				if err != nil {
					t.Fatalf("%s: %v", scene.name, err)
				}
				found[scene.name] = sample
			}
			for _, f := range p.figures() {
				if found[f.Scene][f.Key] <= 0 {
					t.Errorf("%s of %s is %v", f.Key, f.Scene, found[f.Scene][f.Key])
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
