// SPDX-License-Identifier: Apache-2.0

package config

import "time"

const (
	// intervalMin keeps heartbeats from being the load, intervalMax lost messages from being noticed late.
	intervalMin, intervalMax = 10 * time.Millisecond, time.Minute
	// takeoverIntervals of silence are more than a primary needs to be heard on a busy machine.
	takeoverIntervals = 5
	// ticksPerInterval is how often an authority looks at its clock.
	ticksPerInterval = 4
	// historyRevisionsMin is above what may be under way when an authority ends, so that a request that is asked again is always
	// recognised by the next one.
	historyRevisionsMin = 4096
	historyBytesDefault = 64 << 20
	// authorityHWM lets a node lag by so many messages before some are dropped and it has to ask for them.
	authorityHWM = 4096
	// authorityQueueBytes bounds what waits for one client, on each of its two ways: about two of the largest messages. Beyond, some
	// are dropped likewise. So a client that does not read what it asks for costs no more.
	authorityQueueBytes = 32 << 20
	// receiveBatch and arrivedBatches bound what is taken in before it is worked on.
	receiveBatch, arrivedBatches = 256, 4
	// gatherEach, for each client, is how long changes that are made together gather before they are published together: five times
	// what it costs the authority to publish to one, so that under constant changes it spends a fifth of a core on that.
	gatherEach = 80 * time.Microsecond
	// closeLinger is how long Close waits for last words to go out.
	closeLinger = 500 * time.Millisecond
)
