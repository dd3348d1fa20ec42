// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

func TestUnwelcome(t *testing.T) {
	s := newScene(t, nil)
	for name, hello := range map[string]*wire.Hello{
		"unsorted": {Version: wire.Version, Session: "x", Trees: []string{"b", "a"}},
		"identity": {Version: wire.Version, Session: "y"},
		"bad tree": {Version: wire.Version, Session: "x", Trees: []string{"a/b"}},
	} {
		s.from("x", hello)
		if result, ok := s.last("x").(*wire.Result); !ok || result.Code != wire.CodeInvalid {
			t.Errorf("%s: %+v", name, s.last("x"))
		}
	}
}

// chunks takes an answer in chunks to its end.
func (s *scene) chunks(session string, id uint64, ask wire.Message) (chunks []*wire.Chunk) {
	s.t.Helper()
	from := len(s.sent[session])
	s.from(session, ask)
	for {
		for _, m := range s.sent[session][from:] {
			if chunk, ok := m.(*wire.Chunk); ok && chunk.ID == id {
				chunks = append(chunks, chunk)
			}
		}
		from = len(s.sent[session])
		if len(chunks) == 0 || chunks[len(chunks)-1].Last {
			return chunks
		}
		s.from(session, &wire.More{ID: id, Chunks: 1})
		if len(s.sent[session]) == from {
			s.t.Fatal("no further chunk")
		}
	}
}

// TestSyncSnapshot: a node without anything gets its trees, in many chunks of which only a few come unasked.
func TestSyncSnapshot(t *testing.T) {
	s := newScene(t, nil)
	s.hello("w")
	for i := range uint64(3000) {
		s.propose("w", i+1, set(fmt.Sprintf("t%d/%d", i%3, i), strings.Repeat("v", 1000)))
	}
	s.hello("n", "t0", "t2", "unknown")
	first := len(s.sent["n"])
	s.from("n", &wire.Sync{ID: 1})
	if got := len(s.sent["n"]) - first; got != wire.ChunksAhead {
		t.Errorf("%d chunks come unasked, want %d", got, wire.ChunksAhead)
	}
	s.from("n", &wire.Cancel{ID: 1})
	chunks := s.chunks("n", 2, &wire.Sync{ID: 2})
	if s.rebuilt(chunks).Digest() != s.machine.ledger.state().Digest("t0", "t2") {
		t.Error("the snapshot is another state")
	}
}

// rebuilt is the state that chunks of a snapshot come to.
func (s *scene) rebuilt(chunks []*wire.Chunk) *model.State {
	s.t.Helper()
	builder, err := model.NewBuilder(chunks[0].Revision, chunks[0].Heads)
	for i, chunk := range chunks {
		if chunk.Number != uint64(i) || chunk.From != 0 || chunk.Revision != chunks[0].Revision {
			s.t.Fatalf("chunk %d is %d, from %d, of revision %d", i, chunk.Number, chunk.From, chunk.Revision)
		}
		for _, entry := range chunk.Entries {
			err = errors.Join(err, builder.Add(entry))
		}
	}
	state, buildErr := builder.State()
	if err = errors.Join(err, buildErr); err != nil {
		s.t.Fatal(err)
	}
	return state
}

// TestSharedSnapshot: who joins at the same time gets what was encoded once; who began before a change gets what stood then, and what
// is kept goes.
func TestSharedSnapshot(t *testing.T) {
	s := newScene(t, nil)
	s.hello("w")
	for i := range uint64(3000) {
		s.propose("w", i+1, set(fmt.Sprint("t/", i), strings.Repeat("v", 900)))
	}
	for _, node := range []string{"a", "b", "c", "late"} {
		s.hello(node)
	}
	before := s.machine.ledger.state().Digest()
	from := len(s.sent["late"])
	s.from("late", &wire.Sync{ID: 1})
	a := s.chunks("a", 1, &wire.Sync{ID: 1})
	parts := &s.machine.cut.parts[0]
	b := s.chunks("b", 7, &wire.Sync{ID: 7})
	if &s.machine.cut.parts[0] != parts || len(s.machine.cut.parts) != len(a) || parts.encoded == nil {
		t.Errorf("%d parts are kept, of %d", len(s.machine.cut.parts), len(a))
	}
	if s.rebuilt(a).Digest() != before || s.rebuilt(b).Digest() != before {
		t.Error("not what stands")
	}
	s.propose("w", 5000, set("t/0", "changed"))
	if c := s.rebuilt(s.chunks("c", 2, &wire.Sync{ID: 2})); c.Digest() != s.machine.ledger.state().Digest() || c.Digest() == before {
		t.Error("who joins after a change gets what stood before")
	}
	s.from("late", &wire.More{ID: 1, Chunks: 64})
	var late []*wire.Chunk
	for _, message := range s.sent["late"][from:] {
		late = append(late, message.(*wire.Chunk))
	}
	if !late[len(late)-1].Last || s.rebuilt(late).Digest() != before {
		t.Error("who began before a change gets a mix")
	}
	s.pass(cutKept + 2*s.cfg.Interval)
	if s.machine.cut.state != nil {
		t.Error("a snapshot is kept for nobody")
	}
}

