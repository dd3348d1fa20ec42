// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// scene is one authority alone, whose disk answers at once unless it is held.
type scene struct {
	t       *testing.T
	disk    *store.Memory
	machine *Machine
	cfg     Config
	now     time.Time
	held    bool // writes wait for release
	write   *Write
	writes  int
	sent    map[string][]wire.Message
	public  []Publish
}

func newScene(t *testing.T, change func(*Config)) *scene {
	s := &scene{t: t, disk: store.NewMemory(model.AuthorityID{1}), now: time.Unix(1000, 0), sent: map[string][]wire.Message{}}
	s.cfg = Config{
		Changes: ":1", Interval: time.Second, ValueBytesMax: 1000, HistoryRecords: 100, HistoryBytes: 1 << 20, TakeoverAfter: 10 * time.Second,
		Life: 1, WallClock: func() time.Time { return time.Unix(0, 0) }, Log: func(event string, details ...any) { t.Log(event, details) },
	}
	if change != nil {
		change(&s.cfg)
	}
	s.restart()
	return s
}

// restart ends the process and begins another on the same disk.
func (s *scene) restart() {
	s.t.Helper()
	s.disk = s.disk.Reopen()
	contents, err := s.disk.Load()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write = nil
	s.cfg.Life++
	s.machine = New(s.cfg, contents, s.now)
	s.settle()
}

// settle takes what the machine puts out, and carries out its writes.
func (s *scene) settle() {
	for {
		out := s.machine.Take(s.now)
		for _, sent := range out.Send {
			s.sent[sent.Session] = append(s.sent[sent.Session], decoded(s.t, sent.Message))
		}
		for _, published := range out.Publish {
			s.public = append(s.public, Publish{published.Topic, decoded(s.t, published.Message)})
		}
		if out.Write != nil {
			s.write = out.Write
			s.writes++
		}
		if s.held || s.write == nil {
			return
		}
		s.endWrite()
	}
}

func (s *scene) endWrite() {
	at := site{disk: s.disk, write: s.write}
	err := at.carryOut()
	s.write = nil
	s.machine.Written(err, s.now)
}

func decoded(t *testing.T, message wire.Message) wire.Message {
	t.Helper()
	got, err := wire.Decode(wire.Encode(message))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *scene) release() {
	s.held = false
	s.endWrite()
	s.settle()
}

func (s *scene) from(session string, message wire.Message) {
	s.t.Helper()
	s.machine.Received(session, decoded(s.t, message), s.now)
	s.settle()
}

func (s *scene) hello(session string, trees ...string) {
	s.from(session, &wire.Hello{Version: wire.Version, Session: session, Name: "n-" + session, Trees: trees})
	welcome, ok := s.last(session).(*wire.Welcome)
	if !ok || welcome.Role != wire.RolePrimary {
		s.t.Fatalf("Hello is answered by %+v", s.last(session))
	}
}

func (s *scene) last(session string) wire.Message {
	got := s.sent[session]
	if len(got) == 0 {
		return nil
	}
	return got[len(got)-1]
}

// pass lets time go by in small steps.
func (s *scene) pass(time time.Duration) {
	for range time / (s.cfg.Interval / 4) {
		s.now = s.now.Add(s.cfg.Interval / 4)
		s.machine.Tick(s.now)
		s.settle()
	}
}

// propose sends operations and returns the answer.
func (s *scene) propose(session string, request uint64, ops ...model.Op) *wire.Result {
	s.t.Helper()
	s.from(session, &wire.Propose{Request: request, Author: "me", Transaction: model.Transaction{Ops: ops}})
	return s.result(session, request)
}

func (s *scene) result(session string, request uint64) *wire.Result {
	s.t.Helper()
	result, ok := s.last(session).(*wire.Result)
	if !ok || result.Request != request {
		s.t.Fatalf("request %d is answered by %+v", request, s.last(session))
	}
	return result
}

func (s *scene) answered(session string, request uint64) bool {
	result, is := s.last(session).(*wire.Result)
	return is && result.Request == request && result.Code == wire.CodeDone
}

func set(key, value string) model.Op { return model.Op{Key: key, Value: []byte(value)} }

func (s *scene) must(result *wire.Result, code wire.Code, revision uint64) {
	s.t.Helper()
	if result.Code != code || code == wire.CodeDone && result.Revision != revision {
		s.t.Fatalf("got code %v, revision %d (%s), want code %v, revision %d", result.Code, result.Revision, result.Text, code, revision)
	}
}

// content is what the committed state holds, in one line.
func (s *scene) content() (text string) {
	for entry := range s.machine.ledger.state().List("") {
		text += fmt.Sprintf("%s=%s@%d ", entry.Key, entry.Value, entry.Revision)
	}
	return text
}

func (s *scene) wantContent(want string) {
	s.t.Helper()
	if got := s.content(); got != want {
		s.t.Errorf("content %q, want %q", got, want)
	}
}

var errFull = errors.New("no space left on device")
