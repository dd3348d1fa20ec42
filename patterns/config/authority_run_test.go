// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/authority"
	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// TestTakeLosesNothing has more batches wait than one turn takes: each that leaves the queue has to reach the machine.
func TestTakeLosesNothing(t *testing.T) {
	contents, err := store.NewMemory(model.AuthorityID{1}).Load()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	a := &Authority{
		arrived: make(chan []arrival, 3*arrivedBatches),
		machine: authority.New(authority.Config{
			Interval: time.Second, ValueBytesMax: 100, HistoryRecords: historyRevisionsMin, HistoryBytes: historyBytesDefault,
			WallClock: time.Now, Log: func(string, ...any) {},
		}, contents, now),
	}
	hello := func(i int) []arrival {
		session := string(rune('a' + i))
		return []arrival{{session, &wire.Hello{Version: wire.Version, Session: session, Observer: true}}}
	}
	for i := range cap(a.arrived) {
		a.arrived <- hello(i)
	}
	taken := 1
	for a.take(hello(cap(a.arrived))); len(a.arrived) > 0; taken++ {
		a.take(<-a.arrived)
	}
	welcomed := map[string]bool{}
	for _, sent := range a.machine.Take(now).Send {
		welcomed[sent.Session] = true
	}
	if len(welcomed) != cap(a.arrived)+1 {
		t.Errorf("%d of %d messages came to the machine", len(welcomed), cap(a.arrived)+1)
	}
	if want := (cap(a.arrived) + arrivedBatches) / arrivedBatches; taken != want {
		t.Errorf("%d turns, want %d", taken, want)
	}
}
