// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/node"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// stream is what an authority publishes: changes of 1,024 keys with values of 100 octets, some to a body, each body with its mark.
type stream struct {
	base   *model.State
	frames [][]byte
}

func newStream(bodies, perBody int) *stream {
	value := func(i int) []byte { return fmt.Appendf(nil, "%0100d", i) }
	key := func(i int) string { return fmt.Sprintf("bench/settings/%06d", i%1024) }
	all := &model.Record{Revision: 1}
	for i := range 1024 {
		all.Ops = append(all.Ops, model.Op{Key: key(i), Value: value(i)})
	}
	s := &stream{base: (&model.State{}).Apply(all, nil)}
	state, epoch := s.base, model.Epoch{Number: 1}
	for i := range bodies {
		body := &wire.Body{Epoch: epoch, Previous: state.Revision()}
		mark := &wire.Mark{Epoch: epoch, Previous: state.Revision()}
		for j := range perBody {
			record := model.Record{Revision: state.Revision() + 1, Epoch: epoch, Time: time.Unix(1, 0), Author: "writer", Session: newSession(), Request: 1,
				Ops: []model.Op{{Key: key((i*perBody + j) * 67), Value: value(i)}}}
			state = state.Apply(&record, nil)
			body.Records = append(body.Records, record)
		}
		body.Head, mark.Revision, mark.Heads = state.Head("bench"), state.Revision(), []model.Head{state.Head("bench")}
		s.frames = append(s.frames, wire.Encode(body), wire.Encode(mark))
	}
	return s
}

// BenchmarkDeliver is what a change costs a node beside its sockets: to decode it, to apply it, and to show it to a watcher.
func BenchmarkDeliver(b *testing.B) {
	for _, shape := range []struct{ perBody, batch int }{{1, 1}, {1, 32}, {8, 1}, {8, 32}} {
		b.Run(fmt.Sprintf("%d in a body, %d bodies at once", shape.perBody, shape.batch), func(b *testing.B) {
			const bodies = 256
			s := newStream(bodies, shape.perBody)
			b.ReportAllocs()
			for b.Loop() {
				s.deliver(b, 2*shape.batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*bodies*shape.perBody), "ns/change")
		})
	}
}

func (s *stream) deliver(b *testing.B, batch int) {
	now, epoch := time.Unix(1000, 0), model.Epoch{Number: 1}
	m := node.New(node.Config{Session: "s", Name: "n", Links: 1, State: s.base, Epoch: epoch})
	m.Connected(0, now)
	m.Received(0, &wire.Welcome{Version: wire.Version, Role: wire.RolePrimary, Epoch: epoch, Revision: 1}, 10, now)
	for _, send := range m.Take().Sends {
		if ask, is := send.Message.(*wire.Sync); is {
			m.Received(0, &wire.Chunk{
				ID: ask.ID, Epoch: epoch, From: ask.Revision, Revision: 1, Last: true, Heads: []model.Head{s.base.Head("bench")},
			}, 100, now)
		}
	}
	var messages []node.Published
	shown := 0
	for at := 0; at < len(s.frames); at += batch {
		frames := make([]socket.Message, 0, batch)
		for _, frame := range s.frames[at : at+batch] {
			frames = append(frames, socket.NewMessage(frame))
		}
		messages = decode(messages[:0], frames, wire.DecodeLean)
		before, _, _ := m.Copy()
		m.Published(messages, now)
		after, _, _ := m.Copy()
		m.Take()
		yieldChanges(before, after, "bench/", func(Change, error) bool { shown++; return true })
	}
	if state, _, _ := m.Copy(); state.Revision() < uint64(len(s.frames)/2) || shown == 0 {
		b.Fatal("not all has come", state.Revision(), shown)
	}
}
