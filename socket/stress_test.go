// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// crowd is many goroutines on many sockets: every message that was accepted is delivered once, whole, and in order.
type crowd struct {
	*scene
	senders   []sending
	receivers []receiving
	perSender int  // goroutines per sending socket
	perRecv   int  // goroutines per receiving socket; order can be told only with one
	each      int  // messages per sending goroutine
	cancels   bool // many calls are cancelled or do not wait

	accepted, delivered, given atomic.Int64 // given up: cancelled or refused
	seen                       [][]atomic.Bool
	senderDone                 sync.WaitGroup
}

const crowdHeader = 12

// run returns when all that was accepted has been delivered.
func (c *crowd) run() {
	writers := len(c.senders) * c.perSender
	c.seen = make([][]atomic.Bool, writers)
	for i := range c.seen {
		c.seen[i] = make([]atomic.Bool, c.each)
	}
	reading, stop := context.WithCancel(c.ctx)
	var readers sync.WaitGroup
	for _, by := range c.receivers {
		for range c.perRecv {
			readers.Go(func() { c.receive(reading, by) })
		}
	}
	for i := range writers {
		c.senderDone.Go(func() { c.write(i, c.senders[i%len(c.senders)]) })
	}
	c.senderDone.Wait()
	want := int64(writers * c.each)
	if !c.Failed() {
		c.eventually("everything has been delivered", func() bool { return c.delivered.Load() >= want || c.Failed() })
	}
	stop()
	readers.Wait()
	if c.accepted.Load() != want || c.delivered.Load() != want {
		c.Errorf("%d accepted, %d delivered, want %d", c.accepted.Load(), c.delivered.Load(), want)
	}
	if c.cancels && c.given.Load() == 0 {
		c.Error("no call was ever given up: nothing is tested")
	}
}

// patienceOf is how long one call may wait: for ever, or mostly not long.
func (c *crowd) patienceOf(parent context.Context, random *rand.Rand) (context.Context, context.CancelFunc) {
	if !c.cancels || random.IntN(3) > 0 {
		return parent, func() {}
	}
	return context.WithTimeout(parent, time.Duration(random.IntN(50))*time.Microsecond)
}

func (c *crowd) write(who int, to sending) {
	random := rand.New(rand.NewPCG(uint64(who), 1))
	buffer := make([]byte, 700)
	for i := 0; i < c.each; {
		body := buffer[:crowdHeader+random.IntN(len(buffer)-crowdHeader)]
		binary.BigEndian.PutUint32(body, uint32(who))
		binary.BigEndian.PutUint64(body[4:], uint64(i))
		tail := body[crowdHeader:]
		for k := range tail {
			tail[k] = byte(i)
		}
		msg := socket.NewMessage(body[:crowdHeader], tail)
		var err error
		if c.cancels && random.IntN(10) == 0 {
			err = to.TrySend(msg)
		} else {
			ctx, cancel := c.patienceOf(c.ctx, random)
			err = to.Send(ctx, msg)
			cancel()
		}
		switch {
		case err == nil:
			c.accepted.Add(1)
			i++
		case c.ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, socket.ErrWouldBlock)):
			c.given.Add(1)
			runtime.Gosched()
		default:
			c.Errorf("sender %d, message %d: %v", who, i, err)
			return
		}
	}
}

func (c *crowd) receive(ctx context.Context, by receiving) {
	random := rand.New(rand.NewPCG(uint64(len(c.seen)), 2))
	last := make([]int64, len(c.seen))
	for i := range last {
		last[i] = -1
	}
	var msg socket.Message
	for {
		short, cancel := c.patienceOf(ctx, random)
		err := by.RecvInto(short, &msg)
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				c.Error("receiving: ", err)
				return
			}
			c.given.Add(1)
			continue
		}
		head, tail := msg.Frame(msg.Len()-2), msg.Frame(msg.Len()-1)
		who, number := binary.BigEndian.Uint32(head), int64(binary.BigEndian.Uint64(head[4:]))
		if c.seen[who][number].Swap(true) {
			c.Errorf("message %d of sender %d came twice", number, who)
			return
		}
		if c.perRecv == 1 && number <= last[who] {
			c.Errorf("message %d of sender %d came after %d", number, who, last[who])
			return
		}
		last[who] = number
		for _, octet := range tail {
			if octet != byte(number) {
				c.Errorf("message %d of sender %d is damaged", number, who)
				return
			}
		}
		c.delivered.Add(1)
	}
}

