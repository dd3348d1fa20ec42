// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// model is what a Trie does, done plainly.
type model map[string]map[int]bool

func (m model) add(topic string, p int) (first, fresh bool) {
	if m[topic][p] {
		return false, false
	}
	if m[topic] == nil {
		m[topic] = map[int]bool{}
	}
	m[topic][p] = true
	return len(m[topic]) == 1, true
}

func (m model) remove(topic string, p int) (last, held bool) {
	if !m[topic][p] {
		return false, false
	}
	delete(m[topic], p)
	if len(m[topic]) == 0 {
		delete(m, topic)
		return true, true
	}
	return false, true
}

func (m model) matches(topic string) []int {
	var found []int
	for held, peers := range m {
		if strings.HasPrefix(topic, held) {
			for p := range peers {
				found = append(found, p)
			}
		}
	}
	slices.Sort(found)
	return found
}

func (m model) held(p int) int {
	n := 0
	for _, peers := range m {
		if peers[p] {
			n++
		}
	}
	return n
}

// pair runs every operation on both and compares.
type pair struct {
	t    testing.TB
	trie Trie[int]
	want model
}

func newPair(t testing.TB) *pair { return &pair{t: t, want: model{}} }

func (b *pair) add(topic string, p int) {
	b.t.Helper()
	before := b.trie.Changes()
	first, fresh := b.trie.Add([]byte(topic), p)
	if changed := b.trie.Changes() != before; changed != fresh {
		b.t.Fatalf("Add(%.40q, %d) is a change: %v", topic, p, changed)
	}
	if wantFirst, wantFresh := b.want.add(topic, p); first != wantFirst || fresh != wantFresh {
		b.t.Fatalf("Add(%.40q, %d) = %v, %v; want %v, %v", topic, p, first, fresh, wantFirst, wantFresh)
	}
}

func (b *pair) remove(topic string, p int) {
	b.t.Helper()
	before := b.trie.Changes()
	last, held := b.trie.Remove([]byte(topic), p)
	if changed := b.trie.Changes() != before; changed != held {
		b.t.Fatalf("Remove(%.40q, %d) is a change: %v", topic, p, changed)
	}
	if wantLast, wantHeld := b.want.remove(topic, p); last != wantLast || held != wantHeld {
		b.t.Fatalf("Remove(%.40q, %d) = %v, %v; want %v, %v", topic, p, last, held, wantLast, wantHeld)
	}
}

func (b *pair) removePeer(p, budget int) {
	b.t.Helper()
	for {
		before := b.trie.Len(p)
		done := b.trie.RemovePeer(p, budget, func(topic []byte, last bool) {
			wantLast, held := b.want.remove(string(topic), p)
			if !held || last != wantLast {
				b.t.Fatalf("RemovePeer(%d) gave (%.40q, %v); want %v, held %v", p, topic, last, wantLast, held)
			}
		})
		after := b.trie.Len(p)
		if before-after > max(budget, 1) || done != (after == 0) || after == before && !done {
			b.t.Fatalf("RemovePeer(%d, %d) = %v: %d topics, then %d", p, budget, done, before, after)
		}
		if done {
			break
		}
	}
	if n := b.want.held(p); n != 0 {
		b.t.Fatalf("RemovePeer(%d) left %d topics", p, n)
	}
}

func (b *pair) match(topic string) {
	b.t.Helper()
	var got []int
	b.trie.Match([]byte(topic), func(p int) { got = append(got, p) })
	appended, depth := b.trie.AppendMatches([]byte(topic), nil)
	if !slices.Equal(got, appended) {
		b.t.Fatalf("Match(%.40q) visits %v, AppendMatches gives %v", topic, got, appended)
	}
	slices.Sort(got)
	want := b.want.matches(topic)
	if !slices.Equal(got, want) {
		b.t.Fatalf("Match(%.40q) visits %v, want %v", topic, got, want)
	}
	if depth >= 0 {
		for _, tail := range []string{"", "A", "B", "AB", "\x00", "\xff"} {
			if others := b.want.matches(topic[:depth] + tail); !slices.Equal(others, want) {
				b.t.Fatalf("%.40q matches %v by its first %d bytes, but with %q behind them %v", topic, want, depth, tail, others)
			}
		}
	}
	if n := b.trie.Count([]byte(topic)); n != len(slices.Compact(want)) {
		b.t.Fatalf("Count(%.40q) = %d, want %d", topic, n, len(slices.Compact(want)))
	}
}

func TestTrieAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := newPair(t)
		peers := 1 + random.IntN(40)
		for step := range 4000 {
			topic, p := randomTopic(random), random.IntN(peers)
			switch random.IntN(10) {
			case 0, 1, 2, 3:
				b.add(topic, p)
			case 4, 5, 6:
				b.remove(topic, p)
			case 7, 8:
				b.match(topic)
			default:
				if n := b.trie.Len(p); n != b.want.held(p) {
					t.Fatalf("Len(%d) = %d, want %d", p, n, b.want.held(p))
				}
				if random.IntN(50) == 0 {
					b.removePeer(p, random.IntN(5))
				}
			}
			if step%97 == 0 {
				checkTrie(t, &b.trie)
			}
		}
		checkTrie(t, &b.trie)
		for p := range peers {
			b.removePeer(p, 3)
			checkTrie(t, &b.trie)
		}
		checkEmpty(t, &b.trie)
	}
}

// randomTopic prefers topics that share prefixes, with pieces long enough for
// chains of vertices.
func randomTopic(random *rand.Rand) string {
	var topic strings.Builder
	for range random.IntN(6) {
		piece := string(rune('a' + random.IntN(3)))
		switch random.IntN(12) {
		case 0:
			piece = strings.Repeat(piece, 1+random.IntN(20))
		case 1:
			piece = strings.Repeat(piece, labelBytesMax-3+random.IntN(6))
		case 2:
			piece = string([]byte{byte(random.IntN(256))})
		}
		topic.WriteString(piece)
	}
	return topic.String()
}

// checkTrie proves the rules of the tree and that both lists agree.
func checkTrie(t testing.TB, trie *Trie[int]) {
	t.Helper()
	subscriptions, crowds := 0, 0
	checkTree(t, &trie.topics, func(number uint32, v *vertex) {
		held := []holder{only(v)}
		if v.shared() {
			held = *trie.crowd(v)
			if crowds++; len(held) < 2 {
				t.Fatalf("%.40q has a list of %d holders", trie.topics.appendTopic(number, nil), len(held))
			}
		}
		for i, h := range held {
			if int(h.peer) >= len(trie.peers) || int(h.slot) >= trie.peers[h.peer].list.count ||
				*trie.peers[h.peer].list.at(h.slot) != (holding{number, uint32(i)}) {
				t.Fatalf("holder %d of %.40q and peer %d's list disagree", i, trie.topics.appendTopic(number, nil), h.peer)
			}
		}
		subscriptions += len(held)
	})
	for name, number := range trie.numbers {
		if p := &trie.peers[number]; p.name != name || p.list.count == 0 {
			t.Fatalf("peer %d has number %d of peer %d, with %d topics", name, number, p.name, p.list.count)
		}
	}
	for i := range trie.peers {
		subscriptions -= trie.peers[i].list.count
	}
	if subscriptions != 0 || crowds != trie.crowds.count || len(trie.numbers)+len(trie.free) != len(trie.peers) {
		t.Fatalf("%d more subscriptions in the tree than in the peers' lists, %d of %d crowds, %d and %d of %d peers",
			subscriptions, crowds, trie.crowds.count, len(trie.numbers), len(trie.free), len(trie.peers))
	}
}

func checkTree(t testing.TB, tree *tree, occupied func(uint32, *vertex)) {
	t.Helper()
	if tree.top() == nil {
		return
	}
	vertices, forms, long := 0, map[form]int{}, 0
	for pending := []uint32{root}; len(pending) > 0; {
		number := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		v := tree.vertices.at(number)
		vertices++
		forms[v.form]++
		if v.length == labelLong {
			long++
		}
		if v.occupied {
			occupied(number, v)
		} else if v.form == formNone {
			t.Fatalf("%.40q is not occupied and leads nowhere", tree.appendTopic(number, nil))
		}
		below := checkEdges(t, tree, number)
		if length := len(tree.label(v)); !v.occupied && number != root && len(below) == 1 &&
			length+len(tree.label(tree.vertices.at(below[0]))) <= labelBytesMax {
			t.Fatalf("%.40q should be joined with the one below", tree.appendTopic(number, nil))
		}
		pending = append(pending, below...)
	}
	if got := []int{tree.vertices.count, tree.narrow.count, tree.middle.count, tree.wide.count, tree.long.count}; !slices.Equal(
		got, []int{vertices, forms[formNarrow], forms[formMiddle], forms[formWide], long}) {
		t.Fatalf("%v in the slabs; in the tree %d vertices, forms %v, %d long labels", got, vertices, forms, long)
	}
}

