// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// benchmarked returns a body and a mark as one change of 100 octets makes them, and a chunk of 100 entries of 100 octets each.
func benchmarked() map[string]Message {
	epoch := model.Epoch{Number: 5, Authority: model.AuthorityID([]byte("auth0001"))}
	head := model.Head{Tree: "service", Revision: 1 << 20}
	value := bytes.Repeat([]byte("v"), 100)
	chunk := &Chunk{Epoch: epoch, Revision: 1 << 20, Heads: []model.Head{head}}
	for i := range 100 {
		chunk.Entries = append(chunk.Entries, &model.Entry{Key: fmt.Sprintf("service/settings/%d", i), Value: value, Revision: 1 << 20})
	}
	record := model.Record{Revision: 1 << 20, Epoch: epoch, Author: "operator", Session: "session", Request: 1000,
		Ops: []model.Op{{Key: "service/settings/1", Value: value}}}
	return map[string]Message{
		"Body":  &Body{Epoch: epoch, Previous: 1<<20 - 1, Head: head, Records: []model.Record{record}},
		"Mark":  &Mark{Epoch: epoch, Previous: 1<<20 - 1, Revision: 1 << 20, Heads: []model.Head{head}},
		"Chunk": chunk,
	}
}

// TestAllocations bounds what hot messages allocate: encoding the state of the coder, decoding besides that the message, its
// lists and its strings.
func TestAllocations(t *testing.T) {
	decoded := map[string]float64{
		"Body":  1 + 1 + 1 + 2 + 3 + 1, // coder, message, tree, lists, a record's and a key's strings
		"Mark":  1 + 1 + 1 + 1,
		"Chunk": 1 + 1 + 1 + 2 + 200,
	}
	for name, m := range benchmarked() {
		buffer := Encode(m)
		if got := testing.AllocsPerRun(10, func() { buffer = AppendMessage(buffer[:0], m) }); got > 1 {
			t.Errorf("%s: encoding allocates %v times, want 1", name, got)
		}
		if got := testing.AllocsPerRun(10, func() { _, _ = Decode(buffer) }); got > decoded[name] {
			t.Errorf("%s: decoding allocates %v times, want %v", name, got, decoded[name])
		}
	}
}

func benchmarkEncode(b *testing.B, name string) {
	m := benchmarked()[name]
	buffer := Encode(m)
	b.SetBytes(int64(len(buffer)))
	b.ReportAllocs()
	for b.Loop() {
		buffer = AppendMessage(buffer[:0], m)
	}
}

func benchmarkDecode(b *testing.B, name string) {
	frame := Encode(benchmarked()[name])
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeBody(b *testing.B)  { benchmarkEncode(b, "Body") }
func BenchmarkEncodeMark(b *testing.B)  { benchmarkEncode(b, "Mark") }
func BenchmarkEncodeChunk(b *testing.B) { benchmarkEncode(b, "Chunk") }
func BenchmarkDecodeBody(b *testing.B)  { benchmarkDecode(b, "Body") }
func BenchmarkDecodeMark(b *testing.B)  { benchmarkDecode(b, "Mark") }
func BenchmarkDecodeChunk(b *testing.B) { benchmarkDecode(b, "Chunk") }
