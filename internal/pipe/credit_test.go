// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"fmt"
	"testing"
)

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		limits   Limits
		byteMark int
		size     int // of each message on the wire
		want     int // messages that fit; -1: any number
	}{
		{Limits{Messages: 1}, 0, 2, 1},
		{Limits{Messages: 10}, 0, 2, 10},
		{Limits{Bytes: 100}, 0, 10, 10},
		{Limits{Bytes: 99}, 0, 10, 9},
		{Limits{Bytes: 5}, 0, 10, 1}, // a single message always fits
		{Limits{Messages: 3, Bytes: 100}, 0, 10, 3},
		{Limits{}, 0, 10, -1},
		{Limits{}, 100, 10, 10},
		{Limits{}, 95, 10, 10}, // the mark is where a sender stops, not what it may not pass
		{Limits{Bytes: 50}, 100, 10, 5},
		{Limits{Bytes: 100}, 50, 10, 5},
		{Limits{Messages: -1, Bytes: -1}, 0, 10, -1},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			q, _ := newWatched(c.limits)
			n := 0
			for n < 1000 && q.Fits(c.size, c.byteMark) {
				if c.byteMark == 0 && !q.Room(c.size) {
					t.Fatal("Room and Fits differ")
				}
				q.Append(nil, [][]byte{make([]byte, c.size-2)})
				n++
			}
			if c.want >= 0 && n != c.want || c.want < 0 && n != 1000 {
				t.Errorf("%d messages fit, want %d", n, c.want)
			}
		})
	}
}

func TestRoomDoesNotAskForRevive(t *testing.T) {
	q, w := newWatched(Limits{Messages: 1})
	q.Append(nil, [][]byte{{1}})
	if q.Room(1) {
		t.Error("room in a full queue")
	}
	written(q)
	if w.revived != 0 {
		t.Error("revived without having asked")
	}
	if !q.Room(1) {
		t.Error("no room in an empty queue")
	}
}

// What took the short way counts like the rest, and takes no more than there is room for.
func TestSmallOnesCount(t *testing.T) {
	const limit = 40
	more := 0
	for name, has := range map[string]func(q *Queue) bool{
		"Room": func(q *Queue) bool { return q.Room(3) },
		"Fits": func(q *Queue) bool { return q.Fits(3, 0) },
		"Queued": func(q *Queue) bool {
			messages, bytes := q.Queued()
			return messages != limit || bytes != 3*limit+more
		},
	} {
		q, _ := newWatched(Limits{Messages: limit})
		sent := 0
		more = 0
		for ; q.held == 0; sent++ {
			q.Append(nil, [][]byte{{1}})
		}
		few := [][]byte{{}, {}} // of four bytes, one more than the others
		for q.Quicken(0); sent%2 == 0 && q.AppendSmall([]byte{1}) || sent%2 == 1 && q.AppendFew(few, 4); sent++ {
			more += sent % 2
		}
		if sent != limit || has(q) {
			t.Errorf("%s: %d messages, want %d, and no room behind them", name, sent, limit)
		}
	}
}

func TestNewLimits(t *testing.T) {
	q, _ := newWatched(Limits{Messages: 1})
	q.Append(nil, [][]byte{{1}})
	q.Limit(Limits{Messages: 3})
	if !q.Fits(1, 0) {
		t.Error("no room under a higher limit")
	}
	q.Append(nil, [][]byte{{1}})
	q.Limit(Limits{Messages: 1})
	if q.Fits(1, 0) {
		t.Error("room under a lower limit")
	}
}

// revival fills a queue, drains it message by message, and says how many were left when its writer was revived; -1: it
// never was.
func revival(t *testing.T, limits Limits, byteMark int, receiver bool) (filled, left int) {
	t.Helper()
	q, w := newWatched(limits)
	const size = 10
	for q.Fits(size, byteMark) {
		// Each in a chunk of its own, so that a drainer's write can end behind each.
		c := NewChunk(size)
		copy(c.Buf, onWire(make([]byte, size-2)))
		q.Publish(c, 0, size, 1)
		c.Release()
		filled++
	}
	for left = filled; left >= 0; left-- {
		if w.revived > 0 {
			if w.revived > 1 {
				t.Errorf("revived %d times", w.revived)
			}
			if !q.Fits(size, byteMark) {
				t.Error("revived without room")
			}
			return filled, left
		}
		if left == 0 {
			continue
		}
		if receiver {
			q.Pop(len(q.Front()))
		} else {
			q.Gather(nil)
			q.Advance(size)
		}
	}
	return filled, -1
}

// A starved writer goes on at half, whichever bound stopped it and whoever drains; at the latest when the queue is empty.
func TestRevivalAtHalf(t *testing.T) {
	for _, receiver := range []bool{false, true} {
		for _, c := range []struct {
			limits   Limits
			byteMark int
		}{
			{Limits{Messages: 1}, 0},
			{Limits{Messages: 2}, 0},
			{Limits{Messages: 7}, 0},
			{Limits{Messages: 10, Bytes: 1 << 20}, 0},
			{Limits{Messages: 10, Bytes: 1 << 20}, ByteMark},
			{Limits{Messages: 10}, 0},
			{Limits{Messages: 1000, Bytes: 100}, 0},
			{Limits{Messages: 1000}, 100},
			{Limits{Bytes: 100}, 0},
			{Limits{}, 100},
		} {
			t.Run(fmt.Sprintf("%+v/receiver=%v", c, receiver), func(t *testing.T) {
				filled, left := revival(t, c.limits, c.byteMark, receiver)
				if left < 0 {
					t.Fatal("the queue is empty and its writer still sleeps")
				}
				if left != filled/2 {
					t.Errorf("revived with %d of %d messages left, want half", left, filled)
				}
			})
		}
	}
}

// A receiver that takes what there is and does not look for more has given back all credit that a sleeping writer needs.
func TestCreditWithoutAnotherLook(t *testing.T) {
	q, w := newWatched(Limits{Messages: 1000, Bytes: 100})
	n := 0
	for ; q.Fits(10, 0); n++ {
		q.Append(nil, [][]byte{make([]byte, 8)})
	}
	for range n {
		q.Pop(len(q.Front()))
	}
	if w.revived == 0 {
		t.Errorf("%d messages taken, none left, and the writer sleeps until the receiver looks again", n)
	}
}

// Credit that came back while the writer was about to sleep is found by its second look.
func TestEarlyCredit(t *testing.T) {
	q, w := newWatched(Limits{Messages: 2})
	q.Append(nil, [][]byte{{1}})
	q.Append(nil, [][]byte{{2}})
	if q.Fits(3, 0) {
		t.Fatal("room in a full queue")
	}
	written(q)
	if w.revived != 1 || !q.Fits(3, 0) {
		t.Fatalf("revived %d times", w.revived)
	}
	// starved is set once more, though there is room: the next credit may revive in vain, but none is lost.
	q.Append(nil, [][]byte{{3}})
	q.Append(nil, [][]byte{{4}})
	if q.Fits(3, 0) {
		t.Fatal("room in a full queue")
	}
	written(q)
	if w.revived != 2 {
		t.Errorf("revived %d times, want 2", w.revived)
	}
}
