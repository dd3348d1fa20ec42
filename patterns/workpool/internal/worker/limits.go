// SPDX-License-Identifier: Apache-2.0

package worker

import "time"

const (
	// intervalFirst is the interval before a dispatcher has told its own.
	intervalFirst = time.Second
	// silentIntervals of silence make a worker greet its dispatcher again.
	silentIntervals = 5
	// aheadTime is how long the jobs that are held ahead should last: several round trips of a network.
	aheadTime = time.Millisecond
	// waitMax is how long a job may wait for a slot.
	waitMax = 10 * time.Millisecond
	// meanShare is how much of the mean duration one job makes: one part in so many.
	meanShare = 8
	// messageBytes is how much one message of results holds: a few reads' worth.
	messageBytes = 256 << 10
	// messageResults bounds the results in a message.
	messageResults = 256
	// heldMax bounds what a link holds, whatever its dispatcher sends.
	heldMax = 1 << 17
)
