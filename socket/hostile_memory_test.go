// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// What small things cost when there are many of them.

// Messages of one octet, one at a time: each takes what it is and a little more, not a buffer of its own.
func TestHostileDrip(t *testing.T) {
	messages := hostileCount(t, 2000)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pull := hostileBound(t, endpoint, "PULL", func(o *socket.Options) { o.RecvHWM = socket.Unlimited }).(*socket.Pull)
		raw := wireDial(t, pull)
		raw.Handshake("PUSH")
		before := hostileHeap()
		for range messages {
			raw.Send([]byte("x"))
			raw.ExpectOpen() // it has been read
		}
		grown := int(hostileHeap()) - int(before)
		t.Logf("%d messages of one octet take %d octets each", messages, grown/messages)
		if grown > messages*20 {
			t.Errorf("more than 20 octets each")
		}
		for range messages {
			wireRecv(t, pull, "x")
		}
	})
}

// Subscriptions that wait because the application of an XPUB reads nothing.
func TestHostileWaitingSubscriptions(t *testing.T) {
	const limit = 2000
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		xpub := hostileBound(t, endpoint, "XPUB", func(o *socket.Options) { o.RecvHWM = limit }).(*socket.XPub)
		raw := wireDial(t, xpub)
		raw.Handshake("SUB")
		before := hostileHeap()
		var octets []byte
		for i := range 2 * limit {
			octets = append(octets, sockettest.Command("SUBSCRIBE", binary.BigEndian.AppendUint32(nil, uint32(i)))...)
		}
		raw.Write(octets)
		queued := 0
		sockettest.Until(t, "subscriptions wait", func() bool {
			queued = xpub.Peers()[0].RecvQueue
			return queued >= limit
		})
		grown := int(hostileHeap()) - int(before)
		t.Logf("%d subscriptions that wait and %d that hold take %d octets", queued, limit, grown)
		if grown > 2*limit*400 {
			t.Errorf("more than 400 octets each")
		}
		for i := range 2 * limit {
			wireRecv(t, xpub, "\x01"+string(binary.BigEndian.AppendUint32(nil, uint32(i))))
		}
	})
}

// Peers that come to an XPUB whose application reads nothing, leave a message there and go.
func TestHostileLeavers(t *testing.T) {
	peers := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		xpub := hostileBound(t, endpoint, "XPUB", func(o *socket.Options) { o.RecvHWM = 10 }).(*socket.XPub)
		visit := func(peers int) {
			t.Run("visit", func(t *testing.T) {
				for range peers {
					raw := wireDial(t, xpub)
					raw.Handshake("XSUB")
					raw.Send([]byte("hello"))
					raw.CloseWrite()
					raw.ExpectClosed()
					raw.Close()
				}
			})
			sockettest.Until(t, "all have left", func() bool { return len(xpub.Peers()) == 0 })
		}
		visit(20) // from now on there is no room
		before := hostileHeap()
		visit(peers)
		grown := int(hostileHeap()) - int(before)
		t.Logf("%d peers that have left take %d octets", peers, grown)
		if grown > peers*200 {
			t.Errorf("more than 200 octets each")
		}
	})
}

// hostileVisit comes, leaves messages behind and goes.
func hostileVisit(t *testing.T, s wireSocket, as string, messages int) {
	t.Helper()
	before := len(s.Peers())
	raw := wireDial(t, s)
	raw.Handshake(as)
	for range messages {
		raw.Send([]byte("left behind"))
	}
	raw.CloseWrite()
	raw.ExpectClosed()
	raw.Close()
	sockettest.Until(t, "it has left", func() bool { return len(s.Peers()) == before })
}

// hostileForgets checks that nothing of visits is kept.
func hostileForgets(t *testing.T, s wireSocket, visits int, visit func(t *testing.T)) {
	t.Helper()
	peers := len(s.Peers())
	visitAll := func(visits int) {
		t.Run("visit", func(t *testing.T) {
			for range visits {
				visit(t)
			}
		})
		sockettest.Until(t, "all have left", func() bool { return len(s.Peers()) == peers })
	}
	visitAll(20)
	before := hostileHeap()
	visitAll(visits)
	grown := int(hostileHeap()) - int(before)
	t.Logf("%d visits take %d octets", visits, grown)
	if grown > visits*200 {
		t.Errorf("more than 200 octets each")
	}
}

