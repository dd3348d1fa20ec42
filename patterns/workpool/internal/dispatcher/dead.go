// SPDX-License-Identifier: Apache-2.0

package dispatcher

import (
	"cmp"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

func (m *Machine) die(t *task, now time.Time) {
	m.leave(t)
	m.counts.Died++
	m.set(t, dead)
	t.lease = nil
	m.dead[t.id] = t
	m.tidy()
	if t.durable {
		m.put(t, store.Dead, now)
	}
	m.advance()
}

// Rerun makes a dead letter a task again, with all its attempts, at the end of the queue, and without the deadline that has passed.
// Errors: ErrUnknown, ErrFull.
func (m *Machine) Rerun(id uint64, now time.Time) (batch uint64, err error) {
	t := m.dead[id]
	switch {
	case t == nil:
		return 0, ErrUnknown
	case !m.fits(len(t.payload)):
		return 0, ErrFull
	}
	delete(m.dead, id)
	t.attempts, t.errors, t.notBefore = 0, nil, time.Time{}
	if !t.deadline.After(now) {
		t.deadline = time.Time{}
	}
	m.enter(t)
	if t.durable {
		m.put(t, store.Queued, now)
		batch = m.awaited()
	}
	m.ripen(t, now)
	return batch, nil
}

// Forget throws a dead letter away; that of a durable task is gone for good once Stored has reached batch. The error is ErrUnknown.
func (m *Machine) Forget(id uint64, now time.Time) (batch uint64, err error) {
	if m.dead[id] == nil {
		return 0, ErrUnknown
	}
	return m.Cancel(id, now)
}

// DeadLetter is a task that is not tried any more.
type DeadLetter struct {
	ID       uint64
	Attempts int
	Payload  []byte
	Errors   []store.AttemptError
	Durable  bool
}

// DeadLetters lists them by ID.
func (m *Machine) DeadLetters() []DeadLetter {
	letters := make([]DeadLetter, 0, len(m.dead))
	for _, t := range m.dead {
		letters = append(letters, DeadLetter{t.id, int(t.attempts), t.payload, slices.Clone(t.errors), t.durable})
	}
	slices.SortFunc(letters, func(a, b DeadLetter) int { return cmp.Compare(a.ID, b.ID) })
	return letters
}

// Letters are the dead letters after an ID, as many as one answer holds.
func (m *Machine) Letters(after uint64) *wire.Letters {
	ids := make([]uint64, 0, len(m.dead))
	for id := range m.dead {
		if id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	letters := &wire.Letters{Left: uint32(len(ids))}
	for bytes := 0; letters.Left > 0; letters.Left-- {
		letter := m.dead[ids[len(letters.Items)]].letter()
		if bytes += letter.Size(); bytes > wire.LettersBytesMax && len(letters.Items) > 0 {
			break
		}
		letters.Items = append(letters.Items, letter)
	}
	return letters
}

func (t *task) letter() wire.Letter {
	l := wire.Letter{ID: t.id, Attempts: t.attempts, Durable: t.durable, Bytes: uint32(len(t.payload))}
	l.Payload = t.payload[:min(len(t.payload), wire.ExcerptBytesMax)]
	for i := range t.errors {
		e := &t.errors[i]
		l.Errors = append(l.Errors, wire.AttemptError{Attempt: e.Attempt, At: uint64(e.At.UnixNano()), Worker: e.Worker, Text: e.Text})
	}
	return l
}
