// SPDX-License-Identifier: Apache-2.0

package node

import "time"

// Times of the protocol, as seen by a client.
const (
	// helloEvery is how often a greeting is repeated until it is answered.
	helloEvery = time.Second
	// idleHelloEvery finds out, where no word came through, that an authority that is not followed has become primary.
	idleHelloEvery = 10 * time.Second
	// awayIntervals without a word, and at least awayMin, and an authority is away.
	awayIntervals = 3
	awayMin       = time.Second
	// SyncTimeout is how long a part of an answer may take before all is asked for again.
	SyncTimeout = 5 * time.Second
	// backOffMin and backOffMax bound the wait before a sync that did not help is repeated.
	backOffMin = 100 * time.Millisecond
	backOffMax = 5 * time.Second
	// reportEvery joins reports of revisions that come fast.
	reportEvery = 20 * time.Millisecond
	// requestTimeout is how long an answer may take before the request is sent again: longer than a slow disk needs.
	requestTimeout = 5 * time.Second
	// refusedMin and refusedMax bound the wait before a request that was refused for a while is sent again.
	refusedMin = 50 * time.Millisecond
	refusedMax = time.Second
	// An authority that asks for less than intervalMin would be flooded, and above intervalMax nobody would miss it.
	intervalMin     = 10 * time.Millisecond
	intervalMax     = time.Minute
	intervalDefault = time.Second
)

// FrameReusedMax bounds the frames whose memory receives the next message: some dozens of changes as they are mostly.
const FrameReusedMax = 8 << 10

// keptMax and keptBytesMax bound what is kept of published messages until a mark or the answer to a sync makes use of them. Beyond,
// all of it is dropped, and the gap is found and repaired like any other.
const (
	keptMax      = 1 << 14
	keptBytesMax = 64 << 20
)
