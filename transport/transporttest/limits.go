// SPDX-License-Identifier: Apache-2.0

package transporttest

import "time"

const (
	// patience bounds every wait for something that must happen.
	patience = 10 * time.Second
	// glance is the pause between two looks at a condition that nobody announces.
	glance = time.Millisecond
	// stuckAfter is when a dial that meets a full backlog counts as waiting.
	stuckAfter = 100 * time.Millisecond
	// largeOctets is more than any buffer on the way.
	largeOctets = 4 << 20
)
