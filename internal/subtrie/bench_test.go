// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// topicSets are the shapes measured: numbered topics share long prefixes, as
// market data does; random ones share nearly nothing, as identifiers do.
var topicSets = []struct {
	name  string
	topic func(i int) []byte
}{
	{"numbered", func(i int) []byte { return fmt.Appendf(nil, "market.%08d", i) }},
	{"random", func(i int) []byte { return fmt.Appendf(nil, "%016x", scatter(uint64(i))) }},
	{"uuid", func(i int) []byte { return fmt.Appendf(nil, "%016x-%016x", scatter(uint64(i)), scatter(^uint64(i))) }},
}

// scatter is a bijection, so topics stay distinct.
func scatter(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func topicsOf(count int, topic func(int) []byte) [][]byte {
	topics := make([][]byte, count)
	for i := range topics {
		topics[i] = topic(int(scatter(uint64(i)) % uint64(10*count)))
	}
	return topics
}

// BenchmarkTrie takes one peer through a million topics: ns per subscription,
// per match of a frame that one topic begins, per unsubscription, and bytes
// of heap each.
func BenchmarkTrie(b *testing.B) {
	for _, set := range topicSets {
		for _, count := range []int{1000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", set.name, count), func(b *testing.B) {
				benchmarkLife(b, topicsOf(count, set.topic))
			})
		}
	}
}

func benchmarkLife(b *testing.B, topics [][]byte) {
	frames := make([][]byte, len(topics))
	for i := range frames {
		frames[i] = append(topics[scatter(uint64(i))%uint64(len(topics))], " and a body"...)
	}
	peer := new(int)
	var add, match, remove time.Duration
	var bytes uint64
	rounds, visits := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		var trie Trie[*int]
		before := heapBytes()
		start := time.Now()
		for _, topic := range topics {
			trie.Add(topic, peer)
		}
		add += time.Since(start)
		bytes += heapBytes() - before
		distinct := trie.Len(peer)
		start = time.Now()
		for _, frame := range frames {
			trie.Match(frame, func(*int) { visits++ })
		}
		match += time.Since(start)
		start = time.Now()
		for _, topic := range topics {
			trie.Remove(topic, peer)
		}
		remove += time.Since(start)
		rounds += distinct
	}
	if visits == 0 {
		b.Fatal("nothing matched")
	}
	b.ReportMetric(0, "ns/op")
	for unit, total := range map[string]float64{
		"ns/add": float64(add), "ns/match": float64(match), "ns/remove": float64(remove), "B/topic": float64(bytes),
	} {
		b.ReportMetric(total/float64(rounds), unit)
	}
}

// BenchmarkMatch is the hot path of PUB and SUB.
func BenchmarkMatch(b *testing.B) {
	frame := []byte("market.00001234 and a body")
	for _, subscribed := range []struct {
		name   string
		topics []string
	}{
		{"none", nil},
		{"everything", []string{""}},
		{"one", []string{"market"}},
		{"ten", []string{"a", "b", "c", "market.0", "market.1", "market.2", "news", "x", "y", "z"}},
		{"miss", []string{"market.2", "news"}},
	} {
		b.Run(subscribed.name, func(b *testing.B) {
			var trie Trie[*int]
			var counts Counts
			peer := new(int)
			for _, topic := range subscribed.topics {
				trie.Add([]byte(topic), peer)
				counts.Add([]byte(topic))
			}
			b.Run("trie", func(b *testing.B) {
				b.ReportAllocs()
				visits := 0
				for b.Loop() {
					trie.Match(frame, func(*int) { visits++ })
				}
			})
			b.Run("append", func(b *testing.B) {
				b.ReportAllocs()
				found := make([]*int, 0, 10)
				for b.Loop() {
					found, _ = trie.AppendMatches(frame, found[:0])
				}
			})
			b.Run("counts", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					counts.Match(frame)
				}
			})
		})
	}
}

// matchLoads have one peer with that many topics, and frames that begin with one of them each, at random: with many topics
// what the caches do not hold costs more than the walk.
func matchLoads() []matchLoad {
	long := strings.Repeat("a topic that many share the start of/", 8)
	var all []matchLoad
	for _, count := range []int{1, 1000, 100_000} {
		for _, shape := range []struct {
			name  string
			topic func(i int) []byte
		}{
			{"short", func(i int) []byte { return fmt.Appendf(nil, "%08x", uint32(scatter(uint64(i)))) }},
			{"long", func(i int) []byte { return fmt.Appendf(nil, "%s%08x", long, uint32(scatter(uint64(i)))) }},
		} {
			all = append(all, matchLoad{fmt.Sprintf("%d/%s", count, shape.name), topicsOf(count, shape.topic)})
		}
	}
	return all
}

type matchLoad struct {
	name   string
	topics [][]byte
}

// open returns what finds the peers of all frames, and what asks whether the topics, as a SUB's, want them.
func (l matchLoad) open() (frames int, find, ask func()) {
	trie, counts, peer := new(Trie[*int]), new(Counts), new(int)
	for _, topic := range l.topics {
		trie.Add(topic, peer)
		counts.Add(topic)
	}
	chosen := make([][]byte, 1000)
	for i := range chosen {
		chosen[i] = append(l.topics[scatter(uint64(i))%uint64(len(l.topics))], " and a body"...)
	}
	found := make([]*int, 0, 10)
	find = func() {
		for _, frame := range chosen {
			if found, _ = trie.AppendMatches(frame, found[:0]); len(found) != 1 {
				panic("not found once")
			}
		}
	}
	ask = func() {
		for _, frame := range chosen {
			if !counts.Match(frame) {
				panic("not wanted")
			}
		}
	}
	return len(chosen), find, ask
}

func TestMatchAmongAllocatesNothing(t *testing.T) {
	for _, l := range matchLoads() {
		_, find, ask := l.open()
		if n := testing.AllocsPerRun(10, find) + testing.AllocsPerRun(10, ask); n > 0 {
			t.Errorf("%s: %v allocations", l.name, n)
		}
	}
}

// BenchmarkMatchAmong matches a thousand frames: with a publisher's trie, and with a subscriber's counts.
func BenchmarkMatchAmong(b *testing.B) {
	for _, l := range matchLoads() {
		b.Run(l.name, func(b *testing.B) {
			frames, find, ask := l.open()
			for _, step := range []struct {
				name string
				run  func()
			}{{"append", find}, {"counts", ask}} {
				b.Run(step.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						step.run()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/match")
				})
			}
		})
	}
}

// BenchmarkPeersLeave has a thousand peers with the same hundred topics leave.
func BenchmarkPeersLeave(b *testing.B) {
	const peers, count = 1000, 100
	topics := topicsOf(count, topicSets[0].topic)
	left := 0
	var took time.Duration
	b.ReportAllocs()
	for b.Loop() {
		var trie Trie[int]
		for p := range peers {
			for _, topic := range topics {
				trie.Add(topic, p)
			}
		}
		start := time.Now()
		for p := range peers {
			left += trie.Len(p)
			for !trie.RemovePeer(p, 64, nil) {
				continue
			}
		}
		took += time.Since(start)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took)/float64(left), "ns/remove")
}
