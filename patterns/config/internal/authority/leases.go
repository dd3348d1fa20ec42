// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// leases are the ephemeral keys that are committed, and when their owners were heard. A new primary gives every owner its whole
// time again.
type leases struct {
	keys   map[string]lease
	owners map[string]*owner
}

// expiryAuthor is the author of records that delete what has expired.
const expiryAuthor = "expiry"

type lease struct {
	owner    string
	ttl      time.Duration
	revision uint64
}

type owner struct {
	heard time.Time
	keys  int
}

func newLeases(state *model.State, now time.Time) leases {
	l := leases{map[string]lease{}, map[string]*owner{}}
	for entry := range state.List("") {
		if entry.TTL != 0 {
			l.add(entry.Key, lease{entry.Owner, entry.TTL, entry.Revision}, now)
		}
	}
	return l
}

func (l *leases) add(key string, held lease, now time.Time) {
	l.keys[key] = held
	if l.owners[held.owner] == nil {
		l.owners[held.owner] = &owner{heard: now}
	}
	l.owners[held.owner].keys++
}

func (l *leases) remove(key string) {
	held, found := l.keys[key]
	if !found {
		return
	}
	delete(l.keys, key)
	if l.owners[held.owner].keys--; l.owners[held.owner].keys == 0 {
		delete(l.owners, held.owner)
	}
}

func (l *leases) heard(session string, now time.Time) {
	if o := l.owners[session]; o != nil {
		o.heard = now
	}
}

// committed follows a record.
func (l *leases) committed(record *model.Record, now time.Time) {
	if l.keys == nil {
		return
	}
	for i := range record.Ops {
		op := &record.Ops[i]
		l.remove(op.Key)
		if op.TTL != 0 {
			l.add(op.Key, lease{record.Session, op.TTL, record.Revision}, now)
		}
	}
}

// tickLeases deletes the keys whose owners have been silent for too long.
func (m *Machine) tickLeases(now time.Time) {
	m.release(now, func(held lease) bool { return now.Sub(m.leases.owners[held.owner].heard) >= held.ttl })
}

// release deletes ephemeral keys by choice, unless the tip holds something else by now.
func (m *Machine) release(now time.Time, choose func(lease) bool) {
	if m.role != wire.RolePrimary || m.reason() != "" || m.opening {
		return
	}
	var ops []model.Op
	for key, held := range m.leases.keys {
		entry, found := m.ledger.tip().Get(key)
		if found && entry.Revision == held.revision && choose(held) {
			ops = append(ops, model.Op{Key: key, Delete: true})
		}
		if len(ops) == model.OpsMax {
			break // the others at the next look
		}
	}
	if len(ops) > 0 {
		m.record(&model.Record{Author: expiryAuthor, Ops: ops}, now)
	}
}