// Peers that come to a socket whose application reads nothing, send what they may and go: together they hold little more than
// one peer may. Nothing is lost: the rest waits in their streams.
func TestHostileChurn(t *testing.T) {
	const hwm, messages, size = 10, 5, 20_000
	peers := min(hostileCount(t, 100), 400) // each keeps a descriptor on both sides
	for kind, peer := range map[string]string{"PULL": "PUSH", "ROUTER": "DEALER", "DEALER": "DEALER"} {
		t.Run(kind, func(t *testing.T) {
			sockettest.Wire(t, func(t *testing.T, endpoint string) {
				s := hostileBound(t, endpoint, kind, func(o *socket.Options) { o.RecvHWM = hwm })
				body := make([]byte, size)
				before := hostileHeap()
				for range peers {
					raw := wireDial(t, s)
					raw.Handshake(peer)
					for range messages {
						raw.Send(body)
					}
					raw.Close()
				}
				grown := int(hostileHeap()) - int(before)
				t.Logf("%d peers that have left take %d octets", peers, grown)
				if most := peers * messages * size / 3; grown > most { // some are in before it is known that others have left
					t.Errorf("more than %d", most)
				}
				from, ctx := s.(receiving), wireContext(t)
				for i := range peers * messages {
					if msg, err := from.Recv(ctx); err != nil || len(msg.Frame(msg.Len()-1)) != size {
						t.Fatalf("message %d: %d frames, %v", i, msg.Len(), err)
					}
				}
				sockettest.Until(t, "all have left", func() bool { return len(s.Peers()) == 0 })
				last := wireDial(t, s)
				last.Handshake(peer)
				last.Send([]byte("last"))
				if msg, err := from.Recv(ctx); err != nil || string(msg.Frame(msg.Len()-1)) != "last" {
					t.Errorf("%q, %v", frames(msg), err)
				}
			})
		})
	}
}

// leaveBehind lets two peers come, leave count messages each behind and go. Neither fills its queue, else nobody would see it go.
func leaveBehind(s *scene, bound anySocket, endpoint string, count int, body string) {
	s.Helper()
	before := len(bound.Peers())
	for range 2 {
		gone := open(s, socket.NewDealer)
		s.connect(gone, endpoint)
		for range count {
			s.send(gone, body)
		}
		s.eventually("all has arrived", func() bool {
			return slices.ContainsFunc(bound.Peers(), func(p socket.Peer) bool { return p.RecvQueue == count })
		})
		s.closeAll(gone)
		s.eventually("it has left", func() bool { return len(bound.Peers()) == before })
	}
}

// Peers that send more than they may and go stay, since their streams cannot be read to the end; together they hold little more
// than one may all the same.
func TestHostileOverfullLeavers(t *testing.T) {
	const hwm, messages, size = 10, 40, 1000
	peers := min(hostileCount(t, 100), 400)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pull := hostileBound(t, endpoint, "PULL", func(o *socket.Options) { o.RecvHWM = hwm }).(*socket.Pull)
		for i := range peers {
			raw := wireDial(t, pull)
			raw.Handshake("PUSH")
			for range messages {
				raw.Send(make([]byte, size))
			}
			raw.Close()
			sockettest.Until(t, "it is connected", func() bool {
				return i == 0 || len(pull.Peers()) == i+1
			})
		}
		queued := 0
		for _, p := range pull.Peers() {
			queued += p.RecvQueue
		}
		t.Logf("%d messages of %d peers that have left are queued", queued, peers)
		if most := peers * messages / 4; queued > most { // one read brings more than hwm, and some are in before others have left
			t.Errorf("more than %d", most)
		}
		ctx := wireContext(t)
		for i := range peers * messages {
			if msg, err := pull.Recv(ctx); err != nil || len(msg.Body()) != size {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		sockettest.Until(t, "all have left", func() bool { return len(pull.Peers()) == 0 })
	})
}

// Peers that come while others have left too much, say nothing and go are seen to have gone.
func TestHostileMuteComers(t *testing.T) {
	visits := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pull := hostileBound(t, endpoint, "PULL", func(o *socket.Options) { o.RecvHWM = 10 })
		hostileVisit(t, pull, "PUSH", 5)
		hostileVisit(t, pull, "PUSH", 5)
		hostileForgets(t, pull, visits, func(t *testing.T) {
			raw := wireDial(t, pull)
			raw.Handshake("PUSH")
			raw.Close()
		})
	})
}

