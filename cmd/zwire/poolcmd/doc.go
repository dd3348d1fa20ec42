// SPDX-License-Identifier: Apache-2.0

// Package poolcmd is the command "pool" of zwire: it shows what a dispatcher of patterns/workpool and its workers are at, and takes care
// of dead letters. It stands on the public interface of patterns/workpool alone.
//
// Exit codes: 0 done, 1 error, 2 wrong usage.
package poolcmd
