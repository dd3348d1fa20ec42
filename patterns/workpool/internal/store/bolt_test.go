// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func mustOpen(t *testing.T, path string) (*Bolt, *Contents) {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := b.Load()
	if err != nil {
		t.Fatal(err)
	}
	return b, contents
}

func someRecord(random *rand.Rand, id uint64) *Record {
	r := &Record{ID: id, State: Queued + State(random.IntN(3)), Priority: int32(random.IntN(9)) - 4, AttemptsMax: 5}
	r.Payload = bytes.Repeat([]byte{byte(id)}, 1+random.IntN(300))
	if random.IntN(2) == 0 {
		r.NotBefore, r.Deadline = time.Unix(5, 6), time.Unix(7, int64(random.IntN(1e9)))
		r.Timeout = time.Duration(random.Int64())
		r.Attempts = 1
		r.Errors = []AttemptError{{1, "worker", "text", time.Unix(8, 9)}}
	}
	return r
}

// TestAgainstMemory: whatever is written, both stores hold the same, also after they are opened again.
func TestAgainstMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	path := filepath.Join(t.TempDir(), "store")
	memory := NewMemory()
	for life := range 20 {
		b, contents := mustOpen(t, path)
		want, _ := memory.Load()
		if !reflect.DeepEqual(contents, want) {
			t.Fatalf("life %d: %+v, want %+v", life, contents, want)
		}
		for range 5 {
			ops := make([]Op, 0, 40)
			for range random.IntN(40) {
				id := 1 + random.Uint64N(60)
				op := Op{ID: id}
				if random.IntN(3) > 0 {
					op.Record = someRecord(random, id)
				}
				ops = append(ops, op)
			}
			memory.Write(ops)
			if err := b.Write(ops); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamage: of a file of which a page is changed anywhere, nothing is returned but what was written.
func TestDamage(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "store")
	b, _ := mustOpen(t, path)
	random := rand.New(rand.NewPCG(2, 2))
	ops := make([]Op, 0, 100)
	for id := range uint64(100) {
		ops = append(ops, Op{id, someRecord(random, id)})
	}
	if err := b.Write(ops); err != nil {
		t.Fatal(err)
	}
	b.Close()
	_, want := mustOpenClosed(t, path)
	intact, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for i := range 300 {
		octets := bytes.Clone(intact)
		at := random.IntN(len(octets))
		octets[at] ^= byte(1 + random.IntN(255))
		broken := filepath.Join(directory, fmt.Sprint("broken", i))
		if err := os.WriteFile(broken, octets, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Open(broken)
		if err == nil {
			var contents *Contents
			contents, err = b.Load()
			if err == nil && !reflect.DeepEqual(contents.Records, want.Records) {
				t.Errorf("octet %d changed: %d records, want %d", at, len(contents.Records), len(want.Records))
			}
			b.Close()
		}
		var damage *DamagedError
		if err != nil && !errors.As(err, &damage) && !errors.Is(err, ErrFormat) {
			t.Errorf("octet %d changed: %v", at, err)
		}
		if err != nil {
			damaged++
		}
	}
	if damaged == 0 {
		t.Error("no damage was found")
	}
	t.Logf("%d of 300 changed octets mattered", damaged)
}

func mustOpenClosed(t *testing.T, path string) (*Bolt, *Contents) {
	b, contents := mustOpen(t, path)
	b.Close()
	return b, contents
}

func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	b, _ := mustOpen(t, path)
	if _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("open twice: %v", err)
	}
	b.Close()
	if err := b.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Write(nil); err == nil {
		t.Error("write before load")
	}
}

// TestFarTimes: a time out of reach stays as far away as can be.
func TestFarTimes(t *testing.T) {
	table := crc64.MakeTable(crc64.ECMA)
	r := Record{State: Queued, Deadline: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), NotBefore: time.Date(3, 1, 1, 0, 0, 0, 0, time.UTC)}
	got, err := decode(0, encode(&r, table), table)
	if err != nil || got.Deadline.Year() < 2200 || got.NotBefore.Year() > 1700 {
		t.Errorf("%v, %v, %v", got.Deadline, got.NotBefore, err)
	}
}

// FuzzDecode: a record is read whole or not at all.
func FuzzDecode(f *testing.F) {
	table := crc64.MakeTable(crc64.ECMA)
	random := rand.New(rand.NewPCG(3, 3))
	for id := range uint64(10) {
		f.Add(id, encode(someRecord(random, id), table))
	}
	f.Fuzz(func(t *testing.T, id uint64, value []byte) {
		value = append(value, make([]byte, sumBytes)...) // with a sum that fits, so that there is something to read
		body := value[:len(value)-sumBytes]
		for i := range sumBytes {
			value[len(body)+i] = byte(sum(id, body, table) >> (56 - 8*i))
		}
		r, err := decode(id, value, table)
		if err != nil {
			return
		}
		again, err := decode(id, encode(&r, table), table)
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v comes back as %+v, %v", r, again, err)
		}
	})
}
