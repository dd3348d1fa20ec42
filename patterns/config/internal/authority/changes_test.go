// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

func TestProposals(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	s.must(s.propose("a", 1, set("web/port", "80"), set("db/host", "x")), wire.CodeDone, 1)
	s.must(s.propose("a", 2, set("web/port", "81")), wire.CodeDone, 2)
	s.must(s.propose("a", 3, model.Op{Key: "web/none", Delete: true}), wire.CodeNotFound, 0)
	s.must(s.propose("a", 4, set("noslash", "1")), wire.CodeInvalid, 0)
	s.must(s.propose("a", 5, set("web/a", "1"), set("web/a", "2")), wire.CodeInvalid, 0)
	s.must(s.propose("a", 6, set("web/a", strings.Repeat("x", 1001))), wire.CodeTooLarge, 0)
	s.must(s.propose("a", 7), wire.CodeInvalid, 0)
	s.must(s.propose("a", 8, model.Op{Key: "db/host", Delete: true}), wire.CodeDone, 3)
	s.wantContent("web/port=81@2 ")
	s.from("stranger", &wire.Propose{Request: 1, Transaction: model.Transaction{Ops: []model.Op{set("a/b", "")}}})
	s.must(s.result("stranger", 0), wire.CodeStranger, 0)
}

func TestConditions(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	try := func(request, revision uint64) *wire.Result {
		s.from("a", &wire.Propose{Request: request, Transaction: model.Transaction{
			Conditions: []model.Condition{{Key: "web/port", Revision: revision}}, Ops: []model.Op{set("web/other", "1"), set("web/port", "80")}}})
		return s.result("a", request)
	}
	s.must(try(1, 5), wire.CodeConflict, 0)
	s.must(try(2, 0), wire.CodeDone, 1)
	s.must(try(3, 0), wire.CodeConflict, 0)
	s.must(try(4, 1), wire.CodeDone, 2)
	s.must(try(5, 1), wire.CodeConflict, 0)
	s.wantContent("web/other=1@2 web/port=80@2 ")
}

// TestAskedAgain: the same request changes nothing twice, in this life and in the next.
func TestAskedAgain(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	s.hello("b")
	s.must(s.propose("a", 1, set("x/a", "1")), wire.CodeDone, 1)
	s.must(s.propose("b", 1, set("x/a", "2")), wire.CodeDone, 2)
	s.must(s.propose("a", 1, set("x/a", "1")), wire.CodeDone, 1)
	s.restart()
	s.hello("a")
	s.must(s.propose("a", 1, set("x/a", "1")), wire.CodeDone, 1)
	s.wantContent("x/a=2@2 ")
	s.held = true
	s.from("a", &wire.Propose{Request: 2, Transaction: model.Transaction{Ops: []model.Op{set("x/b", "1")}}})
	s.from("a", &wire.Propose{Request: 2, Transaction: model.Transaction{Ops: []model.Op{set("x/b", "1")}}})
	s.release()
	s.must(s.result("a", 2), wire.CodeDone, 3)
	if s.machine.ledger.tip().Revision() != 3 {
		t.Error("what was asked twice while it was being written was written twice")
	}
}

// TestGroupCommit: nothing is answered, shown or published before it is on disk, and what comes meanwhile is written together.
func TestGroupCommit(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	s.held = true
	before := s.writes
	for request := range uint64(20) {
		s.from("a", &wire.Propose{Request: request + 1, Transaction: model.Transaction{Ops: []model.Op{set("x/a", "1")}}})
	}
	if _, answered := s.last("a").(*wire.Result); answered || s.content() != "" || len(s.bodies()) != 0 {
		t.Fatal("an answer, or content, before the write has ended")
	}
	s.held = true
	s.endWrite()
	s.settle()
	s.must(s.result("a", 1), wire.CodeDone, 1)
	s.release()
	s.must(s.result("a", 20), wire.CodeDone, 20)
	if s.writes != before+2 {
		t.Errorf("%d writes, want 2", s.writes-before)
	}
}

