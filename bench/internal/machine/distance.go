// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	distanceTrials = 5   // the shortest counts: in others somebody else may have had a core
	distanceTrips  = 500 // of each
)

// Distance is how long a cache line takes from one core to another and back: about 100 ns within one cache, several times
// that between two. What passes messages between cores depends on it. On a virtual machine it changes while that runs, since
// its cores may be moved. With one core it is 0.
func Distance() time.Duration {
	if runtime.GOMAXPROCS(0) < 2 {
		return 0
	}
	var lines struct {
		_        [128]byte
		question atomic.Int64
		_        [128]byte
		answer   atomic.Int64
		_        [128]byte
	}
	go func() {
		for trip := int64(1); trip <= distanceTrials*distanceTrips; trip++ {
			for lines.question.Load() < trip {
			}
			lines.answer.Store(trip)
		}
	}()
	shortest := time.Duration(1<<63 - 1)
	trip := int64(0)
	for range distanceTrials {
		start := time.Now()
		for range distanceTrips {
			trip++
			lines.question.Store(trip)
			for lines.answer.Load() < trip {
			}
		}
		shortest = min(shortest, time.Since(start)/distanceTrips)
	}
	return shortest
}