// Who is not listened to, since others have left too much, is served all the same with what is sent to it.
func TestSentWhileCrowded(t *testing.T) {
	const body = "left behind, thirty octets of it"
	for name, limits := range map[string]socket.Options{
		"messages": {RecvHWM: 2, QueueBytes: socket.Unlimited},
		"bytes":    {RecvHWM: socket.Unlimited, QueueBytes: 2 * len(body)},
	} {
		t.Run(name, func(t *testing.T) {
			overStreams(t, func(s *scene) {
				dealer := open(s, socket.NewDealer, limits)
				endpoint := s.bind(dealer)
				leaveBehind(s, dealer, endpoint, 1, body)
				second, third := open(s, socket.NewDealer), open(s, socket.NewDealer)
				for i, other := range []*socket.Dealer{second, third} {
					s.connect(other, endpoint)
					s.send(other, "not yet")
					s.ok(dealer.WaitPeers(s.ctx, i+1))
				}
				for range 2 { // by turns
					s.send(dealer, "to both")
				}
				s.want(second, "to both")
				s.want(third, "to both")
				for _, p := range dealer.Peers() {
					if p.RecvQueue != 0 {
						s.Errorf("%d messages of one that is not listened to are in", p.RecvQueue)
					}
				}
				s.want(dealer, body)
				s.want(dealer, body)
				s.want(dealer, "not yet")
				s.want(dealer, "not yet")
				for range 2 {
					s.send(dealer, "once more")
				}
				s.want(second, "once more")
				s.want(third, "once more")
			})
		})
	}
}

// Neither whom this socket has connected to nor, without limits, anybody has to wait for those that have left.
func TestHeardWhileCrowded(t *testing.T) {
	overStreams(t, func(s *scene) {
		const unlimited = socket.Unlimited
		for _, limits := range []socket.Options{{RecvHWM: 2}, {RecvHWM: unlimited}, {QueueBytes: unlimited}, {RecvHWM: unlimited, QueueBytes: unlimited}} {
			dealer, other := open(s, socket.NewDealer, limits), open(s, socket.NewDealer)
			endpoint := s.bind(dealer)
			leaveBehind(s, dealer, endpoint, 1, "left behind")
			if limits.RecvHWM == 2 {
				s.connect(dealer, s.bind(other))
			} else {
				s.connect(other, endpoint)
			}
			s.send(other, "at once")
			s.eventually("it is in", func() bool { p := dealer.Peers(); return len(p) == 1 && p[0].RecvQueue == 1 })
			s.closeAll(dealer, other)
		}
	})
}

// Who is not listened to is as soon as enough has been received, also by a receiver that always finds more.
func TestHeardByTheBusy(t *testing.T) {
	overStreams(t, func(s *scene) {
		const hwm, more = 200, 64 // the receiver looks that often
		dealer, steady := open(s, socket.NewDealer, socket.Options{RecvHWM: hwm}), open(s, socket.NewDealer)
		endpoint := s.link(dealer, steady)
		leaveBehind(s, dealer, endpoint, hwm/2, "left behind")
		for range hwm {
			s.send(steady, "more")
		}
		late := open(s, socket.NewDealer)
		s.connect(late, endpoint)
		s.send(late, "late")
		s.ok(dealer.WaitPeers(s.ctx, 2))
		waits := func(count int) func() bool {
			return func() bool {
				return slices.ContainsFunc(dealer.Peers(), func(p socket.Peer) bool { return p.RecvQueue == count })
			}
		}
		s.eventually("the steady one fills its queue", waits(hwm))
		heard := false
		for range 2 * more { // by turns: of those that have left there is more
			heard = s.recv(dealer)[0] == "late" || heard
		}
		if !heard {
			s.eventually("the late one is heard", waits(1))
		}
	})
}

// Who comes while others have left too much, and is taken leave of, is not remembered.
func TestHostileCrowdedComers(t *testing.T) {
	visits := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		router := hostileBound(t, endpoint, "ROUTER", func(o *socket.Options) { o.RecvHWM, o.RouterHandover = 10, true })
		hostileVisit(t, router, "DEALER", 5)
		hostileVisit(t, router, "DEALER", 5)
		hostileForgets(t, router, visits, func(t *testing.T) { wireDial(t, router).Handshake("DEALER", "Identity", "the same") })
	})
}

