// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func TestBoltInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	first := openBolt(t, path)
	if _, err := Open(path, OpenOptions{}); !errors.Is(err, ErrInUse) {
		t.Fatalf("opened twice: %v", err)
	}
	closeStore(t, first)
	closeStore(t, openBolt(t, path))
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the store: %v, %v", entries, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func BenchmarkBoltAppend(b *testing.B) {
	for _, count := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("records=", count), func(b *testing.B) {
			o := newOwner(b, rand.New(rand.NewPCG(1, 1)), openBolt(b, filepath.Join(b.TempDir(), "store")))
			o.build(50, 0)
			records, _ := o.plan(o.want.Last(), count, 1)
			for i := range records {
				records[i].Ops[0].Value, records[i].Ops[0].Delete = make([]byte, 100), false
			}
			last := o.want.Last()
			b.ReportAllocs()
			for b.Loop() {
				for i := range records {
					last++
					records[i].Revision = last
				}
				if err := o.store.Append(last-uint64(count), records, o.want.Meta); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*count)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
