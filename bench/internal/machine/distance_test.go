// SPDX-License-Identifier: Apache-2.0

package machine_test

import (
	"runtime"
	"testing"

	"github.com/zwire-mq/zwire/bench/internal/machine"
)

func TestDistance(t *testing.T) {
	if runtime.GOMAXPROCS(0) > 1 {
		if d := machine.Distance(); d <= 0 {
			t.Errorf("two cores are %v apart", d)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if d := machine.Distance(); d != 0 {
		t.Errorf("one core is %v from itself", d)
	}
}
