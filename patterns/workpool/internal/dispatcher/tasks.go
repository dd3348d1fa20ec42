// SPDX-License-Identifier: Apache-2.0

package dispatcher

import (
	"fmt"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/store"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

// Submit takes a task. It is accepted at once if batch is 0, else when Stored has reached it. The error is ErrFull.
func (m *Machine) Submit(submitted *Task, now time.Time) (id, batch uint64, err error) {
	if !m.fits(len(submitted.Payload)) {
		m.counts.Refused++
		return 0, 0, ErrFull
	}
	if len(m.dead) >= m.cfg.DeadLetters {
		m.counts.Refused++
		return 0, 0, fmt.Errorf("%w: there are %d dead letters", ErrFull, len(m.dead))
	}
	m.lastID++
	t := &task{
		id: m.lastID, priority: submitted.Priority, durable: submitted.Durable, attemptsMax: uint32(submitted.Attempts),
		notBefore: submitted.NotBefore, deadline: submitted.Deadline, timeout: submitted.Timeout, payload: submitted.Payload,
	}
	if t.attemptsMax == 0 {
		t.attemptsMax = uint32(m.cfg.Attempts)
	}
	if t.timeout == 0 {
		t.timeout = m.cfg.Timeout
	}
	m.tasks[t.id] = t
	m.counts.Accepted++
	m.enter(t)
	if t.durable {
		m.set(t, storing)
		m.put(t, store.Queued, now)
		m.pendingTasks = append(m.pendingTasks, t)
		return t.id, m.awaited(), nil
	}
	m.ripen(t, now)
	return t.id, 0, nil
}

// fits says whether the queue has room for a payload; one always fits.
func (m *Machine) fits(bytes int) bool {
	return m.active == 0 || m.active < m.cfg.QueueTasks && m.bytes+bytes <= m.cfg.QueueBytes
}

// Room says whether a small task may fit.
func (m *Machine) Room() bool { return m.fits(0) && len(m.dead) < m.cfg.DeadLetters }

// enter counts a task among the active ones and gives it its place.
func (m *Machine) enter(t *task) {
	m.active++
	m.bytes += len(t.payload)
	m.lastPlace++
	t.place = m.lastPlace
	if m.cfg.Ordered {
		m.order.Push(turn{t, t.place})
	}
}

// leave is the end of enter; what is handed, dead or gone holds nobody up.
func (m *Machine) leave(t *task) {
	m.active--
	m.bytes -= len(t.payload)
	m.ready.remove(t)
	m.timers.remove(t)
}

// restore takes a task from the store.
func (m *Machine) restore(r *store.Record, now time.Time) {
	t := &task{
		id: r.ID, priority: r.Priority, durable: true, attemptsMax: r.AttemptsMax, attempts: r.Attempts, notBefore: r.NotBefore,
		deadline: r.Deadline, timeout: r.Timeout, payload: r.Payload, errors: r.Errors,
	}
	m.tasks[t.id] = t
	m.lastID = max(m.lastID, t.id)
	switch r.State {
	case store.Dead:
		m.set(t, dead)
		m.dead[t.id] = t
		return
	case store.Done:
		m.enter(t)
		t.redelivered = true
		m.release(t)
	default:
		m.enter(t)
		m.ripen(t, now)
	}
}

// put writes a task to disk.
func (m *Machine) put(t *task, state store.State, now time.Time) {
	m.write(store.Op{ID: t.id, Record: &store.Record{
		ID: t.id, State: state, Priority: t.priority, NotBefore: t.notBefore, Deadline: t.deadline, Timeout: t.timeout,
		AttemptsMax: t.attemptsMax, Attempts: t.attempts, Payload: t.payload, Errors: t.errors,
	}}, now)
}

// write makes a change to the disk part of the next write.
func (m *Machine) write(op store.Op, now time.Time) {
	if len(m.pending) == 0 {
		m.pendingSince = now
	}
	m.pending = append(m.pending, op)
}

// awaited says that a caller waits for the next write, and returns its number.
func (m *Machine) awaited() uint64 {
	m.urgent = true
	return m.batch
}

// Urgent says that a caller waits for a write that Take would begin.
func (m *Machine) Urgent() bool { return m.urgent && !m.writes }

// Hurry has the next Take begin a write with all that there is, unless one is under way.
func (m *Machine) Hurry() { m.urgent = true }

// writeAt is when what is pending has waited long enough for a change that somebody waits for, to go to disk along with it: a lone
// producer would else wait for two writes, the one of its last task's result, and its own.
func (m *Machine) writeAt() time.Time { return m.pendingSince.Add(writeWait) }

// nextWrite begins a write, if it is time and no other one is under way.
func (m *Machine) nextWrite(now time.Time) {
	if m.writes || len(m.pending) == 0 || !m.urgent && now.Before(m.writeAt()) {
		return
	}
	m.writes, m.urgent = true, false
	m.out.Write, m.writing = m.pending, m.pendingTasks
	m.pending, m.pendingTasks = nil, nil
	m.batch++
}

// Written says that the write that was begun is on disk. A write that fails ends the dispatcher: what is on disk is not known.
func (m *Machine) Written(now time.Time) {
	m.stored = m.batch - 1
	m.writes, m.pendingSince = false, now
	tasks := m.writing
	m.writing = nil
	for _, t := range tasks {
		switch t.state {
		case storing:
			m.ripen(t, now)
		case saving:
			m.release(t)
		}
	}
}

// Stored is the number of the last write that has ended.
func (m *Machine) Stored() uint64 { return m.stored }

// finish takes the result of a task.
func (m *Machine) finish(t *task, value []byte, now time.Time) {
	m.timers.remove(t)
	m.counts.Done++
	m.bytes += len(value) - len(t.payload)
	t.payload, t.errors = value, nil
	if !t.durable {
		m.release(t)
		return
	}
	m.set(t, saving)
	m.put(t, store.Done, now)
	m.pendingTasks = append(m.pendingTasks, t)
}

// fail notes why an attempt has failed.
func (m *Machine) fail(t *task, worker, text string, now time.Time) {
	if len(t.errors) >= errorsKept {
		t.errors = append([]store.AttemptError(nil), t.errors[1:]...) // a write may read the old ones
	}
	t.errors = append(t.errors, store.AttemptError{Attempt: t.attempts, Worker: worker, Text: wire.Cut(text), At: now.Round(0)})
}

// attemptFailed gives a task another attempt, after a while, or makes it a dead letter. Its lease is gone.
func (m *Machine) attemptFailed(t *task, w *worker, text string, now time.Time) {
	w.failed++
	m.counts.Failed++
	m.fail(t, w.name, text, now)
	if t.attempts >= t.attemptsMax {
		m.die(t, now)
		return
	}
	m.counts.Retries++
	t.notBefore = now.Add(m.backoff(t.attempts))
	m.set(t, delayed)
	if t.durable {
		m.put(t, store.Queued, now)
	}
	m.ripen(t, now)
}

// backoff doubles with each attempt that has failed.
func (m *Machine) backoff(attempts uint32) time.Duration {
	pause := m.cfg.BackoffMin
	for range attempts - 1 {
		if pause >= m.cfg.BackoffMax/2 {
			return m.cfg.BackoffMax
		}
		pause *= 2
	}
	return min(pause, m.cfg.BackoffMax)
}

// replace takes a task from the worker that has it.
func (m *Machine) replace(t *task) {
	l := t.lease
	l.task, t.lease = nil, nil
	l.worker.cancels = append(l.worker.cancels, l.number)
	m.touch(l.worker)
}

// Cancel takes a task out, so that the sink does not see it; a dead letter is thrown away. The cancellation of a durable task
// survives a crash once Stored has reached batch. Errors: ErrUnknown, ErrTooLate.
func (m *Machine) Cancel(id uint64, now time.Time) (batch uint64, err error) {
	t := m.tasks[id]
	switch {
	case t == nil:
		return 0, ErrUnknown
	case t.state == handed:
		return 0, ErrTooLate
	case t.state == dead:
		delete(m.dead, id)
	case t.state == leased:
		m.replace(t)
		m.leave(t)
	default:
		m.leave(t)
	}
	m.counts.Cancelled++
	if m.forget(t, now); t.durable {
		batch = m.awaited()
	}
	m.advance()
	return batch, nil
}

// forget is the end of a task.
func (m *Machine) forget(t *task, now time.Time) {
	m.set(t, gone)
	t.payload = nil
	delete(m.tasks, t.id)
	m.tidy()
	if t.durable {
		m.write(store.Op{ID: t.id}, now)
	}
}
