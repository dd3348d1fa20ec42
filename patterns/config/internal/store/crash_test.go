// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestSoakPowerCut puts together what a power cut in the middle of a commit can leave: until the meta page is written, any of the
// sectors that the commit wrote may be there or not; after that, all of them. None of this is damage, nothing acknowledged is lost.
func TestSoakPowerCut(t *testing.T) {
	const sector = 512
	directory := t.TempDir()
	path := filepath.Join(directory, "store")
	random := rand.New(rand.NewPCG(9, 9))
	o := newOwner(t, random, openBolt(t, path))
	o.build(30, 10)
	metas := 2 * os.Getpagesize()
	changed := 0
	for n := range soaked(t, 30) {
		before, old := readFile(t, path), o.want
		if err := o.step(); err != nil {
			t.Fatal(err)
		}
		after := readFile(t, path)
		if bytes.Equal(before, after) {
			continue
		}
		changed++
		cut := make([]byte, len(after)) // the file grows before anything is written
		copy(cut, before)
		for at := metas; at < len(cut); at += sector {
			if random.IntN(2) == 0 {
				copy(cut[at:at+sector], after[at:])
			}
		}
		other := filepath.Join(directory, "cut")
		writeFile(t, other, cut)
		if !opens(t, other, &old) {
			t.Fatalf("step %d: before the meta page: refused", n)
		}
		writeFile(t, other, append(bytes.Clone(before[:metas]), after[metas:]...))
		if !opens(t, other, &old) {
			t.Fatalf("step %d: with all but the meta page: refused", n)
		}
		writeFile(t, other, after)
		if !opens(t, other, &o.want) {
			t.Fatalf("step %d: with the meta page: refused", n)
		}
		if t.Failed() {
			t.Fatalf("step %d", n)
		}
	}
	if changed == 0 {
		t.Error("no step has written anything")
	}
}
