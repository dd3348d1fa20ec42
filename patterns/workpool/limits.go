// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
)

const (
	// intervalMin keeps heartbeats from being the load, intervalMax lost messages from being noticed late.
	intervalMin, intervalMax = 10 * time.Millisecond, time.Minute
	// payloadBytesDefault bounds a task and a result, unless told otherwise.
	payloadBytesDefault = 1 << 20
	queueTasksDefault   = 100_000
	queueBytesDefault   = 256 << 20
	deadLettersDefault  = 10_000
	attemptsDefault     = 5
	timeoutDefault      = 10 * time.Minute
	backoffMinDefault   = 100 * time.Millisecond
	backoffMaxDefault   = 30 * time.Second
	// aheadDefault is how many tasks a worker may hold before it begins with them; it holds as many as last a millisecond.
	aheadDefault = 1024
	// messageBytesMax is a message with the largest payload, or many small ones.
	messageBytesMax = wire.FrameBytesMax
	// receiveBatch bounds what is taken in before it is worked on.
	receiveBatch = 256
	// sinkBatch bounds the results that a sink takes at once, sinkFlush the time after which it says which it has done with.
	sinkBatch, sinkFlush = 256, time.Millisecond
	// sendHWM is how many messages may wait for one worker; each may hold many tasks.
	sendHWM = 4096
	// reconnectMin and reconnectMax are how soon a worker looks for its dispatcher again.
	reconnectMin, reconnectMax = 20 * time.Millisecond, 500 * time.Millisecond
	// questionsMax bounds the questions of operators that wait for their answers.
	questionsMax = 64
	// closeLinger is how long Close waits for last words to go out.
	closeLinger = 500 * time.Millisecond
	// stackBytes bounds what a worker reports of a panic's stack.
	stackBytes = 2 << 10
)
