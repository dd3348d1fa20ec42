// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

func TestEachKindHasItsMessage(t *testing.T) {
	blocks := map[kind]int{1: 13, 32: 5, 64: 2, 96: 7} // the first kind, and how many follow each other
	known := 0
	for first, count := range blocks {
		for k := first; k < first+kind(count); k++ {
			m := newMessage(k)
			if m == nil || m.kind() != k {
				t.Fatalf("kind %d is of %T", k, m)
			}
			known++
		}
	}
	if all := randomMessages(0); len(all) != known {
		t.Errorf("%d kinds, want %d", len(all), known)
	}
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		for _, m := range randomMessages(seed) {
			frame := Encode(m)
			got, err := Decode(frame)
			if err != nil {
				t.Fatalf("seed %d: %T: %v", seed, m, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Fatalf("seed %d: got %+v\nwant %+v", seed, got, m)
			}
			if again := AppendMessage([]byte("before"), got); string(again) != "before"+string(frame) {
				t.Fatalf("seed %d: %T: AppendMessage gave %x, Encode %x", seed, m, again, frame)
			}
		}
	}
}

func TestRoundTripOfParts(t *testing.T) {
	for seed := range uint64(200) {
		for _, m := range randomMessages(seed) {
			switch m := m.(type) {
			case *Install:
				for _, entry := range m.Entries {
					encoded := AppendEntry([]byte("before"), entry)[len("before"):]
					got, err := DecodeEntry(encoded)
					if err != nil || !reflect.DeepEqual(&got, entry) {
						t.Fatalf("seed %d: %+v: %+v, %v", seed, entry, got, err)
					}
					if bound := EntryBytes(entry); len(encoded) > bound || bound > len(encoded)+64 {
						t.Fatalf("seed %d: an entry of %d octets, bound %d", seed, len(encoded), bound)
					}
				}
				for _, head := range m.Heads {
					got, err := DecodeHead(AppendHead(nil, &head))
					if err != nil || got != head {
						t.Fatalf("seed %d: %+v: %+v, %v", seed, head, got, err)
					}
				}
			case *Append:
				for _, record := range m.Records {
					encoded := AppendRecord([]byte("before"), &record)[len("before"):]
					got, err := DecodeRecord(encoded)
					if err != nil || !reflect.DeepEqual(got, record) {
						t.Fatalf("seed %d: %+v: %+v, %v", seed, record, got, err)
					}
					if bound := RecordBytes(&record); len(encoded) > bound || bound > len(encoded)+64*(1+len(record.Ops)) {
						t.Fatalf("seed %d: a record of %d octets, bound %d", seed, len(encoded), bound)
					}
				}
			}
		}
	}
}

// TestLean: all is as Decode reads it, but for names that nobody needs who applies records.
func TestLean(t *testing.T) {
	for seed := range uint64(200) {
		for _, m := range randomMessages(seed) {
			got, err := DecodeLean(Encode(m))
			if err != nil {
				t.Fatalf("seed %d: %T: %v", seed, m, err)
			}
			for _, record := range recordsOf(m) {
				record.Author = ""
				if !slices.ContainsFunc(record.Ops, func(op model.Op) bool { return op.TTL != 0 }) {
					record.Session = ""
				}
			}
			if !reflect.DeepEqual(got, m) {
				t.Fatalf("seed %d: got %+v\nwant %+v", seed, got, m)
			}
			if body, is := got.(*Body); is {
				body.Release() // its memory is used again for another
			}
		}
	}
}

func recordsOf(m Message) (records []*model.Record) {
	var all []model.Record
	switch m := m.(type) {
	case *Body:
		all = m.Records
	case *Chunk:
		all = m.Records
	case *Records:
		all = m.Records
	case *Append:
		all = m.Records
	}
	for i := range all {
		records = append(records, &all[i])
	}
	return records
}

// Each message ends where its fields end: neither sooner nor later.
func TestTruncatedAndTrailing(t *testing.T) {
	for seed := range uint64(20) {
		for _, m := range randomMessages(seed) {
			frame := Encode(m)
			for length := range frame {
				if got, err := Decode(frame[:length]); !errors.Is(err, ErrMalformed) || got != nil {
					t.Fatalf("seed %d: %d octets of %d of %T: %v, %v", seed, length, len(frame), m, got, err)
				}
			}
			for _, octet := range []byte{0, 1, 255} {
				if got, err := Decode(append(bytes.Clone(frame), octet)); !errors.Is(err, ErrMalformed) || got != nil {
					t.Fatalf("seed %d: %d after %T: %v, %v", seed, octet, m, got, err)
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range randomMessages(1) {
		f.Add(Encode(m))
	}
	f.Add(AppendRecord(nil, new(model.Record)))
	f.Add(AppendEntry(nil, new(model.Entry)))
	f.Add(AppendHead(nil, new(model.Head)))
	f.Fuzz(func(t *testing.T, frame []byte) {
		same := func(again []byte, err error) {
			if err == nil && !bytes.Equal(frame, again) {
				t.Errorf("%x decodes, and encodes as %x", frame, again)
			}
			if err != nil && !errors.Is(err, ErrMalformed) {
				t.Error(err)
			}
		}
		m, err := Decode(frame)
		if _, leanErr := DecodeLean(frame); (err == nil) != (leanErr == nil) {
			t.Errorf("%v, lean %v", err, leanErr)
		}
		if err != nil {
			same(nil, err)
		} else {
			same(Encode(m), nil)
		}
		record, err := DecodeRecord(frame)
		same(AppendRecord(nil, &record), err)
		entry, err := DecodeEntry(frame)
		same(AppendEntry(nil, &entry), err)
		head, err := DecodeHead(frame)
		same(AppendHead(nil, &head), err)
	})
}