// TestLargeChunks: of large values only a few come unasked, so that they do not run over a queue, and all of them in the end.
func TestLargeChunks(t *testing.T) {
	s := newScene(t, func(c *Config) { c.ValueBytesMax, c.HistoryBytes = 2<<20, 1<<30 })
	s.hello("w")
	for i := range uint64(10) {
		s.propose("w", i+1, set(fmt.Sprint("t/", i), strings.Repeat("v", 2<<20)))
	}
	s.hello("n")
	first := len(s.sent["n"])
	s.from("n", &wire.Sync{ID: 1})
	if got := len(s.sent["n"]) - first; got != 1 {
		t.Errorf("%d chunks of 2 MiB come unasked", got)
	}
	s.from("n", &wire.More{ID: 1, Chunks: 1 << 60})
	if got := len(s.sent["n"]) - first; got != 2 {
		t.Errorf("%d chunks of 2 MiB came when many were asked for", got)
	}
	if chunks := s.chunks("n", 2, &wire.Sync{ID: 2}); s.rebuilt(chunks).Digest() != s.machine.ledger.state().Digest() {
		t.Error("not what stands")
	}
}

// TestChoked: a client whose queue is full gets no chunks for a while, and then what it had asked for.
func TestChoked(t *testing.T) {
	s := newScene(t, nil)
	s.hello("w")
	for i := range uint64(3000) {
		s.propose("w", i+1, set(fmt.Sprint("t/", i), strings.Repeat("v", 1000)))
	}
	s.hello("n")
	s.from("n", &wire.Sync{ID: 1})
	s.machine.Choked("n", s.now)
	s.machine.Choked("nobody", s.now)
	before := len(s.sent["n"])
	s.from("n", &wire.More{ID: 1, Chunks: 1})
	if len(s.sent["n"]) != before {
		t.Error("a chunk for a queue that is full")
	}
	s.from("n", &wire.Sync{ID: 2})
	s.must(s.result("n", 2), wire.CodeBusy, 0)
	s.from("n", &wire.Read{ID: 3})
	s.must(s.result("n", 3), wire.CodeBusy, 0)
	s.pass(time.Second)
	if chunk, is := s.last("n").(*wire.Chunk); !is || chunk.ID != 1 || chunk.Number != wire.ChunksAhead {
		t.Errorf("then %+v", s.last("n"))
	}
	if chunks := s.chunks("n", 4, &wire.Sync{ID: 4}); s.rebuilt(chunks).Digest() != s.machine.ledger.state().Digest() {
		t.Error("not what stands")
	}
}

// TestSyncRecords: a node that has a revision gets what came after it, of its trees, if its digest proves that it has it.
func TestSyncRecords(t *testing.T) {
	s := newScene(t, func(c *Config) { c.HistoryRecords = 20 })
	s.hello("w")
	for i := range uint64(10) {
		s.propose("w", i+1, set(fmt.Sprintf("t%d/a", i%2), fmt.Sprint(i)))
	}
	s.hello("n", "t0")
	at := s.machine.ledger.at(5)
	chunks := s.chunks("n", 1, &wire.Sync{ID: 1, Epoch: s.machine.epoch, Revision: 5, Digest: at.Digest("t0")})
	state := at.Only(func(tree string) bool { return tree == "t0" })
	for i := range chunks[0].Records {
		state = state.Apply(&chunks[0].Records[i], nil)
	}
	if len(chunks) != 1 || chunks[0].From != 5 || chunks[0].Revision != 10 || state.Digest() != s.machine.ledger.state().Digest("t0") {
		t.Errorf("got %+v", chunks[0])
	}
	if chunks := s.chunks("n", 2, &wire.Sync{ID: 2, Revision: 5, Digest: model.Digest{1}}); chunks[0].From != 0 {
		t.Error("a node with something else gets records on top of it")
	}
	if chunks := s.chunks("n", 3, &wire.Sync{ID: 3, Revision: 99}); chunks[0].From != 0 {
		t.Error("a node from the future gets records on top of what it has")
	}
	s.from("n", &wire.Sync{ID: 4, Epoch: model.Epoch{Number: s.machine.epoch.Number + 1}})
	s.must(s.result("n", 4), wire.CodeFenced, 0)
	for i := range uint64(30) {
		s.propose("w", 100+i, set("t0/a", fmt.Sprint(i)))
	}
	if chunks := s.chunks("n", 5, &wire.Sync{ID: 5, Revision: 5, Digest: at.Digest("t0")}); chunks[0].From != 0 {
		t.Error("records that the history does not have any more")
	}
}

