// SPDX-License-Identifier: Apache-2.0

package store

import "time"

const (
	// lockWaitMax is how long to wait for another process to close the file: one that is about to end.
	lockWaitMax = time.Second
	// lockPause is between two looks at the lock.
	lockPause = 50 * time.Millisecond
	// logFill is how full pages of the log get before they are split: it only grows at its end.
	logFill = 0.95
	// installFill is how full pages of a new base get: some changes have room.
	installFill = 0.8
)
