// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package machine

// FileSystem says what a folder is on.
func FileSystem(string) string { return "unknown" }
