// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

func TestClientChanges(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	c := dial(t, Options{}, f)
	ctx := limit(t)
	first, err := c.Set(ctx, "a/k", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	// A writer reads its own writes.
	if entry, err := c.Get("a/k"); err != nil || string(entry.Value) != "one" || entry.Revision != first {
		t.Errorf("%+v, %v", entry, err)
	}
	if _, err := c.CompareAndSet(ctx, "a/k", []byte("two"), first+9); !errors.Is(err, ErrConflict) {
		t.Errorf("a wrong revision: %v", err)
	}
	if _, err := c.CompareAndSet(ctx, "a/k", []byte("two"), first); err != nil {
		t.Error(err)
	}
	if _, err := c.SetTTL(ctx, "a/e", []byte("mine"), time.Minute); err != nil {
		t.Error(err)
	}
	if entry, err := c.Get("a/e"); err != nil || entry.TTL != time.Minute || entry.Owner != c.session {
		t.Errorf("%+v, %v", entry, err)
	}
	if _, err := c.Delete(ctx, "a/k"); err != nil {
		t.Error(err)
	}
	if _, err := c.Get("a/k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
	var keyError *KeyError
	if _, err := c.Set(ctx, "a//k", nil); !errors.As(err, &keyError) {
		t.Errorf("a bad key: %v", err)
	}
	if _, err := c.Get("nokey"); !errors.As(err, &keyError) {
		t.Errorf("a bad key: %v", err)
	}
	if _, err := c.Set(ctx, "a/big", make([]byte, 1<<20+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a big value: %v", err)
	}
	if _, err := c.SetTTL(ctx, "a/e", nil, 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("no time to live: %v", err)
	}
	if _, err := c.Rollback(ctx, 3, "a"); !errors.Is(err, ErrCompacted) || !strings.Contains(err.Error(), "from 7 on") {
		t.Errorf("Rollback: %v", err)
	}
}

// TestClientCopiesValues: what a reader does to a value is its own affair.
func TestClientCopiesValues(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/k", "one")
	c := dial(t, Options{}, f)
	entry, err := c.Get("a/k")
	if err != nil {
		t.Fatal(err)
	}
	entry.Value[0] = 'X'
	listed := c.List("a/")
	listed[0].Value[1] = 'X'
	if entry, _ := c.Get("a/k"); string(entry.Value) != "one" {
		t.Errorf("%q", entry.Value)
	}
}

// TestClientKeepsValues: what comes later does not take the place of what a copy holds, however the memory of messages is used.
func TestClientKeepsValues(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	c := dial(t, Options{}, f)
	want := map[string]string{}
	for i := range 200 {
		size := []int{3, 40, 1000, 3 * 1024, 300 << 10}[i%5]
		if size > 1000 && i > 50 {
			size = 20
		}
		key, value := fmt.Sprint("a/", i), strings.Repeat(string(rune('a'+i%26)), size)
		want[key] = value
		revision := f.set(key, value)
		if i%7 < 3 { // else some come together
			c.until(t, func(s *Snapshot) bool { return s.Revision() >= revision })
		}
	}
	c.until(t, func(s *Snapshot) bool { return s.Len() == len(want) })
	for entry := range c.Snapshot().List("") {
		if want[entry.Key] != string(entry.Value) {
			t.Errorf("%s holds %.40q of %d octets, want %.40q", entry.Key, entry.Value, len(entry.Value), want[entry.Key])
		}
	}
}

func TestClientHoldsTrees(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/k", "one")
	f.set("b/k", "one")
	c := dial(t, Options{Trees: []string{"b", "c", "b"}}, f)
	if _, err := c.Get("a/k"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("a tree that is not held: %v", err)
	}
	f.set("a/k", "two")
	revision := f.set("c/k", "two")
	c.until(t, func(s *Snapshot) bool { return s.Revision() == revision })
	if keys := c.List(""); len(keys) != 2 || keys[0].Key != "b/k" || keys[1].Key != "c/k" {
		t.Errorf("%+v", keys)
	}
	// What is not held is changed all the same, and nothing waits for it to become visible.
	if _, err := c.Set(limit(t), "a/k", []byte("three")); err != nil {
		t.Error(err)
	}
}

// TestClientSurvivesRestart: the authority goes and comes back under another epoch; a change that was asked for meanwhile is made
// once, and the copy goes on.
func TestClientSurvivesRestart(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/k", "one")
	c := dial(t, Options{}, f)
	f.stop()
	result := make(chan error, 1)
	go func() {
		_, err := c.Set(limit(t), "a/k", []byte("two"))
		result <- err
	}()
	if entry, err := c.Get("a/k"); err != nil || string(entry.Value) != "one" {
		t.Errorf("while the authority is away: %+v, %v", entry, err)
	}
	f.epoch.Number++
	f.start()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if entry, _ := c.Get("a/k"); string(entry.Value) != "two" || c.Snapshot().Epoch().Number != 2 {
		t.Errorf("%+v in %v", entry, c.Snapshot().Epoch())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last().Revision() != 2 {
		t.Errorf("revision %d: made twice?", f.last().Revision())
	}
}

// TestClientMoves: the primary goes, the standby takes over, and clients follow by themselves.
func TestClientMoves(t *testing.T) {
	primary, standby := newFake(t, wire.RolePrimary), newFake(t, wire.RoleStandby)
	primary.set("a/k", "one")
	standby.set("a/k", "one")
	c := dial(t, Options{}, standby, primary)
	primary.stop()
	standby.become(wire.RolePrimary, 2)
	if revision, err := c.Set(limit(t), "a/k", []byte("two")); err != nil || revision != 2 {
		t.Fatalf("revision %d, %v", revision, err)
	}
	// The deposed one comes back with its old epoch, and is refused.
	primary.set("a/k", "false")
	primary.start()
	revision := standby.set("a/k", "three")
	c.until(t, func(s *Snapshot) bool { return s.Revision() == revision && s.Epoch().Number == 2 })
	if entry, _ := c.Get("a/k"); string(entry.Value) != "three" {
		t.Errorf("%q", entry.Value)
	}
}

func TestClientReadOnly(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.readOnly = "the standby is away"
	hasty, patient := dial(t, Options{FailFast: true}, f), dial(t, Options{}, f)
	if _, err := hasty.Set(limit(t), "a/k", nil); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), f.readOnly) {
		t.Errorf("FailFast: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := patient.Set(ctx, "a/k", nil)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrReadOnly) && !errors.Is(err, ErrUncertain) {
		t.Errorf("when ctx ends: %v", err)
	}
	f.mu.Lock()
	f.readOnly = ""
	f.mu.Unlock()
	if _, err := patient.Set(limit(t), "a/k", nil); err != nil {
		t.Error(err)
	}
	f.mu.Lock()
	f.mute = true
	f.mu.Unlock()
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := patient.Set(ctx, "a/k", nil); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUncertain) {
		t.Errorf("without an answer: %v", err)
	}
}

// TestClientWithoutMarks: where nothing that is published comes through, changes are asked for.
func TestClientWithoutMarks(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.silent = true
	c := dial(t, Options{}, f)
	revision := f.set("a/k", "one")
	c.until(t, func(s *Snapshot) bool { return s.Revision() == revision })
}

func TestClientMany(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	c, other := dial(t, Options{}, f), dial(t, Options{Trees: []string{"t"}}, f)
	const writers, changes = 8, 50
	revisions := make(chan uint64, writers*changes)
	var work sync.WaitGroup
	for writer := range writers {
		work.Go(func() {
			key := fmt.Sprintf("t/w%d", writer)
			for change := range changes {
				value := fmt.Sprint(change)
				revision, err := c.Set(limit(t), key, []byte(value))
				if err != nil {
					t.Error(err)
					return
				}
				if entry, err := c.Get(key); err != nil || string(entry.Value) != value {
					t.Errorf("wrote %q, read %q, %v", value, entry.Value, err)
				}
				revisions <- revision
			}
		})
	}
	work.Wait()
	close(revisions)
	seen := slices.Sorted(func(yield func(uint64) bool) {
		for revision := range revisions {
			yield(revision)
		}
	})
	if len(slices.Compact(seen)) != writers*changes {
		t.Errorf("%d revisions for %d changes", len(seen), writers*changes)
	}
	other.until(t, func(s *Snapshot) bool { return s.Revision() == writers*changes })
	if other.Snapshot().Digest() != c.Snapshot().Digest() || other.Snapshot().Len() != writers {
		t.Error("copies differ")
	}
}

func TestClientClose(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	c := dial(t, Options{}, f)
	f.mu.Lock()
	f.mute = true
	f.mu.Unlock()
	result := make(chan error, 1)
	go func() {
		_, err := c.Set(context.Background(), "a/k", nil)
		result <- err
	}()
	for open := 0; open == 0; {
		c.mu.Lock()
		open = len(c.calls)
		c.mu.Unlock()
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a call that waits: %v", err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("once more: %v", err)
	}
	if _, err := c.Set(context.Background(), "a/k", nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	// The goodbye has arrived before Close returned, or arrives now.
	for said := false; !said; {
		f.mu.Lock()
		said = slices.Contains(f.byes, c.session)
		f.mu.Unlock()
	}
}

func TestDialErrors(t *testing.T) {
	for _, options := range []*Options{
		nil,
		{Authorities: []string{"nonsense"}},
		{Authorities: []string{"ipc://x", "ipc://x"}},
		{Authorities: []string{"ipc://x"}, Trees: []string{"a/b"}},
		{Authorities: []string{"ipc://x"}, Observer: true, CacheFile: "f"},
		{Authorities: []string{"ipc://x"}, Name: strings.Repeat("n", 256)},
	} {
		if c, err := Dial(limit(t), options); err == nil {
			c.Close()
			t.Errorf("%+v: no error", options)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := Dial(ctx, &Options{Authorities: []string{"ipc://" + t.TempDir() + "/nobody"}})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestChangesEndpoint(t *testing.T) {
	for _, c := range [][3]string{
		{"tcp://10.0.0.5:7400", ":7401", "tcp://10.0.0.5:7401"},
		{"tcp://[::1]:7400", ":7401", "tcp://[::1]:7401"},
		{"ipc:///run/a", "ipc:///run/b", "ipc:///run/b"},
	} {
		if got := changesEndpoint(c[0], c[1]); got != c[2] {
			t.Errorf("%s with %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// TestClientLeavesNothing: after Close no goroutine and no descriptor of a client is left, whatever it was doing.
func TestClientLeavesNothing(t *testing.T) {
	count := func() (goroutines, descriptors int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc here")
		}
		return runtime.NumGoroutine(), len(entries)
	}
	f := newFake(t, wire.RolePrimary)
	f.stop()
	own, err := socket.NewContext(&socket.ContextOptions{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	f.context = own
	f.start()
	dial(t, Options{Context: own}, f).Close()
	for len(f.router.Peers())+len(f.pub.Peers()) > 0 {
		runtime.Gosched()
	}
	goroutines, descriptors := count() // with all that the context keeps: its one loop runs
	for i := range 5 {
		c := dial(t, Options{CacheFile: filepath.Join(t.TempDir(), "cache"), Context: own}, f)
		if i%2 == 0 { // the subscription ends before the client does
			f.become(wire.RoleStandby, uint64(2+i))
			for c.Freshness().Authority != "" {
				runtime.Gosched()
			}
		}
		c.Close()
		f.become(wire.RolePrimary, uint64(2+i))
	}
	defer own.Close()
	defer f.stop()
	ctx := limit(t)
	for {
		g, d := count()
		if g <= goroutines && d <= descriptors {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
		}
		runtime.Gosched()
	}
}

// TestClientGreetsAnew: a stream that breaks and comes back at once is noticed, though nothing else is new.
func TestClientGreetsAnew(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	c := dial(t, Options{}, f)
	f.stop()
	f.start()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if _, err := c.Set(ctx, "a/k", nil); err != nil {
		t.Error(err)
	}
}
