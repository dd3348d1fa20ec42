// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// script drives a machine by hand.
type script struct {
	t   *testing.T
	m   *Machine
	now time.Time
}

func (s *script) published(message wire.Message, bytes int) {
	s.m.Published([]Published{{message, bytes}}, s.now)
}

func newScript(t *testing.T, config Config) *script {
	config.Session, config.Name = "s", "n"
	config.Links = max(config.Links, 1)
	s := &script{t: t, m: New(config), now: time.Unix(1000, 0)}
	for at := range config.Links {
		s.m.Connected(at, s.now)
	}
	return s
}

// sent takes what came out, and returns the last message of type M to a link.
func sent[M wire.Message](out Output, link int) (found M) {
	for _, send := range out.Sends {
		if message, is := send.Message.(M); is && send.Link == link {
			found = message
		}
	}
	return found
}

func (s *script) welcome(link int, role wire.Role, epoch uint64) Output {
	s.m.Received(link, &wire.Welcome{
		Version: wire.Version, Role: role, Epoch: model.Epoch{Number: epoch}, Interval: time.Second, Changes: "ipc://changes",
	}, 1, s.now)
	return s.m.Take()
}

// after lets time pass, ticking at each deadline.
func (s *script) after(d time.Duration) (out Output) {
	end := s.now.Add(d)
	for {
		due := s.m.Deadline()
		if due.IsZero() || due.After(end) {
			break
		}
		s.now = due
		s.m.Tick(due)
		more := s.m.Take()
		out.Sends = append(out.Sends, more.Sends...)
		out.Answers = append(out.Answers, more.Answers...)
	}
	s.now = end
	return out
}

// synced brings a machine to a snapshot of a key at revision 5 of epoch 1.
func synced(t *testing.T, config Config) *script {
	s := newScript(t, config)
	ask := sent[*wire.Sync](s.welcome(0, wire.RolePrimary, 1), 0)
	s.m.Received(0, snapshot(ask.ID, model.Epoch{Number: 1}, five()), 100, s.now)
	if out := s.m.Take(); !out.Visible {
		t.Fatal("a snapshot did not become visible")
	}
	return s
}

func set(revision uint64, key, value string) *model.Record {
	return &model.Record{Revision: revision, Ops: []model.Op{{Key: key, Value: []byte(value)}}}
}

func five() *model.State { return (&model.State{}).Apply(set(5, "a/k", "five"), nil) }

func snapshot(id uint64, epoch model.Epoch, state *model.State) *wire.Chunk {
	c := &wire.Chunk{ID: id, Epoch: epoch, Revision: state.Revision(), Heads: slices.Collect(state.Heads("")), Last: true}
	for entry := range state.List("") {
		same := *entry
		c.Entries = append(c.Entries, &same)
	}
	return c
}

func (s *script) revision() uint64 {
	state, _, _ := s.m.Copy()
	return state.Revision()
}

func TestRefusesEarlierEpoch(t *testing.T) {
	s := newScript(t, Config{Links: 2, Seen: model.Epoch{Number: 7}})
	if out := s.welcome(0, wire.RolePrimary, 6); out.Follow != nil || sent[*wire.Sync](out, 0) != nil {
		t.Error("an authority of an epoch before one that was seen is followed")
	}
	if err := s.m.View().Err; !errors.Is(err, errEarlier) {
		t.Errorf("it is refused without a word: %v", err)
	}
	if out := s.welcome(1, wire.RolePrimary, 7); out.Follow == nil || out.Follow.Link != 1 {
		t.Error("the authority of the epoch that was seen is not followed")
	}
	if out := s.welcome(1, wire.RoleStandby, 7); out.Follow == nil || out.Follow.Link != -1 {
		t.Error("a standby is followed")
	}
}

func TestPrefersPrimary(t *testing.T) {
	s := newScript(t, Config{Links: 2})
	if out := s.welcome(0, wire.RoleLooking, 3); out.Follow == nil || out.Follow.Link != 0 {
		t.Error("a looking authority is not followed while there is no other")
	}
	if out := s.welcome(1, wire.RolePrimary, 3); out.Follow == nil || out.Follow.Link != 1 {
		t.Error("the primary is not preferred")
	}
	if out := s.welcome(0, wire.RoleLooking, 3); out.Follow != nil {
		t.Error("left the primary for one that is looking")
	}
}

