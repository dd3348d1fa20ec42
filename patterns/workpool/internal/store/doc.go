// SPDX-License-Identifier: Apache-2.0

// Package store keeps the durable tasks of a dispatcher on disk: one record for each task that is not done with, which is replaced
// when the task has a result or is dead, and deleted when the sink has had the result.
package store
