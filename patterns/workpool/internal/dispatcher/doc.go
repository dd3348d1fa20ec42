// SPDX-License-Identifier: Apache-2.0

// Package dispatcher is the dispatcher of a pool as a machine: tasks, messages of workers, finished writes and the time go in;
// messages to workers, results for the sink and writes to do come out. It knows no socket, no disk and no clock.
//
// # Path of a task
//
//	          Submit
//	            │ durable: on disk              worker has answered
//	storing ────┼──► waiting ──► leased ────────────┬──► saving ──► done ──► handed ──► gone
//	            │      ▲  ▲        │ fails, hangs,  │     durable: the     the sink
//	            ▼      │  │        │ worker is gone │     result on disk   has it
//	         delayed ──┘  │        ▼                │
//	            ▲         │     attempts left? ── no ──► dead ── Rerun ──► waiting
//	            └─────────┼── yes, after back-off
//	                      └── worker has not begun with it
//
// Cancel takes a task out of any state but handed. A lease is one attempt at a task by one worker. When the task is taken from
// it, the lease stays, without a task, until the worker has answered or is known not to hold it: so a worker that hangs is not
// given more than it can take, and its late answer is recognised.
package dispatcher
