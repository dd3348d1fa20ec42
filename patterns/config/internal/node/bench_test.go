// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// BenchmarkCrowd has more nodes than the caches hold take what an authority publishes: an operation is a change at a node, decoded,
// applied and shown to a watch.
func BenchmarkCrowd(b *testing.B) {
	b.Run("one change at a time", func(b *testing.B) { crowd(b, 1, 1) })
	b.Run("16 writers, four bodies at a time", func(b *testing.B) { crowd(b, 16, 4) })
}

func crowd(b *testing.B, writers, bodies int) {
	const nodes, keys, valueBytes = 250, 1024, 100
	value := bytes.Repeat([]byte("v"), valueBytes)
	key := func(number int) string { return fmt.Sprintf("bench/key-%06d", number) }
	record := model.Record{Revision: 1}
	for number := range keys {
		record.Ops = append(record.Ops, model.Op{Key: key(number), Value: value})
	}
	state := (&model.State{}).Apply(&record, nil)
	now := time.Unix(1000, 0)
	machines := make([]*Machine, nodes)
	for i := range machines {
		machines[i] = crowded(b, state, now)
	}
	publish := func(number int) (frames [][]byte) {
		next, head := state, state.Head("bench")
		body := &wire.Body{Previous: head.Revision}
		for writer := range writers {
			record := model.Record{Revision: next.Revision() + 1, Time: now, Author: "writer", Session: "session of a writer", Request: 1,
				Ops: []model.Op{{Key: key((writer*keys/writers + number) % keys), Value: value}}}
			body.Records = append(body.Records, record)
			next = next.Apply(&record, nil)
		}
		body.Head = next.Head("bench")
		mark := &wire.Mark{Previous: state.Revision(), Revision: next.Revision(), Heads: []model.Head{body.Head}}
		state = next
		return [][]byte{wire.Encode(body), wire.Encode(mark)}
	}
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	for published := 0; done < b.N; {
		b.StopTimer()
		var frames [][]byte
		for range bodies {
			frames = append(frames, publish(published)...)
			published++
		}
		b.StartTimer()
		for _, m := range machines {
			if done += take(b, m, frames, now); done >= b.N {
				break
			}
		}
	}
}

// take returns how many changes a watch of the machine is shown.
func take(b *testing.B, m *Machine, frames [][]byte, now time.Time) (changes int) {
	published := make([]Published, 0, 16)
	for _, frame := range frames {
		message, err := wire.DecodeLean(frame)
		if err != nil {
			b.Fatal(err)
		}
		published = append(published, Published{message, len(frame)})
	}
	before, _, _ := m.Copy()
	m.Published(published, now)
	m.Take()
	after, _, _ := m.Copy()
	for range model.Diff(before, after, "") {
		changes++
	}
	return changes
}

func crowded(b *testing.B, state *model.State, now time.Time) *Machine {
	m := New(Config{Session: "s", Name: "n", Links: 1})
	m.Connected(0, now)
	m.Received(0, &wire.Welcome{Version: wire.Version, Role: wire.RolePrimary, Interval: time.Second, Changes: "ipc://changes"}, 1, now)
	ask := sent[*wire.Sync](m.Take(), 0)
	chunk := &wire.Chunk{ID: ask.ID, Revision: state.Revision(), Heads: slices.Collect(state.Heads("")), Last: true}
	encoded := wire.Encode(&wire.Chunk{ID: ask.ID, Revision: state.Revision(), Heads: chunk.Heads, Last: true,
		Entries: slices.Collect(state.List(""))})
	message, err := wire.Decode(bytes.Clone(encoded))
	if err != nil {
		b.Fatal(err)
	}
	m.Received(0, message, len(encoded), now)
	if _, _, have := m.Copy(); !have {
		b.Fatal("a node has no copy")
	}
	return m
}
