// SPDX-License-Identifier: Apache-2.0

package fifo

import "testing"

func TestOrder(t *testing.T) {
	var q Queue[int]
	in, out := 0, 0
	for round := range 200 {
		for range round * 50 {
			q.Push(in)
			in++
		}
		for q.Len() > round%7*40 {
			if first, got := q.First(), q.Pop(); first != out || got != out {
				t.Fatalf("first %d, got %d, want %d", first, got, out)
			}
			out++
		}
	}
	if in-out != q.Len() {
		t.Errorf("%d in, %d out, %d left", in, out, q.Len())
	}
}