// checkEdges returns the vertices below one.
func checkEdges(t testing.TB, tree *tree, number uint32) (below []uint32) {
	t.Helper()
	v := tree.vertices.at(number)
	for to := tree.after(v, -1); to != 0; to = tree.after(v, int(tree.key(to))) {
		if length := len(tree.label(tree.vertices.at(to))); length == 0 || length > labelBytesMax ||
			tree.vertices.at(to).parent != number || tree.follow(v, tree.key(to)) != to {
			t.Fatalf("bad edge from %.40q to %.40q", tree.appendTopic(number, nil), tree.appendTopic(to, nil))
		}
		below = append(below, to)
	}
	least := map[form]int{formSingle: 1, formNarrow: 2, formMiddle: 7, formWide: 13}
	most := map[form]int{formSingle: 1, formNarrow: narrowMax, formMiddle: middleMax, formWide: 256}
	if uint8(len(below)) != v.fan || len(below) < least[v.form] || len(below) > most[v.form] {
		t.Fatalf("%d edges from %.40q, fan %d, form %d", len(below), tree.appendTopic(number, nil), v.fan, v.form)
	}
	return below
}

// checkEmpty proves that nothing is left of what was removed.
func checkEmpty(t testing.TB, trie *Trie[int]) {
	t.Helper()
	if !reflect.DeepEqual(trie, &Trie[int]{changes: trie.changes}) {
		t.Fatalf("trie without subscriptions is not the zero value but for its changes: %+v", trie)
	}
}

func TestTrieCountsAPeerOnce(t *testing.T) {
	b := newPair(t)
	for _, topic := range []string{"", "A", "AB", "B"} {
		for p := range 3 {
			b.add(topic, p)
			b.add(topic, p)
		}
	}
	b.add("ABC", 7)
	b.match("ABCD")
	if n := b.trie.Count([]byte("ABCD")); n != 4 {
		t.Errorf("Count = %d, want 4", n)
	}
	if n := b.trie.Count([]byte("Z")); n != 3 {
		t.Errorf("Count = %d, want 3", n)
	}
}

func TestTrieKeepsNoCallerMemory(t *testing.T) {
	for _, length := range []int{3, 40, 3000} {
		var trie Trie[int]
		topic := bytes.Repeat([]byte("x"), length)
		trie.Add(topic, 1)
		clear(topic)
		if n := trie.Count(bytes.Repeat([]byte("x"), length)); n != 1 {
			t.Errorf("topic of %d bytes changed with the caller's memory", length)
		}
	}
}

func TestTrieRemoveOfWhatWasNeverAdded(t *testing.T) {
	b := newPair(t)
	b.remove("", 1)
	b.remove("A", 1)
	b.add("ABC", 1)
	for _, topic := range []string{"", "A", "AB", "ABCD", "B"} {
		b.remove(topic, 1)
	}
	b.remove("ABC", 2)
	b.add("X", 2)
	b.remove("ABC", 2)
	b.removePeer(3, 10)
	checkTrie(t, &b.trie)
	b.match("ABCX")
}

// CVE-2021-20236: nesting must cost neither stack nor more than its bytes.
func TestTrieNestedPrefixes(t *testing.T) {
	const depth = 10_000
	var trie Trie[int]
	topic := bytes.Repeat([]byte("n"), depth)
	for i := range topic {
		trie.Add(topic[:i+1], 1)
	}
	visits := 0
	trie.Match(topic, func(int) { visits++ })
	if visits != depth || trie.Len(1) != depth || trie.Count(topic) != 1 {
		t.Fatalf("%d visits, %d topics, count %d", visits, trie.Len(1), trie.Count(topic))
	}
	for i := range topic { // shortest first: each removal joins vertices
		if last, held := trie.Remove(topic[:i+1], 1); !last || !held {
			t.Fatalf("Remove of %d bytes = %v, %v", i+1, last, held)
		}
	}
	checkEmpty(t, &trie)
}

