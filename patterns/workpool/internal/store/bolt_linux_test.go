// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
)

// TestDiskFull lets the file not grow any further: the write that fails is an error, so is every one after it, and what was written before
// is there when the store is opened again.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	b, _ := mustOpen(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	lift := limitFiles(t, uint64(info.Size()))
	memory, random := NewMemory(), rand.New(rand.NewPCG(5, 5))
	memory.Load()
	for id := uint64(1); err == nil; id++ {
		ops := []Op{{id, someRecord(random, id)}, {id << 32, someRecord(random, id<<32)}}
		if err = b.Write(ops); err == nil {
			memory.Write(ops)
		}
		if id == 10_000 {
			t.Fatal("the file grows beyond its limit")
		}
	}
	t.Log(err)
	lift()
	if again := b.Write([]Op{{ID: 1}}); !errors.Is(again, err) {
		t.Errorf("a write after %v: %v", err, again)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	b, contents := mustOpen(t, path)
	defer b.Close()
	if want, _ := memory.Load(); !reflect.DeepEqual(contents, want) {
		t.Errorf("%d records, want %d", len(contents.Records), len(want.Records))
	}
}

// limitFiles limits the size of files, until lift is called.
func limitFiles(t *testing.T, bytes uint64) (lift func()) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
}
