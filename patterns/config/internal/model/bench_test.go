// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"testing"
)

func large() *State {
	state := &State{}
	record := &Record{Revision: 1}
	for i := range 100_000 {
		record.Ops = append(record.Ops, Op{Key: fmt.Sprint("a/", i), Value: make([]byte, 100)})
	}
	return state.Apply(record, nil)
}

func BenchmarkGet(b *testing.B) {
	state := large()
	for i := 0; b.Loop(); i++ {
		state.Get([...]string{"a/1", "a/50000", "a/99999", "a/none"}[i%4])
	}
}

func BenchmarkApply(b *testing.B) {
	state := large()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		state = state.Apply(&Record{Revision: uint64(i) + 2, Ops: []Op{{Key: "a/50000", Value: make([]byte, 100)}}}, nil)
	}
}

func BenchmarkDiff(b *testing.B) {
	state := large()
	next := state.Apply(&Record{Revision: 2, Ops: []Op{{Key: "a/50000"}}}, nil)
	b.ReportAllocs()
	for b.Loop() {
		if !Changed(state, next, "a/") {
			b.Fatal("nothing differs")
		}
	}
}
