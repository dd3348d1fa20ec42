// SPDX-License-Identifier: Apache-2.0

package store

// The parts of a page of bbolt that tests damage.
const (
	pageHeadBytes = 16
	metaBytes     = 64
	branchPage    = 1
)
