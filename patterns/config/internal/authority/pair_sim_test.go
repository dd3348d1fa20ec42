// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// world is two authorities, a network between them that loses, delays and parts, disks that fail and processes that end at any
// moment, and clients that propose to whoever is there. Nobody promotes: what is acknowledged then is never lost.
type world struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	sites  [2]*site
	parted bool
	loss   float64

	asked      uint64
	acked      map[uint64]uint64 // request → revision
	ackedEpoch model.Epoch       // the latest that anything was acknowledged under
	history    []string
	results    []*wire.Result
}

type site struct {
	number  int
	disk    *store.Memory
	machine *Machine // nil: not running
	lives   uint64
	due     []delivery // to it, from the other
	write   *Write
	ready   time.Time // when the write ends
	frozen  bool
}

type delivery struct {
	at    time.Time
	frame []byte
}

const (
	simStep     = 10 * time.Millisecond
	simInterval = 100 * time.Millisecond
)

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(0, 0), acked: map[uint64]uint64{}}
	for i := range w.sites {
		w.sites[i] = &site{number: i, disk: store.NewMemory(model.AuthorityID{byte(i + 1)})}
		w.start(w.sites[i])
	}
	return w
}

func (w *world) note(format string, values ...any) {
	w.history = append(w.history, fmt.Sprintf("%v ", w.now.Sub(time.Unix(0, 0)))+fmt.Sprintf(format, values...))
}

func (w *world) start(s *site) {
	s.disk = s.disk.Reopen()
	contents, err := s.disk.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	s.lives++
	s.machine = New(Config{
		Interval: simInterval, GatherEach: []time.Duration{0, 2 * gatherMin, simInterval / 3}[s.lives%3], ValueBytesMax: 100, HistoryRecords: 64, HistoryBytes: 1 << 20, Paired: true, Preferred: s.number == 0,
		TakeoverAfter: 10 * simInterval, Life: uint64(s.number)<<40 + s.lives<<20, WallClock: func() time.Time { return time.Unix(0, 0) },
		Log: func(event string, details ...any) { w.note("%d %s %v", s.number, event, details) },
	}, contents, w.now)
	s.machine.Received("client", &wire.Hello{Version: wire.Version, Session: "client", Observer: true}, w.now)
	w.note("start %d", s.number)
}

func (w *world) crash(s *site) {
	if s.write != nil && w.random.IntN(2) == 0 {
		s.carryOut() // it reached the disk, and nobody was told
	}
	s.disk.Crash()
	s.machine, s.write, s.due, s.frozen = nil, nil, nil, false
	w.note("crash %d", s.number)
}

func (s *site) carryOut() error {
	switch s.write.Kind {
	case Append:
		return s.disk.Append(s.write.After, s.write.Records, s.write.Meta)
	case Install:
		return s.disk.Install(s.write.State, s.write.Meta)
	}
	return s.disk.Trim(s.write.State, s.write.Last)
}

// step lets a little time pass.
func (w *world) step() {
	w.now = w.now.Add(simStep)
	for _, s := range w.sites {
		if s.machine == nil || s.frozen {
			continue
		}
		for len(s.due) > 0 && !s.due[0].at.After(w.now) {
			message, err := wire.Decode(s.due[0].frame)
			if err != nil {
				w.t.Fatal(err)
			}
			s.due = s.due[1:]
			s.machine.Received("authority", message, w.now)
		}
		if s.write != nil && !s.ready.After(w.now) {
			err := s.carryOut()
			s.write = nil
			s.machine.Written(err, w.now)
		}
		s.machine.Tick(w.now)
		w.take(s)
	}
}

func (w *world) take(s *site) {
	out := s.machine.Take(w.now)
	if out.Write != nil {
		if s.write != nil {
			w.fail("two writes at a time")
		}
		s.write, s.ready = out.Write, w.now.Add(time.Duration(w.random.IntN(30))*time.Millisecond)
	}
	other := w.sites[1-s.number]
	for _, message := range out.Peer {
		if w.parted || other.machine == nil || w.random.Float64() < w.loss {
			continue
		}
		at := w.now.Add(time.Duration(w.random.IntN(20)) * time.Millisecond)
		if n := len(other.due); n > 0 && other.due[n-1].at.After(at) {
			at = other.due[n-1].at // a stream keeps the order
		}
		other.due = append(other.due, delivery{at, wire.Encode(message)})
	}
	for _, sent := range out.Send {
		result, ok := sent.Message.(*wire.Result)
		if !ok || sent.Session != "client" {
			continue
		}
		w.results = append(w.results, result)
		if result.Code == wire.CodeDone && result.Request <= w.asked {
			w.acknowledged(s, result)
		}
	}
}

// acknowledged checks that nobody acknowledges after another has taken over, but for what that one has too: word of its being on
// both disks may have been on the way.
func (w *world) acknowledged(s *site, result *wire.Result) {
	before, again := w.acked[result.Request]
	if again && before != result.Revision {
		w.fail("request %d is at revision %d and %d", result.Request, before, result.Revision)
	}
	w.acked[result.Request] = result.Revision
	if s.machine.epoch.Compare(w.ackedEpoch) >= 0 {
		w.ackedEpoch = s.machine.epoch
		return
	}
	contents := w.sites[1-s.number].disk.Contents()
	if base := contents.Base.Revision(); result.Revision > base &&
		(result.Revision > contents.Last() || contents.Records[result.Revision-base-1].Request != result.Request) {
		w.fail("authority %d acknowledges %d under %v after %v", s.number, result.Revision, s.machine.epoch, w.ackedEpoch)
	}
}

