// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// calm is a world in which nothing happens by itself, with its primary and its standby.
func calm(t *testing.T) (w *world, primary, standby *site) {
	w = newWorld(t, 1)
	w.settle()
	return w, w.sites[0], w.sites[1]
}

func (w *world) pass(time time.Duration) {
	for range time / simStep {
		w.step()
	}
}

// ask sends a request of the client and returns how it is answered, nil if it is not within the time.
func (w *world) ask(s *site, message wire.Message, within time.Duration) *wire.Result {
	w.t.Helper()
	w.results = nil
	if p, ok := message.(*wire.Propose); ok {
		w.asked = max(w.asked, p.Request)
	}
	s.machine.Received("client", message, w.now)
	w.take(s)
	w.pass(within)
	if len(w.results) == 0 {
		return nil
	}
	return w.results[len(w.results)-1]
}

func change(request uint64) *wire.Propose {
	return &wire.Propose{Request: request, Transaction: model.Transaction{Ops: []model.Op{set("a/b", string(rune('0'+request)))}}}
}

func (w *world) wants(got *wire.Result, code wire.Code) {
	w.t.Helper()
	if got == nil || got.Code != code {
		w.fail("got %+v, want code %d", got, code)
	}
}

// TestLostStandby: a primary that loses its standby refuses changes, until it is back.
func TestLostStandby(t *testing.T) {
	w, primary, standby := calm(t)
	w.wants(w.ask(primary, change(1), time.Second), wire.CodeDone)
	w.crash(standby)
	if got := w.ask(primary, change(2), simInterval); got != nil {
		w.fail("acknowledged by one disk: %+v", got)
	}
	w.pass(silentIntervals * simInterval)
	w.wants(w.ask(primary, change(3), simInterval), wire.CodeReadOnly)
	if !primary.machine.distributes() {
		t.Error("it distributes no more")
	}
	w.start(standby)
	w.settle()
	if revision := w.acked[2]; revision != 2 {
		t.Errorf("what was under way is acknowledged at revision %d, want 2", revision)
	}
	w.wants(w.ask(primary, change(3), time.Second), wire.CodeDone)
}

// TestPromotedPrimary: an operator lets a primary acknowledge alone; the standby that comes back follows.
func TestPromotedPrimary(t *testing.T) {
	w, primary, standby := calm(t)
	epoch := primary.machine.epoch
	w.crash(standby)
	w.pass(time.Second)
	w.wants(w.ask(primary, &wire.Promote{Request: 50}, time.Second), wire.CodeDone)
	w.wants(w.ask(primary, change(1), time.Second), wire.CodeDone)
	if primary.machine.epoch.Compare(epoch) <= 0 {
		t.Error("under the old epoch")
	}
	w.crash(primary)
	w.start(standby)
	w.pass(time.Minute)
	if standby.machine.role != wire.RoleLooking || standby.machine.reason() == "" {
		t.Fatal("a standby that has started takes over by itself")
	}
	w.wants(w.ask(standby, &wire.Promote{Request: 51}, time.Second), wire.CodeReadOnly)
	w.start(primary)
	w.check(w.settle())
}

// TestTakeover: a standby takes over after the time, and the one deposed cannot acknowledge.
func TestTakeover(t *testing.T) {
	w, primary, standby := calm(t)
	w.wants(w.ask(primary, change(1), time.Second), wire.CodeDone)
	w.parted = true
	w.pass(9 * simInterval)
	if standby.machine.role != wire.RoleStandby {
		t.Fatal("too early")
	}
	w.pass(3 * simInterval)
	if standby.machine.role != wire.RolePrimary {
		t.Fatal("it does not take over")
	}
	if got := w.ask(primary, change(2), time.Second); got != nil && got.Code == wire.CodeDone {
		t.Fatal("the deposed one acknowledges")
	}
	w.wants(w.ask(standby, change(3), time.Second), wire.CodeDone)
	w.parted = false
	w.pass(time.Second)
	if primary.machine.role != wire.RoleStandby || !primary.machine.ready() {
		t.Error("the deposed one does not follow")
	}
	w.wants(w.ask(primary, change(4), time.Second), wire.CodeNotPrimary)
	w.check(w.settle())
}

// TestTakeoverNever: without leave to do so a standby takes over only when it is promoted; one that has everything needs no force.
func TestTakeoverNever(t *testing.T) {
	w, primary, standby := calm(t)
	standby.machine.cfg.TakeoverAfter = -1
	w.crash(primary)
	w.pass(time.Minute)
	if standby.machine.role != wire.RoleStandby {
		t.Fatal("it took over")
	}
	w.wants(w.ask(standby, &wire.Promote{Request: 50}, time.Second), wire.CodeDone)
	w.wants(w.ask(standby, change(1), time.Second), wire.CodeDone)
	w.start(primary)
	w.check(w.settle())
}

// TestStandbyDiskFull: nothing is acknowledged that the standby could not store, and the operator is told why.
func TestStandbyDiskFull(t *testing.T) {
	w, primary, standby := calm(t)
	standby.disk.Fail(errFull)
	if got := w.ask(primary, change(1), time.Second); got != nil {
		w.fail("acknowledged: %+v", got)
	}
	if told := primary.machine.other(w.now); !strings.Contains(told, errFull.Error()) {
		t.Errorf("the operator is told %q", told)
	}
	standby.disk.Fail(nil)
	w.check(w.settle())
	if w.acked[1] != 1 {
		t.Error("not acknowledged after all")
	}
}

// TestNewStandby: one with an empty store gets everything, also what the history does not have any more.
func TestNewStandby(t *testing.T) {
	w, primary, standby := calm(t)
	w.fill(primary)
	w.crash(standby)
	standby.disk = newDisk(9, false)
	w.start(standby)
	w.check(w.settle())
}

// TestForeignStandby: one with a configuration that was begun elsewhere is refused, whatever its epochs.
func TestForeignStandby(t *testing.T) {
	w, primary, standby := calm(t)
	w.fill(primary)
	w.crash(standby)
	standby.disk = newDisk(9, true)
	w.start(standby)
	w.pass(5 * time.Second)
	if primary.machine.reason() == "" || standby.machine.role != wire.RoleLooking || primary.machine.ledger.committed != 200 {
		t.Error("they work together")
	}
}

func (w *world) fill(primary *site) {
	w.t.Helper()
	for request := range uint64(200) {
		w.wants(w.ask(primary, change(request+1), 20*simStep), wire.CodeDone)
	}
}

// TestCopiedStore: two authorities that are the same by name do not work together.
func TestCopiedStore(t *testing.T) {
	w, primary, standby := calm(t)
	w.crash(standby)
	standby.disk = newDisk(1, false)
	w.start(standby)
	w.pass(5 * time.Second)
	if primary.machine.reason() == "" || standby.machine.role != wire.RoleLooking {
		t.Error("they do")
	}
}

// newDisk is that of another authority, empty or with a history of its own.
func newDisk(name byte, foreign bool) *store.Memory {
	disk := store.NewMemory(model.AuthorityID{name})
	if !foreign {
		return disk
	}
	contents, err := disk.Load()
	if err != nil {
		panic(err)
	}
	contents.Meta.Epoch = model.Epoch{Number: 1, Authority: model.AuthorityID{name}}
	contents.Meta.Lineage, contents.Meta.Cluster = contents.Meta.Epoch, 77
	records := []model.Record{{Revision: 1, Epoch: contents.Meta.Epoch, Ops: []model.Op{set("x/y", "z")}}}
	if err := disk.Append(0, records, contents.Meta); err != nil {
		panic(err)
	}
	return disk
}
