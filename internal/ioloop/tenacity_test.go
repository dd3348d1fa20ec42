// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"testing"
	"testing/synctest"
	"time"
)

// There is a rush after so many wakes in so short a time that brought so much, and the count begins anew.
func TestRush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			what   string
			events func(wake int) int
			pause  time.Duration // between wakes
			want   bool
		}{
			{"much", func(int) int { return rushEvents }, 0, true},
			{"much on average", func(wake int) int { return wake % 2 * 2 * rushEvents }, rushTime / rushWakes / 2, true},
			{"one stream", func(int) int { return 1 }, 0, false},
			{"slowly", func(int) int { return 64 }, 2 * rushTime / rushWakes, false},
		} {
			var r rush
			for wake := 1; wake <= 4*rushWakes; wake++ {
				if on, want := r.on(c.events(wake)), c.want && wake%rushWakes == 0; on != want {
					t.Errorf("%s: a rush at wake %d: %v", c.what, wake, on)
				}
				time.Sleep(c.pause)
			}
		}
	})
}