// Who has left messages behind is forgotten when they have been received.
func TestHostileLeaversReceived(t *testing.T) {
	visits := hostileCount(t, 300)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pull := hostileBound(t, endpoint, "PULL")
		hostileForgets(t, pull, visits, func(t *testing.T) {
			hostileVisit(t, pull, "PUSH", 1)
			wireRecv(t, pull, "left behind")
			wireNothing(t, pull)
		})
	})
}

// An envelope as long as a message may be is not kept once it is answered.
func TestHostileLongEnvelope(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		rep := hostileBound(t, endpoint, "REP").(*socket.Rep)
		before := hostileHeap()
		t.Run("ask", func(t *testing.T) {
			raw := wireDial(t, rep)
			raw.Handshake("DEALER")
			for range 2 {
				raw.Send(make([]byte, 8<<20), nil, []byte("?"))
				wireRecv(t, rep, "?")
				wireSend(t, rep, "!")
				if got := raw.ReadMessage(); len(got) != 3 || len(got[0]) != 8<<20 {
					t.Errorf("%d frames", len(got))
				}
			}
			raw.Send(nil, []byte("?"))
			wireRecv(t, rep, "?")
			wireSend(t, rep, "!")
			raw.ReadMessage()
			raw.Close()
		})
		sockettest.Until(t, "the asker has left", func() bool { return len(rep.Peers()) == 0 })
		wireNothing(t, rep)
		if grown := int(hostileHeap()) - int(before); grown > hostileHeapSlack {
			t.Errorf("%d octets stay behind", grown)
		}
	})
}

// Closing a SUB does not wait for a publisher that never reads, nor mourn what it was not told.
func TestHostileSubLingers(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, gone := range []bool{false, true} {
			sub := hostileNew(t, "SUB", func(o *socket.Options) { o.Linger = socket.LingerForever }).(*socket.Sub)
			for i := range 200 {
				if err := sub.Subscribe(fmt.Sprint(i, strings.Repeat("t", 100000))); err != nil {
					t.Fatal(err)
				}
			}
			raw := hostileMeet(t, sub, endpoint, true)
			raw.Handshake("PUB")
			if err := sub.WaitConnected(wireContext(t)); err != nil {
				t.Fatal(err)
			}
			if gone {
				raw.Reset()
				sockettest.Until(t, "it is gone", func() bool { return sub.Peers()[0].State != socket.PeerConnected })
			}
			hostileWithin(t, "Close", func() {
				if err := sub.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// While a peer is taken leave of, nothing new goes there, whether or not it reads on.
func TestHostileSlowFarewell(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		push := hostileNew(t, "PUSH", hostileFew, func(o *socket.Options) { o.Linger = 2 * time.Second }).(*socket.Push)
		slow := sockettest.Listen(t, endpoint)
		if err := push.Connect(slow.Endpoint()); err != nil {
			t.Fatal(err)
		}
		raw := slow.Accept()
		raw.Handshake("PULL")
		hostileStuff(t, push.Send)
		leaving := make(chan error, 1)
		go func() { leaving <- push.Disconnect(slow.Endpoint()) }()
		sockettest.Until(t, "the slow peer is being left", func() bool { return errors.Is(push.TrySend(wireMessage("?")), socket.ErrWouldBlock) })
		pull := hostileBound(t, sockettest.Endpoint(endpoint[:3]), "PULL").(*socket.Pull)
		if err := push.Connect(pull.LastEndpoint()); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			wireSend(t, push, fmt.Sprint(i))
			wireRecv(t, pull, fmt.Sprint(i))
			if i == 50 {
				go func() {
					io.Copy(io.Discard, raw.Conn) // to its end
					raw.Close()
				}()
			}
		}
		if err := <-leaving; err != nil {
			t.Error(err)
		}
	})
}

// Who has refused us and was disconnected is forgotten.
func TestHostileRefusedAndForgotten(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		dealer := hostileNew(t, "DEALER").(*socket.Dealer)
		l := sockettest.Listen(t, endpoint)
		for range hostileCount(t, 20) {
			if err := dealer.Connect(l.Endpoint()); err != nil {
				t.Fatal(err)
			}
			raw := l.Accept()
			raw.Greet(1)
			raw.ReadReady()
			raw.Command("ERROR", []byte("\x02no"))
			var refused *socket.RefusedError
			if err := dealer.WaitConnected(wireContext(t)); !errors.As(err, &refused) {
				t.Fatal(err)
			}
			if err := dealer.Disconnect(l.Endpoint()); err != nil {
				t.Fatal(err)
			}
			raw.Close()
		}
		if peers := dealer.Peers(); len(peers) > 0 {
			t.Errorf("%d peers, the first is %+v", len(peers), peers[0])
		}
		if err := dealer.WaitConnected(wireContext(t)); err != nil {
			t.Error(err)
		}
	})
}

