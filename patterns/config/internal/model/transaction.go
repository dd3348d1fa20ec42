// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Errors of a transaction.
var (
	// ErrNotFound says that there is no such key.
	ErrNotFound = errors.New("config: no such key")
	// ErrConflict says that a key was not at the revision that the transaction asked for.
	ErrConflict = errors.New("config: the key is at another revision")
	// ErrTooLarge says that a value or a transaction is above its limit.
	ErrTooLarge = errors.New("config: too large")
	// ErrInvalid says that a transaction makes no sense: no operations, a key twice, a time to live out of range.
	ErrInvalid = errors.New("config: invalid transaction")
	// ErrTooManyTrees says that a transaction would make more than TreesMax trees.
	ErrTooManyTrees = errors.New("config: too many trees")
)

// TTLMin and TTLMax bound the time to live of an ephemeral key: an owner has to get a word through in time, and a key that lives
// for longer than a day is not ephemeral.
const (
	TTLMin = time.Second
	TTLMax = 24 * time.Hour
)

// Entry is a key and what it holds.
type Entry struct {
	Key      string        `json:"key"`
	Value    []byte        `json:"value"`           // base64
	Revision uint64        `json:"revision"`        // of the transaction that set it
	TTL      time.Duration `json:"ttl,omitempty"`   // in ns, how long it outlives its owner; 0: it is not ephemeral
	Owner    string        `json:"owner,omitempty"` // of an ephemeral key, the session that set it; else empty

	sum Digest // of all that, once it is part of a state
}

// Op sets a key, or deletes it.
type Op struct {
	Key    string        `json:"key"`
	Value  []byte        `json:"value,omitempty"` // base64
	TTL    time.Duration `json:"ttl,omitempty"`   // in ns
	Delete bool          `json:"delete,omitempty"`
}

// Condition asks that a key be at a revision; 0: that there be no such key.
type Condition struct {
	Key      string `json:"key"`
	Revision uint64 `json:"revision"`
}

// Transaction is a set of changes that become visible at once, under one revision, or not at all.
type Transaction struct {
	Conditions []Condition `json:"conditions,omitempty"`
	Ops        []Op        `json:"ops"` // at most one for each key
}

// AuthorityID tells one authority from another, for as long as its store lives.
type AuthorityID [8]byte

// String gives it in hexadecimal.
func (a AuthorityID) String() string { return hex.EncodeToString(a[:]) }

// MarshalText gives it in hexadecimal.
func (a AuthorityID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, a[:]), nil }

// UnmarshalText reads what MarshalText gave.
func (a *AuthorityID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(a)) {
		return fmt.Errorf("config: %d octets for an authority, want %d", len(text), hex.EncodedLen(len(a)))
	}
	_, err := hex.Decode(a[:], text)
	return err
}

// Epoch is one life of the authority: from taking over to the end. A later one has a higher number; the authority keeps two
// apart that an operator made by force on two sides of a partition.
type Epoch struct {
	Number    uint64      `json:"number"`
	Authority AuthorityID `json:"authority"`
}

// Compare orders epochs: negative when e is before other.
func (e Epoch) Compare(other Epoch) int {
	if c := cmp.Compare(e.Number, other.Number); c != 0 {
		return c
	}
	return cmp.Compare(string(e.Authority[:]), string(other.Authority[:]))
}

// String gives number and authority.
func (e Epoch) String() string { return fmt.Sprintf("%d-%s", e.Number, e.Authority) }

// Record is a transaction that has its revision: what is stored, replicated and distributed.
type Record struct {
	Revision uint64    `json:"revision"` // each record's is its predecessor's plus one
	Epoch    Epoch     `json:"epoch"`
	Time     time.Time `json:"time"`              // by the authority's clock, for people to read
	Author   string    `json:"author"`            // as claimed
	Session  string    `json:"session,omitempty"` // of the client that asked for it, the owner of its ephemeral keys
	Request  uint64    `json:"request,omitempty"` // its number there, so that asking again does not change twice; 0: none
	Ops      []Op      `json:"ops"`
}

// Check says whether a transaction is well-formed, whatever the state; values have at most valueBytesMax octets.
func (t *Transaction) Check(valueBytesMax int) error {
	switch {
	case len(t.Ops) == 0:
		return fmt.Errorf("%w: no operations", ErrInvalid)
	case len(t.Ops) > OpsMax:
		return fmt.Errorf("%w: %d operations, at most %d", ErrTooLarge, len(t.Ops), OpsMax)
	case len(t.Conditions) > ConditionsMax:
		return fmt.Errorf("%w: %d conditions, at most %d", ErrTooLarge, len(t.Conditions), ConditionsMax)
	}
	bytes := 0
	seen := make(map[string]struct{}, len(t.Ops))
	for i := range t.Ops {
		op := &t.Ops[i]
		if err := op.check(valueBytesMax); err != nil {
			return err
		}
		if _, twice := seen[op.Key]; twice {
			return fmt.Errorf("%w: key %q twice", ErrInvalid, op.Key)
		}
		seen[op.Key] = struct{}{}
		bytes += len(op.Key) + len(op.Value)
	}
	for _, condition := range t.Conditions {
		if err := CheckKey(condition.Key); err != nil {
			return err
		}
		bytes += len(condition.Key)
	}
	if bytes > TransactionBytesMax {
		return fmt.Errorf("%w: a transaction of %d octets, at most %d", ErrTooLarge, bytes, TransactionBytesMax)
	}
	return nil
}

func (op *Op) check(valueBytesMax int) error {
	if err := CheckKey(op.Key); err != nil {
		return err
	}
	switch {
	case len(op.Value) > valueBytesMax:
		return fmt.Errorf("%w: a value of %d octets for %q, at most %d", ErrTooLarge, len(op.Value), op.Key, valueBytesMax)
	case op.Delete && (len(op.Value) > 0 || op.TTL != 0):
		return fmt.Errorf("%w: %q is deleted and has a value", ErrInvalid, op.Key)
	case op.TTL != 0 && (op.TTL < TTLMin || op.TTL > TTLMax):
		return fmt.Errorf("%w: a time to live of %v for %q, want %v to %v", ErrInvalid, op.TTL, op.Key, TTLMin, TTLMax)
	}
	return nil
}
