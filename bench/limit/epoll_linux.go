// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"syscall"
)

const (
	eventsMax = 256
	// edges: level-triggered, the kernel would look once more at each stream that had something.
	edges = syscall.EPOLLIN | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which package syscall has negative
)

// A poller is an epoll of its own, for one thread.
type poller struct {
	descriptor int
	events     [eventsMax]syscall.EpollEvent
}

func newPoller() (*poller, error) {
	descriptor, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &poller{descriptor: descriptor}, err
}

// add has every event of s carry mark in its field Fd.
func (p *poller) add(s stream, mark int) error {
	event := syscall.EpollEvent{Events: edges, Fd: int32(mark)}
	return syscall.EpollCtl(p.descriptor, syscall.EPOLL_CTL_ADD, s.descriptor, &event)
}

func (p *poller) wait() ([]syscall.EpollEvent, error) {
	for {
		number, err := syscall.EpollWait(p.descriptor, p.events[:], -1)
		if err != syscall.EINTR {
			return p.events[:max(number, 0)], err
		}
	}
}

func (p *poller) close() error { return syscall.Close(p.descriptor) }

// readNow tells besides what it has read whether that was the end; a stream
// that has nothing now gives 0 and false.
func (s stream) readNow(into []byte) (length int, ended bool, err error) {
	length, err = s.read(into)
	if err == syscall.EAGAIN {
		return 0, false, nil
	}
	return length, err == nil && length == 0, err
}

// writeNow is for what always has room.
func (s stream) writeNow(from []byte) error {
	for {
		length, err := syscall.Write(s.descriptor, from)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case length < len(from):
			return errors.New("a stream that should be empty is full")
		default:
			return nil
		}
	}
}

// mayHaveMore tells whether a stream can have more than what was just read: not
// after a short read, as long as the other side has not ended.
func mayHaveMore(event syscall.EpollEvent, length int, into []byte) bool {
	const hungUp = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	return length == len(into) || length > 0 && event.Events&hungUp != 0
}