func TestRead(t *testing.T) {
	s := newScene(t, nil)
	s.hello("w")
	for i := range uint64(6) {
		s.propose("w", i+1, set(fmt.Sprintf("t/%d", i), fmt.Sprint(i)), set("u/a", fmt.Sprint(i)))
	}
	chunks := s.chunks("w", 20, &wire.Read{ID: 20, Revision: 3, Prefix: "t/"})
	if got := chunks[0]; len(got.Entries) != 3 || got.Revision != 3 || len(got.Heads) != 1 || got.Heads[0] != s.machine.ledger.at(3).Head("t") {
		t.Errorf("got %+v", got)
	}
	if got := s.chunks("w", 21, &wire.Read{ID: 21, Prefix: "t/4"})[0]; len(got.Entries) != 1 || got.Revision != 6 || len(got.Heads) != 0 {
		t.Errorf("got %+v", got)
	}
	s.from("w", &wire.Read{ID: 22, Revision: 7})
	s.must(s.result("w", 22), wire.CodeFuture, 0)
}

func TestWaitAndStatus(t *testing.T) {
	s := newScene(t, nil)
	s.hello("w")
	s.propose("w", 1, set("t0/a", "1"))
	s.hello("n0", "t0")
	s.hello("n1", "t1")
	report := func(session string, revision uint64, trees ...string) {
		s.from(session, &wire.Report{Epoch: s.machine.epoch, Revision: revision, Digest: s.machine.ledger.at(revision).Digest(trees...)})
	}
	answered := func() bool { return s.answered("w", 2) }
	report("n1", 1, "t1")
	report("w", 1)
	s.from("w", &wire.Wait{ID: 2, Revision: 1})
	if answered() {
		t.Fatal("n0 has not applied it")
	}
	if mark, ok := s.public[len(s.public)-1].Message.(*wire.Mark); !ok || !mark.Report {
		t.Fatal("nodes are not asked to report")
	}
	s.from("n0", &wire.Report{Revision: 1, Digest: model.Digest{7}})
	if answered() {
		t.Fatal("n0 has something else")
	}
	report("n0", 1, "t0")
	if !answered() {
		t.Fatal("all have applied it")
	}
	s.pass(time.Second)
	if mark, ok := s.public[len(s.public)-1].Message.(*wire.Mark); !ok || mark.Report {
		t.Fatal("nodes are asked to report though nobody waits")
	}
	s.propose("w", 3, set("t0/a", "2"))
	s.pass(2 * time.Second)
	s.from("w", &wire.Status{Request: 4})
	nodes := s.last("w").(*wire.Nodes)
	if len(nodes.Nodes) != 3 || nodes.Revision != 2 || nodes.Keys != 1 {
		t.Fatalf("status %+v", nodes)
	}
	n0, n1 := nodes.Nodes[0], nodes.Nodes[1]
	if n0.Name != "n-n0" || n0.Revision != 1 || n0.Lag != 2*time.Second || n0.Seen != 3*time.Second || !n0.Proved {
		t.Errorf("n0: %+v", n0)
	}
	if n1.Revision != 2 || n1.Lag != 0 {
		t.Errorf("n1 holds nothing that has changed: %+v", n1)
	}
	s.from("w", &wire.Wait{ID: 5, Revision: 2, Nodes: 3})
	s.from("w", &wire.Wait{ID: 6, Revision: 2, Nodes: 1})
	s.must(s.result("w", 6), wire.CodeDone, 2) // n1
	s.from("w", &wire.Wait{ID: 7, Revision: 3})
	s.must(s.result("w", 7), wire.CodeFuture, 0)
	s.from("n0", &wire.Bye{})
	s.from("w", &wire.Status{Request: 8})
	if nodes := s.last("w").(*wire.Nodes); len(nodes.Nodes) != 2 {
		t.Errorf("a node that has left is still there: %+v", nodes.Nodes)
	}
}

