// SPDX-License-Identifier: Apache-2.0

package transporttest

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zwire-mq/zwire/transport"
)

// openDescriptors counts the one it looks with, always.
func openDescriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc to count descriptors in")
	}
	return len(entries)
}

// detach: the descriptor works bare, and is the only one left of the stream.
func (s *suite) detach(t *testing.T) {
	near, far := s.pair(t)
	detacher, ok := near.(transport.Detacher)
	if !ok {
		t.Skip("no Detacher")
	}
	mustWrite(t, far, "before")
	before := openDescriptors(t)
	descriptor, err := detacher.Detach()
	if err != nil {
		t.Fatal("Detach:", err)
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	mustHaveFlag(t, descriptor, unix.F_GETFL, unix.O_NONBLOCK)
	mustHaveFlag(t, descriptor, unix.F_GETFD, unix.FD_CLOEXEC)
	_, err = near.Read(make([]byte, 1))
	mustBe(t, "Read of what was detached", err, net.ErrClosed)

	mustBeWatchable(t, descriptor)
	if got := rawRead(t, descriptor, len("before")); got != "before" {
		t.Fatalf("read %q", got)
	}
	_, err = unix.Read(descriptor, make([]byte, 1))
	mustBe(t, "read with nothing there", err, unix.EAGAIN)
	if _, err := unix.Write(descriptor, []byte("after")); err != nil {
		t.Fatal(err)
	}
	mustReadFull(t, far, "after")
	if err := unix.Close(descriptor); err != nil {
		t.Fatal(err)
	}
	mustRead(t, far, "")
	if after := openDescriptors(t); after != before-1 {
		t.Errorf("%d descriptors before, %d after close", before, after)
	}
}

func mustHaveFlag(t *testing.T, descriptor, command, flag int) {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(descriptor), command, 0)
	if err != nil || flags&flag == 0 {
		t.Errorf("fcntl %d: flags %#x, %v; want %#x among them", command, flags, err, flag)
	}
}

// mustBeWatchable waits for input in an epoll set of its own.
func mustBeWatchable(t *testing.T, descriptor int) {
	t.Helper()
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(set)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(descriptor)}
	if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, descriptor, &event); err != nil {
		t.Fatal(err)
	}
	events := make([]unix.EpollEvent, 1)
	count, err := unix.EpollWait(set, events, int(patience.Milliseconds()))
	for errors.Is(err, unix.EINTR) {
		count, err = unix.EpollWait(set, events, int(patience.Milliseconds()))
	}
	if err != nil || count != 1 {
		t.Fatalf("epoll_wait: %d events, %v", count, err)
	}
}

func rawRead(t *testing.T, descriptor, want int) string {
	t.Helper()
	octets := make([]byte, want)
	got := 0
	eventually(t, "raw read", func() bool {
		count, err := unix.Read(descriptor, octets[got:])
		if err != nil && !errors.Is(err, unix.EAGAIN) || count == 0 {
			t.Fatal("raw read:", err)
		}
		got += max(count, 0)
		return got == want
	})
	return string(octets)
}

// detachRefused: without a descriptor to spare the stream stays as it is.
func (s *suite) detachRefused(t *testing.T) {
	near, far := s.pair(t)
	detacher, ok := near.(transport.Detacher)
	if !ok {
		t.Skip("no Detacher")
	}
	restore := useUpDescriptors(t)
	_, err := detacher.Detach()
	restore()
	mustBe(t, "Detach", err, syscall.EMFILE)
	mustWrite(t, near, "here")
	mustReadFull(t, far, "here")
}

// descriptorsOut: Accept says so, and takes the stream that waited once there are descriptors again.
func (s *suite) descriptorsOut(t *testing.T) {
	l, address := s.listen(t, transport.Config{})
	near, err := s.subject.Dial(t.Context(), address, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	if _, ok := near.(transport.Detacher); !ok {
		t.Skip("streams without descriptors")
	}
	restore := useUpDescriptors(t)
	within(t, "Accept", func() { _, err = l.Accept() })
	_, dialErr := s.subject.Dial(t.Context(), address, transport.Config{})
	restore()
	mustBe(t, "Accept", err, syscall.EMFILE)
	mustBe(t, "Dial", dialErr, syscall.EMFILE)
	var far transport.Stream
	within(t, "Accept", func() { far, err = l.Accept() })
	if err != nil {
		t.Fatal("Accept again:", err)
	}
	defer far.Close()
	mustWrite(t, near, "late")
	mustReadFull(t, far, "late")
}

// useUpDescriptors takes the lowest free descriptor and lowers the limit to just above it.
func useUpDescriptors(t *testing.T) (restore func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	last, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	lowered := unix.Rlimit{Cur: uint64(last + 1), Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lowered); err != nil {
		t.Fatal(err)
	}
	return func() {
		unix.Close(last) // was only held
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
}
