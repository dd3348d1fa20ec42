// SPDX-License-Identifier: Apache-2.0

package dispatcher

import (
	"fmt"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

// Received takes a message.
func (m *Machine) Received(from string, message wire.Message, now time.Time) {
	switch message := message.(type) {
	case *wire.Hello:
		m.hello(from, message, now)
		return
	case *wire.Status, *wire.List, *wire.Settle:
		return // the caller answers them: what goes to people is not the machine's
	}
	w := m.workers[from]
	if w == nil {
		if results, are := message.(*wire.Results); are {
			m.counts.Late += uint64(len(results.Items))
		}
		if _, leaves := message.(*wire.Bye); !leaves {
			m.send(from, &wire.Stranger{})
		}
		return
	}
	w.heard, w.away = now, time.Time{}
	switch message := message.(type) {
	case *wire.Results:
		m.setCredit(w, message.Credit)
		for i := range message.Items {
			m.result(w, &message.Items[i], now)
		}
		m.refree(w)
	case *wire.Beat:
		m.setCredit(w, message.Credit)
		m.beat(w, message.Leases, now)
		m.refree(w)
	case *wire.Bye:
		m.bye(w)
	}
}

func (m *Machine) hello(from string, message *wire.Hello, now time.Time) {
	if message.Version != wire.Version {
		return
	}
	w := m.workers[from]
	if w == nil {
		if len(m.workers) >= workersMax {
			return
		}
		w = &worker{id: from, at: len(m.roster)}
		m.workers[from] = w
		m.roster = append(m.roster, w)
	}
	w.name, w.heard, w.away = message.Name, now, time.Time{}
	m.send(from, &wire.Welcome{Version: wire.Version, Life: m.cfg.Life, Interval: uint32(m.cfg.Interval / time.Millisecond)})
	m.setCredit(w, message.Credit)
	m.refree(w)
}

func (m *Machine) setCredit(w *worker, credit uint32) { w.credit = int(min(credit, creditMax)) }

// dropLease ends a lease; its task is the caller's.
func (m *Machine) dropLease(l *lease) *task {
	delete(m.leases, l.number)
	held := l.worker.held
	last := held[len(held)-1]
	held[l.at], last.at = last, l.at
	held[len(held)-1] = nil
	l.worker.held = held[:len(held)-1]
	t := l.task
	if t != nil {
		t.lease = nil
	}
	return t
}

// result takes one answer. The worker's place among the free ones is the caller's.
func (m *Machine) result(w *worker, r *wire.Result, now time.Time) {
	l := m.leases[r.Lease]
	if l == nil || l.worker != w {
		m.counts.Late++
		return
	}
	t := m.dropLease(l)
	switch {
	case t == nil:
		m.counts.Late++
	case r.Outcome == wire.Done && len(r.Value) > m.cfg.ResultBytes:
		m.attemptFailed(t, w, fmt.Sprintf("a result of %d octets, at most %d", len(r.Value), m.cfg.ResultBytes), now)
	case r.Outcome == wire.Done:
		w.done++
		m.finish(t, r.Value, now)
	case r.Outcome == wire.Returned:
		m.counts.Returned++
		m.notBegun(t, now)
	default:
		m.attemptFailed(t, w, string(r.Value[:min(len(r.Value), wire.TextBytesMax+1)]), now)
	}
}

// notBegun puts a task back whose lease has ended before its attempt has begun.
func (m *Machine) notBegun(t *task, now time.Time) {
	t.attempts--
	m.ripen(t, now)
}

// beat compares what a worker says that it holds with what it was given.
func (m *Machine) beat(w *worker, leases []uint64, now time.Time) {
	w.beats++
	for _, number := range leases {
		l := m.leases[number]
		if l != nil && l.worker == w {
			l.seen = w.beats
			if l.task != nil {
				continue
			}
		}
		if len(w.cancels) < cancelsMax { // the next beat names the others again
			w.cancels = append(w.cancels, number)
			m.touch(w)
		}
	}
	grace := graceIntervals * m.cfg.Interval
	for i := len(w.held) - 1; i >= 0; i-- { // dropping one moves the last, which was looked at
		l := w.held[i]
		if l.seen == w.beats || now.Sub(l.given) <= grace {
			continue
		}
		m.counts.Lost++
		if t := m.dropLease(l); t != nil {
			m.attemptFailed(t, w, "lost on the way", now)
		}
	}
}

// bye takes leave of a worker: what it has not answered it has not done.
func (m *Machine) bye(w *worker) {
	for _, l := range w.held {
		delete(m.leases, l.number)
		if t := l.task; t != nil {
			t.lease = nil
			m.counts.Returned++
			m.notBegun(t, w.heard)
		}
	}
	m.forgetWorker(w)
}

// lose gives a worker up.
func (m *Machine) lose(w *worker, why string, now time.Time) {
	m.counts.WorkersLost++
	held := w.held
	m.forgetWorker(w)
	for _, l := range held {
		delete(m.leases, l.number)
		if t := l.task; t != nil {
			t.lease = nil
			m.attemptFailed(t, w, why, now)
		}
	}
}

func (m *Machine) forgetWorker(w *worker) {
	delete(m.workers, w.id)
	last := m.roster[len(m.roster)-1]
	m.roster[w.at], last.at = last, w.at
	m.roster[len(m.roster)-1] = nil
	m.roster = m.roster[:len(m.roster)-1]
	m.free.remove(w)
	w.held, w.out, w.cancels = nil, nil, nil
}

func (m *Machine) tickWorkers(now time.Time) {
	alive := now.Sub(m.beaten) >= m.cfg.Interval
	if alive {
		m.beaten = now
	}
	for i := len(m.roster) - 1; i >= 0; i-- { // losing one moves the last, which was looked at
		w := m.roster[i]
		switch {
		case now.Sub(w.heard) > silentIntervals*m.cfg.Interval:
			m.lose(w, "the worker is silent", now)
		case !w.away.IsZero() && now.Sub(w.away) > graceIntervals*m.cfg.Interval:
			m.lose(w, "the worker's stream is gone", now)
		case alive:
			m.send(w.id, &wire.Alive{})
		}
	}
}

// Late says that nothing has been looked at for so long: the process was stopped, or had no processor. Workers that were not heard
// meanwhile, and attempts that were not answered, are not to blame.
func (m *Machine) Late(late time.Duration, now time.Time) {
	for _, w := range m.roster {
		w.heard = earliest(w.heard.Add(late), now)
		if !w.away.IsZero() {
			w.away = earliest(w.away.Add(late), now)
		}
	}
	for _, l := range m.leases {
		l.given = earliest(l.given.Add(late), now)
		if t := l.task; t != nil && t.timerPlace != 0 {
			m.schedule(t, t.due.Add(late))
		}
	}
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Unsent takes back a message: the queue to its worker is full, or the worker is not connected. It gets nothing more until it is
// heard again.
func (m *Machine) Unsent(send Send, connected bool, now time.Time) {
	w := m.workers[send.To]
	if w == nil {
		return
	}
	if !connected && w.away.IsZero() {
		w.away = now
	}
	w.credit = 0
	if tasks, are := send.Message.(*wire.Tasks); are {
		for i := range tasks.Items {
			l := m.leases[tasks.Items[i].Lease]
			if l == nil || l.worker != w {
				continue
			}
			if t := m.dropLease(l); t != nil {
				m.notBegun(t, now)
			}
		}
	}
	m.refree(w)
}
