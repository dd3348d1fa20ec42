// SPDX-License-Identifier: Apache-2.0

package ioloop

import "time"

const (
	// loopsMax bounds the loops of a context: more share the work of one network interface without moving more bytes.
	loopsMax = 8
	// eventsMax is how many events one poll takes, so that a leader looks soon whether its own message is there.
	eventsMax = 64
	// leadBlock is how long a leader blocks in the system call, holding its P, before it leaves the wait to the standby. A
	// cancelled context waits at most that long; a round trip is over sooner.
	leadBlock = 100 * time.Microsecond
	// standbyPause is how long the standby stays away after a lead before it looks whether leads go on. A receiver of many
	// streams that takes 64 messages, an eventsMax, in less leads each time; else the standby would bring them to it from
	// another core.
	standbyPause = 2 * time.Millisecond
	// It stays away for as long after rushWakes wakes in a row within rushTime that brought rushEvents events each on
	// average: to be woken costs as much as to serve three.
	rushWakes  = 16
	rushEvents = 2
	rushTime   = 2 * time.Millisecond
	// leftPause is how long a stream that a receiver left with bytes unread waits for a receiver to come back.
	leftPause = time.Millisecond
	// sparesMax is how many waiters a socket keeps per direction.
	sparesMax = 64
	// piecesMax bounds one writev.
	piecesMax = 64
	// spinMost is how long a leader looks again and again before it blocks: longer than it takes to wake a core that sleeps,
	// else two peers that wait for each other would never find out that polling pays.
	spinMost = 50 * time.Microsecond
	// fruitlessMost bounds how many waits go by, two to that power, before polling is tried again.
	fruitlessMost = 7
	// looksMost is how many looks at a word of memory a goroutine makes before it parks: some 50 µs. After so many as
	// looksCheap it makes sure that nobody needs its P.
	looksMost  = 100_000
	looksCheap = 100
	// looksKind is after how many looks a leader makes sure that nobody needs its P.
	looksKind = 8
)
