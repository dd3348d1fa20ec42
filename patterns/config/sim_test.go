// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/internal/simnet"
	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
	"github.com/zwire-mq/zwire/transport"
)

// town is a centre with two authorities and some nodes, each a host of a network in memory, with real sockets, in virtual time.
// Things go wrong by a seed: streams are cut, hosts stall or are parted from others, queues run over, authorities and nodes end
// and start again, disks fail and wall clocks jump. Nobody promotes, so whatever is acknowledged stays.
type town struct {
	t       *testing.T
	random  *rand.Rand
	network *simnet.Network
	centre  [2]*seat
	nodes   []*resident
	apart   map[string]bool // hosts that nobody reaches
	between bool            // the authorities do not reach each other

	mu      sync.Mutex
	acked   map[uint64]string // revision → the value that was acknowledged under it
	refused map[string]error  // value → why it was surely not written
	written int
	drops   uint64 // changes that were not published to some node, because its queue was full
	notes   []string
}

// seat is where an authority runs, or does not.
type seat struct {
	host      string
	disk      *store.Memory
	context   *socket.Context
	authority *Authority
}

// resident is a node with what it has seen.
type resident struct {
	host    string
	trees   []string
	context *socket.Context
	client  *Client
	stop    context.CancelFunc
	work    sync.WaitGroup
	seen    []sighting // of all its lives
}

// sighting is a copy that a node has shown.
type sighting struct {
	life     int
	epoch    Epoch
	revision uint64
	digest   Digest
}

// simulationsMax runs take minutes.
const simulationsMax = 2000

const townInterval = 100 * time.Millisecond

func newTown(t *testing.T, seed uint64) *town {
	w := &town{
		t: t, random: rand.New(rand.NewPCG(seed, 2)), network: simnet.New(int64(seed), simnet.Config{Latency: time.Millisecond}),
		apart: map[string]bool{}, acked: map[uint64]string{}, refused: map[string]error{},
	}
	for i, host := range []string{"a", "b"} {
		w.centre[i] = &seat{host: host, disk: store.NewMemory(model.AuthorityID{byte(i + 1)})}
		w.serve(w.centre[i])
	}
	for i, trees := range [][]string{nil, {"t0"}, {"t1", "t2"}, nil} {
		n := &resident{host: fmt.Sprint("n", i), trees: trees}
		w.nodes = append(w.nodes, n)
		w.join(n)
	}
	return w
}

func (w *town) note(format string, values ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, time.Now().Format("05.000 ")+fmt.Sprintf(format, values...))
}

func (w *town) fail(format string, values ...any) {
	w.t.Helper()
	w.t.Logf("what happened:\n%s", strings.Join(w.notes, "\n"))
	w.t.Fatalf(format, values...)
}