func (w *world) propose(s *site) {
	request := w.asked + 1
	if w.asked > 0 && w.random.IntN(4) == 0 {
		request = w.asked - w.random.Uint64N(min(w.asked, 20)) // again
	}
	w.asked = max(w.asked, request)
	s.machine.Received("client", &wire.Propose{Request: request, Transaction: model.Transaction{Ops: []model.Op{{
		Key: fmt.Sprintf("t%d/k%d", request%3, request%50), Value: strconv.AppendUint(nil, request, 10),
	}}}}, w.now)
	w.take(s)
}

func (w *world) fail(format string, values ...any) {
	w.t.Helper()
	for _, line := range w.history {
		w.t.Log(line)
	}
	w.t.Fatalf(format, values...)
}

// disturb does something that happens in production.
func (w *world) disturb() {
	s := w.sites[w.random.IntN(2)]
	switch kind := w.random.IntN(400); {
	case kind < 2 && s.machine != nil:
		w.crash(s)
	case kind < 12 && s.machine == nil:
		w.start(s)
	case kind == 12:
		w.parted = !w.parted
		w.note("parted %v", w.parted)
	case kind == 13:
		w.loss = float64(w.random.IntN(3)) / 20
	case kind == 14 && s.machine != nil:
		s.frozen = !s.frozen
		w.note("frozen %d %v", s.number, s.frozen)
	case kind == 15 && s.machine != nil:
		s.disk.Fail(fmt.Errorf("disk full"))
	case kind < 19 && s.machine != nil:
		s.disk.Fail(nil)
	case kind < 200 && s.machine != nil && !s.frozen:
		w.propose(s)
	}
}

// settle ends all trouble, and waits until the two are in step.
func (w *world) settle() *Machine {
	w.parted, w.loss = false, 0
	for _, s := range w.sites {
		if s.frozen = false; s.machine == nil {
			w.start(s)
		}
		s.disk.Fail(nil)
	}
	for range 2000 {
		w.step()
		a, b := w.sites[0].machine, w.sites[1].machine
		if b.role == wire.RolePrimary {
			a, b = b, a
		}
		if a.role == wire.RolePrimary && b.ready() && !a.solo && a.ledger.committed == a.ledger.tip().Revision() &&
			b.ledger.disk == a.ledger.disk && b.epoch == a.epoch && a.reason() == "" {
			return a
		}
	}
	for _, s := range w.sites {
		m := s.machine
		w.note("%d: role %v, epoch %v, solo %v, %q, %q, disk %d, committed %d, tip %d, %+v", s.number, m.role, m.epoch, m.solo, m.reason(),
			m.other(w.now), m.ledger.disk, m.ledger.committed, m.ledger.tip().Revision(), m.pair)
	}
	w.fail("the two do not come together")
	return nil
}

// check looks for everything that was acknowledged, as far as histories reach back, and compares the two.
func (w *world) check(primary *Machine) {
	for request, revision := range w.acked {
		if revision <= primary.ledger.oldest() {
			continue
		}
		if revision > primary.ledger.committed {
			w.fail("request %d was acknowledged at revision %d, the last is %d", request, revision, primary.ledger.committed)
		}
		if record := primary.ledger.after(revision-1, revision)[0].record; record.Request != request {
			w.fail("request %d was acknowledged at revision %d, where %d is now", request, revision, record.Request)
		}
	}
	a, b := w.sites[0].machine.ledger, w.sites[1].machine.ledger
	if a.tip().Digest() != b.tip().Digest() || a.last() != b.last() {
		w.fail("the two differ")
	}
	for _, s := range w.sites {
		again := s.disk.Reopen()
		contents, err := again.Load()
		if err != nil || contents.Last() != s.machine.ledger.disk {
			w.fail("disk %d has revision %d, want %d, %v", s.number, contents.Last(), s.machine.ledger.disk, err)
		}
		s.disk = again
	}
}

// TestPairSimulation: at most one authority acknowledges, and nothing that was acknowledged is ever lost.
func TestPairSimulation(t *testing.T) {
	seeds := sockettest.Soaked(t, 300, 10_000)
	var acked, epochs atomic.Uint64
	sockettest.Seeds(t, seeds, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed)
		for range 3 {
			for range 1500 {
				w.disturb()
				w.step()
			}
			primary := w.settle()
			w.check(primary)
			epochs.Add(primary.epoch.Number)
		}
		acked.Add(uint64(len(w.acked)))
	})
	t.Logf("%d runs, %d acknowledged changes, %d epochs", seeds, acked.Load(), epochs.Load())
	if acked.Load() < 100*uint64(seeds) || epochs.Load() < 5*uint64(seeds) {
		t.Error("too quiet to show anything")
	}
}
