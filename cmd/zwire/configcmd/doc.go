// SPDX-License-Identifier: Apache-2.0

// Package configcmd is the command "config" of zwire: it runs an authority of a configuration centre, reads and changes the
// configuration, and shows who has what. It stands on the public interface of patterns/config alone.
//
// Exit codes: 0 done, 1 error, 2 wrong usage, 3 not found, 4 conflict.
package configcmd