// TestNeverBackward: an authority that looks, and knows less than the copy, does not take it back.
func TestNeverBackward(t *testing.T) {
	s := synced(t, Config{})
	s.m.Lost(0, s.now)
	s.m.Connected(0, s.now)
	s.welcome(0, wire.RoleLooking, 1)
	s.after(2 * time.Second)
	s.welcome(0, wire.RoleLooking, 1)
	ask := sent[*wire.Sync](s.after(2*time.Second), 0)
	if ask == nil || ask.Revision != 5 {
		t.Fatalf("no sync though no marks came: %v", ask)
	}
	two := (&model.State{}).Apply(set(2, "a/k", "two"), nil)
	s.m.Received(0, snapshot(ask.ID, model.Epoch{Number: 1}, two), 100, s.now)
	if s.revision() != 5 || !errors.Is(s.m.View().Err, errBackward) {
		t.Errorf("revision %d, %v", s.revision(), s.m.View().Err)
	}
}

// TestTakenBack: an authority of a later epoch takes a copy back if it is the primary and has been told what the copy has: a standby
// that looks for its primary may lack what it had not caught up with.
func TestTakenBack(t *testing.T) {
	three := (&model.State{}).Apply(set(3, "a/k", "three"), nil)
	for _, role := range []wire.Role{wire.RoleLooking, wire.RolePrimary} {
		s := synced(t, Config{})
		s.m.Lost(0, s.now)
		s.m.Connected(0, s.now)
		ask := sent[*wire.Sync](s.welcome(0, role, 2), 0)
		if ask == nil || ask.Revision != 5 {
			t.Fatalf("a later epoch is met by %v", ask)
		}
		s.m.Received(0, snapshot(ask.ID, model.Epoch{Number: 2}, three), 100, s.now)
		if taken := s.revision() == 3; taken != (role == wire.RolePrimary) {
			t.Errorf("role %v: revision %d, %v", role, s.revision(), s.m.View().Err)
		}
		if role == wire.RoleLooking {
			if ask = sent[*wire.Sync](s.after(5*time.Second), 0); ask == nil || ask.Revision != 5 {
				t.Errorf("it is then asked for %+v", ask)
			}
		}
	}
}

// TestDamagedRecords: an answer of records that does not come to the promised digest is replaced by a snapshot.
func TestDamagedRecords(t *testing.T) {
	s := synced(t, Config{})
	s.published(&wire.Mark{Epoch: model.Epoch{Number: 1}, Previous: 6, Revision: 6}, 10)
	ask := sent[*wire.Sync](s.m.Take(), 0)
	if ask == nil || ask.Revision != 5 {
		t.Fatalf("after a gap: %v", ask)
	}
	six := five().Apply(set(6, "a/k", "six"), nil)
	bad := &wire.Chunk{
		ID: ask.ID, Epoch: model.Epoch{Number: 1}, From: 5, Revision: 6, Last: true, Heads: slices.Collect(six.Heads("")),
		Records: []model.Record{*set(6, "a/k", "SIX")},
	}
	s.m.Received(0, bad, 100, s.now)
	if s.revision() != 5 {
		t.Fatal("a damaged answer became visible")
	}
	again := sent[*wire.Sync](s.after(time.Second), 0)
	if again == nil || again.Revision != 0 {
		t.Fatalf("want a snapshot, asked for %v", again)
	}
	s.m.Received(0, snapshot(again.ID, model.Epoch{Number: 1}, six), 100, s.now)
	if s.revision() != 6 {
		t.Errorf("revision %d", s.revision())
	}
}

