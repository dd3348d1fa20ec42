// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// samples are messages with their octets, worked out by hand from doc.go.
func samples() []struct {
	message Message
	octets  string
} {
	return []struct {
		message Message
		octets  string
	}{
		{&Hello{Version: 1, Credit: 7, Name: "ab"}, "01 0001 00000007 00000002 6162"},
		{&Beat{Credit: 1, Leases: []uint64{3, 1 << 40}}, "02 00000001 00000002 0000000000000003 0000010000000000"},
		{&Beat{}, "02 00000000 00000000"},
		{&Results{Credit: 2, Items: []Result{{5, Done, []byte{9}}, {6, Returned, []byte{}}}},
			"03 00000002 00000002 0000000000000005 01 00000001 09 0000000000000006 04 00000000"},
		{&Bye{}, "04"},
		{&Status{}, "05"},
		{&List{After: 260}, "06 0000000000000104"},
		{&Settle{Action: Forget, IDs: []uint64{9}}, "07 02 00000001 0000000000000009"},
		{&Welcome{Version: 1, Life: 258, Interval: 1000}, "20 0001 0000000000000102 000003e8"},
		{&Tasks{[]Task{{1, 2, 3, 4, []byte("xy")}}}, "21 00000001 0000000000000001 0000000000000002 00000003 0000000000000004 00000002 7879"},
		{&Cancel{[]uint64{1}}, "22 00000001 0000000000000001"},
		{&Alive{}, "23"},
		{&Stranger{}, "24"},
		{&Report{[]byte("{}")}, "25 00000002 7b7d"},
		{&Letters{Left: 3, Items: []Letter{{
			ID: 7, Attempts: 2, Durable: true, Bytes: 5000, Payload: []byte("p"), Errors: []AttemptError{{2, 256, "w", "no"}},
		}, {ID: 8, Payload: []byte{}}}},
			"26 00000003 00000002" +
				"0000000000000007 00000002 01 00001388 00000001 70 00000001 00000002 0000000000000100 00000001 77 00000002 6e6f" +
				"0000000000000008 00000000 00 00000000 00000000 00000000"},
		{&Letters{}, "26 00000000 00000000"},
		{&Settled{Verdicts: []Verdict{Agreed, Draining}}, "27 00000002 01 04"},
	}
}

func TestGolden(t *testing.T) {
	for _, s := range samples() {
		want, err := hex.DecodeString(strings.ReplaceAll(s.octets, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := Encode(s.message); string(got) != string(want) {
			t.Errorf("%#v is % x, want % x", s.message, got, want)
		}
		got, err := Decode(want)
		if err != nil || !reflect.DeepEqual(got, s.message) {
			t.Errorf("% x is %#v, %v, want %#v", want, got, err, s.message)
		}
	}
}

// TestDocumentation: every message has its row in doc.go, and there is no other.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^//\t *(\d+ [A-Z]\w+) +(?:worker|anybody|dispatcher) to`).FindAllSubmatch(text, -1) {
		rows[string(row[1])] = true
	}
	for _, s := range samples() {
		row := fmt.Sprintf("%d %s", s.message.kind(), reflect.TypeOf(s.message).Elem().Name())
		if _, documented := rows[row]; !documented {
			t.Errorf("doc.go has no row %q", row)
		}
		rows[row] = false
	}
	for row, other := range rows {
		if other {
			t.Errorf("doc.go has a row %q, of which there is no sample", row)
		}
	}
}

// TestTruncated: no beginning of a message is one, nor is a message with an octet more.
func TestTruncated(t *testing.T) {
	for _, s := range samples() {
		frame := Encode(s.message)
		for end := range frame {
			if m, err := Decode(frame[:end]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%T cut to %d octets: %#v, %v", s.message, end, m, err)
			}
		}
		if m, err := Decode(append(frame, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%T and an octet: %#v, %v", s.message, m, err)
		}
	}
}

func TestHostileClaims(t *testing.T) {
	for name, octets := range map[string]string{
		"unknown kind":     "ff",
		"kind 0":           "00",
		"leases not there": "02 00000001 ffffffff",
		"results":          "03 00000001 10000000 0000000000000005",
		"tasks":            "21 ffffffff",
		"outcome 0":        "03 00000002 00000001 0000000000000005 00 00000000",
		"outcome 5":        "03 00000002 00000001 0000000000000005 05 00000000",
		"value not there":  "03 00000002 00000001 0000000000000005 01 ffffffff",
		"letters":          "26 00000000 00ffffff 0000000000000007",
		"errors":           "26 00000000 00000001 0000000000000007 00000000 00 00000000 00000000 00ffffff",
		"durable 2":        "26 00000000 00000001 0000000000000008 00000000 02 00000000 00000000 00000000",
		"action 3":         "07 03 00000001 0000000000000009",
		"verdict 5":        "27 00000001 05",
		"many IDs":         "07 01 00000401" + strings.Repeat("0000000000000009", 1025),
		"verdicts":         "27 00000401" + strings.Repeat("01", 1025),
		"long excerpt":     "26 00000000 00000001 0000000000000007 00000000 00 00000000 00000401" + strings.Repeat("00", 1025) + "00000000",
		"long name":        "01 0001 00000007 00000100" + strings.Repeat("61", 256),
	} {
		frame, err := hex.DecodeString(strings.ReplaceAll(octets, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		allocated := testing.AllocsPerRun(1, func() { _, err = Decode(frame) })
		if !errors.Is(err, ErrMalformed) || allocated > 20 {
			t.Errorf("%s: %v, %v allocations", name, err, allocated)
		}
	}
}

func TestCut(t *testing.T) {
	if got := Cut(strings.Repeat("é", TextBytesMax)); len(got) != TextBytesMax {
		t.Errorf("%d octets", len(got))
	}
	if got := Cut("x" + strings.Repeat("é", TextBytesMax)); len(got) != TextBytesMax-1 {
		t.Errorf("%d octets, cut within a character", len(got))
	}
}

// FuzzDecode: whatever decodes encodes to the same octets.
func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(Encode(s.message))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := Decode(frame)
		if err != nil {
			return
		}
		if again := Encode(m); string(again) != string(frame) {
			t.Errorf("% x decodes to %#v, which is % x", frame, m, again)
		}
	})
}

// TestCutKeepsLittle: a text that was cut does not keep the memory of the whole one.
func TestCutKeepsLittle(t *testing.T) {
	const whole = 64 << 20
	cut := Cut(strings.Repeat("x", whole))
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	if len(cut) != TextBytesMax || memory.HeapAlloc > whole/2 {
		t.Errorf("%d octets keep a heap of %d", len(cut), memory.HeapAlloc)
	}
	runtime.KeepAlive(cut)
}
