// SPDX-License-Identifier: Apache-2.0

package model

import (
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

type word struct{ letters string }

func (w *word) name() string { return w.letters }

// randomName is often the beginning of another one, or part of a crowd of siblings.
func randomName(random *rand.Rand) string {
	if random.IntN(3) == 0 {
		return string([]byte{byte(random.IntN(256)), byte(random.IntN(256))}[:random.IntN(3)])
	}
	name := make([]byte, random.IntN(7))
	for i := range name {
		name[i] = "ab/"[random.IntN(3)]
	}
	return string(name)
}

// TestRadix: whatever is put and removed, in batches, each version holds what a plain map held then, in the order of names.
func TestRadix(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	versions, plains := []radix[*word]{{}}, []map[string]*word{{}}
	for range 400 {
		from := random.IntN(len(versions))
		if random.IntN(3) > 0 {
			from = len(versions) - 1 // mostly grow
		}
		version, plain := versions[from], maps.Clone(plains[from])
		batch := &edit{}
		for range random.IntN(30) {
			name := randomName(random)
			if _, found := plain[name]; found && random.IntN(3) > 0 {
				version = version.remove(batch, name)
				delete(plain, name)
				continue
			}
			plain[name] = &word{name}
			version = version.put(batch, plain[name])
		}
		versions, plains = append(versions, version), append(plains, plain)
	}
	for range 4000 {
		i, j := random.IntN(len(versions)), random.IntN(len(versions))
		checkRadix(t, versions[i], plains[i], randomName(random))
		checkDiffer(t, versions[i], versions[j], plains[i], plains[j])
	}
}

func checkRadix(t *testing.T, r radix[*word], plain map[string]*word, name string) {
	t.Helper()
	if got, found := r.get(name); got != plain[name] || found != (plain[name] != nil) {
		t.Fatalf("get %q: %v, %v", name, got, found)
	}
	sorted := slices.Sorted(maps.Keys(plain))
	begin, _ := slices.BinarySearch(sorted, name)
	if got := names(r.from(name)); !slices.Equal(got, sorted[begin:]) {
		t.Fatalf("from %q: %q, want %q", name, got, sorted[begin:])
	}
	beginning := slices.DeleteFunc(slices.Clone(sorted), func(other string) bool { return !strings.HasPrefix(other, name) })
	if got := names(r.under(name).from("")); !slices.Equal(got, beginning) {
		t.Fatalf("under %q: %q, want %q", name, got, beginning)
	}
	var values []*word
	for _, name := range sorted {
		values = append(values, plain[name])
	}
	if grown := grow(values); !alike(r, grown) {
		t.Fatalf("%q: the shape depends on more than the names", sorted)
	}
}

func names(words iter.Seq[*word]) (names []string) {
	for w := range words {
		names = append(names, w.letters)
	}
	return names
}

// alike says whether two maps hold the same in the same shape.
func alike(a, b radix[*word]) bool {
	if a.fork == nil || b.fork == nil {
		return a == b
	}
	return a.fork.depth == b.fork.depth && a.fork.here == b.fork.here && a.fork.labels == b.fork.labels &&
		slices.EqualFunc(a.fork.slots, b.fork.slots, alike)
}

func checkDiffer(t *testing.T, old, new radix[*word], oldPlain, newPlain map[string]*word) {
	t.Helper()
	last, count := "", 0
	differ(old, new, 0, func(before, after *word) bool {
		some := before
		if some == nil {
			some = after
		}
		if count++; count > 1 && some.letters <= last {
			t.Fatalf("%q comes after %q", some.letters, last)
		}
		last = some.letters
		if before == after || before != oldPlain[last] || after != newPlain[last] {
			t.Fatalf("%q: %v and %v", last, before, after)
		}
		return true
	})
	want := 0
	all := maps.Clone(oldPlain)
	maps.Copy(all, newPlain)
	for name := range all {
		if oldPlain[name] != newPlain[name] {
			want++
		}
	}
	if count != want {
		t.Fatalf("%d differ, want %d", count, want)
	}
}

// TestRadixSharing: what has not changed is neither copied nor compared.
func TestRadixSharing(t *testing.T) {
	var values []*word
	for a := range 256 {
		for b := range 256 {
			values = append(values, &word{"long beginning " + string([]byte{byte(a), byte(b)})})
		}
	}
	old := grow(values)
	changed := old.put(&edit{}, &word{values[1000].letters})
	copied := 0
	for i, slot := range changed.fork.slots {
		if slot != old.fork.slots[i] {
			copied++
		}
	}
	if copied != 1 {
		t.Errorf("%d of 256 forks were copied, want 1", copied)
	}
	if allocations := testing.AllocsPerRun(10, func() {
		if !differ(old, changed, 0, func(before, after *word) bool { return before == values[1000] }) {
			t.Error("something else differs")
		}
	}); allocations > 0 {
		t.Errorf("to find a difference allocates %v times", allocations)
	}
}
