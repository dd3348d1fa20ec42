// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

func TestMemoryFails(t *testing.T) {
	memory := NewMemory(model.AuthorityID{1})
	o := newOwner(t, rand.New(rand.NewPCG(4, 4)), memory)
	o.build(3, 3)
	full := errors.New("full")
	memory.Fail(full)
	for range 3 {
		if err := o.append(o.want.Last(), 2, 2); !errors.Is(err, full) {
			t.Fatal(err)
		}
	}
	if text := difference(mustLoad(t, memory), &o.want); text != "" {
		t.Fatal(text)
	}
	memory.Fail(nil)
	if err := o.append(o.want.Last(), 2, 2); err != nil {
		t.Fatal(err)
	}
	if text := difference(mustLoad(t, memory.Reopen()), &o.want); text != "" {
		t.Fatal(text)
	}
}

func TestMemoryCrashes(t *testing.T) {
	for _, stored := range []bool{false, true} {
		memory := NewMemory(model.AuthorityID{1})
		o := newOwner(t, rand.New(rand.NewPCG(5, 5)), memory)
		o.build(3, 3)
		before := o.want.Last()
		memory.CrashInWrite(stored)
		for range 2 {
			if err := o.append(before, 2, 2); !errors.Is(err, ErrCrashed) {
				t.Fatal(err)
			}
		}
		want := before
		if stored {
			want += 2
		}
		next := memory.Reopen()
		if last := mustLoad(t, next).Last(); last != want {
			t.Errorf("stored %v: the last revision is %d, want %d", stored, last, want)
		}
		if _, err := memory.Load(); !errors.Is(err, ErrCrashed) {
			t.Error("a crashed process goes on:", err)
		}
		third := next.Reopen()
		if err := next.Append(want, nil, o.want.Meta); !errors.Is(err, ErrCrashed) {
			t.Error("two processes use one disk:", err)
		}
		closeStore(t, third)
	}
}
