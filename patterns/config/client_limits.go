// SPDX-License-Identifier: Apache-2.0

package config

import "time"

const (
	// authoritiesMax is more than there are of one store, and keeps the streams of a client few.
	authoritiesMax = 8
	// requestsMax bounds requests of one client that have no answer; further ones wait for their turn. It stays below the
	// high-water mark of a socket.
	requestsMax = 512
	// outboxMax bounds messages that a full socket did not take; more are dropped and asked again after a while.
	outboxMax = 4096
	// batchMin and batchMax are how many messages one turn takes from a socket: few, so that they need little memory, and more when
	// they come fast, since changes that are applied together cost less; not so many that the lock is kept for long. Messages of
	// more than turnBytesMax together are enough for a turn.
	batchMin, batchMax, turnBytesMax = 8, 128, 256 << 10
	// reusedMax is how many octets of messages a client that waits keeps, to receive the next ones in.
	reusedMax = 16 << 10
	// feedQueueMax is how many published messages may wait for a client that is slow; what is lost is repaired by a sync.
	feedQueueMax = 1 << 14
	// clientLinger is how long Close waits for the last words.
	clientLinger = 500 * time.Millisecond
	// redialMin and redialMax bound the wait before an authority is dialled again: a takeover should not wait for it.
	redialMin = 50 * time.Millisecond
	redialMax = time.Second
	// A stream without a sign of life for pingTimeout is cut; each pingEvery a sign is asked for.
	pingEvery   = 2 * time.Second
	pingTimeout = 6 * time.Second
	// feedPingEvery is for what is published: marks come without being asked for, and what is missed meanwhile is asked for elsewhere.
	feedPingEvery = 10 * time.Second
	// drainEvery is how often a socket is tried again that had no room.
	drainEvery = 5 * time.Millisecond
	// cacheGrace is how long Dial waits for an authority when there is a copy in the cache file.
	cacheGrace = time.Second
	// cacheEvery joins changes that come fast into one writing of the cache file.
	cacheEvery = time.Second
)
