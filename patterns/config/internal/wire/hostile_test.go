// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

func TestMalformed(t *testing.T) {
	word := func(length int) string { return strings.Repeat("k", length) }
	manyOps := make([]model.Op, model.OpsMax+1)
	hello := Encode(&Hello{Version: Version})
	tests := []struct {
		name  string
		frame []byte
		want  string // part of the error
	}{
		{"empty", nil, "an empty frame"},
		{"too large", make([]byte, FrameBytesMax+1), "at most"},
		{"kind 0", []byte{0}, "unknown kind 0"},
		{"kind between blocks", []byte{byte(kindBye) + 1}, "unknown kind 14"},
		{"number cut", []byte{byte(kindStatus), 0x80}, "Status: Request: the frame ends in a number"},
		{"number too long", []byte{byte(kindStatus), 0x80, 0}, "Status: Request: a number in more octets than it needs"},
		{"number above 64 bits", append(append([]byte{byte(kindStatus)}, bytes.Repeat([]byte{0xff}, 9)...), 2), "Request: a number above 64 bits"},
		{"text beyond the frame", []byte{byte(kindPromote), 1, 3, 'm', 'e'}, "Promote: Author: 3 do not fit"},
		{"octets are missing", []byte{byte(kindReport), 1, 1, 2}, "Report: Epoch: needs 8 octets of the 2"},
		{"role 0", Encode(&Welcome{Version: Version}), "Welcome: Role: 0 is unknown"},
		{"role 4", Encode(&Welcome{Version: Version, Role: RoleStandby + 1}), "Welcome: Role: 4 is unknown"},
		{"code 0", Encode(&Result{}), "Result: Code: 0 is unknown"},
		{"code 16", Encode(&Result{Code: CodeStranger + 1}), "Result: Code: 16 is unknown"},
		{"name", Encode(&Promote{Author: word(model.NameBytesMax + 1)}), "Promote: Author: 256, at most 255"},
		{"prefix", Encode(&Read{Prefix: word(model.KeyBytesMax + 1)}), "Read: Prefix: 513, at most 512"},
		{"tree", Encode(&Rollback{Trees: []string{"a", word(model.TreeBytesMax + 1)}}), "Rollback: Trees[1]: 65, at most 64"},
		{"trees", Encode(&Rollback{Trees: make([]string, model.TreesMax+1)}), "Rollback: Trees: 1025, at most 1024"},
		{"heads", Encode(&Mark{Heads: make([]model.Head, model.TreesMax+1)}), "Mark: Heads: 1025, at most 1024"},
		{"ops", Encode(&Append{Records: []model.Record{{}, {Ops: manyOps}}}), "Append: Records[1].Ops: 4097, at most 4096"},
		{"conditions", Encode(&Propose{Transaction: model.Transaction{Conditions: make([]model.Condition, model.ConditionsMax+1)}}),
			"Propose: Conditions: 4097, at most 4096"},
		{"key", Encode(&Body{Records: []model.Record{{Ops: []model.Op{{}, {Key: word(model.KeyBytesMax + 1)}}}}}),
			"Body: Records[0].Ops[1].Key: 513, at most 512"},
		{"value", Encode(&Install{Entries: []*model.Entry{{Value: make([]byte, model.ValueBytesMax+1)}}}),
			"Install: Entries[0].Value: 16711681, at most 16711680"},
		{"entries", Encode(&Install{Entries: slices.Repeat([]*model.Entry{{}}, EntriesMax+1)}), "Entries: 65537, at most 65536"},
		{"records", Encode(&Records{Records: make([]model.Record, RecordsMax+1)}), "Records: 65537, at most 65536"},
		{"nodes", Encode(&Nodes{Role: RolePrimary, Nodes: make([]Node, NodesMax+1)}), "Nodes: 65537, at most 65536"},
		{"endpoint", Encode(&Welcome{Version: Version, Role: RolePrimary, Changes: word(EndpointBytesMax + 1)}),
			"Changes: 1025, at most 1024"},
		{"flag", append(hello[:len(hello)-1], 2), "Hello: Observer: 2 is neither 0 nor 1"},
		{"time to live", append([]byte{byte(kindPropose), 0, 0, 0, 1, 0, 0}, append(binary.AppendUvarint(nil, math.MaxInt64+1), 0)...),
			"Propose: Ops[0].TTL: a duration of 9223372036854775808 ns"},
		{"trailing", []byte{byte(kindBye), 0}, "Bye: its end: 1 octets more"},
	}
	for _, test := range tests {
		m, err := Decode(test.frame)
		if m != nil || !errors.Is(err, ErrMalformed) || errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v, want %q", test.name, m, err, test.want)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, k := range []kind{kindHello, kindWelcome, kindPeer} {
		m, err := Decode([]byte{byte(k), Version + 1, 0xff})
		if m != nil || !errors.Is(err, ErrVersion) || !errors.Is(err, ErrMalformed) {
			t.Errorf("kind %d of another version: %v, %v", k, m, err)
		}
	}
}

