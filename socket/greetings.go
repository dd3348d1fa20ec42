// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"container/list"
	"sync"
	"time"
)

const (
	// greetingsMax is how many accepted streams may be shaking hands, or wait, at a time. Beyond it those that take longer than
	// crowdGrace make room for others, greetingsEach at a time: thousands of good peers that come at once take their time.
	// When descriptors run out greetingGrace is enough: a handshake takes a few round trips.
	greetingsMax  = 4096
	greetingsEach = 64
	crowdGrace    = 2 * time.Second
	greetingGrace = 100 * time.Millisecond
)

// greetings are the accepted peers that are not listened to yet, the oldest first: their handshake is not over, or leavers keep
// them waiting. Who floods a listener with streams that never get on fills this, and is cut to make room; who shakes hands gets in.
type greetings struct {
	mu   sync.Mutex
	list list.List // of *member
}

// room reports whether one more may begin.
func (g *greetings) room() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.list.Len() < greetingsMax
}

func (g *greetings) begin(m *member) {
	g.mu.Lock()
	m.begun, m.greeting = time.Now(), g.list.PushBack(m)
	g.mu.Unlock()
}

// over is told that a peer is listened to, or has ended; it may have been connected to.
func (g *greetings) over(m *member) {
	g.mu.Lock()
	if m.greeting != nil {
		g.list.Remove(m.greeting)
		m.greeting = nil
	}
	g.mu.Unlock()
}

// late takes out some that have had their time.
func (g *greetings) late(grace time.Duration) (late []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for e := g.list.Front(); e != nil && len(late) < greetingsEach; e = g.list.Front() {
		m := e.Value.(*member)
		if time.Since(m.begun) < grace {
			break
		}
		g.list.Remove(e)
		m.greeting = nil
		late = append(late, m)
	}
	return late
}