// TestSyncBacksOff: without answers a node asks again after SyncTimeout, then ever more slowly, and no more than that.
func TestSyncBacksOff(t *testing.T) {
	s := newScript(t, Config{})
	s.welcome(0, wire.RolePrimary, 1)
	asked := 0
	for range 30 {
		out := s.after(time.Second)
		for _, send := range out.Sends {
			switch send.Message.(type) {
			case *wire.Sync:
				asked++
			case *wire.Hello:
				s.welcome(0, wire.RolePrimary, 1)
			}
		}
	}
	if asked < 3 || asked > 6 {
		t.Errorf("%d syncs in 30 s without an answer", asked)
	}
}

// TestReports: a change is reported at once but at most each 20 ms, the last never lost; at rest each interval.
func TestReports(t *testing.T) {
	s := synced(t, Config{})
	s.after(reportEvery)
	state := five()
	reports := 0
	var last *wire.Report
	for revision := uint64(6); revision <= 25; revision++ {
		record := set(revision, "a/k", "v")
		next := state.Apply(record, nil)
		epoch := model.Epoch{Number: 1}
		s.published(&wire.Body{
			Epoch: epoch, Previous: state.Revision(), Head: next.Head("a"), Records: []model.Record{*record},
		}, 50)
		s.published(&wire.Mark{Epoch: epoch, Previous: state.Revision(), Revision: revision, Heads: []model.Head{next.Head("a")}, Report: true}, 50)
		state = next
		if sent[*wire.Report](s.m.Take(), 0) != nil {
			reports++
		}
		for _, send := range s.after(5 * time.Millisecond).Sends {
			if report, is := send.Message.(*wire.Report); is {
				last = report
				reports++
			}
		}
	}
	if reports > 7 || last == nil || last.Revision != 25 || last.Digest != state.Digest() {
		t.Errorf("%d reports of 20 changes in 100 ms, the last %v", reports, last)
	}
	if s.after(900 * time.Millisecond); s.revision() != 25 {
		t.Errorf("revision %d", s.revision())
	}
	if sent[*wire.Report](s.after(200*time.Millisecond), 0) == nil {
		t.Error("no report after an interval at rest")
	}
	s.m.Published([]Published{{&wire.Mark{Epoch: model.Epoch{Number: 1}, Previous: 25, Revision: 25}, 50}}, s.now.Add(reportEvery))
	if sent[*wire.Report](s.after(2*reportEvery), 0) != nil {
		t.Error("a report that nobody waits for")
	}
}

// changes returns a body and a mark for each of some revisions after five's, and the states that they lead to.
func changes(count int) (messages []Published, states []*model.State) {
	state, epoch := five(), model.Epoch{Number: 1}
	for range count {
		revision := state.Revision() + 1
		record := set(revision, fmt.Sprint("a/", revision%3), fmt.Sprint(revision))
		next := state.Apply(record, nil)
		messages = append(messages,
			Published{&wire.Body{Epoch: epoch, Previous: state.Head("a").Revision, Head: next.Head("a"), Records: []model.Record{*record}}, 50},
			Published{&wire.Mark{Epoch: epoch, Previous: state.Revision(), Revision: revision, Heads: []model.Head{next.Head("a")}}, 50})
		states, state = append(states, next), next
	}
	return messages, states
}

// TestPublishedTogether: what comes together becomes visible together, or what comes before a mark that is missing; for what is
// missing a node asks.
func TestPublishedTogether(t *testing.T) {
	messages, states := changes(10)
	for lost := range len(messages) + 1 { // the last time none
		s := synced(t, Config{})
		batch := slices.Clone(messages)
		want, asks := lost/2, lost < len(messages)-1
		if lost < len(messages) {
			batch = slices.Delete(batch, lost, lost+1)
			if lost%2 == 0 { // a body: no mark shows how far the rest goes
				want = 0
			}
		}
		s.m.Published(batch, s.now)
		if ask := sent[*wire.Sync](s.m.Take(), 0); (ask != nil) != asks {
			t.Errorf("without message %d: asks %v", lost, ask)
		}
		state := append([]*model.State{five()}, states...)[want]
		if got, _, _ := s.m.Copy(); got.Revision() != state.Revision() || got.Digest() != state.Digest() || s.m.joined != nil {
			t.Errorf("without message %d: revision %d, want %d", lost, got.Revision(), state.Revision())
		}
	}
}

