// SPDX-License-Identifier: Apache-2.0

package subtrie

// Trie is the set of topics each peer subscribed to. P stands for a peer,
// best a pointer. The zero value is empty and ready; never copy a trie in use. It
// keeps no memory that a topic was given in, and nothing of a peer without topics.
//
// A subscription is written down twice, in the topic's vertex and in the
// peer's list, and each entry knows its place in the other list. So whatever
// leaves, leaves in constant time.
type Trie[P comparable] struct {
	topics tree // the value of a vertex is its only holder or, if shared, the number of its holders in crowds
	crowds slab[[]holder]

	numbers map[P]uint32 // of peers that hold something
	peers   []peer[P]    // by number
	free    []uint32     // numbers of no peer
	latest  P            // the peer that was asked for last: most come in runs
	number  uint32       // of latest
	current bool         // latest has that number

	changes uint64 // that Changes counts
}

// peer is one peer and the topics it holds.
type peer[P comparable] struct {
	name P
	list holdings
}

// holder is one peer of a topic.
type holder struct {
	peer uint32
	slot uint32 // of the topic in the peer's list
}

func (h holder) pack() uint64 { return uint64(h.peer)<<32 | uint64(h.slot) }

// crowdBit tells the number of a crowd from a holder.
const crowdBit = 1 << 63

func (v *vertex) shared() bool { return v.value&crowdBit != 0 }

// only returns the holder of a vertex that is not shared.
func only(v *vertex) holder { return holder{uint32(v.value >> 32), uint32(v.value)} }

// crowd returns the holders of a vertex that is shared.
func (t *Trie[P]) crowd(v *vertex) *[]holder { return t.crowds.at(uint32(v.value)) }

// count is the number of holders of a vertex that is occupied.
func (t *Trie[P]) count(v *vertex) int {
	if v.shared() {
		return len(*t.crowd(v))
	}
	return 1
}

// place writes down who is the holder with that index.
func (t *Trie[P]) place(v *vertex, index uint32, h holder) {
	if v.shared() {
		(*t.crowd(v))[index] = h
	} else {
		v.value = h.pack()
	}
}

// push adds a holder to a vertex and returns its index.
func (t *Trie[P]) push(v *vertex, added holder) (index uint32) {
	switch {
	case !v.occupied:
		t.topics.occupy(v)
		v.value = added.pack()
		return 0
	case !v.shared():
		crowd := t.crowds.take()
		*t.crowds.at(crowd) = []holder{only(v), added}
		v.value = crowdBit | uint64(crowd)
		return 1
	default:
		crowd := t.crowd(v)
		*crowd = append(*crowd, added)
		return uint32(len(*crowd) - 1)
	}
}

// cut removes the holder with that index; the last one fills the gap.
func (t *Trie[P]) cut(v *vertex, index uint32) (last bool) {
	if !v.shared() {
		v.occupied, v.value = false, 0
		return true
	}
	crowd := t.crowd(v)
	end := uint32(len(*crowd) - 1)
	if moved := (*crowd)[end]; index != end {
		(*crowd)[index] = moved
		t.peers[moved.peer].list.at(moved.slot).index = index
	}
	*crowd = shrink((*crowd)[:end])
	if end == 1 {
		remaining := (*crowd)[0]
		t.crowds.drop(uint32(v.value))
		v.value = remaining.pack()
	}
	return false
}

// know returns the number of p. ok: it has one.
func (t *Trie[P]) know(p P) (number uint32, ok bool) {
	if t.current && p == t.latest {
		return t.number, true
	}
	if number, ok = t.numbers[p]; ok {
		t.latest, t.number, t.current = p, number, true
	}
	return number, ok
}

// enter gives p, which has none, a number.
func (t *Trie[P]) enter(p P) (number uint32) {
	if t.numbers == nil {
		t.numbers = make(map[P]uint32)
	}
	if last := len(t.free) - 1; last >= 0 {
		number = t.free[last]
		t.free = t.free[:last]
	} else {
		number = uint32(len(t.peers))
		if t.peers == nil { // Match reads it all the time: it shall not share a cache line with what others write
			t.peers = make([]peer[P], 0, peersMin)
		}
		t.peers = append(t.peers, peer[P]{})
	}
	t.peers[number].name = p
	t.numbers[p] = number
	t.latest, t.number, t.current = p, number, true
	return number
}

// leave takes the number of a peer without topics back.
func (t *Trie[P]) leave(number uint32) {
	delete(t.numbers, t.peers[number].name)
	t.peers[number] = peer[P]{}
	if len(t.numbers) == 0 {
		*t = Trie[P]{topics: t.topics, changes: t.changes} // a map does not shrink by itself
		return
	}
	t.free = append(t.free, number)
	if t.number == number {
		var nobody P
		t.latest, t.current = nobody, false
	}
}

// Add subscribes p to topic. fresh: p did not hold it before. first: nobody
// did.
func (t *Trie[P]) Add(topic []byte, p P) (first bool, fresh bool) {
	at := t.topics.reach(topic)
	v := t.topics.vertices.at(at)
	number, known := t.know(p)
	if !known {
		number = t.enter(p)
	} else if v.occupied && t.slotOf(at, v, number) >= 0 {
		return false, false
	}
	t.changes++
	mine := &t.peers[number]
	first = !v.occupied
	index := t.push(v, holder{peer: number, slot: uint32(mine.list.count)})
	mine.list.push(holding{at: at, index: index})
	return first, true
}

