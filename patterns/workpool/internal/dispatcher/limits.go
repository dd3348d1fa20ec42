// SPDX-License-Identifier: Apache-2.0

package dispatcher

import "time"

const (
	// silentIntervals of silence end a worker: more than a busy machine takes to schedule it.
	silentIntervals = 5
	// graceIntervals are how long what is on its way may be missing in a beat, and how long a stream may be gone.
	graceIntervals = 2
	// errorsKept bounds the errors of one task that are kept: the latest.
	errorsKept = 100
	// messageBytes is how much payload one message of several tasks holds: a few reads' worth.
	messageBytes = 256 << 10
	// messageTasks bounds the tasks in a message, so that the worker can begin with the first ones.
	messageTasks = 256
	// workersMax bounds the workers: each costs a few hundred octets here, and more in its socket.
	workersMax = 1 << 14
	// cancelsMax bounds the cancelled leases in one message.
	cancelsMax = 4096
	// tombsMin is from how many entries without a task on it pays to take them out.
	tombsMin = 1024
	// creditMax bounds what a worker can ask for.
	creditMax = 1 << 16
	// writeWait is how long a change that nobody waits for may wait for one that somebody does: longer than a producer takes from the
	// end of one write to its next task, and not felt by the sink.
	writeWait = time.Millisecond
	// timeoutMax is an attempt without a limit, nearly: sums with it are times.
	timeoutMax = 100 * 365 * 24 * time.Hour
	// clockLook is after how long a clock that was set is noticed by tasks that wait for a time of it.
	clockLook = time.Minute
	// sampleEvery is how long rates are averaged over.
	sampleEvery = time.Second
)
