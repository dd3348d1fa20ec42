// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

func TestWatch(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/one", "1")
	f.set("a/two", "2")
	f.set("b/k", "other")
	c := dial(t, Options{}, f)
	ctx, cancel := context.WithCancel(limit(t))
	var got []string
	var end error
	for change, err := range c.Watch(ctx, "a/") {
		if err != nil {
			end = err
			break
		}
		text := func(e *Entry) string {
			if e == nil {
				return "-"
			}
			return string(e.Value)
		}
		got = append(got, fmt.Sprintf("%s %s>%s %d %v", change.Key, text(change.Old), text(change.New), change.Revision, change.More))
		switch len(got) {
		case 2:
			f.mu.Lock()
			f.commit("s", model.Op{Key: "a/one", Value: []byte("11")}, model.Op{Key: "b/k", Value: []byte("x")}, model.Op{Key: "a/two", Delete: true})
			f.mu.Unlock()
		case 4:
			cancel()
		}
	}
	want := []string{"a/one ->1 3 true", "a/two ->2 3 false", "a/one 1>11 4 true", "a/two 2>- 4 false"}
	if fmt.Sprint(got) != fmt.Sprint(want) || !errors.Is(end, context.Canceled) {
		t.Errorf("%q, %v, want %q", got, end, want)
	}
}

// TestWatchSlow: who reads slowly sees the newest state, not all that were in between.
func TestWatchSlow(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/k", "0")
	c := dial(t, Options{}, f)
	turns := 0
	for change, err := range c.Watch(limit(t), "") {
		if err != nil {
			t.Fatal(err)
		}
		if turns++; turns == 1 {
			var last uint64
			for i := range 100 {
				last = f.set("a/k", fmt.Sprint(i))
			}
			c.until(t, func(s *Snapshot) bool { return s.Revision() == last })
			continue
		}
		if string(change.New.Value) != "99" || string(change.Old.Value) != "0" {
			t.Errorf("from %q to %q", change.Old.Value, change.New.Value)
		}
		break
	}
}

func TestWatchEnds(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	c := dial(t, Options{Trees: []string{"a"}}, f)
	for _, err := range c.Watch(limit(t), "b/k") {
		if !errors.Is(err, ErrNotHeld) {
			t.Errorf("a tree that is not held: %v", err)
		}
	}
	f.set("a/k", "1")
	turns := 0
	for _, err := range c.Watch(limit(t), "") {
		if turns++; turns == 1 {
			c.Close()
		} else if !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if turns != 2 {
		t.Errorf("%d turns", turns)
	}
}
