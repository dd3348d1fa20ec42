// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

func latencyReply(l *limit) (figures.Report, error) {
	conn, err := l.accept()
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, l.messageBytes())
	for range l.count {
		if _, err := io.ReadFull(conn, buffer); err != nil {
			return nil, err
		}
		if _, err := conn.Write(buffer); err != nil {
			return nil, err
		}
	}
	return nil, conn.Close()
}

func latencyRequest(l *limit) (figures.Report, error) {
	conn, err := l.dial()
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, l.messageBytes())
	report, err := l.measureLatency(func() error {
		if _, err := conn.Write(buffer); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, buffer)
		return err
	})
	if err != nil {
		return nil, err
	}
	report.Operation, report.Endpoint = "lat-req", l.endpoint
	return report, conn.Close()
}

// measureLatency leaves the first exchange out, as the probe does.
func (l *limit) measureLatency(exchange func() error) (*figures.Latency, error) {
	samples := make([]time.Duration, 0, l.count)
	for range l.count {
		start := time.Now()
		if err := exchange(); err != nil {
			return nil, err
		}
		samples = append(samples, time.Since(start))
	}
	report := &figures.Latency{Size: l.size, Count: l.count}
	report.Summarize(samples[1:])
	return report, nil
}
