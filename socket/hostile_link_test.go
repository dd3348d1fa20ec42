// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// hostileBridge stands between a socket and another and breaks every stream after so many octets as it likes.
type hostileBridge struct {
	inner    net.Listener
	network  string
	target   string
	all      sync.WaitGroup
	mu       sync.Mutex
	merciful bool
	streams  map[net.Conn]bool
}

func hostileBridgeTo(t *testing.T, endpoint string) *hostileBridge {
	t.Helper()
	scheme, target, _ := strings.Cut(endpoint, "://")
	b := &hostileBridge{network: map[string]string{"tcp": "tcp", "ipc": "unix"}[scheme], target: target, streams: make(map[net.Conn]bool)}
	address := "127.0.0.1:0"
	if b.network == "unix" {
		address = hostileFolder(t) + "/bridge"
	}
	var err error
	if b.inner, err = net.Listen(b.network, address); err != nil {
		t.Fatal(err)
	}
	b.all.Go(func() {
		for {
			near, err := b.inner.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial(b.network, b.target)
			if err != nil {
				near.Close()
				continue
			}
			b.carry(near, far)
		}
	})
	t.Cleanup(func() {
		b.inner.Close()
		b.mu.Lock()
		for stream := range b.streams {
			stream.Close()
		}
		b.mu.Unlock()
		b.all.Wait()
	})
	return b
}

func (b *hostileBridge) endpoint() string {
	scheme := map[string]string{"tcp": "tcp", "unix": "ipc"}[b.network]
	return scheme + "://" + b.inner.Addr().String()
}

// carry moves octets both ways until one of the ways has had its share; then both streams end, well or badly.
func (b *hostileBridge) carry(near, far net.Conn) {
	b.mu.Lock()
	share := int64(1 << 60)
	if !b.merciful {
		share = 1 << rand.IntN(20)
		share += rand.Int64N(share)
	}
	b.streams[near], b.streams[far] = true, true
	b.mu.Unlock()
	end := func() {
		for _, stream := range []net.Conn{near, far} {
			if tcp, ok := stream.(*net.TCPConn); ok && rand.IntN(2) == 0 {
				tcp.SetLinger(0) // a reset; no harm if the stream has ended
			}
			stream.Close()
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.streams, near)
		delete(b.streams, far)
	}
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		b.all.Go(func() {
			// Either way it is the end. (As it is, a TCPConn would keep pipes to splice with.)
			io.CopyN(struct{ io.Writer }{way[0]}, way[1], share)
			end()
		})
	}
}

// mercy ends the breaking.
func (b *hostileBridge) mercy() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.merciful = true
}

// hostileNumbered is a message whose frames can all be told from its number.
func hostileNumbered(number uint64) socket.Message {
	random := rand.New(rand.NewPCG(number, 1))
	frames := [][]byte{binary.BigEndian.AppendUint64(nil, number)}
	for range random.IntN(4) {
		frame := make([]byte, random.IntN(1<<random.IntN(18)))
		for i := range frame {
			frame[i] = byte(number) + byte(i)
		}
		frames = append(frames, frame)
	}
	return socket.NewMessage(frames...)
}

// hostileCheck gives the number of a message, and an error if it is not as it was sent.
func hostileCheck(got socket.Message) (number uint64, err error) {
	if got.Len() == 0 || len(got.Frame(0)) != 8 {
		return 0, fmt.Errorf("%d frames, the first is %.100q", got.Len(), got.Frame(0))
	}
	number = binary.BigEndian.Uint64(got.Frame(0))
	want := hostileNumbered(number)
	if got.Len() != want.Len() {
		return number, fmt.Errorf("message %d has %d frames, want %d", number, got.Len(), want.Len())
	}
	for i := range got.Len() {
		if string(got.Frame(i)) != string(want.Frame(i)) {
			return number, fmt.Errorf("message %d: frame %d of %d octets is not what was sent, %d octets", number, i, len(got.Frame(i)), len(want.Frame(i)))
		}
	}
	return number, nil
}

// Messages of all sizes, both ways, over streams that break all the time: whole, in order, never twice; and all is well
// when the streams last.
func TestHostileBrokenStreams(t *testing.T) {
	messages := uint64(hostileCount(t, 400))
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		opts := func(o *socket.Options) {
			o.SendHWM, o.RecvHWM = 20, 20
			o.HeartbeatInterval, o.HeartbeatTimeout = time.Millisecond, time.Minute // PINGs go between messages, never into them
		}
		bound := hostileBound(t, endpoint, "DEALER", opts).(*socket.Dealer)
		bridge := hostileBridgeTo(t, bound.LastEndpoint())
		connected := hostileNew(t, "DEALER", opts).(*socket.Dealer)
		if err := connected.Connect(bridge.endpoint()); err != nil {
			t.Fatal(err)
		}
		var ways sync.WaitGroup
		for _, way := range [][2]*socket.Dealer{{connected, bound}, {bound, connected}} {
			last := make(chan struct{})
			ways.Go(func() { hostileStream(t, way[0], messages, last) })
			ways.Go(func() { hostileFollow(t, way[1], messages, way[1] == connected, last) })
		}
		mercy := time.AfterFunc(300*time.Millisecond, bridge.mercy)
		ways.Wait()
		mercy.Stop()
		for _, stats := range []socket.Stats{connected.Stats(), bound.Stats()} {
			if t.Logf("%+v", stats); len(stats.ProtocolErrors) > 0 {
				t.Error("a stream began with something else")
			}
		}
	})
}

// hostileStream sends numbered messages, and then the last one again and again, for it may be lost like any other.
func hostileStream(t *testing.T, s *socket.Dealer, messages uint64, arrived chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*hostilePatience)
	defer cancel()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for number := uint64(1); ; number++ {
		if err := s.Send(ctx, hostileNumbered(number)); err != nil {
			t.Errorf("message %d: %v", number, err)
			return
		}
		if number < messages {
			continue
		}
		select {
		case <-arrived:
			return
		case <-pace.C:
		}
	}
}

// hostileFollow receives them until one comes that is not below the last number. A bound socket has a pipe for each stream,
// and takes from them in turn: there the order is that of each.
func hostileFollow(t *testing.T, s *socket.Dealer, messages uint64, connected bool, arrived chan struct{}) {
	defer close(arrived)
	ctx, cancel := context.WithTimeout(context.Background(), 2*hostilePatience)
	defer cancel()
	seen := make(map[uint64]bool)
	for last := uint64(0); last < messages; {
		got, err := s.Recv(ctx)
		if err != nil {
			t.Errorf("after message %d: %v", last, err)
			return
		}
		number, err := hostileCheck(got)
		switch {
		case err != nil:
		case seen[number]:
			err = errors.New("twice")
		case connected && number <= last:
			err = errors.New("out of order")
		}
		if err != nil {
			t.Errorf("message %d after %d, connected %v: %v", number, last, connected, err)
			return
		}
		seen[number] = true
		last = max(last, number)
	}
}
