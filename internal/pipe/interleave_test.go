// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// Every interleaving of a writer's and a drainer's calls on a real queue. A call counts as one step here; what happens
// inside of one is explored on a copy of its steps, beside the session that uses them.

// choices makes a run follow one path through all that could happen, and the next run the next path. A path that meets a
// state of an earlier one ends there.
type choices struct {
	path  []int // what was chosen
	wide  []int // out of how many
	at    int
	fresh int // from here on the path is new
	seen  map[string]bool
}

func (c *choices) choose(n int) int {
	if c.at == len(c.path) {
		c.path, c.wide = append(c.path, 0), append(c.wide, n)
	}
	c.at++
	return c.path[c.at-1]
}

// known reports whether an earlier path has met the state.
func (c *choices) known(state []byte) bool {
	if c.at < c.fresh {
		return false
	}
	if c.seen[string(state)] {
		return true
	}
	c.seen[string(state)] = true
	return false
}

// next turns to the next path, if there is one.
func (c *choices) next() bool {
	c.at = 0
	for last := len(c.path) - 1; last >= 0; last-- {
		if c.path[last]+1 < c.wide[last] {
			c.path, c.wide = c.path[:last+1], c.wide[:last+1]
			c.path[last]++
			c.fresh = len(c.path)
			return true
		}
	}
	return false
}

// scene is one run: a writer with messages to send, a drainer, and what they have seen.
type scene struct {
	*choices
	q        *Queue
	limit    int
	sizes    []int
	receiver bool // the drainer takes messages, not bytes
	breaks   int  // how often the stream may break
	discards int  // how often the drainer may drop everything

	posted, revived bool // hints under way
	sent            [][]byte
	sleeping        bool // the writer, until revived
	claiming        bool // it has published and is about to look whether the drainer sleeps

	draining  bool
	empty     int    // steps since the drainer found nothing: it lets go of the chunk, then it yields
	gathered  []byte // what the drainer is about to write
	stream    []byte // what the present stream has taken
	delivered [][]byte
	lost      int // dropped by Discard; always those after what was delivered

	fault string
	state []byte
}

func (s *scene) Ready(*Queue, bool) { s.posted = true }
func (s *scene) Revive(*Queue)      { s.revived = true }

// run plays the scene to its end, and returns what went wrong.
func (s *scene) run() string {
	s.q = NewQueue(Limits{Messages: s.limit})
	s.q.Consumer, s.q.Producer = s, s
	s.q.Set(Idle)
	for s.fault == "" {
		var moves []func()
		if m := s.writerMove(); m != nil {
			moves = append(moves, m)
		}
		moves = append(moves, s.drainerMoves()...)
		if len(moves) == 0 {
			break
		}
		moves[s.choose(len(moves))]()
		s.check()
		if s.known(s.fingerprint()) {
			return s.fault
		}
	}
	if s.fault == "" {
		s.checkEnd()
	}
	return s.fault
}

