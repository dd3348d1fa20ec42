// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// What peers take whose messages nobody receives, or that have been received late.

// hostileBursts makes raw peers of a bound PULL that have sent a burst, so that large reads are expected of them. heap is
// what was in use before that.
func hostileBursts(t *testing.T, pull *socket.Pull, peers, messages int) (raws []*sockettest.Raw, heap uint64) {
	t.Helper()
	for range peers {
		raw := wireDial(t, pull)
		raw.Handshake("PUSH")
		raws = append(raws, raw)
	}
	heap = hostileHeap()
	burst := bytes.Repeat(sockettest.Message(bytes.Repeat([]byte("b"), 250)), messages)
	for _, raw := range raws {
		raw.Write(burst)
	}
	sockettest.Until(t, "all bursts have come", func() bool {
		for _, p := range pull.Peers() {
			if p.RecvQueue < messages {
				return false
			}
		}
		return true
	})
	return raws, heap
}

// hostileTakes receives so many messages, which are there, and that is all.
func hostileTakes(t *testing.T, pull *socket.Pull, messages int) {
	t.Helper()
	for range messages {
		if _, err := pull.TryRecv(); err != nil {
			t.Fatal(err)
		}
	}
	wireNothing(t, pull)
}

// Peers that were busy once and left a few small messages behind each: they take a few KiB, not the buffers of their
// busy times.
func TestHostileManyLeftovers(t *testing.T) {
	const burst, leftovers, heapPerPeerMost = 2000, 5, 4 << 10
	peers := hostileCount(t, 50)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pull := hostileBound(t, endpoint, "PULL", func(o *socket.Options) { o.RecvHWM = socket.Unlimited }).(*socket.Pull)
		raws, before := hostileBursts(t, pull, peers, burst)
		hostileTakes(t, pull, peers*burst)
		for range leftovers {
			for _, raw := range raws {
				raw.Send([]byte("left over"))
				raw.ExpectOpen() // it has been read
			}
		}
		grown := int(hostileHeap()) - int(before)
		t.Logf("%d peers that wait take %d octets each", peers, grown/peers)
		if grown > peers*heapPerPeerMost {
			t.Errorf("more than %d octets each", heapPerPeerMost)
		}
		hostileTakes(t, pull, peers*leftovers)
	})
}

// Peers whose messages were received long after they had come keep no buffer for that.
func TestHostileReceivedLate(t *testing.T) {
	const burst, heapPerPeerMost = 1500, 4 << 10
	peers := hostileCount(t, 50)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for name, limit := range map[string]int{"no mark": socket.Unlimited, "at the mark": burst} {
			t.Run(name, func(t *testing.T) {
				pull := hostileBound(t, endpoint, "PULL", func(o *socket.Options) { o.RecvHWM = limit }).(*socket.Pull)
				_, before := hostileBursts(t, pull, peers, burst)
				hostileTakes(t, pull, peers*burst)
				grown := int(hostileHeap()) - int(before)
				t.Logf("%d peers that have been served take %d octets each", peers, grown/peers)
				if grown > peers*heapPerPeerMost {
					t.Errorf("more than %d octets each", heapPerPeerMost)
				}
			})
		}
	})
}

// Subscriptions, one at a time, of a peer whom the application of an XPUB does not hear, beyond the mark: each takes what
// it is, not a buffer of its own.
func TestHostileDripOfSubscriptions(t *testing.T) {
	const limit, topics, heapPerTopicMost = 500, 900, 400
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		xpub := hostileBound(t, endpoint, "XPUB", func(o *socket.Options) { o.RecvHWM = limit }).(*socket.XPub)
		raw := wireDial(t, xpub)
		raw.Handshake("SUB")
		before := hostileHeap()
		for i := range topics {
			raw.Write(sockettest.Command("SUBSCRIBE", binary.BigEndian.AppendUint32(nil, uint32(i))))
			raw.ExpectOpen() // it has been read
		}
		grown := int(hostileHeap()) - int(before)
		t.Logf("%d subscriptions take %d octets each", topics, grown/topics)
		if grown > topics*heapPerTopicMost {
			t.Errorf("more than %d octets each", heapPerTopicMost)
		}
		for i := range topics {
			wireRecv(t, xpub, "\x01"+string(binary.BigEndian.AppendUint32(nil, uint32(i))))
		}
	})
}
