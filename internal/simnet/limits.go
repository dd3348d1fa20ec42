// SPDX-License-Identifier: Apache-2.0

package simnet

const (
	// bufferDefault is what a direction holds before Write waits, near what a kernel gives a small stream.
	bufferDefault = 64 << 10
	// backlogDefault is how many streams wait for Accept before Dial does.
	backlogDefault = 128
	// addressOctetsMax is a bound for its own sake: tests make addresses.
	addressOctetsMax = 255
)
