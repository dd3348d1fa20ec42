// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

const (
	readBytes = 64 << 10
	batchMax  = 1 << 20 // messages
	// shortBytes is the longest body whose length takes one byte (ZMTP 3.1, section 3.2).
	shortBytes  = 255
	shortHeader = 2
	longHeader  = 9
)

// messageBytes is what a message takes of the stream, its header included.
func (l *limit) messageBytes() int {
	if l.size <= shortBytes {
		return l.size + shortHeader
	}
	return l.size + longHeader
}

func throughputPush(l *limit) (figures.Report, error) {
	runtime.LockOSThread()
	conn, err := l.dial()
	if err != nil {
		return nil, err
	}
	to, err := block(conn)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, l.batch*l.messageBytes())
	left := l.count * l.messageBytes()
	for ; left > 0; left -= len(buffer) {
		if err := to.writeAll(buffer[:min(left, len(buffer))]); err != nil {
			return nil, err
		}
	}
	return nil, to.close()
}

// throughputPull measures from the end of the first read, and counts what came
// after it.
func throughputPull(l *limit) (figures.Report, error) {
	runtime.LockOSThread()
	conn, err := l.accept()
	if err != nil {
		return nil, err
	}
	from, err := block(conn)
	if err != nil {
		return nil, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	buffer := make([]byte, readBytes)
	wanted := l.count * l.messageBytes()
	first, err := from.read(buffer)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	received := first
	for received <= wanted {
		length, err := from.read(buffer)
		if err != nil {
			return nil, err
		}
		if length == 0 {
			break
		}
		received += length
	}
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	if received != wanted {
		return nil, fmt.Errorf("got %d bytes or more, want %d", received, wanted)
	}
	report := &figures.Throughput{Operation: "thr-pull", Endpoint: l.endpoint, Size: l.size, Count: l.count}
	report.Summarize(float64(wanted-first)/float64(l.messageBytes()), elapsed, after.Mallocs-before.Mallocs)
	return report, from.close()
}
