// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// FuzzDecode reads anything as each kind of value. What can be read is written the same again.
func FuzzDecode(f *testing.F) {
	record := model.Record{Revision: 7, Time: time.Unix(1, 2), Author: "a", Session: "s", Request: 9, Ops: []model.Op{
		{Key: "a/b", Value: []byte("v"), TTL: time.Second}, {Key: "a/c", Delete: true},
	}}
	entry := model.Entry{Key: "a/b", Value: []byte("value"), Revision: 300, TTL: time.Hour, Owner: "s"}
	first := header{format: formatNumber, transaction: 5, base: 3, last: 1 << 40}
	f.Add(appendRecord(nil, &record))
	f.Add(appendEntry(nil, &entry))
	f.Add(appendHead(nil, model.Head{Tree: "a", Revision: 3, Digest: model.Digest{1, 2, 3, 4}}))
	f.Add(first.append(nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var again []byte
		if record, err := decodeRecord(1, payload); err == nil {
			again = appendRecord(nil, &record)
			sameLater(t, again, func(b []byte) []byte {
				record, err := decodeRecord(1, b)
				if err != nil {
					t.Error(err)
				}
				return appendRecord(nil, &record)
			})
		}
		if entry, err := decodeEntry("a/b", payload); err == nil {
			again = appendEntry(nil, entry)
			sameLater(t, again, func(b []byte) []byte {
				entry, err := decodeEntry("a/b", b)
				if err != nil {
					t.Error(err)
				}
				return appendEntry(nil, entry)
			})
		}
		if head, err := decodeHead([]byte("a"), payload); err == nil && len(appendHead(nil, head)) > len(payload) {
			t.Error("a head grew")
		}
		if h, err := decodeHeader(payload); err == nil && len(h.append(nil)) > len(payload) {
			t.Error("a header grew")
		}
	})
}

// sameLater compares encodings, since numbers can be written in several ways.
func sameLater(t *testing.T, encoded []byte, again func([]byte) []byte) {
	t.Helper()
	if !bytes.Equal(again(encoded), encoded) {
		t.Errorf("%x is not written as it was read", encoded)
	}
}

// TestTruncatedValues cuts each kind of value everywhere.
func TestTruncatedValues(t *testing.T) {
	record := model.Record{Revision: 7, Time: time.Unix(1, 2), Author: "a", Ops: []model.Op{{Key: "a/b", Value: []byte("value")}}}
	entry := model.Entry{Key: "a/b", Value: []byte("value"), Revision: 300}
	first := header{format: formatNumber}
	for name, kind := range map[string]struct {
		payload []byte
		decode  func([]byte) error
	}{
		"record": {appendRecord(nil, &record), func(b []byte) error { _, err := decodeRecord(7, b); return err }},
		"entry":  {appendEntry(nil, &entry), func(b []byte) error { _, err := decodeEntry("a/b", b); return err }},
		"head":   {appendHead(nil, model.Head{Revision: 300}), func(b []byte) error { _, err := decodeHead(nil, b); return err }},
		"header": {first.append(nil), func(b []byte) error { _, err := decodeHeader(b); return err }},
	} {
		if err := kind.decode(kind.payload); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range kind.payload {
			if kind.decode(kind.payload[:n]) == nil {
				t.Errorf("%s: the first %d of %d octets are accepted", name, n, len(kind.payload))
			}
		}
		if kind.decode(append(kind.payload, 0)) == nil {
			t.Errorf("%s: one more octet is accepted", name)
		}
	}
}
