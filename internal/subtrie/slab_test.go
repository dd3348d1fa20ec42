// SPDX-License-Identifier: Apache-2.0

package subtrie

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestSlabAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	var s slab[int]
	want := map[uint32]int{}
	for round := range 6 {
		for step := range 6 * slabBlock {
			if random.IntN(10) < 3+4*((round+1)%2) {
				number := s.take()
				if _, taken := want[number]; taken || *s.at(number) != 0 {
					t.Fatalf("number %d is in use or not zero", number)
				}
				*s.at(number), want[number] = step, step
				continue
			}
			for number, value := range want {
				if *s.at(number) != value {
					t.Fatalf("number %d is %d, want %d", number, *s.at(number), value)
				}
				s.drop(number)
				delete(want, number)
				break
			}
		}
		if s.count != len(want) || len(s.blocks)*slabBlock > 12*slabBlock {
			t.Fatalf("%d of %d values in %d blocks", s.count, len(want), len(s.blocks))
		}
	}
	for number := range want {
		s.drop(number)
	}
	if !reflect.DeepEqual(s, slab[int]{}) {
		t.Errorf("slab without values is not the zero value: %+v", s)
	}
}

func TestSlabGivesBlocksBack(t *testing.T) {
	var s slab[int]
	for range 10 * slabBlock {
		s.take()
	}
	for number := range uint32(10 * slabBlock) {
		if number%(4*slabBlock) != 0 {
			s.drop(number)
		}
	}
	held := 0
	for _, block := range s.blocks {
		held += len(block)
	}
	if s.count != 3 || held != 3*slabBlock {
		t.Errorf("%d values hold memory for %d", s.count, held)
	}
	for range 10 * slabBlock {
		s.take()
	}
	if len(s.blocks) > 11 || len(s.vacant) != 0 {
		t.Errorf("%d blocks, %d vacant", len(s.blocks), len(s.vacant))
	}
}
