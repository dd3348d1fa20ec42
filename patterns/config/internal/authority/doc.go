// SPDX-License-Identifier: Apache-2.0

// Package authority is the authority of a configuration centre as a machine: messages, finished writes and the time go in; messages
// to send and publish, and writes to do, come out. It knows no socket, no disk and no clock.
//
// # Path of a change
//
// A proposal is checked against the tip, the state after all records that are under way, and becomes a record (changes.go).
// Records gather while a write is in progress and are written together. What is on disk goes to the standby, if acknowledging
// needs one (replicate.go). What is on all disks that it needs is committed: only then is it answered, published, and visible to
// anyone. Committed records are never taken back; the others may be.
//
// # Roles
//
//	         start, no other authority        ┌──────── promote, takeover ────────┐
//	             │     or it was solo         │                                   ▼
//	start ─► looking ◄───── later epoch ── standby ◄── meets a primary ── looking, primary
//	             └── wins against the other, which is looking too ──► primary
//
// Each time one becomes primary it opens an epoch, on disk, above all that it knows of. A primary is solo until it has granted its
// standby the right to take over (again on disk, and only once the standby is near): from then on it acknowledges nothing that
// the standby does not have on disk, in this life and in the next, unless an operator promotes it. So whoever takes over by that right
// has everything that was acknowledged, and the one deposed can acknowledge no more. A standby has its right from this life
// only: an operator who promotes a primary whose standby's process is gone runs no risk that the standby comes up and takes
// over.
package authority