func TestTrieLongTopics(t *testing.T) {
	const length = 8 << 20
	b := newPair(t)
	topic := strings.Repeat("0123456789abcdef", length/16)
	b.add(topic, 1)
	for cut := 1; cut < 3000; cut += 211 {
		b.add(topic[:cut], 2)
		b.add(topic[:length-cut*100], 3)
	}
	checkTrie(t, &b.trie)
	b.match(topic)
	b.removePeer(2, 100)
	b.removePeer(3, 1)
	checkTrie(t, &b.trie)
	if vertices := b.trie.topics.vertices.count; vertices > 2*length/labelBytesMax+2 {
		t.Errorf("one topic of %d bytes takes %d vertices", length, vertices)
	}
	b.removePeer(1, 1)
	checkEmpty(t, &b.trie)
}

func TestTrieCrowdLeaves(t *testing.T) {
	const peers = 3000
	b := newPair(t)
	for p := range peers {
		b.add("", p)
		b.add(fmt.Sprint("own.", p), p)
		b.add("shared", p)
	}
	b.match("shared")
	for p := range peers {
		if p%2 == 0 {
			b.removePeer(p, 100)
		}
	}
	checkTrie(t, &b.trie)
	b.match("shared")
	for p := range peers {
		b.removePeer(p, 1)
	}
	checkEmpty(t, &b.trie)
}

func TestTrieRemovePeerInSlices(t *testing.T) {
	var trie Trie[int]
	for i := range 1000 {
		trie.Add(fmt.Appendf(nil, "topic.%d", i), 1)
	}
	for turn := 1; turn <= 10; turn++ {
		if done := trie.RemovePeer(1, 100, nil); done != (turn == 10) {
			t.Fatalf("turn %d of 10: done = %v, %d left", turn, done, trie.Len(1))
		}
	}
	for i := range 10 {
		trie.Add(bytes.Repeat([]byte{byte(i)}, 50*removalBytes), 1)
	}
	if trie.RemovePeer(1, 100, nil); trie.Len(1) != 8 {
		t.Errorf("%d long topics left, want 8: a budget of 100 pays for 2", trie.Len(1))
	}
}

func TestVertexIsHalfACacheLine(t *testing.T) {
	if size := reflect.TypeFor[vertex]().Size(); size != 32 {
		t.Errorf("vertex takes %d bytes", size)
	}
}

// A peer's list grows and shrinks over its blocks, from any place.
func TestTrieLongList(t *testing.T) {
	b := newPair(t)
	random := rand.New(rand.NewPCG(5, 5))
	const count = 2*holdingsBlock + 3
	for _, i := range random.Perm(count) {
		b.add(fmt.Sprint(i, "/"), 1)
	}
	checkTrie(t, &b.trie)
	for left, i := range random.Perm(count) {
		b.remove(fmt.Sprint(i, "/"), 1)
		if left%97 == 0 {
			checkTrie(t, &b.trie)
		}
	}
	checkEmpty(t, &b.trie)
}

// Every byte may be a key, in any number beside others.
func TestTrieFanOut(t *testing.T) {
	b := newPair(t)
	random := rand.New(rand.NewPCG(1, 1))
	for _, order := range [][]int{random.Perm(256), random.Perm(256)} {
		for _, key := range order {
			b.add("above"+string([]byte{byte(key)})+"below", key%3)
			checkTrie(t, &b.trie)
		}
		for _, key := range random.Perm(256) {
			b.match("above" + string([]byte{byte(key)}) + "below and more")
			b.match("above" + string([]byte{byte(key)}))
		}
		for _, key := range order {
			b.remove("above"+string([]byte{byte(key)})+"below", key%3)
			b.match("above" + string([]byte{byte(key)}) + "below")
			checkTrie(t, &b.trie)
		}
		checkEmpty(t, &b.trie)
	}
}
