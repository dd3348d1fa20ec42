// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const nativeLoops = true

// eventsWanted is edge-triggered, both directions, set once per stream: no system call per change of mind.
const eventsWanted = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff

// poller is the epoll side of a Loop. All but interrupt, attach and forget are for the token holder.
type poller struct {
	epoll  int      // holds the streams
	event  int      // an eventfd; edge-triggered, so it is never read
	outer  int      // holds epoll, while the standby waits
	file   *os.File // outer, inside Go's poller
	raw    syscall.RawConn
	events [eventsMax]unix.EpollEvent
	found  int
	ask    func(uintptr) bool

	mu      sync.Mutex
	streams []*native // by slot; nil: free
	free    []int
	serial  int32
	closed  bool
	left    []*native   // receivers have left bytes unread
	sweep   *time.Timer // serves them, if the receivers do not
}

func (p *poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if p.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		unix.Close(p.epoll)
		return os.NewSyscallError("eventfd", err)
	}
	if p.outer, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		unix.Close(p.epoll)
		unix.Close(p.event)
		return os.NewSyscallError("epoll_create1", err)
	}
	unix.SetNonblock(p.outer, true)
	p.file = os.NewFile(uintptr(p.outer), "epoll")
	p.raw, err = p.file.SyscallConn()
	if err == nil {
		err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, p.event, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&0xffffffff, Fd: -1})
	}
	if err == nil {
		err = unix.EpollCtl(p.outer, unix.EPOLL_CTL_ADD, p.epoll, &unix.EpollEvent{})
	}
	if err != nil {
		p.close()
		return err
	}
	p.sweep = time.AfterFunc(leftPause, p.serveLeft)
	p.ask = func(uintptr) bool {
		p.found = p.look()
		return p.found > 0
	}
	return nil
}

func (p *poller) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	if p.sweep != nil {
		p.sweep.Stop()
	}
	p.file.Close()
	unix.Close(p.epoll)
	unix.Close(p.event)
}

// nest lets Go's poller wake for what the streams bring, or not: while somebody leads it would wake a thread each time,
// for nothing.
func (p *poller) nest(on bool) {
	e := unix.EpollEvent{}
	if on {
		e.Events = unix.EPOLLIN
	}
	unix.EpollCtl(p.outer, unix.EPOLL_CTL_MOD, p.epoll, &e)
}

// look takes what is ready and does not wait.
func (p *poller) look() int {
	// unsafe: events outlives the call, which does not block.
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])), eventsMax, 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// blockRaw waits in the system call.
func (p *poller) blockRaw(d time.Duration) int {
	limit := unix.NsecToTimespec(int64(d))
	// unsafe: events and limit outlive the call.
	n, _, errno := syscall.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])), eventsMax, uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno != 0 { // interrupted, or a kernel before 5.11: park instead
		return 0
	}
	return int(n)
}

// yield lets others run before it looks again.
func (p *poller) yield() int {
	runtime.Gosched()
	return p.look()
}

// giveWay lets other threads that are ready have this core first, of this process or another; with none it returns at
// once. The scheduler may give our P away meanwhile.
func giveWay() { syscall.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// park waits in Go's poller and holds neither thread nor P.
func (p *poller) park() int {
	p.found = 0
	if err := p.raw.Read(p.ask); err != nil {
		return 0
	}
	return p.found
}

var one = [8]byte{1}

// interrupt may come late, when the descriptor has another owner.
func (p *poller) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		unix.Write(p.event, one[:])
	}
}

// serve handles the first n events taken. It reports whether writing had waited for one of them.
func (p *poller) serve(n int, led bool) (blocked bool) {
	for i := range p.events[:n] {
		e := &p.events[i]
		if e.Fd < 0 {
			continue
		}
		p.mu.Lock()
		s := p.streams[e.Fd]
		p.mu.Unlock()
		if s == nil || s.serial != e.Pad {
			continue // closed since
		}
		if e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			s.handler.Readable(e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0, led)
		}
		if e.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			blocked = s.handler.Writable() || blocked
		}
	}
	return blocked
}

