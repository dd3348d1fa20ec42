// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"math"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// broadcast is where messages go that go to several pipes: into one chunk, of which each pipe gets a range. While each message
// goes where the last one went, and the drainers of all these pipes are at work, several messages are published at a
// time: that costs hardly more than one, for each pipe. A drainer that has nothing left asks for them; see pipe.Holder.
type broadcast struct {
	ends   []*pipe.End // of the last message
	whole  bool        // none that wants it was left out
	marked int         // lower bound on bytes that the pipes were asked with

	chunk     *pipe.Chunk // the shared encoder holds it
	from, to  int
	messages  int // held back
	room      int // messages and bytes that fit into every pipe
	roomBytes int
	engaged   bool // all drainers ask
	burst     int  // messages in a row that found no drainer asleep, or since they ask
}

const (
	// broadcastMessages and broadcastBytes bound what is held back, burstMessages is how many messages in a row must have
	// found all drainers at work before; calmMessages more, when a drainer has asked for fewer than fewMessages before as many
	// had come.
	broadcastMessages = 64
	broadcastBytes    = 16 << 10
	burstMessages     = 16
	fewMessages       = 4
	calmMessages      = 1000
)

// takes reports whether another message of n bytes may go to the same pipes without asking them.
func (w *broadcast) takes(n int) bool { return w.whole && w.room > 0 && w.roomBytes >= n }

// add encodes a message and publishes it, now or later.
func (w *broadcast) add(shared *pipe.Encoder, p *plan, frames [][]byte) {
	if !p.again {
		w.ends, w.whole, w.marked = append(w.ends[:0], p.targets...), p.whole, p.marked
	}
	c, from, to := shared.Encode(p.head, frames, w.renew)
	if w.messages == 0 {
		w.chunk, w.from = c, from
	}
	w.to = to
	w.messages++
	w.room--
	w.roomBytes -= to - from
	if !w.engaged || w.messages >= broadcastMessages || w.to-w.from >= broadcastBytes {
		w.publish()
	}
}

// renew is asked before another chunk is begun: it shall be large.
func (w *broadcast) renew() bool {
	w.publish()
	return true
}

// publish tells the pipes of what is held back.
func (w *broadcast) publish() {
	if w.messages == 0 {
		return
	}
	n := w.messages
	w.messages = 0
	w.room, w.roomBytes = math.MaxInt, math.MaxInt
	asleep := false
	for _, e := range w.ends {
		q := e.Out
		q.Publish(w.chunk, w.from, w.to, n)
		messages, bytes := q.Left(w.marked)
		w.room, w.roomBytes = min(w.room, messages), min(w.roomBytes, bytes)
		if q.Claim() {
			asleep = true
			q.Consumer.Ready(q, true)
		}
	}
	if asleep || !w.whole {
		w.disengage(0)
		return
	}
	if w.burst += n; w.burst >= burstMessages && !w.engaged {
		w.engage()
	}
}

// engage has all drainers ask, unless one is asleep.
func (w *broadcast) engage() {
	w.engaged = true
	for _, e := range w.ends {
		if !e.Out.Engage() {
			w.disengage(0)
			return
		}
	}
}

func (w *broadcast) disengage(burst int) {
	w.burst = burst
	if w.engaged {
		w.engaged = false
		for _, e := range w.ends {
			e.Out.Disengage()
		}
	}
}

// asked is called when a drainer has nothing left. If little is held back there is no burst; and if nothing is, the drainer
// sleeps, so that the next message must not be held back. q may have been published to since it asked.
func (w *broadcast) asked(q *pipe.Queue) {
	if w.messages >= fewMessages {
		w.publish()
	} else if queued, _ := q.Queued(); w.messages > 0 || queued == 0 {
		w.publish()
		if w.burst >= calmMessages {
			w.disengage(0)
		} else {
			w.disengage(-calmMessages)
		}
	}
}

// end is called before anything else is published to the same pipes, or asked of them, and when pipes come or go.
func (w *broadcast) end() {
	if len(w.ends) == 0 {
		return
	}
	w.publish()
	w.disengage(0)
	clear(w.ends)
	w.ends, w.whole, w.chunk = w.ends[:0], false, nil
}
