// SPDX-License-Identifier: Apache-2.0

// Package store keeps what an authority has acknowledged: a state, the records after it, and who the authority is. [Bolt] keeps it
// in one file; [Memory] plays a disk in simulations.
package store
