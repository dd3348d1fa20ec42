// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// Buckets. The header has one key; heads go by tree, entries by entryKey, the log by logKey. Each value begins with its sum. Those
// of the log make a chain, which begins and ends in the header, so that no record can be missing, or be another one of its
// revision that was dropped. The base needs none: its heads, whose number is in the header, have digests of its entries.
const (
	headerBucket  = "header"
	headsBucket   = "heads"
	entriesBucket = "entries"
	logBucket     = "log"
	headerKey     = "header"
)

// bucket is one of bbolt with its name.
type bucket struct {
	*bbolt.Bucket
	name string
}

// put stores payload after its sum; before is of the chain, or zero.
func (b bucket) put(key []byte, before sum, payload []byte) (sum, error) {
	sum := sumOf(before, []byte(b.name), key, payload)
	return sum, b.Put(key, append(sum[:], payload...))
}

// check takes the sum off a stored value.
func (b bucket) check(key []byte, before sum, stored []byte) (payload []byte, found sum, err error) {
	if copy(found[:], stored) < len(found) {
		return nil, found, fmt.Errorf("%s %q: too short", b.name, key)
	}
	payload = stored[len(found):]
	if found != sumOf(before, []byte(b.name), key, payload) {
		return nil, found, fmt.Errorf("%s %q: the checksum is wrong", b.name, key)
	}
	return payload, found, nil
}

func (b bucket) sumAt(key []byte) (found sum, err error) {
	if copy(found[:], b.Get(key)) < len(found) {
		return found, fmt.Errorf("%s %q: missing", b.name, key)
	}
	return found, nil
}

// take sets the owner's part of the header.
func (h *header) take(meta Meta, last model.Epoch) error {
	if err := checkAuthority(h.meta.Authority, meta.Authority); err != nil {
		return err
	}
	h.meta, h.meta.Last = meta, last
	return nil
}

func putHeader(tx *bbolt.Tx, h *header) error {
	_, err := bucket{tx.Bucket([]byte(headerBucket)), headerBucket}.put([]byte(headerKey), sum{}, h.append(nil))
	return err
}

// putBase changes the stored base from old to new.
func putBase(tx *bbolt.Tx, old, new *model.State, next *header) error {
	entries := bucket{tx.Bucket([]byte(entriesBucket)), entriesBucket}
	for before, after := range model.Diff(old, new, "") {
		var err error
		if after == nil {
			err = entries.Delete(entryKey(before.Key))
		} else {
			const besides = 4 * binary.MaxVarintLen64
			payload := make([]byte, 0, len(after.Owner)+len(after.Value)+besides)
			_, err = entries.put(entryKey(after.Key), sum{}, appendEntry(payload, after))
		}
		if err != nil {
			return err
		}
	}
	heads := bucket{tx.Bucket([]byte(headsBucket)), headsBucket}
	for head := range old.Heads("") {
		if new.Head(head.Tree).Revision == 0 { // no tree goes away within one history
			if err := heads.Delete([]byte(head.Tree)); err != nil {
				return err
			}
		}
	}
	next.trees = 0
	for head := range new.Heads("") {
		next.trees++
		if head == old.Head(head.Tree) {
			continue
		}
		if _, err := heads.put([]byte(head.Tree), sum{}, appendHead(nil, head)); err != nil {
			return err
		}
	}
	return nil
}

// load reads and checks everything.
func load(tx *bbolt.Tx) (h header, contents *Contents, err error) {
	var buckets [4]bucket
	for i, name := range [...]string{headerBucket, headsBucket, entriesBucket, logBucket} {
		buckets[i] = bucket{tx.Bucket([]byte(name)), name}
		if buckets[i].Bucket == nil {
			return h, nil, fmt.Errorf("no bucket %q: not a store of this package, or part of it is missing", name)
		}
	}
	payload, _, err := buckets[0].check([]byte(headerKey), sum{}, buckets[0].Get([]byte(headerKey)))
	if err != nil {
		return h, nil, err
	}
	if h, err = decodeHeader(payload); err != nil {
		return h, nil, fmt.Errorf("header: %w", err)
	}
	if h.transaction != uint64(tx.ID()) {
		return h, nil, fmt.Errorf("the header is of transaction %d, the file of %d", h.transaction, tx.ID())
	}
	base, err := loadBase(&h, buckets[1], buckets[2])
	if err != nil {
		return h, nil, err
	}
	records, err := loadLog(&h, buckets[3])
	return h, &Contents{Meta: h.meta, Base: base, Records: records}, err
}

func loadBase(h *header, heads, entries bucket) (*model.State, error) {
	var found []model.Head
	err := heads.ForEach(func(key, stored []byte) error {
		payload, _, err := heads.check(key, sum{}, stored)
		if err != nil {
			return err
		}
		head, err := decodeHead(key, payload)
		if err != nil {
			return fmt.Errorf("head of %q: %w", key, err)
		}
		found = append(found, head)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if uint64(len(found)) != h.trees {
		return nil, fmt.Errorf("%d heads, want %d", len(found), h.trees)
	}
	builder, err := model.NewBuilder(h.base, found)
	if err != nil {
		return nil, err
	}
	err = entries.ForEach(func(key, stored []byte) error {
		payload, _, err := entries.check(key, sum{}, stored)
		if err != nil {
			return err
		}
		entry, err := decodeEntry(keyOfEntry(key), payload)
		if err != nil {
			return fmt.Errorf("entry %q: %w", key, err)
		}
		return builder.Add(entry)
	})
	if err != nil {
		return nil, err
	}
	return builder.State()
}

func loadLog(h *header, log bucket) (records []model.Record, err error) {
	chain, revision := h.baseSum, h.base
	err = log.ForEach(func(key, stored []byte) error {
		revision++
		if string(key) != string(logKey(revision)) {
			return fmt.Errorf("log %x where %x comes next", key, logKey(revision))
		}
		payload, sum, err := log.check(key, chain, stored)
		if err != nil {
			return err
		}
		record, err := decodeRecord(revision, payload)
		if err == nil {
			err = checkOps(&record)
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", revision, err)
		}
		records, chain = append(records, record), sum
		return nil
	})
	if err == nil && (revision != h.last || chain != h.lastSum) {
		err = fmt.Errorf("the log ends at revision %d, want %d", revision, h.last)
	}
	return records, err
}

// recordBytes is about what a record takes, not less for the most part.
func recordBytes(record *model.Record) int {
	const besides, opBesides = 64, 16
	bytes := besides + len(record.Author) + len(record.Session)
	for i := range record.Ops {
		bytes += len(record.Ops[i].Key) + len(record.Ops[i].Value) + opBesides
	}
	return bytes
}