func (w *town) newContext(host string) *socket.Context {
	c, err := socket.NewContext(&socket.ContextOptions{Transports: []transport.Transport{w.network.From(host)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *town) serve(s *seat) {
	s.disk = s.disk.Reopen()
	s.context = w.newContext(s.host)
	other := "sim://b"
	if s.host == "b" {
		other = "sim://a"
	}
	jump := time.Duration(w.random.IntN(1e6)) * time.Hour
	a, err := NewAuthority(&AuthorityOptions{
		Endpoint: "sim://" + s.host, Store: s.disk, Other: other, Preferred: s.host == "a", TakeoverAfter: 10 * townInterval,
		Interval: townInterval, Context: s.context, wallClock: func() time.Time { return time.Now().Add(-jump) }, sendHWM: 20,
		gatherEach: []time.Duration{0, townInterval / 20}[w.random.IntN(2)],
	})
	if err != nil {
		w.t.Fatal(err)
	}
	s.authority = a
	w.note("serve %s", s.host)
}

// kill ends an authority's process: nothing reaches its disk any more.
func (w *town) kill(s *seat) {
	s.disk.Crash()
	w.drops += s.authority.pub.Stats().Dropped[socket.DropFull]
	s.authority.Close()
	s.context.Close()
	s.authority = nil
	w.note("kill %s", s.host)
}

// join starts a node, which notes every copy that it shows.
func (w *town) join(n *resident) {
	n.context = w.newContext(n.host)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	life := 1
	if len(n.seen) > 0 {
		life = n.seen[len(n.seen)-1].life + 1
	}
	n.work.Go(func() {
		client, err := Dial(ctx, &Options{Authorities: []string{"sim://a", "sim://b"}, Name: n.host, Trees: n.trees, Context: n.context})
		if err != nil {
			return // stopped before it found anybody
		}
		w.mu.Lock()
		n.client = client
		w.mu.Unlock()
		for ctx.Err() == nil {
			view := client.view.Load()
			s := sighting{life, view.epoch, view.state.Revision(), view.state.Digest()}
			w.mu.Lock()
			n.seen = append(n.seen, s)
			w.mu.Unlock()
			select {
			case <-view.next:
			case <-ctx.Done():
			}
		}
	})
	w.note("join %s", n.host)
}

func (w *town) leave(n *resident) {
	n.stop()
	n.work.Wait()
	if n.client != nil {
		n.client.Close()
	}
	n.client = nil
	n.context.Close()
	w.note("leave %s", n.host)
}

// write makes a change through a node, in the background, and notes how it ended.
func (w *town) write(n *resident, done *sync.WaitGroup) {
	w.mu.Lock()
	client := n.client
	w.mu.Unlock()
	if client == nil {
		return
	}
	w.written++
	value := fmt.Sprint("v", w.written)
	t := &Transaction{Ops: []Op{{Key: fmt.Sprintf("t%d/k%d", w.random.IntN(3), w.random.IntN(20)), Value: []byte(value)}}}
	if w.random.IntN(3) == 0 {
		t.Ops = append(t.Ops, Op{Key: fmt.Sprintf("t%d/m%d", w.random.IntN(3), w.random.IntN(5)), Value: []byte(value)})
	}
	patience := time.Duration(1+w.random.IntN(4000)) * time.Millisecond
	done.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		revision, err := client.Commit(ctx, t)
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case err == nil:
			if before, again := w.acked[revision]; again {
				w.t.Errorf("%s and %s were both acknowledged as revision %d", before, value, revision)
			}
			w.acked[revision] = value
		case errors.Is(err, ErrStore) || errors.Is(err, ErrReadOnly) && !errors.Is(err, ErrUncertain):
			w.refused[value] = err
		}
	})
	if w.random.IntN(4) == 0 {
		done.Wait()
		snapshot := client.Snapshot()
		for revision := range w.acked { // what it wrote itself it reads, if it holds the tree
			if w.acked[revision] == value && n.trees == nil && snapshot.Revision() < revision {
				w.fail("%s wrote revision %d and reads %d", n.host, revision, snapshot.Revision())
			}
		}
	}
}

// disturb does something that happens in production.
func (w *town) disturb(done *sync.WaitGroup) {
	n, s := w.nodes[w.random.IntN(len(w.nodes))], w.centre[w.random.IntN(2)]
	switch kind := w.random.IntN(200); {
	case kind < 120:
		w.write(n, done)
	case kind < 126:
		if links := w.network.Links(); len(links) > 0 {
			links[w.random.IntN(len(links))].Cut()
		}
	case kind < 128:
		w.apart[n.host] = !w.apart[n.host]
		w.separate()
	case kind == 129:
		w.apart[s.host] = !w.apart[s.host]
		w.separate()
	case kind == 130:
		w.between = !w.between
		w.separate()
	case kind < 134 && s.authority != nil && w.random.IntN(3) == 0:
		w.kill(s)
	case kind < 145 && s.authority == nil:
		w.serve(s)
	case kind == 146:
		w.leave(n)
		w.join(n)
	case kind == 147:
		s.disk.Fail(errors.New("no space left on device"))
	case kind < 155:
		s.disk.Fail(nil)
	case kind == 156: // a stall of a single stream lets queues run over
		if links := w.network.Links(); len(links) > 0 {
			link := links[w.random.IntN(len(links))]
			link.Stall(true)
			time.AfterFunc(time.Duration(w.random.IntN(2000))*time.Millisecond, func() { link.Stall(false) })
		}
	}
}

func (w *town) separate() {
	apart := map[string]bool{}
	for host := range w.apart {
		apart[host] = w.apart[host]
	}
	between := w.between
	w.note("apart %v, between %v", apart, between)
	w.network.Separate(func(from, to string) bool {
		to = strings.TrimSuffix(to, "-changes")
		return apart[from] || apart[to] || between && len(from) == 1 && len(to) == 1
	})
}

// settle ends all trouble and waits until all hosts have the same.
func (w *town) settle() *seat {
	clear(w.apart)
	w.between = false
	w.separate()
	for _, s := range w.centre {
		if s.disk.Fail(nil); s.authority == nil {
			w.serve(s)
		}
	}
	var why string
	for range 600 {
		time.Sleep(townInterval)
		var primary *seat
		if primary, why = w.agreed(); primary != nil {
			return primary
		}
	}
	w.fail("no agreement: %s", why)
	return nil
}