// messagesEach is how much of a stress test there is time for.
func messagesEach(n int) int {
	if raceEnabled {
		return n / 5
	}
	return n
}

// Many goroutines on many sockets, with calls that are cancelled at any moment.
func TestCrowd(t *testing.T) {
	for _, c := range []struct {
		name              string
		senders, perSend  int
		receivers, perRcv int
		hwm               int
		cancels           bool
	}{
		{"many to one", 4, 2, 1, 1, 0, true},
		{"one to many", 1, 4, 3, 1, 5, true},
		{"many to many", 3, 2, 3, 2, 2, true},
		{"shared ends", 1, 6, 1, 4, 1, true},
		{"patient", 3, 2, 2, 2, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			overAll(t, func(s *scene) {
				many := crowd{scene: s, perSender: c.perSend, perRecv: c.perRcv, each: messagesEach(5000), cancels: c.cancels}
				limits := socket.Options{SendHWM: c.hwm, RecvHWM: c.hwm}
				for range c.senders {
					many.senders = append(many.senders, open(s, socket.NewPush, limits))
				}
				for range c.receivers {
					pull := open(s, socket.NewPull, limits)
					endpoint := s.bind(pull)
					for _, push := range many.senders {
						s.connect(push, endpoint)
					}
					many.receivers = append(many.receivers, pull)
				}
				many.run()
			})
		})
	}
}

// The same through DEALER and ROUTER, where both ends send and receive at once.
func TestCrowdBothWays(t *testing.T) {
	overAll(t, func(s *scene) {
		left, right := open(s, socket.NewDealer, socket.Options{SendHWM: 10}), open(s, socket.NewDealer, socket.Options{SendHWM: 10})
		s.link(left, right)
		var both sync.WaitGroup
		for _, way := range [][2]*socket.Dealer{{left, right}, {right, left}} {
			both.Go(func() {
				many := crowd{scene: s, senders: []sending{way[0]}, receivers: []receiving{way[1]}, perSender: 3, perRecv: 2, each: messagesEach(5000), cancels: true}
				many.run()
			})
		}
		both.Wait()
	})
}

// Requests of many goroutines over several sockets, some given up, each answered by its own reply.
func TestCrowdOfRequests(t *testing.T) {
	overAll(t, func(s *scene) {
		front := open(s, socket.NewRouter)
		endpoint := s.bind(front)
		echoed := make(chan struct{})
		go func() {
			defer close(echoed)
			for msg, err := range front.Messages(s.ctx) {
				if err == nil {
					err = front.Send(s.ctx, msg)
				}
				if err != nil {
					s.Error(err)
					return
				}
			}
		}()
		var askers sync.WaitGroup
		for who := range 3 {
			req := open(s, socket.NewReq)
			s.connect(req, endpoint)
			for thread := range 3 {
				askers.Go(func() {
					random := rand.New(rand.NewPCG(uint64(who), uint64(thread)))
					for i := range messagesEach(500) {
						ctx, cancel := s.ctx, context.CancelFunc(func() {})
						if random.IntN(3) == 0 {
							ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(100))*time.Microsecond)
						}
						question := fmt.Sprint(who, thread, i)
						reply, err := req.Do(ctx, message(question))
						cancel()
						if err == nil && string(reply.Body()) != question || err != nil && (s.ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
							s.Errorf("asked %s: %q, %v", question, reply.Body(), err)
							return
						}
					}
				})
			}
		}
		askers.Wait()
		s.ok(front.Close())
		<-echoed
	})
}

