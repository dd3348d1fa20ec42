// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// requests knows which request became which record, so that asking again changes nothing twice. What is in the history is known
// to every authority that takes over; beyond it each keeps what it has seen itself, for a while.
type requests struct {
	revisions map[requestKey]uint64
	order     []requestAge // the oldest first
}

type requestKey struct {
	session string
	request uint64
}

type requestAge struct {
	key requestKey
	at  time.Time
}

func newRequests() *requests { return &requests{revisions: map[requestKey]uint64{}} }

func (r *requests) add(record *model.Record, now time.Time) {
	if record.Request == 0 {
		return
	}
	key := requestKey{record.Session, record.Request}
	r.revisions[key] = record.Revision
	r.order = append(r.order, requestAge{key, now})
}

func (r *requests) remove(record *model.Record) {
	delete(r.revisions, requestKey{record.Session, record.Request})
}

func (r *requests) revision(session string, request uint64) (revision uint64, found bool) {
	revision, found = r.revisions[requestKey{session, request}]
	return revision, found && request != 0
}

func (r *requests) forget(now time.Time) {
	drop := 0
	for drop < len(r.order) && (len(r.order)-drop > answeredMax || now.Sub(r.order[drop].at) > answeredKept) {
		delete(r.revisions, r.order[drop].key)
		drop++
	}
	if drop > 0 {
		r.order = append(r.order[:0], r.order[drop:]...)
	}
}
