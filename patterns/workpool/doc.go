// SPDX-License-Identifier: Apache-2.0

// Package workpool is a pool of workers that loses no task.
package workpool