// TestLeastBytes shows that the sizes against which counts are checked are those of the smallest elements.
func TestLeastBytes(t *testing.T) {
	node := coder{}
	node.node(&Node{})
	condition := coder{}
	condition.condition(&model.Condition{})
	op := coder{}
	op.op(&model.Op{})
	tests := []struct {
		name      string
		got, want int
	}{
		{"head", len(AppendHead(nil, &model.Head{})), headBytesMin},
		{"entry", len(AppendEntry(nil, &model.Entry{})), entryBytesMin},
		{"record", len(AppendRecord(nil, &model.Record{Time: time.Unix(0, 0)})), recordBytesMin},
		{"node", len(node.bytes), nodeBytesMin},
		{"condition", len(condition.bytes), conditionBytesMin},
		{"op", len(op.bytes), opBytesMin},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("the smallest %s takes %d octets, want %d", test.name, test.got, test.want)
		}
	}
}

// memoryFactorMax is what elements may take in memory for each octet on the wire: an entry of 5 octets takes 88.
const memoryFactorMax = 40

// TestHostileCounts puts claims of all sizes everywhere into frames, before many zeros, which are elements of every type.
func TestHostileCounts(t *testing.T) {
	for _, m := range randomMessages(3) {
		frame := Encode(m)
		for at := 1; at <= len(frame); at += 1 + len(frame)/25 {
			for _, claim := range []uint64{1 << 10, 1 << 12, 1 << 16, 1 << 40, math.MaxInt64, math.MaxUint64} {
				for _, zeros := range []int{0, 1 << 12} {
					hostile := binary.AppendUvarint(slices.Clone(frame[:at]), claim)
					hostile = append(hostile, make([]byte, zeros)...)
					if used := memoryOfDecode(hostile); used > uint64(4096+memoryFactorMax*len(hostile)) {
						t.Fatalf("%T, %d at octet %d: a frame of %d octets took %d", m, claim, at, len(hostile), used)
					}
				}
			}
		}
	}
}

