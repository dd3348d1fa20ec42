// SPDX-License-Identifier: Apache-2.0

package sockettest

import (
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Soaked scales the count of a long test by the environment variable ZWIRE_SOAK, which is 1 by default: 1 to most.
func Soaked(t testing.TB, count, most int) int {
	t.Helper()
	text := os.Getenv("ZWIRE_SOAK")
	if text == "" {
		return min(count, most)
	}
	factor, err := strconv.ParseFloat(text, 64)
	if err != nil || factor <= 0 {
		t.Fatalf("ZWIRE_SOAK=%q is not a positive number", text)
	}
	return min(max(int(float64(count)*factor), 1), most)
}

// Seeds runs a simulation once for each seed below count, on all processors, and returns when all have ended.
func Seeds(t *testing.T, count int, run func(t *testing.T, seed uint64)) {
	t.Helper()
	parts := min(runtime.GOMAXPROCS(0), count)
	t.Run("seeds", func(t *testing.T) {
		for part := range parts {
			t.Run(strconv.Itoa(part), func(t *testing.T) {
				t.Parallel()
				for seed := part; seed < count && !t.Failed(); seed += parts {
					run(t, uint64(seed))
				}
			})
		}
	})
}
