// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// TestRandomSimulation drives a node through losses, cuts, damage, takeovers and forks of the history. What is visible always is what an authority
// had acknowledged at that revision in that epoch; revisions rise within an epoch, and epochs rise; when the world is quiet, the
// node has the last revision, and each request has been carried out once and answered.
func TestRandomSimulation(t *testing.T) {
	seeds := sockettest.Soaked(t, 1000, 100_000)
	var moved, synced atomic.Int64
	sockettest.Seeds(t, seeds, func(t *testing.T, seed uint64) {
		var trees []string
		if seed%2 == 1 {
			trees = []string{"a", "c"}
		}
		w := newWorld(seed, trees)
		check := &checker{t: t, w: w, seed: seed}
		for range 150 {
			w.step(check)
		}
		w.settle(check)
		moved.Add(int64(check.moved))
		synced.Add(int64(check.synced))
	})
	t.Logf("%d runs, %d copies shown, %d syncs", seeds, moved.Load(), synced.Load())
	if moved.Load() < int64(seeds)*5 || synced.Load() < int64(seeds)*3 {
		t.Error("too quiet to show anything")
	}
}

// checker looks at what comes out of the node.
type checker struct {
	t        *testing.T
	w        *world
	seed     uint64
	epoch    model.Epoch
	revision uint64
	moved    int
	synced   int
}

func (c *checker) visible() {
	state, epoch, have := c.w.node.Copy()
	if !have {
		return
	}
	states := c.w.truth[epoch]
	if state.Revision() >= uint64(len(states)) {
		c.t.Fatalf("seed %d: revision %d of epoch %v, which has %d", c.seed, state.Revision(), epoch, len(states)-1)
	}
	want := states[state.Revision()].Only(c.w.holds)
	if !slices.Equal(slices.Collect(want.Heads("")), slices.Collect(state.Heads(""))) || model.Changed(want, state, "") {
		c.t.Fatalf("seed %d: revision %d of epoch %v is not what the authority had", c.seed, state.Revision(), epoch)
	}
	if epoch.Compare(c.epoch) < 0 || epoch == c.epoch && state.Revision() < c.revision {
		c.t.Fatalf("seed %d: from revision %d of %v back to %d of %v", c.seed, c.revision, c.epoch, state.Revision(), epoch)
	}
	c.epoch, c.revision = epoch, state.Revision()
	c.moved++
}

// take carries out what the node wants.
func (w *world) take(check *checker) {
	out := w.node.Take()
	if out.Visible {
		check.visible()
	}
	if out.Follow != nil {
		w.subscribed, w.published = out.Follow.Link, nil
	}
	for _, send := range out.Sends {
		c := w.centres[send.Link]
		if !c.up {
			continue
		}
		if _, is := send.Message.(*wire.Sync); is {
			check.synced++
		}
		if len(c.toCentre) < 100 {
			c.toCentre = append(c.toCentre, send.Message)
		}
	}
	for _, answer := range out.Answers {
		if _, twice := w.answers[answer.Handle]; twice || !w.asked[answer.Handle] {
			check.t.Fatalf("seed %d: request %d answered twice, or not asked", check.seed, answer.Handle)
		}
		w.answers[answer.Handle] = answer
	}
}

func (w *world) cut(at int) {
	c := w.centres[at]
	c.greeted, c.toNode, c.toCentre, c.chunks = false, nil, nil, nil
	if c.up {
		c.up = false
		w.node.Lost(at, w.now)
		return
	}
	c.up = true
	w.node.Connected(at, w.now)
}

// deliver moves one message, if there is any.
func (w *world) deliver() {
	way := w.random.IntN(5)
	c := w.centres[way%2]
	switch {
	case way < 2 && c.up && len(c.toCentre) > 0:
		w.serve(c)
	case way < 4 && c.up && len(c.toNode) > 0:
		message := c.toNode[0]
		c.toNode = c.toNode[1:]
		w.node.Received(way%2, message, 100, w.now)
	case len(w.published) > 0:
		count := min(1+w.random.IntN(1+w.random.IntN(12)), len(w.published))
		batch := w.published[:count]
		w.published = w.published[count:]
		w.node.Published(batch, w.now)
	}
}

func (w *world) step(check *checker) {
	w.now = w.now.Add(time.Duration(w.random.IntN(30)) * time.Millisecond)
	switch w.random.IntN(12) {
	case 0:
		w.cut(w.random.IntN(2))
	case 1, 2:
		for range 1 + w.random.IntN(3) {
			w.commit(0)
		}
	case 3:
		w.rest(w.centres[w.random.IntN(2)])
	case 4:
		if w.random.IntN(4) == 0 {
			w.takeOver(w.random.IntN(2), w.random.IntN(3)*w.random.IntN(3))
		}
	case 5:
		handle := w.node.Ask(&wire.Propose{Transaction: model.Transaction{}}, Anywhere, w.now)
		w.asked[handle] = true
	case 6:
		w.now = w.now.Add(time.Duration(w.random.IntN(2000)) * time.Millisecond)
	}
	w.turn(check)
}

// turn publishes what is new, delivers some messages and lets the node do what is due.
func (w *world) turn(check *checker) {
	if w.lastMark < uint64(len(w.records)) && w.random.IntN(3) > 0 {
		w.publish(w.primary())
	}
	for range w.random.IntN(8) {
		w.deliver()
		w.take(check)
	}
	if deadline := w.node.Deadline(); !deadline.IsZero() && !w.now.Before(deadline) {
		w.node.Tick(w.now)
		w.take(check)
		if after := w.node.Deadline(); !after.IsZero() && !w.now.Before(after) {
			check.t.Fatalf("seed %d: after Tick there is still something due at once", check.seed)
		}
	}
	w.take(check)
}

// settle lets the world be quiet, and looks whether the node comes to what the authority has.
func (w *world) settle(check *checker) {
	w.calm = true
	for at, c := range w.centres {
		if !c.up {
			w.cut(at)
		}
		if c.epoch != w.epoch {
			w.stepDown(c)
		}
	}
	for turn := range 2000 {
		w.now = w.now.Add(20 * time.Millisecond)
		if turn%10 == 0 {
			w.rest(w.primary())
		}
		w.turn(check)
	}
	state, epoch, _ := w.node.Copy()
	view := w.node.View()
	if epoch != w.epoch || state.Revision() != uint64(len(w.records)) || !view.Connected || view.Err != nil ||
		w.now.Sub(view.Proved) > time.Second {
		check.t.Fatalf("seed %d: quiet at revision %d of %v (%+v), want %d of %v", check.seed, state.Revision(), epoch, view,
			len(w.records), w.epoch)
	}
	for handle := range w.asked {
		if answer, is := w.answers[handle].Message.(*wire.Result); !is || answer.Code != wire.CodeDone {
			check.t.Fatalf("seed %d: request %d has the answer %v", check.seed, handle, answer)
		}
	}
	count := 0
	for _, record := range w.records {
		if record.Request != 0 {
			count++
		}
	}
	if count != len(w.done) {
		check.t.Fatalf("seed %d: %d records for %d requests", check.seed, count, len(w.done))
	}
}
