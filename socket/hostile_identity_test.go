// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// Many peers claim the identity of one that is there: it keeps it and its messages, they are dropped.
func TestHostileIdCollision(t *testing.T) {
	claims := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			first := sockettest.Dial(t, h.LastEndpoint())
			first.Handshake("DEALER", "Identity", "the one")
			if err := h.WaitPeers(wireContext(t), 2); err != nil {
				t.Fatal(err)
			}
			before := h.Stats()
			for i := range claims {
				raw := sockettest.Dial(t, h.LastEndpoint())
				identity := "the one"
				if i%2 == 1 {
					identity = hostileGoodPeer
				}
				raw.Write(append(append(sockettest.Greeting(1), wireReady("DEALER", "Identity", identity)...), sockettest.Message([]byte("stolen"))...))
				raw.ReadN(sockettest.GreetingBytes)
				raw.ReadReady()
				if said := raw.ExpectClosed(); len(said) > 0 {
					t.Errorf("the socket said %.100x", said)
				}
				raw.Close()
				if i%10 == 0 {
					first.Send([]byte("mine"), []byte(fmt.Sprint(i)))
					if got := first.ReadMessage(); len(got) != 2 || string(got[1]) != fmt.Sprint(i) {
						t.Errorf("%q came back to the first", got)
					}
				}
			}
			h.served()
			h.ended(t, before, claims)
		})
		for _, got := range h.received() {
			if len(got) != 2 || got[0] != "mine" {
				t.Errorf("delivered %.100q", got)
			}
		}
	})
}

// The same with the other policy: the last keeps it, and each that has lost it is dropped. Nobody gets the messages of two.
func TestHostileIdHandover(t *testing.T) {
	claims := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint, func(o *socket.Options) { o.RouterHandover = true })
		h.survives(func(t *testing.T) {
			var holder *sockettest.Raw
			for i := range claims {
				raw := sockettest.Dial(t, h.LastEndpoint())
				raw.Handshake("DEALER", "Identity", "the one")
				raw.Send([]byte("mine"), []byte(fmt.Sprint(i)))
				if got := raw.ReadMessage(); len(got) != 2 || string(got[1]) != fmt.Sprint(i) {
					t.Errorf("%q came back to claim %d", got, i)
				}
				if holder != nil {
					holder.ExpectClosed()
					holder.Close()
				}
				holder = raw
			}
			h.served()
		})
		if got := h.received(); len(got) != claims {
			t.Errorf("%d messages, want %d", len(got), claims)
		}
	})
}

// Short streams with an identity each, and with none: nothing of them is kept.
func TestHostileIdChurn(t *testing.T) {
	streams := hostileCount(t, 500)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		h := hostileOpen(t, endpoint)
		h.survives(func(t *testing.T) {
			for i := range streams {
				raw := sockettest.Dial(t, h.LastEndpoint())
				if i%2 == 0 {
					raw.Handshake("DEALER", "Identity", fmt.Sprint("identity ", i))
				} else {
					raw.Handshake("DEALER")
				}
				raw.Send([]byte("m"))
				raw.ReadMessage()
				raw.Close()
			}
			h.served()
		})
		if got := h.received(); len(got) != streams || slices.ContainsFunc(got, func(m []string) bool { return !slices.Equal(m, []string{"m"}) }) {
			t.Errorf("%d messages, want %d", len(got), streams)
		}
	})
}

// A PAIR has its peer; others come in crowds.
func TestHostileSecondPeers(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pair := hostileBound(t, endpoint, "PAIR").(*socket.Pair)
		first := wireDial(t, pair)
		first.Handshake("PAIR")
		if err := pair.WaitPeers(wireContext(t), 1); err != nil {
			t.Fatal(err)
		}
		crowd := hostileCount(t, 200)
		for i := range crowd {
			raw := wireDial(t, pair)
			raw.Handshake("PAIR")
			hostileWrite(raw, sockettest.Message([]byte("from another")))
			raw.ExpectClosed()
			raw.Close()
			first.Send([]byte(fmt.Sprint(i)))
			wireRecv(t, pair, fmt.Sprint(i))
			wireSend(t, pair, fmt.Sprint(i))
			if got := first.ReadMessage(); string(got[0]) != fmt.Sprint(i) {
				t.Errorf("%q came to the first", got)
			}
		}
		hostileCounted(t, pair, "", uint64(crowd))
		first.Close()
		sockettest.Until(t, "the first has left", func() bool { return len(pair.Peers()) == 0 })
		next := wireDial(t, pair)
		next.Handshake("PAIR")
		next.Send([]byte("now I"))
		wireRecv(t, pair, "now I")
		if got, err := pair.TryRecv(); !errors.Is(err, socket.ErrWouldBlock) {
			t.Errorf("received %q, %v", wireFrames(got), err)
		}
	})
}
