// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"time"
)

var errNoProc = errors.New("needs Linux's /proc")

func monotonic() int64                 { return 0 }
func cpuOf(int) (time.Duration, error) { return 0, errNoProc }
func residentOf(int) (int64, error)    { return 0, errNoProc }
