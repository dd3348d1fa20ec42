// SPDX-License-Identifier: Apache-2.0

package route

import (
	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/subtrie"
)

// Fanout finds the pipes whose peers have subscribed to a prefix of a message's first frame (RFC 29). The zero value is
// ready. It uses Mark of the ends.
type Fanout struct {
	Topics subtrie.Trie[*pipe.End]

	matches []*pipe.End
	mark    uint64
}

// Match returns the ends that want a message that begins with frame, each once. The slice is valid until the next Match.
func (f *Fanout) Match(frame []byte) []*pipe.End {
	f.mark++
	last := len(f.matches)
	f.matches = f.Topics.AppendMatches(frame, f.matches[:0])
	once := f.matches[:0]
	for _, e := range f.matches {
		if e.Mark != f.mark {
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
