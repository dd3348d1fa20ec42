// SPDX-License-Identifier: Apache-2.0

package authority

import "time"

const (
	// sessionsMax bounds the clients: each costs a few hundred octets here, and more in its sockets.
	sessionsMax = 1 << 14
	// pendingRecordsMax and pendingBytesMax bound what waits for a disk; more is refused as busy. The history is at least as long,
	// so that a request that is asked again after a takeover is always found there.
	pendingRecordsMax, pendingBytesMax = 1024, 64 << 20
	// batchBytesMax bounds one write, so that the first of it does not wait for too many others.
	batchBytesMax = 4 << 20
	// answeredMax bounds the answers kept for requests that are asked again, answeredKept the time.
	answeredMax, answeredKept = 1 << 17, 5 * time.Minute
	// chunksGrantMax bounds what a client can let go out at once.
	chunksGrantMax = 64
	// cutBytesMax bounds what is kept of an encoded snapshot, cutKept how long nobody may have asked for it.
	cutBytesMax, cutKept = 64 << 20, 5 * time.Second
	// chokedFor is how long a client whose queue was full gets no chunks: a small part of what it takes to empty a queue.
	chokedFor = 100 * time.Millisecond
	// transfersMax bounds the answers in parts that one session may have under way, transferKept how long one is kept that nobody
	// takes.
	transfersMax, transferKept = 4, time.Minute
	// waitsMax bounds the requests that wait for nodes, over all sessions.
	waitsMax = 1024
	// logRecordsMax and logBytesMax bound one answer to a Log.
	logRecordsMax, logBytesMax = 1000, 4 << 20
	// gatherMin is less than is worth a timer, gatherMax more than a node should lag that could keep up.
	gatherMin, gatherMax = time.Millisecond, 250 * time.Millisecond
	// markHeadsMax is how many heads a mark at rest carries: with more trees they take turns.
	markHeadsMax = 256
	// statusBytesMax bounds the answer to a Status: nodes beyond it are not listed.
	statusBytesMax = 8 << 20
	// nodeKept is how long a node that is not heard any more stays in the list, for the operator to see.
	nodeKept = 10 * time.Minute
	// silentIntervals of silence make a node one that is not there.
	silentIntervals = 3
	// appendsAhead is how many appends or installs go to a standby before the first is stored.
	appendsAhead = 16
	// grantLagMax is how many records a standby may be behind when it is granted the right to take over.
	grantLagMax = 1024
	// epochClaimMax bounds by how much the epoch that a client claims to have seen can raise the next one.
	epochClaimMax = 1 << 32
	// catchUpFactor is by how much the history may be longer while a standby catches up.
	catchUpFactor = 4
	// trimShare of the history, one in so many, may be too much before it is trimmed: trimming costs a write.
	trimShare = 4
)