func (s *scene) bodies() (bodies []*wire.Body) {
	for _, p := range s.public {
		if body, ok := p.Message.(*wire.Body); ok {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// TestFailedWrite: what the disk did not take is refused, together with what was built on it, and nothing of it is ever seen.
func TestFailedWrite(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	s.must(s.propose("a", 1, set("x/a", "1")), wire.CodeDone, 1)
	s.held = true
	s.from("a", &wire.Propose{Request: 2, Transaction: model.Transaction{Ops: []model.Op{set("x/a", "2")}}})
	s.from("a", &wire.Propose{Request: 3, Transaction: model.Transaction{
		Conditions: []model.Condition{{Key: "x/a", Revision: 2}}, Ops: []model.Op{set("x/b", "3")}}})
	s.disk.Fail(errFull)
	s.release()
	for _, request := range []uint64{2, 3} {
		got := s.sent["a"]
		result := got[len(got)-4+int(request)].(*wire.Result)
		if result.Request != request || result.Code != wire.CodeStore || !strings.Contains(result.Text, errFull.Error()) {
			t.Errorf("request %d: %+v", request, result)
		}
	}
	s.wantContent("x/a=1@1 ")
	s.disk.Fail(nil)
	s.pass(s.cfg.Interval / 4) // it does not try again at once
	s.must(s.propose("a", 2, set("x/a", "4")), wire.CodeDone, 2)
	s.wantContent("x/a=4@2 ")
	s.restart()
	s.wantContent("x/a=4@2 ")
}

// TestTooMuchAtOnce: proposals beyond what may wait for the disk are refused, not kept.
func TestTooMuchAtOnce(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	s.held = true
	for request := range uint64(pendingRecordsMax + 1) {
		s.from("a", &wire.Propose{Request: request + 1, Transaction: model.Transaction{Ops: []model.Op{set("x/a", "1")}}})
	}
	s.must(s.result("a", pendingRecordsMax+1), wire.CodeBusy, 0)
}

func TestLeases(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	s.hello("b")
	lease := model.Op{Key: "up/a", Value: []byte("1"), TTL: 3 * time.Second}
	s.must(s.propose("a", 1, lease, set("up/stays", "1")), wire.CodeDone, 1)
	for range 5 {
		s.pass(2 * time.Second)
		s.from("a", &wire.Report{})
	}
	s.pass(3*time.Second - s.cfg.Interval/4)
	s.wantContent("up/a=1@1 up/stays=1@1 ")
	s.pass(s.cfg.Interval / 4)
	s.wantContent("up/stays=1@1 ")
	if record := s.machine.ledger.steps[1].record; record.Author != expiryAuthor || record.Revision != 2 {
		t.Errorf("it was deleted by %+v", record)
	}
	s.must(s.propose("a", 2, lease), wire.CodeDone, 3)
	s.must(s.propose("b", 1, set("up/a", "not ephemeral any more")), wire.CodeDone, 4)
	s.must(s.propose("a", 3, model.Op{Key: "up/b", TTL: time.Hour}), wire.CodeDone, 5)
	s.restart() // every owner has its whole time again
	s.pass(time.Hour - time.Second)
	s.wantContent("up/a=not ephemeral any more@4 up/b=@5 up/stays=1@1 ")
	s.hello("a")
	s.from("a", &wire.Bye{})
	s.wantContent("up/a=not ephemeral any more@4 up/stays=1@1 ")
}

func TestRollback(t *testing.T) {
	s := newScene(t, func(c *Config) { c.HistoryRecords = 8 })
	s.hello("a")
	s.propose("a", 1, set("web/a", "1"), set("web/b", "1"), set("db/a", "1"))
	s.propose("a", 2, set("web/a", "2"), model.Op{Key: "web/b", Delete: true}, set("web/c", "2"), set("db/a", "2"))
	s.propose("a", 3, model.Op{Key: "web/eph", TTL: time.Hour})
	rollback := func(request, revision uint64, trees ...string) *wire.Result {
		s.from("a", &wire.Rollback{Request: request, Revision: revision, Trees: trees})
		return s.result("a", request)
	}
	s.must(rollback(4, 9), wire.CodeFuture, 0)
	s.must(rollback(5, 1, "web"), wire.CodeDone, 4)
	s.wantContent("db/a=2@2 web/a=1@4 web/b=1@4 web/eph=@3 ")
	s.must(rollback(6, 4, "web"), wire.CodeDone, 4)
	s.must(rollback(7, 1), wire.CodeDone, 5)
	s.must(rollback(7, 1), wire.CodeDone, 5)
	s.wantContent("db/a=1@5 web/a=1@4 web/b=1@4 web/eph=@3 ")
	for request := range uint64(20) {
		s.propose("a", 100+request, set("web/a", "x"))
	}
	s.must(rollback(8, 1), wire.CodeCompacted, 0)
}

// TestRollbackSeen: a rollback that was shown to somebody is refused once there is anything else to show.
func TestRollbackSeen(t *testing.T) {
	s := newScene(t, func(c *Config) { c.HistoryRecords = 8 })
	s.hello("a")
	s.propose("a", 1, set("web/a", "1"), set("db/a", "1"))
	s.propose("a", 2, set("web/a", "2"))
	request := uint64(10)
	rollback := func(seen, revision uint64, trees ...string) *wire.Result {
		request++
		s.from("a", &wire.Rollback{Request: request, Seen: seen, Revision: revision, Trees: trees})
		return s.result("a", request)
	}
	s.propose("a", 3, set("db/a", "2"))
	s.must(rollback(2, 1), wire.CodeConflict, 0)
	s.must(rollback(9, 1), wire.CodeFuture, 0)
	s.wantContent("db/a=2@3 web/a=2@2 ")
	s.must(rollback(2, 1, "web"), wire.CodeDone, 4) // another tree has changed
	s.propose("a", 9, model.Op{Key: "web/eph", TTL: time.Hour})
	s.must(rollback(4, 2, "web"), wire.CodeDone, 6) // an ephemeral key
	s.propose("a", 50, model.Op{Key: "web/a", Delete: true})
	s.must(rollback(6, 1, "web"), wire.CodeConflict, 0)
	request = 100
	for i := range uint64(20) {
		s.propose("a", 60+i, set("db/a", "x"))
	}
	s.must(rollback(6, s.machine.ledger.committed, "web"), wire.CodeCompacted, 0)
}

// TestGather: a single change is published at once; several that come together wait, where there are many nodes, for those that come
// soon after, but not for long, and not when somebody wants to know who has them.
func TestGather(t *testing.T) {
	s := newScene(t, func(c *Config) { c.GatherEach = 2 * time.Millisecond })
	for i := range 10 {
		s.hello(string('a' + rune(i)))
	}
	const gather = 20 * time.Millisecond
	request := uint64(0)
	commit := func(changes int) {
		s.t.Helper()
		s.held = true
		for range changes {
			request++
			s.from("a", &wire.Propose{Request: request, Transaction: model.Transaction{Ops: []model.Op{set("x/a", "1")}}})
		}
		for s.release(); s.machine.ledger.committed < request; {
			t.Fatal("not all is on disk")
		}
	}
	published := func(bodies int, last uint64) {
		s.t.Helper()
		got := s.bodies()
		if mark := s.public[len(s.public)-1].Message.(*wire.Mark); len(got) != bodies || mark.Revision != last {
			t.Fatalf("%d bodies, and a mark of %d; want %d and %d", len(got), mark.Revision, bodies, last)
		}
	}
	s.now = s.now.Add(gather)
	commit(1)
	published(1, 1)
	commit(1) // alone again
	published(2, 2)
	s.now = s.now.Add(gather / 2)
	commit(3) // of which the disk takes the first by itself
	published(3, 3)
	commit(1)
	published(3, 3)
	if due := s.machine.Gathering(); !due.Equal(s.now.Add(gather)) {
		t.Errorf("the rest is due after %v, want %v", due.Sub(s.now), gather)
	}
	s.now = s.now.Add(gather - 1)
	s.settle()
	published(3, 3)
	s.now = s.now.Add(1)
	s.settle()
	published(4, 6)
	if !s.machine.Gathering().IsZero() {
		t.Error("something gathers though all is published")
	}
	commit(3)
	commit(2)
	s.from("b", &wire.Wait{ID: 1, Revision: request, Nodes: 1})
	published(6, request)
}

// TestPublished: bodies and marks, taken in the order in which they come, lead from state to state, and chains have no gap.
func TestPublished(t *testing.T) {
	s := newScene(t, nil)
	s.hello("a")
	s.held = true
	for request := range uint64(30) {
		if request%7 == 3 {
			s.release()
			s.held = true
		}
		s.from("a", &wire.Propose{Request: request + 1, Transaction: model.Transaction{Ops: []model.Op{
			set("t"+string('0'+rune(request%3))+"/a", strings.Repeat("x", int(request))), set("all/a", strings.Repeat("y", int(request)))}}})
	}
	s.release()
	s.pass(3 * time.Second)
	state, rests := &model.State{}, 0
	shown := uint64(0)
	for _, p := range s.public {
		switch m := p.Message.(type) {
		case *wire.Body:
			if p.Topic != wire.TreeTopic(m.Head.Tree) || state.Head(m.Head.Tree).Revision != m.Previous {
				t.Fatalf("body of %s continues %d, the tree is at %d", p.Topic, m.Previous, state.Head(m.Head.Tree).Revision)
			}
			for i := range m.Records {
				state = state.Apply(&m.Records[i], nil)
			}
			if got := state.Head(m.Head.Tree); got != m.Head {
				t.Fatalf("a body leads to %v, want %v", got, m.Head)
			}
		case *wire.Mark:
			if p.Topic != wire.MarkTopic || m.Previous != shown || m.Epoch != s.machine.epoch {
				t.Fatalf("a mark continues %d, the last was %d", m.Previous, shown)
			}
			if shown = m.Revision; m.Previous == m.Revision {
				rests++
			}
			for _, head := range m.Heads {
				if state.Head(head.Tree) != head {
					t.Fatalf("a mark tells %v, want %v", head, state.Head(head.Tree))
				}
			}
		}
	}
	if shown != 30 || rests < 3 || state.Digest() != s.machine.ledger.state().Digest() {
		t.Errorf("the last mark is of %d, %d at rest", shown, rests)
	}
}
