// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// TestContentRefused takes something away by a commit that is fine as such: every value has its checksum.
func TestContentRefused(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(tx *bbolt.Tx, h *header) error
	}{
		"last record": {"the log ends at revision 11, want 12", func(tx *bbolt.Tx, h *header) error {
			return errors.Join(tx.Bucket([]byte(logBucket)).Delete(logKey(h.last)), renew(tx, h))
		}},
		"record between": {"comes next", func(tx *bbolt.Tx, h *header) error {
			return errors.Join(tx.Bucket([]byte(logBucket)).Delete(logKey(h.last-1)), renew(tx, h))
		}},
		"record of another history": {"checksum", func(tx *bbolt.Tx, h *header) error {
			log := bucket{tx.Bucket([]byte(logBucket)), logBucket}
			payload := appendRecord(nil, &model.Record{Ops: []model.Op{{Key: "a/b"}}})
			_, err := log.put(logKey(h.last-1), h.baseSum, payload)
			return errors.Join(err, renew(tx, h))
		}},
		"head of an empty tree": {"heads, want", func(tx *bbolt.Tx, h *header) error {
			return errors.Join(tx.Bucket([]byte(headsBucket)).Delete([]byte("empty")), renew(tx, h))
		}},
		"entry": {"digest", func(tx *bbolt.Tx, h *header) error {
			entries := tx.Bucket([]byte(entriesBucket))
			key, _ := entries.Cursor().First()
			return errors.Join(entries.Delete(key), renew(tx, h))
		}},
		"header": {"header", func(tx *bbolt.Tx, _ *header) error {
			return tx.Bucket([]byte(headerBucket)).Delete([]byte(headerKey))
		}},
		"bucket": {`"heads"`, func(tx *bbolt.Tx, _ *header) error { return tx.DeleteBucket([]byte(headsBucket)) }},
		"commit without its header": {"transaction", func(tx *bbolt.Tx, _ *header) error {
			return tx.Bucket([]byte(headerBucket)).Put([]byte("other"), []byte("x"))
		}},
	} {
		b := openBolt(t, filepath.Join(t.TempDir(), "store"))
		o := newOwner(t, rand.New(rand.NewPCG(13, 13)), b)
		o.build(10, 0)
		for i, remove := range []bool{false, true} {
			record := model.Record{Revision: 11 + uint64(i), Ops: []model.Op{{Key: "empty/key", Delete: remove}}}
			if err := b.Append(record.Revision-1, []model.Record{record}, o.want.Meta); err != nil {
				t.Fatal(err)
			}
			o.states = append(o.states, o.state().Apply(&record, nil))
		}
		if name == "head of an empty tree" {
			if err := b.Trim(o.state(), model.Epoch{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.db.Update(func(tx *bbolt.Tx) error { return test.change(tx, &b.header) }); err != nil {
			t.Fatal(name, err)
		}
		b = boltSubject().reopen(t, b).(*Bolt)
		if _, err := b.Load(); !errors.As(err, new(*DamagedError)) || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: %v, want %q", name, err, test.reason)
		}
	}
}

// renew writes the header as it was, for another transaction.
func renew(tx *bbolt.Tx, h *header) error {
	next := *h
	next.transaction = uint64(tx.ID())
	return putHeader(tx, &next)
}

// TestFileRefused changes what holds a file together, one thing at a time, so that no other check finds it.
func TestFileRefused(t *testing.T) {
	i := newImage(t, 8, 60)
	order, path := binary.NativeEndian, filepath.Join(t.TempDir(), "store")
	newest := 0
	if order.Uint64(i.now[pageHeadBytes+48:]) < order.Uint64(i.now[i.pageBytes+pageHeadBytes+48:]) {
		newest = i.pageBytes
	}
	meta := func(b []byte, page int) []byte { return b[page+pageHeadBytes:] }
	pages := int(order.Uint64(meta(i.now, newest)[40:]))
	root := int(order.Uint64(meta(i.now, newest)[16:])) * i.pageBytes
	for name, test := range map[string]struct {
		reason string
		change func(b []byte) []byte
	}{
		"meta pages far apart": {"the meta pages are of transactions", func(b []byte) []byte {
			older := i.pageBytes - newest
			number := order.Uint64(meta(b, older)[48:])
			order.PutUint64(meta(b, older)[48:], number-2)
			forge(b[older:])
			return b
		}},
		"a circle": {"is used twice", func(b []byte) []byte {
			for _, at := range i.branches {
				order.PutUint64(b[at+pageHeadBytes+8:], uint64(at/i.pageBytes))
			}
			return b
		}},
		"one page for two": {"is used twice", func(b []byte) []byte {
			for _, at := range i.branches {
				order.PutUint64(b[at+pageHeadBytes+8:], uint64(root/i.pageBytes))
			}
			return b
		}},
		"a branch key": {"the key is out of order", func(b []byte) []byte {
			for _, at := range i.branches { // the first key is shorter by an octet than it should be
				order.PutUint32(b[at+pageHeadBytes+4:], order.Uint32(b[at+pageHeadBytes+4:])-1)
			}
			return b
		}},
		"cut off in the last page": {"it has been cut off", func(b []byte) []byte { return b[:pages*i.pageBytes-1] }},
		"beyond the end": {"it refers to pages", func(b []byte) []byte {
			order.PutUint64(meta(b, newest)[16:], uint64(pages))
			forge(b[newest:])
			return b
		}},
		"a meta page as the root": {"it refers to pages", func(b []byte) []byte {
			order.PutUint64(meta(b, newest)[16:], 1)
			forge(b[newest:])
			return b
		}},
		"a list of free pages": {"free pages", func(b []byte) []byte {
			order.PutUint64(meta(b, newest)[32:], 2)
			forge(b[newest:])
			return b
		}},
		"pages of no octets": {"pages have 0 octets", func(b []byte) []byte {
			order.PutUint32(meta(b, 0)[8:], 0)
			forge(b)
			return b
		}},
		"the number of a page": {"says that it is", func(b []byte) []byte {
			order.PutUint64(b[root:], uint64(root/i.pageBytes+1))
			return b
		}},
		"too many pages": {"it refers to pages", func(b []byte) []byte {
			order.PutUint32(b[root+12:], 1<<32-1)
			return b
		}},
		"too many elements": {"elements", func(b []byte) []byte {
			order.PutUint16(b[root+10:], 1<<16-1)
			return b
		}},
		"a key outside of its page": {"outside of its page", func(b []byte) []byte {
			order.PutUint32(b[root+pageHeadBytes+8:], 1<<32-1)
			return b
		}},
		"no key": {"an empty key", func(b []byte) []byte {
			order.PutUint32(b[root+pageHeadBytes+8:], 0)
			return b
		}},
	} {
		writeFile(t, path, test.change(bytes.Clone(i.now)))
		b, err := Open(path, OpenOptions{})
		if err == nil {
			closeStore(t, b)
		}
		if !errors.As(err, new(*DamagedError)) || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: %v, want %q", name, err, test.reason)
		}
	}
}
