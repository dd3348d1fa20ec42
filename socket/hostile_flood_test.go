// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// A peer that sends PINGs as fast as it can and never reads: others are served, and Recv looks at its context.
func TestHostilePingFlood(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			end := hostileFlood(t, h.dial(t), sockettest.Command("PING", []byte("\x00\x00")))
			h.served()
			h.served()
			end()
		})
		h.nothing(t)
	})
}

// PINGs inside a message that does not end: each must cost what it is, not what the message is.
func TestHostilePingInMessage(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			raw := h.dial(t)
			hostileWrite(raw, sockettest.Frame(sockettest.FlagMore, make([]byte, 4<<20)))
			end := hostileFlood(t, raw, sockettest.Command("PING", []byte("\x00\x00")))
			h.served()
			h.served()
			end()
		})
		h.nothing(t)
	})
}

// Messages to a PUB, which it has no use for, as fast as they go: subscribers come in and are served, Send does not wait.
func TestHostilePubUpstream(t *testing.T) {
	for _, kind := range []string{"PUB", "XPUB"} {
		t.Run(kind, func(t *testing.T) {
			sockettest.Wire(t, func(t *testing.T, endpoint string) {
				pub := hostileBound(t, endpoint, kind)
				raw := wireDial(t, pub)
				raw.Handshake("SUB")
				hostileFlood(t, raw, sockettest.Message([]byte("x")))
				hostilePublish(t, pub)
			})
		})
	}
}

// SUBSCRIBE and CANCEL as fast as they go.
func TestHostileSubChurn(t *testing.T) {
	for _, kind := range []string{"PUB", "XPUB"} {
		t.Run(kind, func(t *testing.T) {
			sockettest.Wire(t, func(t *testing.T, endpoint string) {
				pub := hostileBound(t, endpoint, kind)
				raw := wireDial(t, pub)
				raw.Handshake("SUB")
				hostileFlood(t, raw, append(sockettest.Command("SUBSCRIBE", []byte("t")), sockettest.Command("CANCEL", []byte("t"))...))
				hostilePublish(t, pub)
			})
		})
	}
}

// hostilePublish checks that a publisher under attack takes on a subscriber and serves it.
func hostilePublish(t *testing.T, pub wireSocket) {
	t.Helper()
	ctx := wireContext(t)
	if xpub, ok := pub.(*socket.XPub); ok { // its application reads
		var reading sync.WaitGroup
		reading.Go(func() {
			for range xpub.Messages(context.Background()) {
			}
		})
		t.Cleanup(reading.Wait)
		t.Cleanup(func() { hostileWithin(t, "Close", func() { xpub.Close() }) })
	}
	sub := hostileNew(t, "SUB").(*socket.Sub)
	if err := sub.Subscribe("good"); err != nil {
		t.Fatal(err)
	}
	if err := sub.Connect(pub.LastEndpoint()); err != nil {
		t.Fatal(err)
	}
	if err := pub.(interface {
		WaitSubscribers(ctx context.Context, topic string, n int) error
	}).WaitSubscribers(ctx, "good", 1); err != nil {
		t.Fatal("the good subscriber does not get in:", err)
	}
	hostileWithin(t, "publishing under attack", func() {
		for range 20 {
			if err := pub.(wireSender).Send(ctx, wireMessage("good")); err != nil {
				t.Error(err)
				return
			}
			if _, err := sub.Recv(ctx); err != nil {
				t.Error("the good subscriber receives:", err)
				return
			}
		}
	})
}

// Messages that the socket has to throw away, without end: calls look at their context, and Close comes through.
func TestHostileDiscards(t *testing.T) {
	for _, c := range []struct {
		kind, peer string
		says       []byte
	}{
		{"SUB", "PUB", sockettest.Message([]byte("x"))},
		{"REP", "REQ", sockettest.Message([]byte("x"))},
		{"REQ", "REP", sockettest.Message([]byte("x"))},
	} {
		t.Run(c.kind, func(t *testing.T) {
			sockettest.Wire(t, func(t *testing.T, endpoint string) {
				s := hostileBound(t, endpoint, c.kind)
				raw := wireDial(t, s)
				raw.Handshake(c.peer)
				hostileFlood(t, raw, c.says)
				if req, ok := s.(*socket.Req); ok {
					hostileWithin(t, "Send", func() {
						if err := req.Send(wireContext(t), wireMessage("?")); err != nil {
							t.Error(err)
						}
					})
				}
				hostileWithin(t, "Recv", func() {
					ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
					defer cancel()
					if got, err := s.(wireReceiver).Recv(ctx); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("received %.100q, %v", wireFrames(got), err)
					}
				})
				hostileWithin(t, "TryRecv", func() {
					if got, err := s.(wireReceiver).TryRecv(); !errors.Is(err, socket.ErrWouldBlock) {
						t.Errorf("received %.100q, %v", wireFrames(got), err)
					}
				})
				hostileWithin(t, "Peers", func() { s.Peers() })
				hostileWithin(t, "Close", func() { s.Close() })
			})
		})
	}
}
