// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestMatchBetweenChanges looks for the same few deep frames again and again while topics come and go on the way to them, so
// that most walks begin where one before turned off.
func TestMatchBetweenChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	topic := func(most int) []byte {
		made := make([]byte, random.IntN(most+1))
		for i := range made {
			made[i] = 'a' + byte(random.IntN(2))
		}
		return made
	}
	for range 50 {
		var trie Trie[*int]
		var counts Counts
		peer := new(int)
		held := map[string]bool{}
		frames := [][]byte{topic(12), topic(12), topic(12)}
		for range 60 { // deep, and nothing held near the root
			changed := append(append([]byte("xy"), topic(2)...), topic(10)...)
			if !held[string(changed)] {
				held[string(changed)] = true
				trie.Add(changed, peer)
				counts.Add(changed)
			}
		}
		for change := range 400 {
			frame := append([]byte("xy"), frames[change/8%len(frames)]...)
			want := 0
			for prefix := range held {
				if bytes.HasPrefix(frame, []byte(prefix)) {
					want++
				}
			}
			if found, _ := trie.AppendMatches(frame, nil); len(found) != want {
				t.Fatalf("change %d: %d matches of %q, want %d", change, len(found), frame, want)
			}
			if got := counts.Match(frame); got != (want > 0) {
				t.Fatalf("change %d: Counts.Match(%q) = %v, want %v", change, frame, got, want > 0)
			}
			changed := frame[:min(len(frame), 2+random.IntN(8))]
			if random.IntN(2) == 0 {
				changed = append([]byte("xy"), topic(10)...)
			}
			if held[string(changed)] {
				delete(held, string(changed))
				trie.Remove(changed, peer)
				counts.Remove(changed)
			} else if random.IntN(3) > 0 || len(held) < 20 {
				held[string(changed)] = true
				trie.Add(changed, peer)
				counts.Add(changed)
			}
		}
	}
}
