// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zwire-mq/zwire/transport"
)

// bothEnds gives the descriptors of a stream made with cfg at both ends, and of its listener.
func bothEnds(t *testing.T, cfg transport.Config) (dialled, accepted int, l transport.Listener) {
	t.Helper()
	l = mustListen(t, "127.0.0.1:0", cfg)
	near, err := Transport{}.Dial(t.Context(), strings.TrimPrefix(l.Endpoint(), "tcp://"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	descriptors := [2]int{}
	for i, stream := range []transport.Stream{near, far} {
		if descriptors[i], err = stream.(transport.Detacher).Detach(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(descriptors[i]) })
	}
	return descriptors[0], descriptors[1], l
}

func option(t *testing.T, descriptor, level, name int) int {
	t.Helper()
	value, err := unix.GetsockoptInt(descriptor, level, name)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestBuffers(t *testing.T) {
	const send, recv = 20000, 30000
	dialled, accepted, _ := bothEnds(t, transport.Config{SendBuffer: send, RecvBuffer: recv})
	for _, descriptor := range []int{dialled, accepted} {
		// The kernel keeps twice what it is asked for, see socket(7).
		if got := option(t, descriptor, unix.SOL_SOCKET, unix.SO_SNDBUF); got != 2*send {
			t.Errorf("send buffer %d, want %d", got, 2*send)
		}
		if got := option(t, descriptor, unix.SOL_SOCKET, unix.SO_RCVBUF); got != 2*recv {
			t.Errorf("receive buffer %d, want %d", got, 2*recv)
		}
	}
}

func TestNoDelayAlways(t *testing.T) {
	dialled, accepted, _ := bothEnds(t, transport.Config{})
	for _, descriptor := range []int{dialled, accepted} {
		if option(t, descriptor, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
			t.Error("TCP_NODELAY is off")
		}
	}
}

func TestKeepAlive(t *testing.T) {
	cases := []struct {
		keepAlive   time.Duration
		on, seconds int // seconds 0: any
	}{
		{0, 1, 0},
		{7 * time.Second, 1, 7},
		{-1, 0, 0},
	}
	for _, c := range cases {
		dialled, accepted, _ := bothEnds(t, transport.Config{KeepAlive: c.keepAlive})
		for _, descriptor := range []int{dialled, accepted} {
			if got := option(t, descriptor, unix.SOL_SOCKET, unix.SO_KEEPALIVE); got != c.on {
				t.Errorf("keep-alive %v: SO_KEEPALIVE %d, want %d", c.keepAlive, got, c.on)
			}
			idle := option(t, descriptor, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
			interval := option(t, descriptor, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
			if c.seconds != 0 && (idle != c.seconds || interval != c.seconds) {
				t.Errorf("keep-alive %v: probes after %d s, then every %d s", c.keepAlive, idle, interval)
			}
		}
	}
}

// TestListenerOptions: the address may be taken again while old streams linger, the backlog is the one asked for, and
// the protocol is TCP alone.
func TestListenerOptions(t *testing.T) {
	_, _, l := bothEnds(t, transport.Config{Backlog: 3})
	socket, err := l.(*listener).inner.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = socket.Control(func(own uintptr) {
		descriptor := int(own)
		if option(t, descriptor, unix.SOL_SOCKET, unix.SO_REUSEADDR) == 0 {
			t.Error("SO_REUSEADDR is off")
		}
		if got := option(t, descriptor, unix.SOL_SOCKET, unix.SO_PROTOCOL); got != syscall.IPPROTO_TCP {
			t.Errorf("protocol %d, want %d", got, syscall.IPPROTO_TCP)
		}
		info, err := unix.GetsockoptTCPInfo(descriptor, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.Sacked != 3 { // of a listener: the backlog, see tcp_get_info in the kernel
			t.Errorf("backlog %d, %v; want 3", info.Sacked, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
