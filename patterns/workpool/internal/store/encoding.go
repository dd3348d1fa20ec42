// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"hash/crc64"
	"math"
	"time"
)

// A record is its fields in order, then a checksum of its ID and of all of them. Numbers are varints, what has a length begins with
// it, an instant is nanoseconds since 1970, 0 for the zero time.

const sumBytes = 8

var errRecord = errors.New("a record is not what was written")

func encode(r *Record, table *crc64.Table) []byte {
	b := make([]byte, 0, 64+len(r.Payload))
	b = append(b, byte(r.State))
	b = binary.AppendVarint(b, int64(r.Priority))
	b = appendTime(b, r.NotBefore)
	b = appendTime(b, r.Deadline)
	b = binary.AppendVarint(b, int64(r.Timeout))
	b = binary.AppendUvarint(b, uint64(r.AttemptsMax))
	b = binary.AppendUvarint(b, uint64(r.Attempts))
	b = appendBytes(b, r.Payload)
	b = binary.AppendUvarint(b, uint64(len(r.Errors)))
	for i := range r.Errors {
		e := &r.Errors[i]
		b = binary.AppendUvarint(b, uint64(e.Attempt))
		b = appendBytes(b, e.Worker)
		b = appendBytes(b, e.Text)
		b = appendTime(b, e.At)
	}
	return binary.BigEndian.AppendUint64(b, sum(r.ID, b, table))
}

func sum(id uint64, b []byte, table *crc64.Table) uint64 {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], id)
	return crc64.Update(crc64.Checksum(key[:], table), table, b)
}

// sumOf is the checksum that a value ends with; 0 if it is too short to have one.
func sumOf(value []byte) uint64 {
	if len(value) < sumBytes {
		return 0
	}
	return binary.BigEndian.Uint64(value[len(value)-sumBytes:])
}

func appendBytes[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// appendTime takes what is out of reach, before 1678 and after 2261, as the border.
func appendTime(b []byte, t time.Time) []byte {
	switch {
	case t.IsZero():
		return binary.AppendVarint(b, 0)
	case t.Before(time.Unix(0, math.MinInt64)):
		return binary.AppendVarint(b, math.MinInt64)
	case t.After(time.Unix(0, math.MaxInt64)):
		return binary.AppendVarint(b, math.MaxInt64)
	}
	return binary.AppendVarint(b, t.UnixNano())
}

// decode copies what it keeps.
func decode(id uint64, value []byte, table *crc64.Table) (r Record, err error) {
	if len(value) < sumBytes || sum(id, value[:len(value)-sumBytes], table) != sumOf(value) {
		return r, errRecord
	}
	d := decoder{rest: value[:len(value)-sumBytes]}
	r = Record{ID: id, State: State(d.octet()), Priority: int32(d.signed())}
	r.NotBefore, r.Deadline, r.Timeout = d.time(), d.time(), time.Duration(d.signed())
	r.AttemptsMax, r.Attempts = uint32(d.unsigned()), uint32(d.unsigned())
	r.Payload = append([]byte(nil), d.bytes()...)
	count := d.unsigned()
	for i := uint64(0); i < count && !d.bad; i++ {
		r.Errors = append(r.Errors, AttemptError{uint32(d.unsigned()), string(d.bytes()), string(d.bytes()), d.time()})
	}
	if d.bad || len(d.rest) > 0 || r.State < Queued || r.State > Dead {
		return Record{}, errRecord
	}
	return r, nil
}

// decoder takes fields off a record; after the first failure it returns zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) octet() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) take(count uint64) []byte {
	if d.bad || count > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	taken := d.rest[:count]
	d.rest = d.rest[count:]
	return taken
}

func (d *decoder) unsigned() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) signed() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) bytes() []byte { return d.take(min(d.unsigned(), math.MaxInt64)) }

func (d *decoder) time() time.Time {
	if n := d.signed(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}