// TestAbsurdReports: a node that claims what nobody has is shown as it claims, unproved, and counts for nobody who waits.
func TestAbsurdReports(t *testing.T) {
	s := newScene(t, nil)
	s.hello("w")
	s.hello("n", "t0")
	s.propose("w", 1, set("t0/a", "1"))
	s.from("w", &wire.Report{Revision: 1, Digest: s.machine.ledger.state().Digest()})
	for _, claim := range []uint64{2, 1 << 40, 1<<64 - 1} {
		s.from("n", &wire.Report{Epoch: model.Epoch{Number: 9}, Revision: claim, Digest: s.machine.ledger.state().Digest("t0")})
		s.from("w", &wire.Status{Request: claim})
		if n := s.last("w").(*wire.Nodes).Nodes[0]; n.Session != "n" || n.Revision != claim || n.Proved || n.Lag != 0 {
			t.Errorf("claims %d: %+v", claim, n)
		}
		s.from("w", &wire.Wait{ID: claim, Revision: 1})
		if s.answered("w", claim) {
			t.Errorf("who claims %d counts as having applied it", claim)
		}
	}
}

// TestSilentNodes: a wait for all does not wait for nodes that are not there, and the list keeps them for a while.
func TestSilentNodes(t *testing.T) {
	s := newScene(t, nil)
	s.hello("w")
	s.hello("n")
	s.propose("w", 1, set("a/b", "1"))
	s.from("w", &wire.Report{Revision: 1, Digest: s.machine.ledger.state().Digest()})
	s.from("w", &wire.Wait{ID: 2, Revision: 1})
	s.pass(silentIntervals * s.cfg.Interval)
	if s.answered("w", 2) {
		t.Fatal("n was heard a moment ago")
	}
	s.from("w", &wire.Report{Revision: 1, Digest: s.machine.ledger.state().Digest()})
	s.pass(s.cfg.Interval)
	s.must(s.result("w", 2), wire.CodeDone, 1)
	s.from("w", &wire.Status{Request: 3})
	if nodes := s.last("w").(*wire.Nodes); len(nodes.Nodes) != 2 {
		t.Errorf("%+v", nodes.Nodes)
	}
	s.pass(nodeKept)
	s.hello("w")
	s.from("w", &wire.Status{Request: 4})
	if nodes := s.last("w").(*wire.Nodes); len(nodes.Nodes) != 1 {
		t.Errorf("%+v", nodes.Nodes)
	}
}

func TestLog(t *testing.T) {
	s := newScene(t, func(c *Config) { c.HistoryRecords = 10 })
	s.hello("w")
	for i := range uint64(50) {
		s.propose("w", i+1, set("a/b", fmt.Sprint(i)))
	}
	ask := func(from, most uint64) wire.Message {
		s.from("w", &wire.Log{Request: 9, From: from, Max: most})
		return s.last("w")
	}
	if got := ask(0, 3).(*wire.Records); len(got.Records) != 3 || got.Records[2].Revision != 50 || got.Oldest != s.machine.ledger.oldest()+1 {
		t.Errorf("got %+v", got)
	}
	if got := ask(46, 3).(*wire.Records); len(got.Records) != 3 || got.Records[0].Revision != 46 {
		t.Errorf("got %+v", got)
	}
	if got := ask(1, 3).(*wire.Result); got.Code != wire.CodeCompacted {
		t.Errorf("got %+v", got)
	}
}

// TestSyncAhead: a node that has seen more than a new primary knows to be acknowledged keeps it, and asks again.
func TestSyncAhead(t *testing.T) {
	s := newScene(t, nil)
	s.hello("n")
	s.propose("n", 1, set("a/b", "1"))
	s.propose("n", 2, set("a/b", "2"))
	s.machine.solo = false
	s.pass(time.Second) // what it is now is told
	s.machine.ledger.committed = 1
	ask := &wire.Sync{ID: 3, Revision: 2, Digest: s.machine.ledger.at(2).Digest()}
	s.from("n", ask)
	s.must(s.result("n", 3), wire.CodeBusy, 0)
	s.from("n", &wire.Sync{ID: 4, Revision: 2, Digest: model.Digest{1}})
	if chunk, ok := s.last("n").(*wire.Chunk); !ok || chunk.Revision != 1 || chunk.From != 0 {
		t.Errorf("a node with something else gets %+v", s.last("n"))
	}
}