// memoryOfDecode is the least of three: others may allocate at the same time.
func memoryOfDecode(frame []byte) uint64 {
	var before, after runtime.MemStats
	least := uint64(math.MaxUint64)
	for range 3 {
		runtime.ReadMemStats(&before)
		_, _ = Decode(frame)
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

func TestLargestFits(t *testing.T) {
	transaction := model.Transaction{Ops: make([]model.Op, model.OpsMax), Conditions: make([]model.Condition, model.ConditionsMax)}
	const keyBytes = 128
	for i := range transaction.Ops {
		transaction.Ops[i] = model.Op{Key: strings.Repeat("k", keyBytes), TTL: model.TTLMax,
			Value: make([]byte, model.TransactionBytesMax/model.OpsMax-2*keyBytes)}
		transaction.Conditions[i] = model.Condition{Key: transaction.Ops[i].Key, Revision: math.MaxUint64}
	}
	record := model.Record{Revision: math.MaxUint64, Ops: transaction.Ops,
		Author: strings.Repeat("a", model.NameBytesMax), Session: strings.Repeat("s", model.NameBytesMax)}
	large := model.Record{Ops: []model.Op{{Key: strings.Repeat("k", model.KeyBytesMax), Value: make([]byte, model.ValueBytesMax)}}}
	heads := slices.Repeat([]model.Head{{Tree: strings.Repeat("t", model.TreeBytesMax), Revision: math.MaxUint64}}, model.TreesMax)
	for _, m := range []Message{
		&Propose{Transaction: transaction},
		&Chunk{Heads: heads, Records: []model.Record{record}},
		&Chunk{Heads: heads, Records: []model.Record{large}},
		&Install{Heads: heads, Entries: []*model.Entry{{Key: large.Ops[0].Key, Value: large.Ops[0].Value}}},
	} {
		frame := Encode(m)
		if _, err := Decode(frame); err != nil {
			t.Errorf("%d octets: %v", len(frame), err)
		}
		if guess := framedBytes(m); guess < len(frame) {
			t.Errorf("%T: %d octets, thought to be at most %d", m, len(frame), guess)
		}
	}
}

func TestValuesAreOfTheFrame(t *testing.T) {
	frame := Encode(&Propose{Transaction: model.Transaction{Ops: []model.Op{{Key: "a/b", Value: []byte("one")}, {Key: "a/c"}}}})
	m, err := Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	first := m.(*Propose).Ops[0]
	for i := range frame {
		frame[i] = 'x'
	}
	if first.Key != "a/b" || string(first.Value) != "xxx" || cap(first.Value) != len(first.Value) {
		t.Errorf("key %q, value %q with room for %d", first.Key, first.Value, cap(first.Value))
	}
	if empty := m.(*Propose).Ops[1].Value; empty != nil {
		t.Errorf("an empty value is %v", empty)
	}
}

func TestTextIsCut(t *testing.T) {
	for shift := range 4 {
		long := strings.Repeat("x", shift) + strings.Repeat("\U0001f600", TextBytesMax/4)
		m, err := Decode(Encode(&Stored{Error: long + long}))
		if err != nil {
			t.Fatal(err)
		}
		got := m.(*Stored).Error
		if len(got) <= TextBytesMax-utf8.UTFMax || !utf8.ValidString(got) || !strings.HasPrefix(long, got) {
			t.Errorf("shift %d: %d octets, ending in %q", shift, len(got), got[len(got)-8:])
		}
	}
	garbage := strings.Repeat("\x80", TextBytesMax+1)
	if m, err := Decode(Encode(&Stored{Error: garbage})); err != nil || len(m.(*Stored).Error) != TextBytesMax-utf8.UTFMax {
		t.Errorf("what is not UTF-8: %v", err)
	}
}

func TestNegativeDurationIsNone(t *testing.T) {
	m, err := Decode(Encode(&Nodes{Role: RolePrimary, Nodes: []Node{{Lag: -1, Seen: math.MinInt64}}}))
	if err != nil || m.(*Nodes).Nodes[0].Lag != 0 || m.(*Nodes).Nodes[0].Seen != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestTimes(t *testing.T) {
	tests := map[string]time.Time{
		"ffffffffffffffffff01": {},
		"feffffffffffffffff01": time.Unix(0, math.MaxInt64),
		"fdffffffffffffffff01": time.Unix(0, math.MinInt64+1),
		"00":                   time.Unix(0, 0),
		"01":                   time.Unix(0, -1),
		"02":                   time.Unix(0, 1),
		"80c8b1c9c3bce58631":   time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC),
	}
	for octets, want := range tests {
		c := coder{}
		c.instant("", &want)
		if got := hex.EncodeToString(c.bytes); got != octets {
			t.Errorf("%v is %s, want %s", want, got, octets)
		}
		var got time.Time
		c.decoding = true
		if c.instant("", &got); c.reason != "" || !got.Equal(want) {
			t.Errorf("%s is %v, %q, want %v", octets, got, c.reason, want)
		}
	}
}

func TestTimeIsUTC(t *testing.T) {
	now := time.Now() // any, with a monotonic clock and a place
	got, err := DecodeRecord(AppendRecord(nil, &model.Record{Time: now.In(time.FixedZone("far", 3600))}))
	if err != nil || !got.Time.Equal(now) || got.Time.Location() != time.UTC {
		t.Errorf("%v came back as %v, %v", now, got.Time, err)
	}
}