// fingerprint is all that what comes next depends on.
func (s *scene) fingerprint() []byte {
	q := s.q
	b := s.state[:0]
	for _, n := range []int{
		int(q.state.Load()), int(q.sent), int(q.sentBytes), int(q.granted), int(q.wantMessages), int(q.wantBytes),
		int(q.returned.Load()), int(q.returnedBytes.Load()), q.off, len(q.front), q.base, int(q.seen), int(q.pops), q.popsMost, q.offMost, int(q.consumed),
		int(q.consumedBytes), q.unreturned, len(s.sent), len(s.delivered), s.lost, len(s.gathered), len(s.stream), s.breaks,
		s.discards, s.empty,
	} {
		b = append(b, byte(n), byte(n>>8))
	}
	for _, flag := range []bool{
		q.starved.Load(), s.posted, s.revived, s.sleeping, s.claiming, s.draining, s.gathered != nil, q.head.chunk != nil,
	} {
		if flag {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	for _, m := range s.delivered {
		b = append(b, m[1])
	}
	for segment := q.head; segment != nil; segment = segment.next.Load() {
		mark := segment.mark.Load()
		b = append(b, byte(segment.from), byte(markEnd(mark)), byte(markMessages(mark)), byte(mark>>63))
	}
	s.state = b
	return b
}

func (s *scene) writerMove() func() {
	i := len(s.sent)
	switch {
	case s.claiming:
		return func() {
			s.claiming = false
			if s.q.Claim() {
				s.q.Consumer.Ready(s.q, false)
			}
		}
	case i == len(s.sizes) || s.sleeping && !s.revived:
		return nil
	}
	return func() {
		s.sleeping, s.revived = false, false
		m := onWire(body(i, s.sizes[i]))
		if !s.q.Fits(len(m), 0) {
			s.sleeping = true
			return
		}
		s.q.AppendWire(m)
		s.sent = append(s.sent, m)
		s.claiming = true
	}
}

func (s *scene) drainerMoves() []func() {
	if !s.draining {
		if !s.posted {
			return nil
		}
		return []func(){func() {
			s.posted = false
			s.draining = s.q.Turn(Posted, Draining)
			if !s.draining {
				s.fault = "a hint without work"
			}
		}}
	}
	moves := []func(){s.drain}
	if s.breaks > 0 && !s.receiver {
		moves = append(moves, s.breakStream)
	}
	if s.discards > 0 {
		moves = append(moves, s.discard)
	}
	return moves
}

// drain is the drainer's next call.
func (s *scene) drain() {
	q := s.q
	switch {
	case s.empty == 1:
		s.empty = 2
		if s.receiver {
			q.Settle()
		} else {
			q.Rest()
		}
	case s.empty == 2:
		s.empty = 0
		s.draining = !q.Yield()
	case s.receiver:
		memory := make([]byte, 10)
		if s.choose(2) == 1 {
			if n, ok := q.TakeSmall(memory); ok {
				s.delivered = append(s.delivered, onWire(memory[:n]))
				return
			}
		}
		b := q.Front()
		if b == nil {
			s.empty = 1
			return
		}
		s.delivered = append(s.delivered, bytes.Clone(b))
		q.Pop(len(b))
	case s.gathered != nil: // the write is done: of all, or of a part
		n := len(s.gathered)
		if n > 1 && s.choose(2) == 1 {
			n /= 2
		}
		s.write(s.gathered[:n])
		q.Advance(n)
		s.gathered = nil
	default:
		b := bytes.Join(q.Gather(nil), nil)
		if len(b) == 0 {
			s.empty = 1
			return
		}
		s.gathered = b
	}
}

// write is a stream that takes bytes: whole messages are delivered.
func (s *scene) write(b []byte) {
	s.stream = append(s.stream, b...)
	for len(s.stream) >= 2 && len(s.stream) >= 2+int(s.stream[1]) {
		n := 2 + int(s.stream[1])
		s.delivered = append(s.delivered, bytes.Clone(s.stream[:n]))
		s.stream = s.stream[n:]
	}
}

// breakStream is what a session does when its stream has gone: the peer forgets the message it has in part.
func (s *scene) breakStream() {
	s.breaks--
	s.gathered, s.stream, s.empty = nil, nil, 0
	s.q.Rewind()
}

func (s *scene) discard() {
	s.discards--
	if !s.receiver {
		s.breakStream() // the pipe of a stream is dropped only after that
		s.breaks++
	}
	s.empty = 0
	s.lost += s.q.Discard()
}

// check holds after every step.
func (s *scene) check() {
	queued, bytes := s.q.Queued()
	have := len(s.sent) - len(s.delivered) - s.lost
	switch {
	case queued > s.limit:
		s.fault = fmt.Sprintf("%d messages are queued, the limit is %d", queued, s.limit)
	case queued < have:
		s.fault = fmt.Sprintf("credit for %d messages came back too early", have-queued)
	case bytes < 0:
		s.fault = "more credit than was taken"
	}
}

// checkEnd holds when nobody has anything to do.
func (s *scene) checkEnd() {
	switch {
	case s.q.Pending():
		s.fault = "everybody sleeps and something is queued"
	case s.sleeping:
		s.fault = "everybody sleeps and the queue has room"
	case len(s.sent) != len(s.sizes):
		s.fault = "not everything was sent"
	case len(s.sent) != len(s.delivered)+s.lost:
		s.fault = fmt.Sprintf("%d sent, %d delivered, %d dropped", len(s.sent), len(s.delivered), s.lost)
	}
	if queued, bytes := s.q.Queued(); queued != 0 || bytes != 0 {
		s.fault = fmt.Sprintf("%d messages, %d bytes without credit", queued, bytes)
	}
	next := 0
	for _, m := range s.delivered {
		at := slices.IndexFunc(s.sent[next:], func(x []byte) bool { return bytes.Equal(x, m) })
		if at < 0 || at > s.lost {
			s.fault = "messages out of order, doubled or damaged"
			return
		}
		next += at + 1
	}
}

func TestEveryInterleavingOfCalls(t *testing.T) {
	for _, scenario := range []scene{
		{limit: 1, sizes: []int{1, 2, 3}},
		{limit: 2, sizes: []int{1, 2, 3, 4, 5}},
		{limit: 10, sizes: []int{1, 2, 3, 4, 5, 6}},
		{limit: 2, sizes: []int{1, 2, 3, 4, 5}, breaks: 2},
		{limit: 3, sizes: []int{1, 2, 3, 4, 5}, discards: 2},
		{limit: 2, sizes: []int{3, 2, 1, 4}, breaks: 1, discards: 1},
		{limit: 1, sizes: []int{1, 2, 3, 4, 5}, receiver: true},
		{limit: 2, sizes: []int{1, 2, 3, 4, 5, 6}, receiver: true},
		{limit: 3, sizes: []int{1, 2, 3, 4, 5, 6}, receiver: true, discards: 2},
	} {
		t.Run(fmt.Sprintf("limit=%d/messages=%d/breaks=%d/discards=%d/receiver=%v",
			scenario.limit, len(scenario.sizes), scenario.breaks, scenario.discards, scenario.receiver), func(t *testing.T) {
			c := choices{seen: make(map[string]bool)}
			runs := 0
			for more := true; more; more = c.next() {
				s := scenario
				s.choices = &c
				runs++
				if fault := s.run(); fault != "" {
					t.Fatalf("run %d, choices %v: %s", runs, c.path, fault)
				}
			}
			t.Log(runs, "runs,", len(c.seen), "states")
		})
	}
}
