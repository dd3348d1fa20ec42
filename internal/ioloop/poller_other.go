// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package ioloop

import "time"

// nativeLoops is false where no native backend exists: every stream runs on the goroutine backend, and no Loop is made.
const nativeLoops = false

type poller struct{}

func giveWay() {}

func (*poller) open() error                { return nil }
func (*poller) close()                     {}
func (*poller) look() int                  { return 0 }
func (*poller) blockRaw(time.Duration) int { return 0 }
func (*poller) yield() int                 { return 0 }
func (*poller) park() int                  { return 0 }
func (*poller) nest(bool)                  {}
func (*poller) interrupt()                 {}
func (*poller) serve(int, bool) bool       { return false }

func (l *Loop) attach(int, Handler, *Home, func(Stream)) error { return ErrAgain }
