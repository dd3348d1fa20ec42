// SPDX-License-Identifier: Apache-2.0

package ipc

import "time"

const (
	// lockWaitMax bounds the wait for others that bind the same path; each holds the lock for less than a millisecond.
	lockWaitMax = 5 * time.Second
	// lockPause is the wait between two looks at the lock.
	lockPause = time.Millisecond
	// dialPause is the wait before another try at a listener whose backlog is full.
	dialPause = time.Millisecond
)