// serveLeft resumes the streams that receivers have left with bytes unread.
func (p *poller) serveLeft() {
	p.mu.Lock()
	left := p.left
	p.left = nil
	for _, s := range left {
		s.isLeft.Store(false)
	}
	p.mu.Unlock()
	for _, s := range left {
		s.handler.Resume()
	}
}

// native is a stream of the epoll backend.
type native struct {
	loop    *Loop
	home    *Home
	fd      int
	slot    int
	serial  int32 // tells a stream from an earlier one in the same slot
	handler Handler
	isLeft  atomic.Bool
	vector  []unix.Iovec // owner of writing
}

func (l *Loop) attach(fd int, handler Handler, home *Home, start func(Stream)) error {
	p := &l.poll
	s := &native{loop: l, home: home, fd: fd, handler: handler}
	start(s)
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		s.slot, p.free = p.free[n-1], p.free[:n-1]
	} else {
		s.slot = len(p.streams)
		p.streams = append(p.streams, nil)
	}
	p.serial++
	s.serial = p.serial
	p.streams[s.slot] = s
	p.mu.Unlock()
	err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: eventsWanted, Fd: int32(s.slot), Pad: s.serial})
	if err != nil {
		s.Close()
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// Read reads once. The descriptor does not block.
func (s *native) Read(b []byte) (int, error) {
	for {
		// unsafe: b outlives the call, which does not block.
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EAGAIN:
			return 0, ErrAgain
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("read", errno)
		}
	}
}

// Write writes once.
func (s *native) Write(pieces [][]byte) (int, error) {
	for {
		n, errno := s.write(pieces)
		switch errno {
		case 0:
			return n, nil
		case unix.EAGAIN:
			return 0, ErrAgain
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("write", errno)
		}
	}
}

func (s *native) write(pieces [][]byte) (int, syscall.Errno) {
	if len(pieces) == 1 {
		b := pieces[0]
		// unsafe: the kernel wants the address; b outlives the call, which does not block.
		n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		return int(n), errno
	}
	s.vector = s.vector[:0]
	for _, b := range pieces[:min(len(pieces), piecesMax)] {
		v := unix.Iovec{Base: unsafe.SliceData(b)} // unsafe: what a vector is made of
		v.SetLen(len(b))
		s.vector = append(s.vector, v)
	}
	// unsafe: as above; the vector and what it points to outlive the call.
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITEV, uintptr(s.fd), uintptr(unsafe.Pointer(&s.vector[0])), uintptr(len(s.vector)))
	clear(s.vector)
	return int(n), errno
}

func (s *native) CloseWrite() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }
func (s *native) Abort()            { unix.Shutdown(s.fd, unix.SHUT_RDWR) }
func (s *native) PostWrite()        { s.loop.flush.post(posted{handler: s.handler}) }
func (s *native) Inline() bool      { return true }

// PostRead has Resume called by the flusher.
func (s *native) PostRead() { s.loop.flush.post(posted{handler: s.handler, read: true}) }

// Leave has Resume called in a while: a receiver has left bytes unread and may not come back.
func (s *native) Leave() {
	if s.isLeft.Load() || !s.isLeft.CompareAndSwap(false, true) {
		return
	}
	p := &s.loop.poll
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.left) == 0 {
		p.sweep.Reset(leftPause)
	}
	p.left = append(p.left, s)
}

// Close closes the descriptor, which takes it out of the epoll set.
func (s *native) Close() {
	p := &s.loop.poll
	p.mu.Lock()
	p.streams[s.slot] = nil
	p.free = append(p.free, s.slot)
	p.mu.Unlock()
	unix.Close(s.fd)
	s.home.leave(s.loop)
}
