// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// Peers that shake hands and then do not do their part.

// hostileFew makes a socket keep little per peer.
func hostileFew(o *socket.Options) {
	o.SendHWM, o.SendBuffer, o.RecvHWM = 2, 4096, 10
}

// hostileStuff sends to a peer that never reads until its queue is full.
func hostileStuff(t *testing.T, send func(ctx context.Context, msg socket.Message) error, frames ...string) {
	t.Helper()
	frames = append(frames, string(make([]byte, 64<<10)))
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		err := send(ctx, wireMessage(frames...))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// hostileParked waits until so many goroutines sleep in Send or Recv.
func hostileParked(t *testing.T, count int) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	sockettest.Until(t, fmt.Sprintf("%d goroutines wait", count), func() bool {
		all := stacks[:runtime.Stack(stacks, true)]
		return bytes.Count(all, []byte(".(*Waiter).Wait(")) >= count
	})
}

// Two goroutines receive; one takes a message and is busy with it. The other must get the next one.
func TestHostileBusyReceiver(t *testing.T) {
	sockettest.All(t, func(t *testing.T, endpoint string) {
		pull := hostileBound(t, endpoint, "PULL").(*socket.Pull)
		push := hostileNew(t, "PUSH").(*socket.Push)
		if err := push.Connect(pull.LastEndpoint()); err != nil {
			t.Fatal(err)
		}
		const receivers = 4
		got := make(chan string, receivers)
		var done sync.WaitGroup
		defer done.Wait()
		for range receivers {
			done.Go(func() { // it takes one and never comes back
				msg, err := pull.Recv(wireContext(t))
				if err != nil {
					t.Error("receive:", err)
				}
				got <- string(msg.Body())
			})
		}
		hostileParked(t, receivers)
		for i := range receivers {
			if err := push.Send(wireContext(t), wireMessage(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			if text := <-got; text != fmt.Sprint(i) && !t.Failed() {
				t.Errorf("received %q, want %d", text, i)
			}
		}
	})
}

// A peer that answers a request with rubbish and leaves: the requester must hear that it is gone.
func TestHostileBadReplyAndGone(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, connected := range []bool{false, true} {
			req := hostileNew(t, "REQ").(*socket.Req)
			raw := hostileMeet(t, req, endpoint, connected)
			raw.Handshake("REP")
			if err := req.WaitPeers(wireContext(t), 1); err != nil {
				t.Fatal(err)
			}
			if err := req.Send(wireContext(t), wireMessage("?")); err != nil {
				t.Fatal(err)
			}
			raw.ReadMessage()
			raw.Send([]byte("rubbish"))
			raw.Send([]byte("rubbish"), []byte("more"))
			raw.Close()
			sockettest.Until(t, "the peer is gone", func() bool {
				for _, peer := range req.Peers() {
					if peer.State == socket.PeerConnected {
						return false
					}
				}
				return true
			})
			if got, err := req.Recv(wireContext(t)); !errors.Is(err, socket.ErrPeerGone) {
				t.Errorf("connected %v: received %.100q, %v", connected, wireFrames(got), err)
			}
		}
	})
}

// hostileMeet brings a socket and a raw peer together, which has said nothing yet.
func hostileMeet(t *testing.T, s wireSocket, endpoint string, connected bool) *sockettest.Raw {
	t.Helper()
	if connected {
		l := sockettest.Listen(t, endpoint)
		if err := s.Connect(l.Endpoint()); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Accept()
	}
	if err := s.Bind(sockettest.Endpoint(endpoint[:3])); err != nil {
		t.Fatal(err)
	}
	return wireDial(t, s)
}

// A peer that will read nothing more, says so and stays: it is dropped, for it can never be served again.
func TestHostileHalfClosed(t *testing.T) {
	dealer := hostileBound(t, sockettest.Endpoint("ipc"), "DEALER").(*socket.Dealer)
	raw := wireDial(t, dealer)
	raw.Handshake("DEALER")
	raw.Conn.(interface{ CloseRead() error }).CloseRead()
	if err := dealer.Send(wireContext(t), wireMessage("m")); err != nil {
		t.Fatal(err)
	}
	sockettest.Until(t, "it is dropped", func() bool { return len(dealer.Peers()) == 0 })
	hostileCounted(t, dealer, "", 1)
}
