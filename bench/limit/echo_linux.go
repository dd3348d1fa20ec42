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

const (
	echoSize     = 16  // the probe's
	echoGreeters = 256 // streams that connect at a time, as the probe's do
)

// An echoServer gives back what it reads. Its events are marked with the
// descriptor, which is all that it knows of a stream.
type echoServer struct {
	*poller
	listener       stream
	isTCP          bool
	buffer         []byte
	accepted, gone int // streams
	total          int // bytes
}

func echoAll(l *limit) (figures.Report, error) {
	runtime.LockOSThread()
	l.size = echoSize
	listener, err := l.listen()
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	poller, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &echoServer{poller: poller, isTCP: listener.Addr().Network() == "tcp", buffer: make([]byte, readBytes)}
	if s.listener, err = detach(listener); err != nil {
		return nil, err
	}
	if err := s.add(s.listener, s.listener.descriptor); err != nil {
		return nil, err
	}
	for s.gone < l.count {
		ready, err := s.wait()
		if err != nil {
			return nil, err
		}
		for _, event := range ready {
			if err := s.serve(event); err != nil {
				return nil, err
			}
		}
	}
	if wanted := l.count * (l.each + 1) * l.messageBytes(); s.total != wanted {
		return nil, fmt.Errorf("gave %d bytes back, want %d", s.total, wanted)
	}
	return nil, errors.Join(s.listener.close(), s.close())
}

func (s *echoServer) serve(event syscall.EpollEvent) error {
	from := stream{int(event.Fd)}
	if from == s.listener {
		return s.acceptAll()
	}
	for {
		length, ended, err := from.readNow(s.buffer)
		if err != nil {
			return err
		}
		if ended {
			s.gone++
			return from.close()
		}
		if length > 0 {
			s.total += length
			if err := from.writeNow(s.buffer[:length]); err != nil {
				return err
			}
		}
		if !mayHaveMore(event, length, s.buffer) {
			return nil
		}
	}
}

func (s *echoServer) acceptAll() error {
	for {
		descriptor, _, err := syscall.Accept4(s.listener.descriptor, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch err {
		case nil:
		case syscall.EAGAIN:
			return nil
		case syscall.EINTR, syscall.ECONNABORTED:
			continue
		default:
			return err
		}
		if s.isTCP {
			err = syscall.SetsockoptInt(descriptor, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		}
		if err := errors.Join(err, s.add(stream{descriptor}, descriptor)); err != nil {
			return err
		}
	}
}

// An asker has at most one question under way.
type asker struct {
	stream
	missing int // bytes of the reply
	left    int // echoes
}

type askers struct {
	*poller
	message []byte
	all     []asker
}

func echoAsk(l *limit) (figures.Report, error) {
	runtime.LockOSThread()
	l.size = echoSize
	poller, err := newPoller()
	if err != nil {
		return nil, err
	}
	a := &askers{poller: poller, message: make([]byte, l.messageBytes()), all: make([]asker, l.count)}
	for first := 0; first < l.count; first += echoGreeters {
		last := min(first+echoGreeters, l.count)
		for i := first; i < last; i++ {
			if err := a.connect(l, i); err != nil {
				return nil, err
			}
		}
		if err := a.exchange(a.all[first:last], 1); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	if err := a.exchange(a.all, l.each); err != nil {
		return nil, err
	}
	report := &figures.Echo{Operation: "conns-echo", Endpoint: l.endpoint, Count: l.count, Each: l.each}
	report.Summarize(time.Since(start))
	errs := []error{a.close()}
	for _, asker := range a.all {
		errs = append(errs, asker.close())
	}
	return report, errors.Join(errs...)
}

func (a *askers) connect(l *limit, i int) error {
	conn, err := l.dial()
	if err != nil {
		return err
	}
	a.all[i].stream, err = detach(conn)
	if err := errors.Join(err, conn.Close()); err != nil {
		return err
	}
	return a.add(a.all[i].stream, i)
}

func (a *askers) ask(who *asker) error {
	who.missing = len(a.message)
	return who.writeNow(a.message)
}

// exchange has each of some do number echoes, while all of them have a question
// under way.
func (a *askers) exchange(some []asker, number int) error {
	for i := range some {
		some[i].left = number
		if err := a.ask(&some[i]); err != nil {
			return err
		}
	}
	reply := make([]byte, len(a.message))
	for busy := len(some); busy > 0; {
		ready, err := a.wait()
		if err != nil {
			return err
		}
		for _, event := range ready {
			who := &a.all[event.Fd]
			length, ended, err := who.readNow(reply[:max(1, who.missing)])
			switch {
			case err != nil:
				return err
			case ended:
				return errors.New("the other side has ended")
			case length > who.missing:
				return errors.New("got more than an echo")
			}
			if who.missing -= length; who.missing > 0 || length == 0 {
				continue
			}
			if who.left--; who.left == 0 {
				busy--
			} else if err := a.ask(who); err != nil {
				return err
			}
		}
	}
	return nil
}
