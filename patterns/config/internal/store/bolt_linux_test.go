// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestReadOnly opens a file that may not be written, and makes one in a directory that may not.
func TestReadOnly(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "store")
	closeStore(t, openBolt(t, path))
	for name, mode := range map[string]os.FileMode{path: 0o444, directory: 0o555} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(name, 0o700) // so that it can be removed
	}
	result := make(chan [2]error)
	go func() {
		// The thread ends with this goroutine, and with it that it is not the superuser.
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			result <- [2]error{err, err}
			return
		}
		_, existing := Open(path, OpenOptions{})
		_, missing := Open(filepath.Join(directory, "other"), OpenOptions{})
		result <- [2]error{existing, missing}
	}()
	for i, err := range <-result {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestDiskFull lets the file not grow any further. What fails leaves nothing behind, and the store goes on once there is room.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	o := newOwner(t, rand.New(rand.NewPCG(10, 10)), openBolt(t, path))
	o.build(50, 5)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	lift := limitFiles(t, uint64(info.Size()))
	failed := 0
	for i := 0; failed < 3; i++ {
		if i == 1000 {
			t.Fatal("the file grows beyond its limit")
		}
		err := o.append(o.want.Last(), 20, 20)
		if errors.Is(err, ErrUncertain) {
			t.Fatal(err)
		}
		if err != nil {
			failed++
			if failed == 1 {
				t.Log(err)
			}
		}
		if text := difference(mustLoad(t, o.store), &o.want); text != "" {
			t.Fatalf("append %d (%v): %s", i, err, text)
		}
	}
	lift()
	if err := o.append(o.want.Last(), 20, 20); err != nil {
		t.Fatal(err)
	}
	o.store = boltSubject().reopen(t, o.store)
	if text := difference(mustLoad(t, o.store), &o.want); text != "" {
		t.Error(text)
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
	lift = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
	t.Cleanup(lift)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	return lift
}

// TestWriteFails gives bbolt a descriptor that cannot be written, then the right one again.
func TestWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	b := openBolt(t, path)
	o := newOwner(t, rand.New(rand.NewPCG(11, 11)), b)
	o.build(20, 20)
	restore := redirect(t, b, path, os.O_RDONLY)
	for range 3 {
		if err := o.append(o.want.Last(), 1, 1); !errors.Is(err, syscall.EBADF) || errors.Is(err, ErrUncertain) {
			t.Fatal(err)
		}
	}
	restore()
	if text := difference(mustLoad(t, b), &o.want); text != "" {
		t.Fatal(text)
	}
	for range 3 {
		if err := o.append(o.want.Last(), 5, 5); err != nil {
			t.Fatal(err)
		}
	}
	if text := difference(mustLoad(t, boltSubject().reopen(t, b)), &o.want); text != "" {
		t.Error(text)
	}
}

// TestSyncFails gives bbolt a descriptor that can be written but not synced, nor read: nobody knows what is on disk.
func TestSyncFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	b := openBolt(t, path)
	o := newOwner(t, rand.New(rand.NewPCG(12, 12)), b)
	o.build(20, 20)
	restore := redirect(t, b, os.DevNull, os.O_WRONLY)
	if err := o.append(o.want.Last(), 1, 1); !errors.Is(err, ErrUncertain) || !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	if _, err := b.Load(); !errors.Is(err, ErrUncertain) {
		t.Error("load afterwards:", err)
	}
	if err := o.append(o.want.Last(), 1, 1); !errors.Is(err, ErrUncertain) {
		t.Error("append afterwards:", err)
	}
	restore()
	closeStore(t, b)
	if text := difference(mustLoad(t, openBolt(t, path)), &o.want); text != "" {
		t.Error(text)
	}
}

// redirect lets the descriptor of a store lead elsewhere, until restore is called.
func redirect(t *testing.T, b *Bolt, path string, flags int) (restore func()) {
	t.Helper()
	descriptor := int(b.file.Fd())
	kept, err := syscall.Dup(descriptor)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(path, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() // its double stays
	if err := syscall.Dup3(int(other.Fd()), descriptor, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Dup3(kept, descriptor, syscall.O_CLOEXEC); err != nil {
			t.Error(err)
		}
		syscall.Close(kept) // its double stays
	}
}

// TestTruncatedWhileOpen cuts the file off under an open store: whatever reads beyond the end gets an error, and nothing dies or
// hangs.
func TestTruncatedWhileOpen(t *testing.T) {
	for _, write := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "store")
		b := openBolt(t, path)
		o := newOwner(t, rand.New(rand.NewPCG(14, 14)), b)
		o.build(20, 20)
		if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		var err error
		if write {
			err = o.append(o.want.Last(), 1, 1)
		} else {
			_, err = b.Load()
		}
		if !errors.As(err, new(*DamagedError)) {
			t.Errorf("write %v: %v", write, err)
		}
		if err := o.append(o.want.Last(), 1, 1); err == nil {
			t.Errorf("write %v: a write afterwards", write)
		}
		closeStore(t, b)
		if _, err := Open(path, OpenOptions{}); !errors.As(err, new(*DamagedError)) {
			t.Errorf("write %v: opened again: %v", write, err)
		}
	}
}

// TestNothingLeft looks for descriptors and for mapped memory after stores were opened, refused and closed.
func TestNothingLeft(t *testing.T) {
	directory := t.TempDir()
	good, bad := filepath.Join(directory, "good"), filepath.Join(directory, "bad")
	closeStore(t, openBolt(t, good))
	writeFile(t, bad, readFile(t, good)[:3*os.Getpagesize()])
	before := descriptors(t)
	for range 10 {
		closeStore(t, openBolt(t, good))
		for _, path := range []string{bad, directory, filepath.Join(directory, "none", "store")} {
			if _, err := Open(path, OpenOptions{}); err == nil {
				t.Fatal("opened", path)
			}
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, then %d", before, after)
	}
	if strings.Contains(string(readFile(t, "/proc/self/maps")), directory) {
		t.Error("a file is still mapped")
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
