// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package transporttest

import "testing"

// openDescriptors has nowhere to count them.
func openDescriptors(_ *testing.T) int { return 0 }

func (s *suite) detach(t *testing.T) { t.Skip("Detach is for Linux") }

func (s *suite) detachRefused(t *testing.T) { t.Skip("Detach is for Linux") }

func (s *suite) descriptorsOut(t *testing.T) { t.Skip("needs the limits of Linux") }
