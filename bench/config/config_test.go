// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestMain is this program for the children that the tests start.
func TestMain(m *testing.M) {
	if role := os.Args[1:]; isRole(role) {
		newProgram().Exit(asChild(role))
	}
	os.Exit(m.Run())
}

func smallPlan() plan {
	return plan{
		Rounds: 1, Nodes: 8, Keys: 10, Changes: 5, GapMin: time.Millisecond, GapMax: 2 * time.Millisecond,
		Writers: 2, Sustained: 50 * time.Millisecond, JoinNodes: 4, JoinKeys: fillKeys + 1,
		AloneWriters: []int{1, 2}, Alone: 20 * time.Millisecond,
	}
}

// TestScenes plays all scenes in small, and looks whether every figure of the page is measured.
func TestScenes(t *testing.T) {
	for _, c := range []contender{ours{}, etcd{}} {
		t.Run(c.name(), func(t *testing.T) {
			if _, err := exec.LookPath("etcd"); err != nil && c.name() == "etcd" {
				t.Skipf("needs Debian's %s", etcdPackage)
			}
			p, found := smallPlan(), map[string]sample{}
			for _, scene := range scenes() {
				sample, err := scene.hold(t.Context(), c, p, "")
				if err != nil {
					t.Fatalf("%s: %v", scene.name, err)
				}
				found[scene.name] = sample
			}
			for _, f := range p.figures() {
				if _, measured := found[f.Scene][f.Key]; !measured {
					t.Errorf("%s of %s was not measured", f.Key, f.Scene)
				}
			}
			if rate := found["crowd"][keyDeliverPS]; rate <= 0 {
				t.Errorf("%v deliveries in a second", rate)
			}
		})
	}
}

// TestFollower has a node that skips revisions: it has reached those too, at the next one that it shows.
func TestFollower(t *testing.T) {
	f := &follower{clock: newClock()}
	f.begin(3)
	f.forget(true)
	f.advance(3, 10) // what was there before
	f.advance(4, 1)
	f.advance(7, 2)
	if last, _ := f.reached(); last.revision != 7 || len(f.stamps) != 2 {
		t.Fatalf("at revision %d with %d stamps, want 7 and 2", last.revision, len(f.stamps))
	}
	for revision, want := range map[uint64]int64{4: f.stamps[0].at, 5: f.stamps[1].at, 7: f.stamps[1].at} {
		if at, reached := f.reachedAt(revision); !reached || at != want {
			t.Errorf("revision %d: %d %v, want %d", revision, at, reached, want)
		}
	}
	if _, reached := f.reachedAt(8); reached {
		t.Error("revision 8 is said to be reached")
	}
	if got := f.counted(); got != (counts{13, 3}) {
		t.Errorf("counted %+v", got)
	}
}

// TestSingle takes the last node of all processes, and times from two moments.
func TestSingle(t *testing.T) {
	made := []change{{revision: 5, called: 100, acked: 200}, {revision: 7, called: 1000, acked: 1100}}
	found := sample{}
	found.single(made, []answer{{Times: []int64{500, 0, 1200}}, {Times: []int64{300, 0, 1900}}})
	got := fmt.Sprintf("%.0f %.0f %.0f %.0f", found[keyLastP50]*1e9, found[keyLastP99]*1e9, found[keyWholeP50]*1e9, found[keyAckP50]*1e9)
	if want := "300 800 400 100"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
