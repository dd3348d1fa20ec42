// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
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

// BenchmarkBoltLarge has a base of 100,000 keys with values of 100 octets: to install it, to open and load it, and to trim a
// thousand records into it.
func BenchmarkBoltLarge(b *testing.B) {
	const keys, batch = 100_000, 1000
	state := &model.State{}
	for from := 0; from < keys; from += batch {
		record := model.Record{Revision: state.Revision() + 1}
		for i := range batch {
			record.Ops = append(record.Ops, model.Op{Key: fmt.Sprintf("tree/k%d", from+i), Value: make([]byte, 100)})
		}
		state = state.Apply(&record, nil)
	}
	path := filepath.Join(b.TempDir(), "store")
	s := openBolt(b, path)
	meta := mustLoad(b, s).Meta
	b.Run("install", func(b *testing.B) {
		for b.Loop() {
			if err := s.Install(state, meta); err != nil {
				b.Fatal(err)
			}
		}
	})
	closeStore(b, s)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s := openBolt(b, path)
			mustLoad(b, s)
			closeStore(b, s)
		}
	})
	s = openBolt(b, path)
	state = mustLoad(b, s).Base
	random := rand.New(rand.NewPCG(1, 1))
	b.Run("trim", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			records := make([]model.Record, batch)
			for i := range records {
				op := model.Op{Key: fmt.Sprintf("tree/k%d", random.IntN(keys)), Value: make([]byte, 100)}
				records[i] = model.Record{Revision: state.Revision() + 1, Ops: []model.Op{op}}
				state = state.Apply(&records[i], nil)
			}
			if err := s.Append(state.Revision()-batch, records, meta); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := s.Trim(state, model.Epoch{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