// agreed returns the seat of the primary once both disks and all nodes have the same, and it acknowledges again.
func (w *town) agreed() (primary *seat, why string) {
	a, b := w.centre[0].disk.Contents(), w.centre[1].disk.Contents()
	if a.Last() != b.Last() {
		return nil, fmt.Sprintf("disks at %d and %d", a.Last(), b.Last())
	}
	state := replay(&a)
	if state.Digest() != replay(&b).Digest() {
		return nil, "disks differ"
	}
	for _, n := range w.nodes {
		w.mu.Lock()
		client := n.client
		w.mu.Unlock()
		if client == nil {
			return nil, n.host + " has found nobody"
		}
		if got := client.Snapshot(); got.Revision() != state.Revision() || got.Digest() != state.Digest(n.trees...) {
			return nil, fmt.Sprintf("%s at %d, want %d, %+v", n.host, got.Revision(), state.Revision(), client.Freshness())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), townInterval)
	defer cancel()
	status, err := w.nodes[0].client.Status(ctx)
	if err != nil || status.ReadOnly != "" {
		return nil, fmt.Sprintf("status %+v, %v", status, err)
	}
	for _, s := range w.centre {
		if s.disk.Contents().Meta.Authority.String() == status.Authority {
			primary = s
		}
	}
	return primary, ""
}

func replay(contents *store.Contents) *model.State {
	state := contents.Base
	for i := range contents.Records {
		state = state.Apply(&contents.Records[i], nil)
	}
	return state
}

// check holds what was acknowledged, refused and shown against the history.
func (w *town) check(primary *seat) {
	contents := primary.disk.Contents()
	if contents.Base.Revision() != 0 {
		w.fail("the history was trimmed: a shorter run, please")
	}
	states := []*model.State{contents.Base}
	for i := range contents.Records {
		record := &contents.Records[i]
		states = append(states, states[i].Apply(record, nil))
		value := string(record.Ops[0].Value)
		if err := w.refused[value]; err != nil {
			w.fail("%s was refused (%v) and is revision %d", value, err, record.Revision)
		}
	}
	for revision, value := range w.acked {
		if revision > contents.Last() || string(contents.Records[revision-1].Ops[0].Value) != value {
			w.fail("%s was acknowledged as revision %d and is not there", value, revision)
		}
	}
	for _, n := range w.nodes {
		var last sighting
		for _, s := range n.seen {
			switch {
			case s.revision >= uint64(len(states)):
				w.fail("%s showed revision %d, there are %d", n.host, s.revision, len(states)-1)
			case s.digest != states[s.revision].Digest(n.trees...):
				w.fail("%s showed something else at revision %d", n.host, s.revision)
			case s.life == last.life && (s.revision < last.revision || s.epoch.Compare(last.epoch) < 0):
				w.fail("%s went back from %v %d to %v %d", n.host, last.epoch, last.revision, s.epoch, s.revision)
			}
			last = s
		}
	}
}

func (w *town) end() {
	for _, n := range w.nodes {
		w.leave(n)
	}
	for _, s := range w.centre {
		if s.authority != nil {
			w.kill(s)
		}
	}
}

// TestSimulation: whatever goes wrong, nothing that was acknowledged is lost, nothing that was refused is written, every copy that
// a node shows is the content at its revision, revisions do not go back, and when it is quiet all have the same.
func TestSimulation(t *testing.T) {
	t.Parallel()
	seeds := sockettest.Soaked(t, 20, simulationsMax)
	var acked, seen, drops atomic.Uint64
	sockettest.Seeds(t, seeds, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t, seed)
				defer func() {
					w.end()
					drops.Add(w.drops)
				}()
				var writes sync.WaitGroup
				for range 2 {
					w.settle()
					for range 400 {
						time.Sleep(time.Duration(w.random.IntN(60)) * time.Millisecond)
						w.disturb(&writes)
					}
					writes.Wait()
				}
				w.check(w.settle())
				acked.Add(uint64(len(w.acked)))
				for _, n := range w.nodes {
					seen.Add(uint64(len(n.seen)))
				}
			})
		})
	})
	t.Logf("%d runs, %d acknowledged changes, %d copies shown, %d dropped by full queues", seeds, acked.Load(), seen.Load(), drops.Load())
	if acked.Load() < 50*uint64(seeds) || seen.Load() < 200*uint64(seeds) || drops.Load() == 0 {
		t.Error("too quiet to show anything")
	}
}