// Remove ends p's subscription to topic. held: there was one. last: nobody
// holds the topic any more.
func (t *Trie[P]) Remove(topic []byte, p P) (last bool, held bool) {
	number, known := t.know(p)
	if !known {
		return false, false
	}
	at, ok := t.topics.find(topic)
	if !ok {
		return false, false
	}
	v := t.topics.vertices.at(at)
	if !v.occupied {
		return false, false
	}
	slot := t.slotOf(at, v, number)
	if slot < 0 {
		return false, false
	}
	return t.drop(number, slot), true
}

// slotOf returns where a vertex, which is occupied, stands in a peer's list; -1 if the peer
// does not hold it. It searches the shorter of the two lists.
func (t *Trie[P]) slotOf(at uint32, v *vertex, number uint32) int {
	if !v.shared() {
		if h := only(v); h.peer == number {
			return int(h.slot)
		}
		return -1
	}
	crowd, list := *t.crowd(v), &t.peers[number].list
	if list.count < len(crowd) {
		for slot := range uint32(list.count) {
			if list.at(slot).at == at {
				return int(slot)
			}
		}
		return -1
	}
	for i := range crowd {
		if crowd[i].peer == number {
			return int(crowd[i].slot)
		}
	}
	return -1
}

// drop removes the subscription in that slot of a peer's list and says whether it
// was its topic's last. The last entry of each list fills the gap.
func (t *Trie[P]) drop(number uint32, slot int) (last bool) {
	t.changes++
	list := &t.peers[number].list
	leaving := *list.at(uint32(slot))
	last = t.cut(t.topics.vertices.at(leaving.at), leaving.index)
	if moved := list.pop(); slot != list.count {
		*list.at(uint32(slot)) = moved
		t.place(t.topics.vertices.at(moved.at), moved.index, holder{peer: number, slot: uint32(slot)})
	}
	if list.count == 0 {
		t.leave(number)
	}
	if last {
		t.topics.prune(leaving.at)
	}
	return last
}

// RemovePeer ends p's subscriptions, at most budget of them and at least one,
// and says whether none is left; call it again until then. A long topic counts
// as several, so that a budget bounds time. gone, unless nil, learns each topic
// and whether p was its last holder; topic is valid during the call only, and
// gone must not touch the trie.
func (t *Trie[P]) RemovePeer(p P, budget int, gone func(topic []byte, last bool)) (done bool) {
	number, known := t.know(p)
	if !known {
		return true
	}
	var topic []byte
	spent := 0
	for left := t.peers[number].list.count; left > 0; left-- {
		if spent > 0 && spent >= budget {
			return false
		}
		topic = t.topics.appendTopic(t.peers[number].list.at(uint32(left-1)).at, topic[:0])
		last := t.drop(number, left-1)
		if gone != nil {
			gone(topic, last)
		}
		spent += 1 + len(topic)/removalBytes
	}
	return true
}

// Match visits the holders of every prefix of topic, shorter prefixes first.
// A peer is visited once for each prefix it holds. It does not allocate;
// visit must not touch the trie.
func (t *Trie[P]) Match(topic []byte, visit func(P)) {
	for v, rest := t.topics.begin(topic); v != nil; v, rest = t.topics.next(v, rest) {
		switch {
		case !v.occupied:
		case !v.shared():
			visit(t.peers[only(v).peer].name)
		default:
			for _, h := range *t.crowd(v) {
				visit(t.peers[h.peer].name)
			}
		}
	}
}

// AppendMatches appends to dst whom Match would visit. depth is how much of topic that depends on: until the next change, all
// that begin with the same so many bytes match the same. It is -1 if that is not known.
func (t *Trie[P]) AppendMatches(topic []byte, dst []P) (matches []P, depth int) {
	v, rest := t.topics.begin(topic)
	if v == nil {
		return dst, -1
	}
	for {
		switch {
		case !v.occupied:
		case !v.shared():
			dst = append(dst, t.peers[only(v).peer].name)
		default:
			for _, h := range *t.crowd(v) {
				dst = append(dst, t.peers[h.peer].name)
			}
		}
		if v.form == formNone {
			return dst, len(topic) - len(rest)
		}
		below, left := t.topics.next(v, rest)
		if below == nil {
			return dst, t.topics.depth(v, topic, rest)
		}
		v, rest = below, left
	}
}

// Changes returns a number that is another one after each Add and each removal that changed something.
func (t *Trie[P]) Changes() uint64 { return t.changes }

// Len is the number of topics p holds.
func (t *Trie[P]) Len(p P) int {
	if number, known := t.know(p); known {
		return t.peers[number].list.count
	}
	return 0
}

// Count is the number of peers that would get a message starting with topic,
// each counted once.
func (t *Trie[P]) Count(topic []byte) int {
	visits, prefixes, rest := 0, 0, topic
	for v := t.topics.top(); v != nil; v, rest = t.topics.next(v, rest) {
		if v.occupied {
			visits += t.count(v)
			prefixes++
		}
	}
	if prefixes <= 1 {
		return visits // nobody was visited twice
	}
	distinct := make(map[P]struct{}, min(visits, len(t.numbers)))
	t.Match(topic, func(p P) { distinct[p] = struct{}{} })
	return len(distinct)
}

// shrink gives memory back once three quarters of it are unused.
func shrink[E any](list []E) []E {
	if cap(list) <= shrinkAbove || len(list) > cap(list)/4 {
		return list
	}
	return append(make([]E, 0, 2*len(list)), list...)
}