// TestJoinMarks: a joined mark says what two said, and what does not follow each other does not join.
func TestJoinMarks(t *testing.T) {
	head := func(tree string, revision uint64) model.Head {
		return model.Head{Tree: tree, Revision: revision, Digest: model.Digest{revision}}
	}
	mark := func(previous, revision uint64, heads ...model.Head) *wire.Mark {
		return &wire.Mark{Previous: previous, Revision: revision, Heads: heads}
	}
	forged := head("a", 6)
	forged.Digest = model.Digest{7}
	for name, c := range map[string]struct{ first, second, want *wire.Mark }{
		"one tree":        {mark(5, 6, head("a", 6)), mark(6, 7, head("a", 7)), mark(5, 7, head("a", 7))},
		"two trees":       {mark(5, 6, head("b", 6)), mark(6, 7, head("a", 7)), mark(5, 7, head("a", 7), head("b", 6))},
		"one of two":      {mark(5, 6, head("a", 6), head("b", 6)), mark(6, 7, head("b", 7)), mark(5, 7, head("a", 6), head("b", 7))},
		"at rest":         {mark(5, 6, head("a", 6)), mark(6, 6, head("a", 6), head("b", 3)), mark(5, 6, head("a", 6), head("b", 3))},
		"overlapping":     {mark(5, 8, head("a", 7)), mark(6, 9, head("a", 9)), mark(5, 9, head("a", 9))},
		"a gap":           {mark(5, 6, head("a", 6)), mark(7, 8, head("a", 8)), nil},
		"an older one":    {mark(5, 8, head("a", 8)), mark(5, 6, head("a", 6)), nil},
		"back in a tree":  {mark(5, 8, head("a", 8)), mark(8, 9, head("a", 7)), nil},
		"a contradiction": {mark(5, 6, head("a", 6)), mark(6, 6, forged), nil},
		"no order":        {mark(5, 6, head("b", 6), head("a", 6)), mark(6, 7, head("c", 7)), nil},
		"twice":           {mark(5, 6, head("a", 6), head("a", 6)), mark(6, 7, head("b", 7)), nil},
		"nonsense":        {mark(6, 5, head("a", 5)), mark(5, 7, head("a", 7)), nil},
	} {
		if got := joinMarks(c.first, c.second); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestKeptIsBounded: bodies without marks do not fill the memory.
func TestKeptIsBounded(t *testing.T) {
	s := synced(t, Config{})
	for revision := uint64(6); revision < keptMax+100; revision++ {
		s.published(&wire.Body{
			Epoch: model.Epoch{Number: 1}, Previous: revision - 1, Head: model.Head{Tree: "a", Revision: revision},
		}, 10<<10)
		if s.m.kept.bytes > keptBytesMax || s.m.kept.count > keptMax {
			t.Fatalf("%d octets in %d messages", s.m.kept.bytes, s.m.kept.count)
		}
	}
}

// TestRead puts an answer together, asks again after a hole, and refuses what the digests do not prove.
func TestRead(t *testing.T) {
	s := synced(t, Config{})
	handle := s.m.Ask(&wire.Read{Prefix: "a/"}, Anywhere, s.now)
	ask := sent[*wire.Read](s.m.Take(), 0)
	chunk := snapshot(ask.ID, model.Epoch{Number: 1}, five())
	chunk.Number = 1
	s.m.Received(0, chunk, 100, s.now)
	again := sent[*wire.Read](s.after(time.Second), 0)
	if again == nil || again.ID == ask.ID {
		t.Fatal("after a hole: not asked again under another number")
	}
	chunk = snapshot(again.ID, model.Epoch{Number: 1}, five())
	chunk.Entries[0].Value = []byte("FIVE")
	s.m.Received(0, chunk, 100, s.now)
	again = sent[*wire.Read](s.after(time.Second), 0)
	if again == nil {
		t.Fatal("a damaged answer was taken")
	}
	s.m.Received(0, snapshot(again.ID, model.Epoch{Number: 1}, five()), 100, s.now)
	out := s.m.Take()
	if len(out.Answers) != 1 || out.Answers[0].Handle != handle || out.Answers[0].State.Digest() != five().Digest() {
		t.Errorf("%+v", out.Answers)
	}
}

// TestAway: an authority that says nothing is away after three intervals, and one that takes over is followed.
func TestAway(t *testing.T) {
	s := synced(t, Config{Links: 2})
	s.welcome(1, wire.RoleStandby, 1)
	if s.after(2 * time.Second); !s.m.View().Connected {
		t.Error("away after 2 s")
	}
	out := s.after(2 * time.Second)
	if s.m.View().Connected || sent[*wire.Hello](out, 1) == nil {
		t.Error("after 4 s: not away, or the other was not greeted")
	}
	if out := s.welcome(1, wire.RolePrimary, 2); out.Follow == nil || out.Follow.Link != 1 || sent[*wire.Sync](out, 1).Revision != 5 {
		t.Error("the one that took over is not followed")
	}
}

// TestAwayWithItsStream: the only authority is away as well when its stream has gone.
func TestAwayWithItsStream(t *testing.T) {
	s := synced(t, Config{})
	s.m.Lost(0, s.now)
	if s.after(2 * time.Second); !s.m.View().Connected {
		t.Error("away after 2 s")
	}
	if s.after(2 * time.Second); s.m.View().Connected {
		t.Error("after 4 s it is not away")
	}
	if due := s.m.Deadline(); !due.IsZero() {
		t.Errorf("something is due at %v, with nobody there", due)
	}
	s.m.Connected(0, s.now)
	if s.welcome(0, wire.RolePrimary, 1); !s.m.View().Connected {
		t.Error("it is back, and counts as away")
	}
}

// TestPromoteOnce: a request for one authority is sent there once, followed or not.
func TestPromoteOnce(t *testing.T) {
	s := newScript(t, Config{Links: 2})
	handle := s.m.Ask(&wire.Promote{}, 1, s.now)
	out := s.welcome(1, wire.RoleStandby, 1)
	ask := sent[*wire.Promote](out, 1)
	if ask == nil {
		t.Fatal("not sent after the Welcome")
	}
	if sent[*wire.Promote](s.after(20*time.Second), 1) != nil {
		t.Error("sent twice")
	}
	s.m.Received(1, &wire.Result{Request: ask.Request, Code: wire.CodeReadOnly}, 1, s.now)
	if out := s.m.Take(); len(out.Answers) != 1 || out.Answers[0].Handle != handle {
		t.Errorf("%+v", out)
	}
}

// TestRefused: a change that is refused for a while is sent again, under the same number; in between nothing is open.
func TestRefused(t *testing.T) {
	s := synced(t, Config{})
	handle := s.m.Ask(&wire.Propose{}, Anywhere, s.now)
	ask := sent[*wire.Propose](s.m.Take(), 0)
	refuse := &wire.Result{Request: ask.Request, Code: wire.CodeReadOnly}
	s.m.Received(0, refuse, 1, s.now)
	if out := s.m.Take(); len(out.Answers) != 0 || s.m.requests[handle].open != 0 {
		t.Fatalf("%+v", out)
	}
	again := sent[*wire.Propose](s.after(refusedMin), 0)
	if again == nil || again.Request != ask.Request || s.m.requests[handle].open != 1 {
		t.Fatalf("not sent again: %v", again)
	}
	s.m.Received(0, refuse, 1, s.now)
	if s.welcome(0, wire.RolePrimary, 1); s.m.requests[handle].open != 1 {
		t.Error("a Welcome, which may bring better news, does not send it again")
	}
	if open, last := s.m.Forget(handle); !open || last != refuse {
		t.Errorf("forgotten: open %v, %v", open, last)
	}
	hasty := synced(t, Config{FailFast: true})
	refuse.Request = hasty.m.Ask(&wire.Propose{}, Anywhere, s.now)
	hasty.m.Received(0, refuse, 1, s.now)
	if out := hasty.m.Take(); len(out.Answers) != 1 {
		t.Errorf("FailFast: %+v", out)
	}
}