// A publisher does not let one subscriber that reads all it can keep it from the others.
func TestHostileFastReader(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pub := hostileBound(t, endpoint, "PUB").(*socket.Pub)
		raw := wireDial(t, pub)
		raw.Handshake("SUB")
		raw.Command("SUBSCRIBE", nil)
		read := make(chan struct{})
		go func() {
			defer close(read)
			for b := make([]byte, 1<<20); ; {
				if _, err := raw.Conn.Read(b); err != nil {
					return
				}
			}
		}()
		raw.Conn.SetDeadline(time.Time{})
		sub := hostileNew(t, "SUB", func(o *socket.Options) { o.RecvHWM = socket.Unlimited }).(*socket.Sub)
		if err := sub.Subscribe("good"); err != nil {
			t.Fatal(err)
		}
		if err := sub.Connect(pub.LastEndpoint()); err != nil {
			t.Fatal(err)
		}
		if err := pub.WaitSubscribers(wireContext(t), "good", 2); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			bulk := wireMessage(string(bytes.Repeat([]byte("b"), 100)))
			for i := 0; pub.Send(ctx, bulk) == nil; i++ {
				if i%1000 == 0 {
					pub.Send(ctx, wireMessage("good"))
				}
			}
		}()
		for range 100 {
			if got, err := sub.Recv(wireContext(t)); err != nil || !slices.Equal(wireFrames(got), []string{"good"}) {
				t.Fatalf("received %.100q, %v", wireFrames(got), err)
			}
		}
		cancel()
		<-done
		raw.Close()
		<-read
	})
}

// Commands count like messages: no peer makes a socket hold more than its options allow, with what is not even a message.
func TestHostileLongCommands(t *testing.T) {
	const peers = 20
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, kind := range []string{"PULL", "ROUTER", "SUB", "PUB", "XPUB"} {
			s := hostileBound(t, sockettest.Endpoint(endpoint[:3]), kind, func(o *socket.Options) {
				o.MessageBytes, o.QueueBytes, o.TopicBytesPerPeer = 1000, 1000, 1000
			})
			t.Run(kind, func(t *testing.T) {
				before := hostileHeap()
				for range peers {
					raw := wireDial(t, s)
					raw.Handshake(wirePeers(kind)[0])
					octets := hostileHeader(sockettest.FlagCommand|sockettest.FlagLong, 4<<20)
					hostileWrite(raw, append(octets, make([]byte, 1<<20)...))
					said, alive := hostileFate(t, raw)
					if alive || len(said) > 0 {
						t.Errorf("alive is %v, the socket said %x", alive, said)
					}
				}
				if grown := int(hostileHeap()) - int(before); grown > peers*(64<<10+hostileRawBytes) {
					t.Errorf("%d peers with half a command take %d octets", peers, grown)
				}
			})
			hostileCounted(t, s, "frame too large", peers)
		}
	})
}

// What a peer says about itself, and nobody asks for, is not kept.
func TestHostileLongMetadata(t *testing.T) {
	const peers = 100
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		router := hostileBound(t, endpoint, "ROUTER")
		t.Run("peers", func(t *testing.T) {
			before := hostileHeap()
			for i := range peers {
				wireDial(t, router).Handshake("DEALER", "Identity", fmt.Sprint("i", i), "X-Story-Of-My-Life", strings.Repeat("s", 60000))
			}
			if err := router.WaitPeers(wireContext(t), peers); err != nil {
				t.Fatal(err)
			}
			grown := int(hostileHeap()) - int(before)
			t.Logf("%d octets per peer, with the raw peer", grown/peers)
			if grown > peers*(10<<10+hostileRawBytes) {
				t.Errorf("more than 10 KiB")
			}
		})
	})
}
