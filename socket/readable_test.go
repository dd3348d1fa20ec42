// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// stillOpen checks that a socket has nothing to say yet, readable waits until it has.
func (s *scene) stillOpen(what string, c <-chan struct{}) {
	s.Helper()
	select {
	case <-c:
		s.Errorf("%s: readable", what)
	case <-time.After(moment):
	}
}

func (s *scene) readable(what string, c <-chan struct{}) {
	s.Helper()
	select {
	case <-c:
	case <-s.ctx.Done():
		s.Fatalf("%s: not readable", what)
	}
}

func TestReadable(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
		s.link(pull, push)
		for range 3 {
			before := pull.Readable()
			s.stillOpen("nothing was sent", before)
			s.send(push, "a")
			s.send(push, "b")
			s.readable("a message has come", before)
			s.queued(pull, 2)
			s.readable("a message is there", pull.Readable())
			s.want(pull, "a")
			s.readable("another one is there", pull.Readable())
			s.want(pull, "b")
			s.stillOpen("both are taken", pull.Readable())
		}
		before := pull.Readable()
		s.ok(pull.Close())
		s.readable("closed", before)
		s.readable("closed before", pull.Readable())
	})
}

// A SUB, whose peer sends nothing that it wants, a REP and a REQ, whose peer goes.
func TestReadableOfTypes(t *testing.T) {
	overAll(t, func(s *scene) {
		pub, sub := open(s, socket.NewPub), open(s, socket.NewSub)
		s.link(pub, sub)
		s.ok(sub.Subscribe("a"))
		s.ok(pub.WaitSubscribers(s.ctx, "a", 1))
		wanted := sub.Readable()
		s.send(pub, "b")
		s.stillOpen("not subscribed", wanted)
		s.send(pub, "a")
		s.readable("subscribed", wanted)

		req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
		s.link(rep, req)
		asked := rep.Readable()
		s.send(req, "question")
		replied := req.Readable()
		s.readable("asked", asked)
		s.want(rep, "question")
		s.stillOpen("no reply yet", replied)
		s.send(rep, "reply")
		s.readable("replied", replied)
		s.want(req, "reply")
		s.send(req, "question")
		gone := req.Readable()
		s.want(rep, "question")
		s.ok(rep.Close())
		s.readable("the peer goes", gone)
		s.readable("the peer has gone", req.Readable())
		_, err := req.TryRecv()
		s.is("TryRecv", err, socket.ErrPeerGone)
	})
}

// Several sockets in one select, others in Recv on the same sockets: every message is received, and nobody hangs.
func TestStressReadable(t *testing.T) {
	overAll(t, func(s *scene) {
		const sockets, messages = 3, 5000
		var pulls [sockets]*socket.Pull
		var senders, receivers sync.WaitGroup
		received := make(chan string, 100)
		for i := range pulls {
			push := open(s, socket.NewPush)
			pulls[i] = open(s, socket.NewPull)
			s.link(pulls[i], push)
			senders.Go(func() {
				for n := range messages {
					s.send(push, fmt.Sprint(i, " ", n))
				}
			})
			receivers.Go(func() {
				for {
					msg, err := pulls[i].Recv(s.ctx)
					if err != nil {
						return
					}
					received <- string(msg.Body())
				}
			})
		}
		receivers.Go(func() {
			for {
				var from *socket.Pull
				select {
				case <-pulls[0].Readable():
					from = pulls[0]
				case <-pulls[1].Readable():
					from = pulls[1]
				case <-pulls[2].Readable():
					from = pulls[2]
				}
				switch msg, err := from.TryRecv(); {
				case err == nil:
					received <- string(msg.Body())
				case errors.Is(err, net.ErrClosed):
					return
				case !errors.Is(err, socket.ErrWouldBlock):
					s.Error(err)
					return
				}
			}
		})
		seen := make(map[string]bool)
		for range sockets * messages {
			select {
			case m := <-received:
				if seen[m] {
					s.Fatalf("%q came twice", m)
				}
				seen[m] = true
			case <-s.ctx.Done():
				s.Fatalf("%d messages have come", len(seen))
			}
		}
		senders.Wait()
		for _, p := range pulls {
			s.ok(p.Close())
		}
		receivers.Wait()
	})
}
