// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// naive is what a state ought to be, kept the simple way.
type naive map[string]Entry

func (n naive) apply(record *Record) {
	for _, op := range record.Ops {
		if op.Delete {
			delete(n, op.Key)
			continue
		}
		n[op.Key] = Entry{Key: op.Key, Value: op.Value, Revision: record.Revision, TTL: op.TTL}
	}
}

// randomRecord changes some keys of trees whose names sort in another order than their keys.
func randomRecord(random *rand.Rand, state *State) *Record {
	record := &Record{Revision: state.Revision() + 1}
	seen := map[string]bool{}
	for range 1 + random.IntN(4) {
		key := []string{"a", "a-b", "a.c", "b"}[random.IntN(4)] + "/" + fmt.Sprint(random.IntN(30))
		if seen[key] {
			continue
		}
		seen[key] = true
		_, found := state.Get(key)
		record.Ops = append(record.Ops, Op{Key: key, Value: []byte(fmt.Sprint(random.Int())), Delete: found && random.IntN(2) == 0})
		if last := &record.Ops[len(record.Ops)-1]; last.Delete {
			last.Value = nil
		}
	}
	return record
}

func sameEntry(a *Entry, b Entry) bool {
	return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Revision == b.Revision && a.TTL == b.TTL
}

// byTree is the order in which states list entries.
func byTree(a, b string) int {
	if c := strings.Compare(TreeOf(a), TreeOf(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// TestStates: states equal what a plain map holds, at every revision, also long after, and so do lists, sizes and differences.
func TestStates(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	states, plains := []*State{{}}, []naive{{}}
	for i := range 1500 {
		record := randomRecord(random, states[i])
		states = append(states, states[i].Apply(record, nil))
		plain := maps.Clone(plains[i])
		plain.apply(record)
		plains = append(plains, plain)
	}
	for range 300 {
		i, j := random.IntN(len(states)), random.IntN(len(states))
		checkContent(t, states[i], plains[i])
		checkDiff(t, states[i], states[j], plains[i], plains[j])
	}
}

// TestApplyAll: many records at once come to what they come to one after the other, and leave the state before alone.
func TestApplyAll(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	holds := func(tree string) bool { return tree != "b" }
	for range 300 {
		state := &State{}
		for range 1 + random.IntN(4) {
			before, next := state, state
			var records []*Record
			for range random.IntN(40) {
				record := randomRecord(random, next)
				records = append(records, record)
				next = next.Apply(record, holds)
			}
			heads, digest := slices.Collect(state.Heads("")), state.Digest()
			state = state.ApplyAll(records, holds)
			if !slices.Equal(slices.Collect(state.Heads("")), slices.Collect(next.Heads(""))) || Changed(state, next, "") ||
				state.Revision() != next.Revision() {
				t.Fatalf("%d records: %v, want %v", len(records), slices.Collect(state.Heads("")), slices.Collect(next.Heads("")))
			}
			if trees, keys, bytes := state.Size(); fmt.Sprint(trees, keys, bytes) != fmt.Sprint(next.Size()) {
				t.Fatal(trees, keys, bytes)
			}
			if !slices.Equal(heads, slices.Collect(before.Heads(""))) || before.digestOfEntries() != digest {
				t.Fatal("the state before has changed")
			}
		}
	}
}

// digestOfEntries does not rely on the sums.
func (s *State) digestOfEntries() (sum Digest) {
	for entry := range s.List("") {
		sum = sum.Plus(entry.digest())
	}
	return sum
}

func checkContent(t *testing.T, state *State, plain naive) {
	t.Helper()
	for _, prefix := range []string{"", "a", "a/", "a-b/1", "a-b/1/", "b/", "c"} {
		var want []string
		for _, key := range slices.SortedFunc(maps.Keys(plain), byTree) {
			if Covers(prefix, key) {
				want = append(want, key)
			}
		}
		var got []string
		for entry := range state.List(prefix) {
			got = append(got, entry.Key)
			if !sameEntry(entry, plain[entry.Key]) {
				t.Fatalf("%+v, want %+v", entry, plain[entry.Key])
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("prefix %q: %v, want %v", prefix, got, want)
		}
		for i, key := range want { // a list goes on where it stopped
			for entry := range state.ListFrom(prefix, key) {
				if entry.Key != want[i] {
					t.Fatalf("from %q: %q, want %q", key, entry.Key, want[i])
				}
				i++
			}
			if i != len(want) {
				t.Fatalf("from %q: it ends at %d of %d", key, i, len(want))
			}
		}
	}
	if _, keys, _ := state.Size(); keys != len(plain) {
		t.Fatalf("%d keys, want %d", keys, len(plain))
	}
}

func checkDiff(t *testing.T, old, new *State, plainOld, plainNew naive) {
	t.Helper()
	got := map[string][2]*Entry{}
	last := ""
	prefix := []string{"", "a", "a-b/"}[new.Revision()%3]
	for before, after := range Diff(old, new, prefix) {
		key := before
		if key == nil {
			key = after
		}
		if last != "" && byTree(last, key.Key) >= 0 {
			t.Fatalf("%q after %q", key.Key, last)
		}
		last = key.Key
		got[key.Key] = [2]*Entry{before, after}
	}
	for key := range plainOld {
		plainNew = maps.Clone(plainNew)
		if _, has := plainNew[key]; !has {
			plainNew[key] = Entry{}
		}
	}
	for key, after := range plainNew {
		before := plainOld[key]
		differs := Covers(prefix, key) && (before.Revision != after.Revision)
		if _, found := got[key]; found != differs {
			t.Fatalf("%q differs: %v, want %v", key, found, differs)
		}
	}
}

// TestDigest: what a state holds decides its digest, not how it came to it; and everything in an entry does.
func TestDigest(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	state := &State{}
	for range 500 {
		state = state.Apply(randomRecord(random, state), nil)
	}
	var heads []Head
	for head := range state.Heads("") {
		heads = append(heads, head)
	}
	builder, err := NewBuilder(state.Revision(), heads)
	if err != nil {
		t.Fatal(err)
	}
	for entry := range state.List("") {
		if err := builder.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	again, err := builder.State()
	if err != nil || again.Digest() != state.Digest() || again.Revision() != state.Revision() {
		t.Fatalf("%v, %v, %v", err, again.Digest(), state.Digest())
	}
	checkDiff(t, state, again, naive{}, naive{})
	for entry := range state.List("") {
		state = state.Apply(&Record{Revision: state.Revision() + 1, Ops: []Op{{Key: entry.Key, Delete: true}}}, nil)
	}
	if state.Digest() != (Digest{}) {
		t.Error("nothing has a digest")
	}
	base := Entry{Key: "a/b", Value: []byte("c"), Revision: 1, TTL: 2, Owner: "d"}
	seen := map[Digest]string{}
	for name, change := range map[string]func(*Entry){
		"none": func(*Entry) {}, "key": func(e *Entry) { e.Key = "a/c" }, "value": func(e *Entry) { e.Value = nil },
		"revision": func(e *Entry) { e.Revision++ }, "ttl": func(e *Entry) { e.TTL++ }, "owner": func(e *Entry) { e.Owner = "" },
		"border": func(e *Entry) { e.Key, e.Owner = "a/bd", "" }, "long": func(e *Entry) { e.Value = make([]byte, 300) },
	} {
		e := base
		change(&e)
		if other, twice := seen[e.digest()]; twice {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[e.digest()] = name
	}
}

// TestBuilderRefuses: a snapshot that is not what its heads promise is damaged.
func TestBuilderRefuses(t *testing.T) {
	state := (&State{}).Apply(&Record{Revision: 1, Ops: []Op{{Key: "a/1"}, {Key: "a/2"}, {Key: "b/1"}}}, nil)
	heads := slices.Collect(state.Heads(""))
	entries := slices.Collect(state.List(""))
	for name, change := range map[string]func(heads []Head, entries []*Entry) ([]Head, []*Entry){
		"missing entry": func(h []Head, e []*Entry) ([]Head, []*Entry) { return h, e[1:] },
		"missing tail":  func(h []Head, e []*Entry) ([]Head, []*Entry) { return h, e[:2] },
		"twice":         func(h []Head, e []*Entry) ([]Head, []*Entry) { return h, []*Entry{e[0], e[0], e[1], e[2]} },
		"order":         func(h []Head, e []*Entry) ([]Head, []*Entry) { return h, []*Entry{e[1], e[0], e[2]} },
		"tree order":    func(h []Head, e []*Entry) ([]Head, []*Entry) { return h, []*Entry{e[2], e[0], e[1]} },
		"missing head":  func(h []Head, e []*Entry) ([]Head, []*Entry) { return h[:1], e },
		"head order":    func(h []Head, e []*Entry) ([]Head, []*Entry) { return []Head{h[1], h[0]}, e },
		"bad key":       func(h []Head, e []*Entry) ([]Head, []*Entry) { return h, append([]*Entry{{Key: "a//"}}, e...) },
		"from later":    func(h []Head, e []*Entry) ([]Head, []*Entry) { e[0].Revision = 2; return h, e },
		"other value":   func(h []Head, e []*Entry) ([]Head, []*Entry) { e[0].Value = []byte("x"); return h, e },
		"head later":    func(h []Head, e []*Entry) ([]Head, []*Entry) { h[0].Revision = 2; return h, e },
	} {
		var copies []*Entry
		for _, entry := range entries {
			same := *entry
			copies = append(copies, &same)
		}
		badHeads, badEntries := change(slices.Clone(heads), copies)
		builder, err := NewBuilder(1, badHeads)
		for i := 0; err == nil && i < len(badEntries); i++ {
			err = builder.Add(badEntries[i])
		}
		if err == nil {
			_, err = builder.State()
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want %v", name, err, ErrDamaged)
		}
	}
}

func TestValidate(t *testing.T) {
	state := (&State{}).Apply(&Record{Revision: 3, Ops: []Op{{Key: "a/1"}}}, nil)
	full := &State{}
	for i := range TreesMax {
		full = full.Apply(&Record{Revision: uint64(i) + 1, Ops: []Op{{Key: fmt.Sprintf("t%d/a", i)}}}, nil)
	}
	for name, c := range map[string]struct {
		state *State
		t     Transaction
		want  error
	}{
		"set":            {state, Transaction{Ops: []Op{{Key: "b/1"}}}, nil},
		"at":             {state, Transaction{Conditions: []Condition{{"a/1", 3}}, Ops: []Op{{Key: "a/1"}}}, nil},
		"not at":         {state, Transaction{Conditions: []Condition{{"a/1", 2}}, Ops: []Op{{Key: "a/1"}}}, ErrConflict},
		"is there":       {state, Transaction{Conditions: []Condition{{"a/1", 0}}, Ops: []Op{{Key: "a/1"}}}, ErrConflict},
		"is not there":   {state, Transaction{Conditions: []Condition{{"a/2", 3}}, Ops: []Op{{Key: "a/1"}}}, ErrConflict},
		"delete nothing": {state, Transaction{Ops: []Op{{Key: "a/2", Delete: true}}}, ErrNotFound},
		"trees":          {full, Transaction{Ops: []Op{{Key: "new/1"}}}, ErrTooManyTrees},
		"no new tree":    {full, Transaction{Ops: []Op{{Key: "t0/1"}}}, nil},
	} {
		if err := c.state.Validate(&c.t); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	many := make([]Op, OpsMax+1)
	for i := range many {
		many[i] = Op{Key: fmt.Sprint("a/", i)}
	}
	for name, c := range map[string]struct {
		t    Transaction
		want error
	}{
		"good":       {Transaction{Ops: []Op{{Key: "a/b", Value: make([]byte, 10), TTL: TTLMin}, {Key: "a/c", Delete: true}}}, nil},
		"none":       {Transaction{}, ErrInvalid},
		"twice":      {Transaction{Ops: []Op{{Key: "a/b"}, {Key: "a/b"}}}, ErrInvalid},
		"value":      {Transaction{Ops: []Op{{Key: "a/b", Value: make([]byte, 11)}}}, ErrTooLarge},
		"ops":        {Transaction{Ops: many}, ErrTooLarge},
		"short life": {Transaction{Ops: []Op{{Key: "a/b", TTL: TTLMin - 1}}}, ErrInvalid},
		"long life":  {Transaction{Ops: []Op{{Key: "a/b", TTL: TTLMax + 1}}}, ErrInvalid},
		"past":       {Transaction{Ops: []Op{{Key: "a/b", TTL: -time.Hour}}}, ErrInvalid},
		"dead value": {Transaction{Ops: []Op{{Key: "a/b", Delete: true, Value: []byte("x")}}}, ErrInvalid},
		"conditions": {Transaction{Ops: many[:1], Conditions: make([]Condition, ConditionsMax+1)}, ErrTooLarge},
		"too much":   {Transaction{Ops: []Op{{Key: "a/b", Value: make([]byte, 10)}}, Conditions: nil}, nil},
	} {
		if err := c.t.Check(10); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	var key *KeyError
	if err := (&Transaction{Ops: many[:1], Conditions: []Condition{{Key: "nothing"}}}).Check(10); !errors.As(err, &key) {
		t.Errorf("a bad key in a condition: %v", err)
	}
	big := Transaction{}
	for i := range 5 {
		big.Ops = append(big.Ops, Op{Key: fmt.Sprint("a/", i), Value: make([]byte, TransactionBytesMax/4)})
	}
	if err := big.Check(ValueBytesMax); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a transaction above its limit: %v", err)
	}
}

// TestCovers: a prefix is a path.
func TestCovers(t *testing.T) {
	keys := []string{"web/a", "web/a-b", "web/a.c", "web/a/b", "web/a/b/c", "webster/a"}
	record := &Record{Revision: 1}
	for _, key := range keys {
		record.Ops = append(record.Ops, Op{Key: key})
	}
	state := (&State{}).Apply(record, nil)
	for prefix, want := range map[string][]string{
		"": keys, "web": keys[:5], "web/": keys[:5], "web/a": {"web/a", "web/a/b", "web/a/b/c"}, "web/a/": {"web/a/b", "web/a/b/c"},
		"web/a/b/c": {"web/a/b/c"}, "we": nil, "web/a/b/": {"web/a/b/c"}, "/": nil, "web//": nil, "web/a-": nil,
	} {
		var listed, differ []string
		for entry := range state.List(prefix) {
			listed = append(listed, entry.Key)
		}
		for _, after := range Diff(&State{}, state, prefix) {
			differ = append(differ, after.Key)
		}
		if !slices.Equal(listed, want) || !slices.Equal(differ, want) {
			t.Errorf("prefix %q: %q and %q, want %q", prefix, listed, differ, want)
		}
		for i, key := range want {
			var rest []string
			for entry := range state.ListFrom(prefix, key) {
				rest = append(rest, entry.Key)
			}
			if !slices.Equal(rest, want[i:]) {
				t.Errorf("prefix %q from %q: %q, want %q", prefix, key, rest, want[i:])
			}
		}
	}
}
