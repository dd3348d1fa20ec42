// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/hex"
	"errors"
	"reflect"
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
		{&Welcome{Version: 1, Life: 258, Interval: 1000}, "20 0001 0000000000000102 000003e8"},
		{&Tasks{[]Task{{1, 2, 3, 4, []byte("xy")}}}, "21 00000001 0000000000000001 0000000000000002 00000003 0000000000000004 00000002 7879"},
		{&Cancel{[]uint64{1}}, "22 00000001 0000000000000001"},
		{&Alive{}, "23"},
		{&Stranger{}, "24"},
		{&Report{[]byte("{}")}, "25 00000002 7b7d"},
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
