// SPDX-License-Identifier: Apache-2.0

package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// DigestBytes is the length of a digest in octets.
const DigestBytes = sha256.Size

// Digest stands for the content of a tree or of several: the sum, in four lanes of 64 bits, of the SHA-256 of each entry (see
// [Entry]). So it can be kept up to date by what changes, the sum over trees stands for all of them, and the order in which
// entries came does not matter. It finds mistakes and damage; it does not resist someone who makes up entries on purpose. The
// zero Digest stands for no entries.
type Digest [4]uint64

// Plus adds what is there now.
func (d Digest) Plus(other Digest) Digest {
	for i := range d {
		d[i] += other[i]
	}
	return d
}

// Minus takes away what is there no more.
func (d Digest) Minus(other Digest) Digest {
	for i := range d {
		d[i] -= other[i]
	}
	return d
}

// Append appends the digest in its DigestBytes octets, lanes big-endian.
func (d Digest) Append(to []byte) []byte {
	for _, lane := range d {
		to = binary.BigEndian.AppendUint64(to, lane)
	}
	return to
}

// DigestOf reads what Append wrote; from is at least DigestBytes long.
func DigestOf(from []byte) (d Digest) {
	for i := range d {
		d[i] = binary.BigEndian.Uint64(from[8*i:])
	}
	return d
}

// String gives the first eight octets in hexadecimal, enough to tell apart by eye.
func (d Digest) String() string { return hex.EncodeToString(d.Append(nil)[:8]) }

// MarshalText gives all of it in hexadecimal.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d.Append(nil)), nil }

// digest hashes an entry: the key, the owner and the value, each after its length in 8 octets, with the revision and the time to
// live in nanoseconds, 8 octets each, before the value. All numbers are big-endian.
func (e *Entry) digest() Digest {
	var small [256]byte
	b := binary.BigEndian.AppendUint64(small[:0], uint64(len(e.Key)))
	b = append(b, e.Key...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(e.Owner)))
	b = append(b, e.Owner...)
	b = binary.BigEndian.AppendUint64(b, e.Revision)
	b = binary.BigEndian.AppendUint64(b, uint64(e.TTL))
	b = binary.BigEndian.AppendUint64(b, uint64(len(e.Value)))
	if len(e.Value) <= cap(b)-len(b) {
		sum := sha256.Sum256(append(b, e.Value...))
		return DigestOf(sum[:])
	}
	hash := sha256.New()
	hash.Write(b)
	hash.Write(e.Value)
	return DigestOf(hash.Sum(b[:0]))
}
