// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/zwire-mq/zwire/socket/sockettest"
)

// TestSoakPowerCut puts together what a power cut in the middle of a commit can leave: until the meta page is written, any of the
// sectors that the commit wrote may be there or not; after that, all of them. None of this is damage, nothing acknowledged is lost.
func TestSoakPowerCut(t *testing.T) {
	const steps = 30 // of one store: it grows, and each step looks at all of it
	stores := max(sockettest.Soaked(t, 30, 3000)/steps, 1)
	sockettest.Seeds(t, stores, func(t *testing.T, seed uint64) {
		path := filepath.Join(t.TempDir(), "store")
		o := newOwner(t, rand.New(rand.NewPCG(seed, 9)), openBolt(t, path))
		o.build(30, 10)
		changed := 0
		for range steps {
			before, old := readFile(t, path), o.want
			if err := o.step(); err != nil {
				t.Fatal(err)
			}
			if after := readFile(t, path); !bytes.Equal(before, after) {
				changed++
				o.cutPower(path+"-cut", &old, before, after)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		if changed == 0 {
			t.Error("no step has written anything")
		}
		closeStore(t, o.store)
	})
}

// cutPower opens what can be left of a step that led from one file to another.
func (o *owner) cutPower(path string, old *Contents, before, after []byte) {
	t := o.t
	const sector = 512
	metas := 2 * os.Getpagesize()
	cut := make([]byte, len(after)) // the file grows before anything is written
	copy(cut, before)
	for at := metas; at < len(cut); at += sector {
		if o.random.IntN(2) == 0 {
			copy(cut[at:at+sector], after[at:])
		}
	}
	writeFile(t, path, cut)
	if !opens(t, path, old) {
		t.Error("before the meta page: refused")
	}
	writeFile(t, path, append(bytes.Clone(before[:metas]), after[metas:]...))
	if !opens(t, path, old) {
		t.Error("with all but the meta page: refused")
	}
	writeFile(t, path, after)
	if !opens(t, path, &o.want) {
		t.Error("with the meta page: refused")
	}
}
