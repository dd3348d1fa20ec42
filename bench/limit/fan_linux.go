// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

// fanPublish waits in a write while a stream is full, the others having as much
// to read as that one.
func fanPublish(l *limit) (figures.Report, error) {
	runtime.LockOSThread()
	listener, err := l.listen()
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	subscribers := make([]stream, l.subscribers)
	for i := range subscribers {
		conn, err := listener.Accept()
		if err != nil {
			return nil, err
		}
		if subscribers[i], err = block(conn); err != nil {
			return nil, err
		}
	}
	buffer := make([]byte, l.batch*l.messageBytes())
	for left := l.count * l.messageBytes(); left > 0; left -= len(buffer) {
		for _, subscriber := range subscribers {
			if err := subscriber.writeAll(buffer[:min(left, len(buffer))]); err != nil {
				return nil, err
			}
		}
	}
	var errs []error
	for _, subscriber := range subscribers {
		errs = append(errs, subscriber.close())
	}
	return nil, errors.Join(errs...)
}

// A fan reads from all streams. It measures from when each has had something,
// and leaves out what has come until then.
type fan struct {
	*limit
	streams  []stream
	received []int // bytes of each
	buffer   []byte

	total, wanted, early int // bytes
	first                int // bytes of the first read of all
	silent, open         int // streams
	begun                time.Time
	started, complete    time.Time
}

func fanSubscribe(l *limit) (figures.Report, error) {
	runtime.LockOSThread()
	poller, err := newPoller()
	if err != nil {
		return nil, err
	}
	f := &fan{
		limit: l, streams: make([]stream, l.subscribers), received: make([]int, l.subscribers),
		buffer: make([]byte, readBytes), wanted: l.subscribers * l.count * l.messageBytes(),
		silent: l.subscribers, open: l.subscribers,
	}
	for i := range f.streams {
		conn, err := l.dial()
		if err != nil {
			return nil, err
		}
		f.streams[i], err = detach(conn)
		if err := errors.Join(err, conn.Close()); err != nil {
			return nil, err
		}
		if err := poller.add(f.streams[i], i); err != nil {
			return nil, err
		}
	}
	for f.open > 0 {
		ready, err := poller.wait()
		if err != nil {
			return nil, err
		}
		for _, event := range ready {
			if err := f.drain(event); err != nil {
				return nil, err
			}
		}
	}
	report, err := f.report()
	return report, errors.Join(err, poller.close())
}

func (f *fan) drain(event syscall.EpollEvent) error {
	i := int(event.Fd)
	for {
		length, ended, err := f.streams[i].readNow(f.buffer)
		if err != nil {
			return err
		}
		f.note(i, length)
		if ended {
			f.open--
			return f.streams[i].close()
		}
		if !mayHaveMore(event, length, f.buffer) {
			return nil
		}
	}
}

func (f *fan) note(i, length int) {
	if f.total == 0 && length > 0 {
		f.begun, f.first = time.Now(), length
	}
	f.total += length
	if f.received[i] == 0 && length > 0 {
		if f.silent--; f.silent == 0 {
			f.started, f.early = time.Now(), f.total
		}
	}
	f.received[i] += length
	if f.total == f.wanted && length > 0 {
		f.complete = time.Now()
	}
}

func (f *fan) report() (figures.Report, error) {
	if f.total != f.wanted {
		return nil, fmt.Errorf("got %d bytes, want %d", f.total, f.wanted)
	}
	report := &figures.Fan{
		Operation: "fan-sub", Endpoint: f.endpoint, Size: f.size, Subscribers: f.subscribers, Count: f.count,
	}
	report.Summarize(float64(f.wanted-f.early)/float64(f.messageBytes()), f.complete.Sub(f.started))
	report.SummarizeAll(float64(f.wanted-f.first)/float64(f.messageBytes())+1, f.complete.Sub(f.begun))
	return report, nil
}
