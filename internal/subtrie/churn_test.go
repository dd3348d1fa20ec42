// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// soak scales counts: 1 unless ZWIRE_SOAK says otherwise.
func soak(t testing.TB) int {
	text := os.Getenv("ZWIRE_SOAK")
	if text == "" {
		return 1
	}
	scale, err := strconv.Atoi(text)
	if err != nil || scale < 1 {
		t.Fatalf("ZWIRE_SOAK=%q is not a positive number", text)
	}
	return scale
}

func heapBytes() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// SubChurn of HOSTILE: subscribing and cancelling for ever, and cancelling
// what was never subscribed, leaves the heap as it was.
func TestTrieSubChurn(t *testing.T) {
	var trie Trie[int]
	for i := range 1000 {
		trie.Add(fmt.Appendf(nil, "kept.%d", i), 0)
	}
	topics := make([][]byte, 500)
	for i := range topics {
		topics[i] = fmt.Appendf(nil, "kept.%d.more.than.fits.a.vertex", i*7)
	}
	churn := func(times int) {
		for i := range times {
			topic := topics[i%len(topics)]
			trie.Add(topic, 1+i%3)
			trie.Remove(topic[:7], 1+i%3)
			trie.Remove([]byte("never"), 0)
			trie.Remove(topic, 1+i%3)
		}
	}
	churn(1000)
	before := heapBytes()
	churn(100_000 * soak(t))
	if after := heapBytes(); after > before+before/4+64<<10 {
		t.Errorf("heap grew from %d to %d bytes", before, after)
	}
	checkTrie(t, &trie)
	for trie.Len(0) > 0 {
		trie.RemovePeer(0, 100, nil)
	}
	checkEmpty(t, &trie)
}

// SubFlood, then all leave: the memory comes back.
func TestTrieReturnsMemory(t *testing.T) {
	before := heapBytes()
	var trie Trie[int]
	for p := range 50 {
		for i := range 1000 {
			trie.Add(fmt.Appendf(nil, "%d.topic.%d", i, p%10), p)
		}
	}
	full := heapBytes()
	for p := range 50 {
		for !trie.RemovePeer(p, 64, nil) {
			continue
		}
	}
	if after := heapBytes(); after > before+(full-before)/10 {
		t.Errorf("%d bytes before, %d full, %d after all left", before, full, after)
	}
	checkEmpty(t, &trie)
	runtime.KeepAlive(&trie)
}

// Splitting a long label and removing the long topic must not keep its memory.
func TestTrieShortTopicKeepsNoLongOne(t *testing.T) {
	before := heapBytes()
	var trie Trie[int]
	topic := make([]byte, 8<<20)
	for i := range 8 {
		topic[0] = byte(i)
		trie.Add(topic, 1)
		trie.Add(topic[:20], 1)
		trie.Remove(topic, 1)
	}
	topic = nil
	if after := heapBytes(); after > before+1<<20 {
		t.Errorf("eight topics of 20 bytes hold %d bytes", after-before)
	}
	if trie.Len(1) != 8 {
		t.Errorf("%d topics left", trie.Len(1))
	}
	runtime.KeepAlive(&trie)
	runtime.KeepAlive(topic)
}
