// SPDX-License-Identifier: Apache-2.0

package session

import "time"

const (
	// directPause is how long after a sender wrote by itself the next one may, measured from the beginning of the
	// write: twice what a small write takes. Senders that come faster than that leave the writing to the loop.
	directPause = 10 * time.Microsecond
	// neverDirect is a time long before any.
	neverDirect = -int64(time.Hour)
	// selfRounds is how often a sender that writes by itself goes on with what others have queued meanwhile.
	selfRounds = 1

	// readBytesMin and readBytesMax bound what one read asks for; it follows what the last ones brought.
	readBytesMin = 4 << 10
	readBytesMax = 64 << 10
	// readMost bounds one read, and so the messages found at a time.
	readMost = 1 << 20
	// readsMost is how many reads an owner makes in a row before others of the loop have their turn.
	readsMost = 16
	// emptyMost is how many times larger than the messages a chunk may be that they keep from the pool for as long as
	// nobody receives them.
	emptyMost = 8
	// storeBytes is the largest chunk for copies of messages that a link keeps: what an Encoder begins with.
	storeBytes = 1 << 10
	// subscriptionBytes is how long a subscription's message may be without a trip to the heap.
	subscriptionBytes = 128
	// readSlack is how much room a chunk must have left for another read to be worth it.
	readSlack = 512
	// restBytesMax is the largest unfinished message that an idle stream keeps in a chunk of its own size.
	restBytesMax = 1 << 10
	// piecesMax is how many pieces one write gathers.
	piecesMax = 64

	// controlBytesMax bounds commands that wait to be written; a peer that makes us answer and does not read is not
	// answered beyond it.
	controlBytesMax = 4 << 10

	// acceptPause and acceptPauseMax bound the wait of a listener that got no descriptor.
	acceptPause    = 5 * time.Millisecond
	acceptPauseMax = 250 * time.Millisecond

	// closeGrace bounds the wait for the peer to close in turn, when everything has been written: what the kernel holds
	// still goes out afterwards, unless the peer sends more.
	closeGrace = 5 * time.Second

	// timerLate is more than a busy machine delays a timer: the process has slept. listenGrace is how long it then takes at most to hear
	// what arrived meanwhile.
	timerLate   = 100 * time.Millisecond
	listenGrace = time.Second

	// lateNever is longer than any handshake: none is late where there is no deadline.
	lateNever = 100 * 365 * 24 * time.Hour
)
