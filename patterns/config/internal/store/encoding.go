// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// formatNumber is of everything in this file and of the buckets' keys.
const formatNumber = 1

// sum protects a stored value: SHA-256, cut off, over what comes before it in its chain if it has one, where it is, and what it
// is. A value that belongs elsewhere is as bad as one with a wrong bit.
type sum [8]byte

func sumOf(before sum, bucket, key, payload []byte) (s sum) {
	hash := sha256.New()
	hash.Write(before[:])
	hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(bucket))))
	hash.Write(bucket)
	hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(key))))
	hash.Write(key)
	hash.Write(payload)
	copy(s[:], hash.Sum(nil))
	return s
}

var errEncoding = errors.New("it cannot be decoded")

// reader takes values from a payload. The first mistake empties it and stays.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) fail() {
	r.rest, r.bad = nil, true
}

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return value
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) string() string { return string(r.take(r.uvarint())) }

func (r *reader) duration() time.Duration { return time.Duration(r.uvarint()) }

func (r *reader) epoch() (epoch model.Epoch) {
	epoch.Number = r.uvarint()
	copy(epoch.Authority[:], r.take(uint64(len(epoch.Authority))))
	return epoch
}

func (r *reader) end() error {
	if r.bad || len(r.rest) > 0 {
		return errEncoding
	}
	return nil
}

func appendBytes[B string | []byte](to []byte, value B) []byte {
	return append(binary.AppendUvarint(to, uint64(len(value))), value...)
}

func appendEpoch(to []byte, epoch model.Epoch) []byte {
	return append(binary.AppendUvarint(to, epoch.Number), epoch.Authority[:]...)
}

// header is the one value that says what else there is.
type header struct {
	format      uint64
	transaction uint64 // of bbolt, that wrote it: all of ours write it, so an old page in its place shows
	meta        Meta
	base, last  uint64 // revisions
	trees       uint64 // heads of the base
	baseSum     sum    // of the record at base, or zero: the chain of records begins here
	lastSum     sum    // of the record at last
}

func (h *header) append(to []byte) []byte {
	to = binary.AppendUvarint(to, h.format)
	to = binary.AppendUvarint(to, h.transaction)
	to = append(to, h.meta.Authority[:]...)
	to = binary.AppendUvarint(to, h.meta.Cluster)
	to = appendEpoch(to, h.meta.Epoch)
	to = appendEpoch(to, h.meta.Lineage)
	to = appendEpoch(to, h.meta.Last)
	to = binary.AppendUvarint(to, h.meta.Committed)
	to = append(to, h.meta.Role)
	to = binary.AppendUvarint(to, h.base)
	to = binary.AppendUvarint(to, h.last)
	to = binary.AppendUvarint(to, h.trees)
	to = append(to, h.baseSum[:]...)
	return append(to, h.lastSum[:]...)
}

func decodeHeader(payload []byte) (h header, err error) {
	r := reader{rest: payload}
	h.format = r.uvarint()
	if h.format != formatNumber && !r.bad {
		return h, fmt.Errorf("%w: %d, this one knows %d", ErrFormat, h.format, formatNumber)
	}
	h.transaction = r.uvarint()
	copy(h.meta.Authority[:], r.take(uint64(len(h.meta.Authority))))
	h.meta.Cluster = r.uvarint()
	h.meta.Epoch = r.epoch()
	h.meta.Lineage = r.epoch()
	h.meta.Last = r.epoch()
	h.meta.Committed = r.uvarint()
	if role := r.take(1); role != nil {
		h.meta.Role = role[0]
	}
	h.base, h.last, h.trees = r.uvarint(), r.uvarint(), r.uvarint()
	copy(h.baseSum[:], r.take(uint64(len(h.baseSum))))
	copy(h.lastSum[:], r.take(uint64(len(h.lastSum))))
	return h, r.end()
}

// logKey sorts as its revision.
func logKey(revision uint64) []byte { return binary.BigEndian.AppendUint64(nil, revision) }

// entryKey sorts by tree, then by key, which keys themselves do not: "a-b/c" is before "a/c".
func entryKey(key string) []byte {
	tree := model.TreeOf(key)
	to := make([]byte, 0, len(key))
	to = append(to, tree...)
	to = append(to, 0)
	return append(to, key[len(tree)+1:]...)
}

func keyOfEntry(stored []byte) string { return strings.Replace(string(stored), "\x00", "/", 1) }

func appendHead(to []byte, head model.Head) []byte {
	return head.Digest.Append(binary.AppendUvarint(to, head.Revision))
}

func decodeHead(tree, payload []byte) (model.Head, error) {
	r := reader{rest: payload}
	head := model.Head{Tree: string(tree), Revision: r.uvarint()}
	if digest := r.take(model.DigestBytes); digest != nil {
		head.Digest = model.DigestOf(digest)
	}
	return head, r.end()
}

func appendEntry(to []byte, entry *model.Entry) []byte {
	to = binary.AppendUvarint(to, entry.Revision)
	to = binary.AppendUvarint(to, uint64(entry.TTL))
	to = appendBytes(to, entry.Owner)
	return appendBytes(to, entry.Value)
}

// decodeEntry copies what it keeps: payload belongs to the file.
func decodeEntry(key string, payload []byte) (*model.Entry, error) {
	r := reader{rest: payload}
	entry := &model.Entry{Key: key, Revision: r.uvarint(), TTL: r.duration(), Owner: r.string()}
	entry.Value = copied(r.take(r.uvarint()))
	return entry, r.end()
}

func copied(value []byte) []byte { return append([]byte(nil), value...) }

const deleteFlag = 1

func appendRecord(to []byte, record *model.Record) []byte {
	to = appendEpoch(to, record.Epoch)
	to = binary.AppendVarint(to, record.Time.Unix())
	to = binary.AppendUvarint(to, uint64(record.Time.Nanosecond()))
	to = appendBytes(to, record.Author)
	to = appendBytes(to, record.Session)
	to = binary.AppendUvarint(to, record.Request)
	to = binary.AppendUvarint(to, uint64(len(record.Ops)))
	for i := range record.Ops {
		op := &record.Ops[i]
		flags := byte(0)
		if op.Delete {
			flags = deleteFlag
		}
		to = append(to, flags)
		to = appendBytes(to, op.Key)
		to = binary.AppendUvarint(to, uint64(op.TTL))
		to = appendBytes(to, op.Value)
	}
	return to
}

// decodeRecord copies what it keeps.
func decodeRecord(revision uint64, payload []byte) (record model.Record, err error) {
	r := reader{rest: payload}
	record.Revision = revision
	record.Epoch = r.epoch()
	seconds, n := binary.Varint(r.rest)
	r.take(uint64(max(n, 0)))
	nanoseconds := r.uvarint()
	if n <= 0 || nanoseconds >= uint64(time.Second) {
		r.fail()
	}
	record.Time = time.Unix(seconds, int64(nanoseconds)).UTC()
	record.Author, record.Session, record.Request = r.string(), r.string(), r.uvarint()
	const opBytesMin = 4
	count := r.uvarint()
	if count > uint64(len(r.rest)/opBytesMin) {
		return record, errEncoding
	}
	if count > 0 {
		record.Ops = make([]model.Op, count)
	}
	for i := range record.Ops {
		op := &record.Ops[i]
		flags := r.take(1)
		if flags == nil || flags[0]&^deleteFlag != 0 {
			r.fail()
			break
		}
		op.Delete = flags[0] == deleteFlag
		op.Key, op.TTL = r.string(), r.duration()
		op.Value = copied(r.take(r.uvarint()))
	}
	return record, r.end()
}
