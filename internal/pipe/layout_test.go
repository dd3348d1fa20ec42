// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"testing"
	"unsafe"
)

// What one side writes per message shares no line with what the other does, and takes no more lines than one fetch brings;
// nor do the two queues of an end share one.
//
// unsafe: asks where fields stand, and touches nothing.
func TestQueueLines(t *testing.T) {
	const word = unsafe.Sizeof(uintptr(0))
	if word != 8 {
		t.Skip("words of 32 bits: the parts are smaller than their lines")
	}
	var q Queue
	const size = unsafe.Sizeof(q)
	for name, part := range map[string][2]uintptr{ // to where it begins and ends
		"limits":  {unsafe.Offsetof(q.limitMessages), unsafe.Offsetof(q.Far) + unsafe.Sizeof(q.Far)},
		"writer":  {unsafe.Offsetof(q.tail), unsafe.Offsetof(q.grantedBytes) + unsafe.Sizeof(q.grantedBytes)},
		"both":    {unsafe.Offsetof(q.state), unsafe.Offsetof(q.wantBytes) + unsafe.Sizeof(q.wantBytes)},
		"drainer": {unsafe.Offsetof(q.head), size},
	} {
		if begin, end := part[0], part[1]; begin%cacheLine != 0 || end-begin > cacheLine {
			t.Errorf("%s: from %d to %d", name, begin, end)
		}
	}
	var b endBlock
	if size%cacheLine != 0 || (unsafe.Offsetof(b.out)+word)%cacheLine != 0 {
		t.Errorf("a queue of %d bytes at %d", size, unsafe.Offsetof(b.out))
	}
}
