// SPDX-License-Identifier: Apache-2.0

package route

import (
	"math"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/subtrie"
)

// Fanout finds the pipes whose peers have subscribed to a prefix of a message's first frame (RFC 29). The zero value is
// ready. It uses Mark of the ends.
type Fanout struct {
	Topics subtrie.Trie[*pipe.End]

	matches []*pipe.End
	mark    uint64

	begins  []byte // what a frame must begin with to match the same, as long as Topics do not change
	known   bool   // begins says so
	changes uint64 // of Topics, then
}

// beginsMax bounds begins.
const beginsMax = 64

// Same reports whether Match of frame would find what the last one found, and that is several ends.
func (f *Fanout) Same(frame []byte) bool {
	n := len(f.begins)
	return f.known && len(frame) >= n && string(frame[:n]) == string(f.begins) && f.changes == f.Topics.Changes()
}

// Shun keeps e out of what Match returns from now on, also while some of its topics are still there.
func (f *Fanout) Shun(e *pipe.End) { e.Mark, f.known = math.MaxUint64, false }

// Matches returns what Match returned last.
func (f *Fanout) Matches() []*pipe.End { return f.matches }

// Match returns the ends that want a message that begins with frame, each once. The slice is valid until the next Match.
func (f *Fanout) Match(frame []byte) []*pipe.End {
	f.mark++
	last := len(f.matches)
	var depth int
	f.matches, depth = f.Topics.AppendMatches(frame, f.matches[:0])
	if f.known = len(f.matches) > 1 && depth >= 0 && depth <= beginsMax; f.known {
		f.begins, f.changes = append(f.begins[:0], frame[:depth]...), f.Topics.Changes()
	}
	if last <= 1 && len(f.matches) == 1 && f.matches[0].Mark < math.MaxUint64 {
		return f.matches
	}
	once := f.matches[:0]
	for _, e := range f.matches {
		if e.Mark < f.mark {
			e.Mark = f.mark
			once = append(once, e)
		}
	}
	if last = max(last, len(f.matches)); last > len(once) { // ends that have left must not be kept
		clear(f.matches[len(once):min(last, cap(f.matches))])
	}
	f.matches = once
	return once
}
