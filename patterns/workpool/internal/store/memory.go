// SPDX-License-Identifier: Apache-2.0

package store

import (
	"maps"
	"slices"
)

// Memory is a [Store] for tests. What was written stays when its owner forgets it.
type Memory struct {
	life    uint64
	records map[uint64]Record
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{records: map[uint64]Record{}} }

// Load implements Store; it may be called for one life after the other.
func (m *Memory) Load() (*Contents, error) {
	m.life++
	contents := &Contents{Life: m.life}
	for _, id := range slices.Sorted(maps.Keys(m.records)) {
		contents.Records = append(contents.Records, m.records[id])
	}
	return contents, nil
}

// Write implements Store.
func (m *Memory) Write(ops []Op) error {
	for _, op := range ops {
		if op.Record == nil {
			delete(m.records, op.ID)
			continue
		}
		record := *op.Record
		record.Errors = slices.Clone(record.Errors)
		m.records[op.ID] = record
	}
	return nil
}

// Close implements Store.
func (m *Memory) Close() error { return nil }