// Peers that come and go while others send: what is not lost with its peer arrives once and in order.
func TestCrowdThatComesAndGoes(t *testing.T) {
	overAll(t, func(s *scene) {
		pull := open(s, socket.NewPull)
		endpoint := s.bind(pull)
		stays := open(s, socket.NewPush)
		s.connect(stays, endpoint)
		var guests sync.WaitGroup
		const rounds, each = 20, 10
		for who := range 4 {
			guests.Go(func() {
				for round := range rounds {
					push, err := socket.NewPush(&socket.Options{Context: s.context})
					if err == nil {
						err = push.Connect(endpoint)
					}
					for i := 0; i < each && err == nil; i++ {
						err = push.Send(s.ctx, message(fmt.Sprint("guest ", who, " ", round), fmt.Sprint(i)))
					}
					if err == nil {
						err = push.Close()
					}
					if err != nil {
						s.Error(err)
						return
					}
				}
			})
		}
		guests.Go(func() {
			for i := range 500 {
				if err := stays.Send(s.ctx, message("stays", fmt.Sprint(i))); err != nil {
					s.Error(err)
					return
				}
			}
		})
		next := make(map[string]int)
		for range 4*rounds*each + 500 {
			got := s.recv(pull)
			if got[1] != fmt.Sprint(next[got[0]]) {
				s.Fatalf("%s: %s, want %d", got[0], got[1], next[got[0]])
			}
			next[got[0]]++
		}
		guests.Wait()
		s.nothing(pull)
	})
}

// Publishers, subscribers that come and go, and topics that change, all at once: nothing that does not match arrives, and
// each subscriber sees its publisher's messages in order.
func TestCrowdOfSubscribers(t *testing.T) {
	overAll(t, func(s *scene) {
		pub := open(s, socket.NewXPub)
		endpoint := s.bind(pub)
		publishing, stop := context.WithCancel(s.ctx)
		var publishers, subscribers sync.WaitGroup
		for who := range 2 {
			publishers.Go(func() {
				for i := 0; publishing.Err() == nil; i++ {
					if err := pub.Send(s.ctx, message(fmt.Sprint(i%7), fmt.Sprint(who), fmt.Sprintf("%09d", i))); err != nil {
						s.Error(err)
						return
					}
					if i%100 == 0 {
						for {
							if _, err := pub.TryRecv(); err != nil {
								break
							}
						}
					}
				}
			})
		}
		for who := range 6 {
			subscribers.Go(func() {
				for round := range 3 {
					sub, err := socket.NewSub(&socket.Options{Context: s.context})
					if err == nil {
						err = watch(s, sub, endpoint, fmt.Sprint((who+round)%7))
					}
					if err != nil {
						s.Error(err)
					}
				}
			})
		}
		subscribers.Wait()
		stop()
		publishers.Wait()
	})
}

// watch receives some messages of one topic and closes sub.
func watch(s *scene, sub *socket.Sub, endpoint, topic string) error {
	defer sub.Close()
	if err := errors.Join(sub.Subscribe(topic), sub.Connect(endpoint)); err != nil {
		return err
	}
	last := map[string]string{}
	for range 30 {
		msg, err := sub.Recv(s.ctx)
		if err != nil {
			return err
		}
		got := frames(msg)
		if len(got) != 3 || got[0] != topic || got[2] <= last[got[1]] {
			return fmt.Errorf("subscribed to %s: %q after %s", topic, got, last[got[1]])
		}
		last[got[1]] = got[2]
	}
	return nil
}

// All of it on a single processor, where who spins starves the one it waits for.
func TestSingleProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t.Run("crowd", TestCrowdBothWays)
	t.Run("requests", TestCrowdOfRequests)
	t.Run("guests", TestCrowdThatComesAndGoes)
	t.Run("do", TestDoFromManyGoroutines)
	t.Run("proxy", TestProxyRequests)
	t.Run("busy", func(t *testing.T) {
		overAll(t, func(s *scene) { // a goroutine that computes gets its share beside a ping-pong, and leaves it its own
			req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
			s.link(rep, req)
			served := serve(s, rep)
			var computed atomic.Int64
			computing, stop := context.WithCancel(s.ctx)
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				for computing.Err() == nil {
					computed.Add(1)
				}
			}()
			for range 20 {
				_, err := req.Do(s.ctx, message("ping"))
				s.ok(err)
			}
			stop()
			<-finished
			if computed.Load() == 0 {
				s.Error("the other goroutine never ran")
			}
			s.ok(rep.Close())
			s.ok(<-served)
		})
	})
}
