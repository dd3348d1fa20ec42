// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

func start(links, slots, ahead int) (*Machine, time.Time) {
	now := time.Unix(1, 0)
	m := New(Config{Name: "w", Links: links, Slots: slots, Ahead: ahead}, now)
	for number := range links {
		m.Take(number, now)
		m.Received(number, &wire.Welcome{Version: wire.Version, Life: 1, Interval: 1000}, now)
		m.Take(number, now)
	}
	return m, now
}

func give(m *Machine, link int, first, count uint64, now time.Time) {
	tasks := &wire.Tasks{}
	for i := range count {
		tasks.Items = append(tasks.Items, wire.Task{Lease: first + i, ID: first + i, Attempt: 1})
	}
	m.Received(link, tasks, now)
}

// TestAhead: what takes long is not held ahead, what is quick is.
func TestAhead(t *testing.T) {
	m, now := start(1, 2, 100)
	for lease := range uint64(100) {
		give(m, 0, lease, 1, now)
		job := m.Next(now)
		now = now.Add(10 * time.Microsecond)
		m.Finished(job, wire.Done, nil, now)
	}
	m.Take(0, now)
	if credit := m.links[0].told; credit != 102 {
		t.Errorf("quick jobs: a credit of %d, want 102", credit)
	}
	for lease := range uint64(100) {
		give(m, 0, lease, 1, now)
		job := m.Next(now)
		now = now.Add(50 * time.Millisecond)
		m.Finished(job, wire.Done, nil, now)
	}
	m.Take(0, now)
	if credit := m.links[0].told; credit != 2 {
		t.Errorf("long jobs: a credit of %d, want 2", credit)
	}
}

// TestReturn: jobs that wait behind a long one go back, and no others come ahead until it has ended.
func TestReturn(t *testing.T) {
	m, now := start(1, 20, 100)
	give(m, 0, 1, 24, now)
	var jobs []*Job
	for job := m.Next(now); job != nil; job = m.Next(now) {
		jobs = append(jobs, job)
	}
	if len(jobs) != 20 {
		t.Fatalf("%d jobs in 20 slots", len(jobs))
	}
	now = now.Add(waitMax)
	m.Tick(now)
	messages := m.Take(0, now)
	results, are := messages[0].(*wire.Results)
	if !are || len(results.Items) != 4 || results.Items[0].Outcome != wire.Returned || results.Credit != 20 {
		t.Fatalf("%+v", messages)
	}
	for _, job := range jobs {
		m.Finished(job, wire.Done, nil, now)
	}
	if messages = m.Take(0, now); len(messages) != 1 || messages[0].(*wire.Results).Items[0].Lease != 1 || m.held != 0 {
		t.Errorf("%+v", messages)
	}
}

// TestShares: the room is shared by the dispatchers; what one leaves the others hear of.
func TestShares(t *testing.T) {
	m, now := start(2, 2, 0)
	give(m, 0, 1, 2, now)
	first, second := m.Next(now), m.Next(now)
	if m.Pending(1) {
		t.Errorf("news without room: %+v", m.Take(1, now))
	}
	m.links[1].told = 0 // as if it had heard that there is none
	m.Finished(first, wire.Done, nil, now)
	m.Take(0, now)
	if !m.Pending(1) {
		t.Fatal("no news of room")
	}
	if got := m.Take(1, now); got[0].(*wire.Results).Credit != 1 {
		t.Errorf("%+v", got)
	}
	m.Finished(second, wire.Done, nil, now)
}

// TestTwice: a message that comes twice is one.
func TestTwice(t *testing.T) {
	m, now := start(1, 5, 0)
	give(m, 0, 1, 2, now)
	give(m, 0, 1, 2, now)
	if m.Next(now) == nil || m.Next(now) == nil || m.Next(now) != nil {
		t.Error("want two jobs")
	}
}
