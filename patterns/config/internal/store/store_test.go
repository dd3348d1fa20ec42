// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

func TestBolt(t *testing.T)   { conform(t, boltSubject()) }
func TestMemory(t *testing.T) { conform(t, memorySubject()) }

// conform checks what [Store] promises.
func conform(t *testing.T, kind subject) {
	t.Run("new", func(t *testing.T) { conformNew(t, kind) })
	t.Run("random", func(t *testing.T) { conformRandom(t, kind) })
	t.Run("order", func(t *testing.T) { conformOrder(t, kind) })
	t.Run("drop", func(t *testing.T) { conformDrop(t, kind) })
	t.Run("fields", func(t *testing.T) { conformFields(t, kind) })
	t.Run("close", func(t *testing.T) { conformClose(t, kind) })
}

func conformNew(t *testing.T, kind subject) {
	s := kind.open(t)
	first := mustLoad(t, s)
	if first.Meta.Authority == (model.AuthorityID{}) || first.Meta != (Meta{Authority: first.Meta.Authority}) {
		t.Errorf("a new store has meta %+v", first.Meta)
	}
	if first.Base.Revision() != 0 || len(first.Records) != 0 || first.Last() != 0 {
		t.Errorf("a new store holds %+v", first)
	}
	if text := difference(mustLoad(t, kind.reopen(t, s)), first); text != "" {
		t.Error("opened again:", text)
	}
}

// conformRandom opens the store again after each of many operations and compares.
func conformRandom(t *testing.T, kind subject) {
	for seed := range uint64(soaked(t, 4)) {
		o := newOwner(t, rand.New(rand.NewPCG(seed, 0)), kind.open(t))
		for i := range 40 {
			if err := o.step(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			if i%2 == 0 { // without in between, so that a store goes on after each kind of write as well
				o.store = kind.reopen(t, o.store)
			}
			if text := difference(mustLoad(t, o.store), &o.want); text != "" {
				t.Fatalf("seed %d, step %d: %s", seed, i, text)
			}
		}
		closeStore(t, o.store)
	}
}

// conformOrder makes every call that makes no sense; nothing of it stays.
func conformOrder(t *testing.T, kind subject) {
	s := kind.open(t)
	if err := s.Append(0, nil, Meta{}); !errors.Is(err, ErrOrder) {
		t.Errorf("append before load: %v", err)
	}
	o := newOwner(t, rand.New(rand.NewPCG(1, 1)), s)
	o.build(10, 10) // base 10, last 20
	meta, other := o.want.Meta, o.want.Meta
	other.Authority[0]++
	next, _ := o.plan(20, 2, 2)
	badKey := []model.Record{{Revision: 21, Ops: []model.Op{{Key: "no tree"}}}}
	for name, err := range map[string]error{
		"append before the base":    o.store.Append(9, nil, meta),
		"append after the end":      o.store.Append(21, nil, meta),
		"append with a gap":         o.store.Append(20, next[1:], meta),
		"append of an old revision": o.store.Append(19, next, meta),
		"append out of order":       o.store.Append(20, []model.Record{next[0], next[0]}, meta),
		"append of a bad key":       o.store.Append(20, badKey, meta),
		"append for another":        o.store.Append(20, next, other),
		"install for another":       o.store.Install(&model.State{}, other),
		"trim before the base":      o.store.Trim(o.states[0].At(9), model.Epoch{}),
		"trim after the end":        o.store.Trim(o.state().At(21), model.Epoch{}),
	} {
		if !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text := difference(mustLoad(t, kind.reopen(t, o.store)), &o.want); text != "" {
		t.Error(text)
	}
}

// conformDrop drops records to each revision, then writes others of the same revisions.
func conformDrop(t *testing.T, kind subject) {
	o := newOwner(t, rand.New(rand.NewPCG(2, 2)), kind.open(t))
	o.build(5, 20)
	for after := o.want.Last(); after >= o.want.Base.Revision(); after-- {
		for _, count := range []int{3, 0} {
			if err := o.append(after, count, 2); err != nil {
				t.Fatal(err)
			}
			o.store = kind.reopen(t, o.store)
			if text := difference(mustLoad(t, o.store), &o.want); text != "" {
				t.Fatalf("dropped to %d, then %d records: %s", after, count, text)
			}
		}
	}
}

// conformFields keeps every field of a record and of an entry, at its edges.
func conformFields(t *testing.T, kind subject) {
	o := newOwner(t, rand.New(rand.NewPCG(3, 3)), kind.open(t))
	id := model.AuthorityID{0xFF, 1, 0xFE}
	records := []model.Record{
		{Revision: 1, Ops: []model.Op{{Key: "a/b"}}},
		{Revision: 2, Epoch: model.Epoch{Number: 1<<64 - 1, Authority: id}, Request: 1<<64 - 1, Author: "å\x00", Session: "s"},
		{Revision: 3, Session: "s", Ops: []model.Op{
			{Key: "a/b", Delete: true}, {Key: "a/c", Value: make([]byte, 1<<20), TTL: model.TTLMax},
			{Key: "b/" + string(make255()), Value: []byte{0}, TTL: model.TTLMin},
		}},
	}
	meta := Meta{Authority: o.want.Meta.Authority, Epoch: model.Epoch{Number: 1<<64 - 1, Authority: id}, Committed: 1<<64 - 1, Role: 255}
	meta.Lineage, meta.Cluster = model.Epoch{Number: 7, Authority: id}, 1<<64-1
	if err := o.store.Append(0, records, meta); err != nil {
		t.Fatal(err)
	}
	o.want.Meta, o.want.Records = meta, records
	for i := range records {
		o.states = append(o.states, o.state().Apply(&records[i], nil))
	}
	o.store = kind.reopen(t, o.store)
	if text := difference(mustLoad(t, o.store), &o.want); text != "" {
		t.Error(text)
	}
	if err := o.trim(3); err != nil {
		t.Fatal(err)
	}
	if text := difference(mustLoad(t, kind.reopen(t, o.store)), &o.want); text != "" {
		t.Error(text)
	}
}

func make255() []byte {
	name := make([]byte, 255)
	for i := range name {
		name[i] = 'a' + byte(i%26)
	}
	return name
}

func conformClose(t *testing.T, kind subject) {
	s := kind.open(t)
	meta := mustLoad(t, s).Meta
	closeStore(t, s)
	closeStore(t, s)
	_, err := s.Load()
	for name, err := range map[string]error{
		"load":    err,
		"append":  s.Append(0, nil, meta),
		"install": s.Install(&model.State{}, meta),
		"trim":    s.Trim(&model.State{}, model.Epoch{}),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}
