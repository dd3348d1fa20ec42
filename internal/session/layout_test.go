// SPDX-License-Identifier: Apache-2.0

package session

import (
	"reflect"
	"testing"
)

// What a message needs of a link stands on few lines of the cache. The allocator puts a word in front of what is as large as a
// link, and begins it where a line begins.
func TestLinkLines(t *testing.T) {
	const line, word, class = 64, 8, 640
	link := reflect.TypeFor[link]()
	if reflect.TypeFor[uintptr]().Size() != word {
		t.Skip("words of 32 bits: the parts are smaller than their lines")
	}
	at := func(field string) uintptr {
		f, ok := link.FieldByName(field)
		if !ok {
			t.Fatalf("no field %s", field)
		}
		return (word + f.Offset) / line
	}
	for _, part := range [][2]string{ // first and last field; of pulse and control each message needs what they begin with
		{"in", "readEdge"}, {"revived", "largest"}, {"scanner", "lastDirect"}, {"writeEdge", "control"}, {"command", "pulse"},
	} {
		if begin, end := at(part[0]), at(part[1]); begin != end {
			t.Errorf("%s to %s: lines %d to %d", part[0], part[1], begin, end)
		}
	}
	if word+link.Size() > class {
		t.Errorf("%d bytes, more than the allocator's class of %d", word+link.Size(), class)
	}
}
