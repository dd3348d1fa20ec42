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
	topics tree[holders[P]]
	peers  map[P]*holdings[P] // only peers that hold something
}

// holdings are the topics one peer holds, in no order.
type holdings[P comparable] struct {
	list []holding[P]
}

// holding is one topic of a peer.
type holding[P comparable] struct {
	at    *vertex[holders[P]]
	index uint32 // of the peer among the vertex's holders
}

// holder is one peer of a topic.
type holder[P comparable] struct {
	peer P
	slot uint32 // of the topic in the peer's list
}

// holders are the peers of one topic, in no order. The first needs no memory
// of its own: most topics have one holder. It counts only in an occupied vertex.
type holders[P comparable] struct {
	first holder[P]
	rest  *[]holder[P] // nil when there is no second
}

func (h *holders[P]) count() int {
	if h.rest == nil {
		return 1
	}
	return 1 + len(*h.rest)
}

func (h *holders[P]) at(index uint32) *holder[P] {
	if index == 0 {
		return &h.first
	}
	return &(*h.rest)[index-1]
}

// push adds a holder after the first.
func (h *holders[P]) push(added holder[P]) {
	if h.rest == nil {
		h.rest = &[]holder[P]{added}
		return
	}
	*h.rest = append(*h.rest, added)
}

// cut removes the last of at least two holders and returns it.
func (h *holders[P]) cut() holder[P] {
	rest := *h.rest
	end := len(rest) - 1
	last := rest[end]
	rest[end] = holder[P]{}
	if end == 0 {
		h.rest = nil
		return last
	}
	*h.rest = shrink(rest[:end])
	return last
}

// Add subscribes p to topic. fresh: p did not hold it before. first: nobody
// did.
func (t *Trie[P]) Add(topic []byte, p P) (first bool, fresh bool) {
	at, mine := t.topics.reach(topic), t.peers[p]
	if mine == nil {
		mine = t.enter(p)
	} else if at.occupied && slotOf(at, mine, p) >= 0 {
		return false, false
	}
	added := holder[P]{peer: p, slot: uint32(len(mine.list))}
	index := 0
	if first = !at.occupied; first {
		at.occupied, at.value.first = true, added
	} else {
		index = at.value.count()
		at.value.push(added)
	}
	mine.list = append(mine.list, holding[P]{at: at, index: uint32(index)})
	return first, true
}

func (t *Trie[P]) enter(p P) *holdings[P] {
	if t.peers == nil {
		t.peers = make(map[P]*holdings[P])
	}
	mine := &holdings[P]{}
	t.peers[p] = mine
	return mine
}

// Remove ends p's subscription to topic. held: there was one. last: nobody
// holds the topic any more.
func (t *Trie[P]) Remove(topic []byte, p P) (last bool, held bool) {
	at, mine := t.topics.find(topic), t.peers[p]
	if at == nil || !at.occupied || mine == nil {
		return false, false
	}
	slot := slotOf(at, mine, p)
	if slot < 0 {
		return false, false
	}
	return t.drop(mine, slot, p), true
}

// slotOf returns where at, which is occupied, stands in p's list; -1 if p
// does not hold it. It searches the shorter of the two lists.
func slotOf[P comparable](at *vertex[holders[P]], mine *holdings[P], p P) int {
	if len(mine.list) < at.value.count() {
		for slot := range mine.list {
			if mine.list[slot].at == at {
				return slot
			}
		}
		return -1
	}
	if at.value.first.peer == p {
		return int(at.value.first.slot)
	}
	if at.value.rest != nil {
		for i := range *at.value.rest {
			if other := &(*at.value.rest)[i]; other.peer == p {
				return int(other.slot)
			}
		}
	}
	return -1
}

// drop removes the subscription in that slot of p's list and says whether it
// was its topic's last. The last entry of each list fills the gap.
func (t *Trie[P]) drop(mine *holdings[P], slot int, p P) (last bool) {
	leaving := mine.list[slot]
	at := leaving.at
	if at.value.count() > 1 {
		if moved := at.value.cut(); int(leaving.index) < at.value.count() {
			*at.value.at(leaving.index) = moved
			t.peers[moved.peer].list[moved.slot].index = leaving.index
		}
	} else {
		at.occupied, at.value, last = false, holders[P]{}, true
	}
	end := len(mine.list) - 1
	if moved := mine.list[end]; slot != end {
		mine.list[slot] = moved
		moved.at.value.at(moved.index).slot = uint32(slot)
	}
	mine.list[end] = holding[P]{}
	mine.list = shrink(mine.list[:end])
	if end == 0 {
		t.leave(p)
	}
	if last {
		t.topics.prune(at)
	}
	return last
}

func (t *Trie[P]) leave(p P) {
	delete(t.peers, p)
	if len(t.peers) == 0 {
		t.peers = nil // a map does not shrink by itself
	}
}

// RemovePeer ends p's subscriptions, at most budget of them and at least one,
// and says whether none is left; call it again until then. A long topic counts
// as several, so that a budget bounds time. gone, unless nil, learns each topic
// and whether p was its last holder; topic is valid during the call only, and
// gone must not touch the trie.
func (t *Trie[P]) RemovePeer(p P, budget int, gone func(topic []byte, last bool)) (done bool) {
	mine := t.peers[p]
	if mine == nil {
		return true
	}
	var topic []byte
	for spent := 0; len(mine.list) > 0; {
		if spent > 0 && spent >= budget {
			return false
		}
		slot := len(mine.list) - 1
		topic = mine.list[slot].at.appendTopic(topic[:0])
		last := t.drop(mine, slot, p)
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
	for at := &t.topics.root; at != nil; at, topic = at.next(topic) {
		if !at.occupied {
			continue
		}
		visit(at.value.first.peer)
		if at.value.rest == nil {
			continue
		}
		for _, other := range *at.value.rest {
			visit(other.peer)
		}
	}
}

// AppendMatches appends to dst whom Match would visit.
func (t *Trie[P]) AppendMatches(topic []byte, dst []P) []P {
	for at := &t.topics.root; at != nil; at, topic = at.next(topic) {
		if !at.occupied {
			continue
		}
		dst = append(dst, at.value.first.peer)
		if at.value.rest == nil {
			continue
		}
		for _, other := range *at.value.rest {
			dst = append(dst, other.peer)
		}
	}
	return dst
}

// Len is the number of topics p holds.
func (t *Trie[P]) Len(p P) int {
	if mine := t.peers[p]; mine != nil {
		return len(mine.list)
	}
	return 0
}

// Count is the number of peers that would get a message starting with topic,
// each counted once.
func (t *Trie[P]) Count(topic []byte) int {
	visits, prefixes, rest := 0, 0, topic
	for at := &t.topics.root; at != nil; at, rest = at.next(rest) {
		if at.occupied {
			visits += at.value.count()
			prefixes++
		}
	}
	if prefixes <= 1 {
		return visits // nobody was visited twice
	}
	distinct := make(map[P]struct{}, min(visits, len(t.peers)))
	t.Match(topic, func(p P) { distinct[p] = struct{}{} })
	return len(distinct)
}
