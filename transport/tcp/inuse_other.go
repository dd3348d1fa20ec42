// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package tcp

// inUse has nothing to do: the system's own error is the one promised.
func inUse(_ string, err error) error { return err }
