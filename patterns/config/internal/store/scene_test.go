// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// subject is a kind of store under test.
type subject struct {
	open   func(t *testing.T) Store
	reopen func(t *testing.T, old Store) Store
}

func boltSubject() subject {
	return subject{
		open: func(t *testing.T) Store { return openBolt(t, filepath.Join(t.TempDir(), "store")) },
		reopen: func(t *testing.T, old Store) Store {
			closeStore(t, old)
			return openBolt(t, old.(*Bolt).path)
		},
	}
}

func memorySubject() subject {
	return subject{
		open: func(t *testing.T) Store { return NewMemory(model.AuthorityID{1, 2, 3}) },
		reopen: func(t *testing.T, old Store) Store {
			closeStore(t, old)
			return old.(*Memory).Reopen()
		},
	}
}

func openBolt(t testing.TB, path string) *Bolt {
	t.Helper()
	b, err := Open(path, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() }) // tests that care close themselves
	return b
}

func closeStore(t testing.TB, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustLoad(t testing.TB, s Store) *Contents {
	t.Helper()
	contents, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

// owner writes to a store and knows what has to be in it.
type owner struct {
	t      testing.TB
	random *rand.Rand
	store  Store
	want   Contents
	states []*model.State // from that of the base to that of the last record
}

func newOwner(t testing.TB, random *rand.Rand, s Store) *owner {
	t.Helper()
	contents := mustLoad(t, s)
	return &owner{t: t, random: random, store: s, want: *contents, states: []*model.State{contents.Base}}
}

func (o *owner) state() *model.State { return o.states[len(o.states)-1] }

// record makes up the record after a state.
func (o *owner) record(state *model.State, ops int) model.Record {
	record := model.Record{
		Revision: state.Revision() + 1, Epoch: o.want.Meta.Epoch, Time: time.Unix(1_700_000_000, o.random.Int64N(1e12)).UTC(),
		Author: "someone", Session: fmt.Sprint("session ", o.random.IntN(100)), Request: o.random.Uint64(),
	}
	seen := map[string]bool{}
	for range ops {
		trees := []string{"a", "a-b", "a.b", "zoo", "t1", "t2"}
		op := model.Op{Key: fmt.Sprintf("%s/k%d/x", trees[o.random.IntN(len(trees))], o.random.IntN(500))}
		if seen[op.Key] {
			continue
		}
		seen[op.Key] = true
		switch _, found := state.Get(op.Key); {
		case found && o.random.IntN(3) == 0:
			op.Delete = true
		case o.random.IntN(20) == 0:
			op.TTL = time.Duration(1+o.random.IntN(100)) * time.Second
		}
		if !op.Delete {
			op.Value = o.value()
		}
		record.Ops = append(record.Ops, op)
	}
	return record
}

func (o *owner) value() []byte {
	bytes := o.random.IntN(200)
	if o.random.IntN(30) == 0 {
		bytes = o.random.IntN(20_000)
	}
	value := make([]byte, bytes)
	for i := range value {
		value[i] = byte(o.random.Uint32())
	}
	return value
}

// plan returns records to append after a revision, and the states that they lead to.
func (o *owner) plan(after uint64, count, ops int) (records []model.Record, states []*model.State) {
	states = slices.Clone(o.states[:after-o.want.Base.Revision()+1])
	for range count {
		record := o.record(states[len(states)-1], ops)
		records = append(records, record)
		states = append(states, states[len(states)-1].Apply(&record, nil))
	}
	return records, states
}

func (o *owner) append(after uint64, count, ops int) error {
	records, states := o.plan(after, count, ops)
	meta := o.want.Meta
	meta.Committed, meta.Role = after, byte(count)
	if err := o.store.Append(after, records, meta); err != nil {
		return err
	}
	o.want.Records = slices.Concat(o.want.Records[:after-o.want.Base.Revision()], records)
	o.want.Meta, o.states = meta, states
	return nil
}

func (o *owner) trim(revision uint64) error {
	skip := revision - o.want.Base.Revision()
	last := o.want.Meta.Last
	if skip > 0 {
		last = o.want.Records[skip-1].Epoch
	}
	if err := o.store.Trim(o.states[skip], last); err != nil {
		return err
	}
	o.want.Base, o.want.Meta.Last = o.states[skip], last
	o.want.Records, o.states = o.want.Records[skip:], o.states[skip:]
	return nil
}

func (o *owner) install(state *model.State) error {
	meta := o.want.Meta
	meta.Last.Number++
	if err := o.store.Install(state, meta); err != nil {
		return err
	}
	o.want, o.states = Contents{Meta: meta, Base: state}, []*model.State{state}
	return nil
}

// step does something at random.
func (o *owner) step() error {
	base, last := o.want.Base.Revision(), o.want.Last()
	switch o.random.IntN(12) {
	case 0:
		return o.trim(base + o.random.Uint64N(last-base+1))
	case 1:
		return o.append(base+o.random.Uint64N(last-base+1), o.random.IntN(3), 3)
	case 2:
		o.want.Meta.Epoch.Number++
		return o.append(last, 0, 0)
	case 3:
		if o.random.IntN(4) > 0 {
			return nil
		}
		_, states := o.plan(last, 5, 60)
		return o.install(states[len(states)-1])
	default:
		return o.append(last, 1+o.random.IntN(12), 1+o.random.IntN(12))
	}
}

// build fills a store with a base of some thousand entries and with records.
func (o *owner) build(bases, records int) {
	o.t.Helper()
	err := o.append(0, bases, 40)
	if err == nil {
		err = o.trim(uint64(bases))
	}
	if err == nil {
		err = o.append(uint64(bases), records, 3)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// difference says in what contents are not as wanted; "" if they are.
func difference(got, want *Contents) string {
	if got.Meta != want.Meta {
		return fmt.Sprintf("meta is %+v, want %+v", got.Meta, want.Meta)
	}
	if text := stateDifference(got.Base, want.Base); text != "" {
		return text
	}
	if len(got.Records) != len(want.Records) {
		return fmt.Sprintf("%d records, want %d", len(got.Records), len(want.Records))
	}
	for i := range got.Records {
		g, w := &got.Records[i], &want.Records[i]
		same := g.Revision == w.Revision && g.Epoch == w.Epoch && g.Time.Equal(w.Time) && g.Author == w.Author &&
			g.Session == w.Session && g.Request == w.Request && slices.EqualFunc(g.Ops, w.Ops, sameOp)
		if !same {
			return fmt.Sprintf("record %d is %.200v, want %.200v", i, *g, *w)
		}
	}
	return ""
}

func sameOp(a, b model.Op) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && a.TTL == b.TTL && a.Delete == b.Delete
}

func stateDifference(got, want *model.State) string {
	if got.Revision() != want.Revision() {
		return fmt.Sprintf("base at %d, want %d", got.Revision(), want.Revision())
	}
	if g, w := slices.Collect(got.Heads("")), slices.Collect(want.Heads("")); !slices.Equal(g, w) {
		return fmt.Sprintf("heads %v, want %v", g, w)
	}
	g, w := slices.Collect(got.List("")), slices.Collect(want.List(""))
	same := func(a, b *model.Entry) bool {
		return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && a.Revision == b.Revision && a.TTL == b.TTL && a.Owner == b.Owner
	}
	if !slices.EqualFunc(g, w, same) {
		return fmt.Sprintf("%d entries that differ from the %d wanted", len(g), len(w))
	}
	return ""
}
