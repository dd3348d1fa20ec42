// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestCountsAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		var counts Counts
		want := map[string]int{}
		for range 3000 {
			topic := randomTopic(random)
			switch random.IntN(5) {
			case 0, 1:
				want[topic]++
				if first := counts.Add([]byte(topic)); first != (want[topic] == 1) {
					t.Fatalf("Add(%.40q) = %v at count %d", topic, first, want[topic])
				}
			case 2, 3:
				before := want[topic]
				last, held := counts.Remove([]byte(topic))
				if last != (before == 1) || held != (before > 0) {
					t.Fatalf("Remove(%.40q) = %v, %v at count %d", topic, last, held, before)
				}
				if want[topic] = before - 1; before <= 1 {
					delete(want, topic)
				}
			default:
				if got := counts.Match([]byte(topic)); got != matchesAny(want, topic) {
					t.Fatalf("Match(%.40q) = %v", topic, got)
				}
			}
		}
		checkTree(t, &counts.topics, func(number uint32, v *vertex) {
			if topic := string(counts.topics.appendTopic(number, nil)); int(v.value) != want[topic] {
				t.Fatalf("count of %.40q is %d, want %d", topic, v.value, want[topic])
			}
		})
		checkOrder(t, &counts, want)
		emptyCounts(t, &counts, want)
	}
}

func matchesAny(topics map[string]int, frame string) bool {
	for topic := range topics {
		if strings.HasPrefix(frame, topic) {
			return true
		}
	}
	return false
}

func checkOrder(t *testing.T, counts *Counts, want map[string]int) {
	t.Helper()
	var got []string
	for topic := range counts.All() {
		got = append(got, string(topic))
	}
	if !slices.Equal(got, slices.Sorted(maps.Keys(want))) || counts.Len() != len(want) {
		t.Fatalf("All yields %d topics of %d (Len %d), or out of order", len(got), len(want), counts.Len())
	}
}

func emptyCounts(t *testing.T, counts *Counts, want map[string]int) {
	t.Helper()
	for topic, count := range want {
		for range count {
			counts.Remove([]byte(topic))
		}
	}
	if !reflect.DeepEqual(counts, &Counts{}) {
		t.Fatalf("set without topics is not the zero value: %+v", counts)
	}
}

func TestCountsAllStops(t *testing.T) {
	var counts Counts
	for _, topic := range []string{"b", "", "ab", "a"} {
		counts.Add([]byte(topic))
	}
	var got []string
	for topic := range counts.All() {
		if got = append(got, string(topic)); len(got) == 3 {
			break
		}
	}
	if !slices.Equal(got, []string{"", "a", "ab"}) {
		t.Errorf("first three are %q", got)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	var trie Trie[*int]
	var counts Counts
	peers := make([]int, 100)
	for i := range peers {
		for _, topic := range []string{"", "market", "market.oil.and.much.else", strings.Repeat("long", 600)} {
			trie.Add([]byte(topic), &peers[i])
			if topic != "" {
				counts.Add([]byte(topic))
			}
		}
	}
	frame, long := []byte("market.oil.and.much.else.today"), bytes.Repeat([]byte("long"), 700)
	visits, matched, found := 0, 0, make([]*int, 0, 300)
	allocations := testing.AllocsPerRun(100, func() {
		trie.Match(frame, func(*int) { visits++ })
		trie.Match(long, func(*int) { visits++ })
		found, _ = trie.AppendMatches(frame, found[:0])
		if counts.Match(frame) && counts.Match(long) && !counts.Match([]byte("nothing")) {
			matched++
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if visits != 101*500 || matched != 101 || len(found) != 300 {
		t.Errorf("%d visits, %d matched, %d found", visits, matched, len(found))
	}
}
