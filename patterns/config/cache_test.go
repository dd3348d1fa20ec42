// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// TestCacheStarts: a client starts with the copy of an earlier life while no authority is there, says so, and catches up.
func TestCacheStarts(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.epoch.Number = 3
	f.set("a/k", "one")
	file := filepath.Join(t.TempDir(), "cache")
	options := Options{CacheFile: file, Trees: []string{"a"}}
	if err := dial(t, options, f).Close(); err != nil {
		t.Fatal(err)
	}
	f.stop()
	f.set("a/k", "two")
	c := dial(t, options, f)
	entry, err := c.Get("a/k")
	if fresh := c.Freshness(); err != nil || string(entry.Value) != "one" || !fresh.FromCache || fresh.Connected || fresh.Epoch.Number != 3 {
		t.Errorf("%+v, %v, %+v", entry, err, fresh)
	}
	f.start()
	c.until(t, func(s *Snapshot) bool { return s.Revision() == 2 })
	if fresh := c.Freshness(); fresh.FromCache || !fresh.Connected || fresh.Err != nil {
		t.Errorf("%+v", fresh)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	got, err := readCache(file)
	if err != nil || got.state.Revision() != 2 {
		t.Errorf("after Close: %v", err)
	}
	if _, err := os.Stat(file + ".new"); err == nil {
		t.Error("a temporary file is left")
	}
	other := Options{CacheFile: file}
	stranger := dial(t, other, f)
	stranger.Close()
	if got, err := readCache(file); err != nil || got.trees != nil {
		t.Errorf("a cache of other trees was not replaced: %v, %v", got, err)
	}
}

// TestCacheDamaged: at whatever place a file is damaged or cut, it is refused.
func TestCacheDamaged(t *testing.T) {
	state := &model.State{}
	for i := range 30 {
		record := model.Record{
			Revision: uint64(i + 1), Session: "s", Ops: []model.Op{{Key: fmt.Sprintf("%c/k%d", 'a'+i%3, i), Value: make([]byte, i)}},
		}
		state = state.Apply(&record, nil)
	}
	file := filepath.Join(t.TempDir(), "cache")
	what := &cached{state, model.Epoch{Number: 2}, model.Epoch{Number: 3}, []string{"a", "b", "c"}}
	if err := writeCache(file, what); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readCache(file)
	if err != nil || got.state.Digest() != state.Digest() || got.state.Revision() != 30 || got.epoch != what.epoch || got.seen != what.seen ||
		fmt.Sprint(got.trees) != fmt.Sprint(what.trees) {
		t.Fatalf("%+v, %v", got, err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		damaged := append([]byte{}, whole...)
		at := random.IntN(len(damaged))
		if random.IntN(3) == 0 {
			damaged = damaged[:at]
		} else {
			damaged[at] ^= 1 << random.IntN(8)
		}
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readCache(file); !errors.Is(err, ErrDamaged) {
			t.Fatalf("damaged at %d of %d: %v", at, len(whole), err)
		}
	}
}

// FuzzCache: whatever stands in a file after a checksum that is right, reading it ends, without a panic.
func FuzzCache(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		r := cacheReader{left: body}
		if got := r.decode(); (got == nil) == (r.err == nil) {
			t.Errorf("copy %v, error %v", got, r.err)
		}
	})
}
