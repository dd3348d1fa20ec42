// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// parade is a sequence of messages, of one to six frames each. Some in a row look alike.
type parade struct{ seed uint64 }

func (p parade) message(i int) []string {
	const alike = 40
	shape := rand.New(rand.NewPCG(p.seed, uint64(i/alike)))
	frames := make([]string, []int{1, 2, 2, 3, 4, 6}[shape.IntN(6)])
	for k := range frames {
		size := []int{0, 1, 8, 16, 40, 255, 256, 1200, 2000, 20000}[shape.IntN(10)]
		frames[k] = fmt.Sprintf("%0*d", size, i)[:size]
	}
	frames[0] = string("ab"[shape.IntN(2)]) + fmt.Sprint(i) + frames[0]
	return frames
}

func bytesOf(frames []string) (all [][]byte) {
	for _, f := range frames {
		all = append(all, []byte(f))
	}
	return all
}

type (
	bulkSending interface {
		anySocket
		Send(context.Context, socket.Message) error
		SendBatch(context.Context, []socket.Message) (int, error)
	}
	bulkReceiving interface {
		anySocket
		RecvInto(context.Context, *socket.Message) error
		RecvBatch(context.Context, []socket.Message) (int, error)
	}
)

// someLimits are small, or none.
func someLimits(s *scene) socket.Options {
	messages, bytes := []int{1, 2, 3, 10, 1000, socket.Unlimited}, []int{1, 300, 10_000, 100_000, socket.Unlimited}
	o := socket.Options{QueueBytes: bytes[rand.IntN(len(bytes))]}
	o.SendHWM, o.RecvHWM = messages[rand.IntN(len(messages))], messages[rand.IntN(len(messages))]
	s.Logf("SendHWM %d, RecvHWM %d, QueueBytes %d", o.SendHWM, o.RecvHWM, o.QueueBytes)
	return o
}

// TestStressFrames: whatever a message looks like, and the one before it, it arrives whole and in order.
func TestStressFrames(t *testing.T) {
	unlimited := narrow(socket.Unlimited) // a PUB drops what finds its queue full
	unlimited.QueueBytes = socket.Unlimited
	for name, c := range map[string]struct {
		open  func(s *scene) (bulkSending, bulkReceiving)
		topic string
	}{
		"push": {func(s *scene) (bulkSending, bulkReceiving) { return open(s, socket.NewPush), open(s, socket.NewPull) }, ""},
		"push, within limits": {func(s *scene) (bulkSending, bulkReceiving) {
			return open(s, socket.NewPush, someLimits(s)), open(s, socket.NewPull, someLimits(s))
		}, ""},
		"dealer": {func(s *scene) (bulkSending, bulkReceiving) {
			return open(s, socket.NewDealer), open(s, socket.NewDealer)
		}, ""},
		"pub": {func(s *scene) (bulkSending, bulkReceiving) {
			return open(s, socket.NewPub, unlimited), open(s, socket.NewSub, unlimited)
		}, "a"},
		"pub, everything": {func(s *scene) (bulkSending, bulkReceiving) {
			return open(s, socket.NewPub, unlimited), open(s, socket.NewSub, unlimited)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			overAll(t, func(s *scene) {
				from, to := c.open(s)
				s.link(from, to)
				if sub, ok := to.(*socket.Sub); ok {
					s.ok(sub.Subscribe(c.topic))
					s.ok(from.(*socket.Pub).WaitSubscribers(s.ctx, c.topic, 1))
				}
				p := parade{rand.Uint64()}
				messages := sockettest.Soaked(t, 3000, 30_000)
				sent := make(chan error, 1)
				go func() { sent <- p.send(s.ctx, from, messages) }()
				p.receive(s, to, c.topic, messages)
				s.ok(<-sent)
				if sent, received := from.Stats().Sent, to.Stats().Received; sent != uint64(messages) || received != p.begin(c.topic, messages) {
					s.Errorf("%d sent and %d received, want %d and %d", sent, received, messages, p.begin(c.topic, messages))
				}
			})
		})
	}
}

// begin counts the messages that begin with topic.
func (p parade) begin(topic string, messages int) (n uint64) {
	for i := range messages {
		if strings.HasPrefix(p.message(i)[0], topic) {
			n++
		}
	}
	return n
}

// send sends some of the messages in batches.
func (p parade) send(ctx context.Context, to bulkSending, messages int) error {
	for i := 0; i < messages; {
		batch := make([]socket.Message, min(1+i%2*rand.IntN(5), messages-i))
		for k := range batch {
			batch[k] = socket.NewMessage(bytesOf(p.message(i + k))...)
		}
		i += len(batch)
		if len(batch) == 1 {
			if err := to.Send(ctx, batch[0]); err != nil {
				return err
			}
		} else if _, err := to.SendBatch(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// receive receives, one by one or several at a time, what begins with topic.
func (p parade) receive(s *scene, from bulkReceiving, topic string, messages int) {
	s.Helper()
	batch := make([]socket.Message, 5)
	n, at := 0, 0 // so many are in batch, and so many of them have been looked at
	for i := range messages {
		want := p.message(i)
		if !strings.HasPrefix(want[0], topic) {
			continue
		}
		if at == n {
			var err error
			if at, n = 0, 1; rand.IntN(2) == 0 {
				err = from.RecvInto(s.ctx, &batch[0])
			} else {
				n, err = from.RecvBatch(s.ctx, batch[:1+rand.IntN(len(batch))])
			}
			s.ok(err)
		}
		if got := frames(batch[at]); !equal(got, want) {
			s.Fatalf("message %d of seed %d: got %.300q, want %.300q", i, p.seed, got, want)
		}
		at++
	}
}

// TestFramesMost: the limit of frames holds in the middle of a burst too.
func TestFramesMost(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush, socket.Options{MessageFrames: 2}), open(s, socket.NewPull)
		s.link(pull, push)
		pair, three := socket.NewMessage([]byte("a"), []byte("b")), socket.NewMessage([]byte("a"), []byte("b"), nil)
		for range 100 {
			s.ok(push.Send(s.ctx, pair))
			if err := push.Send(s.ctx, three); !errors.Is(err, socket.ErrTooLarge) {
				t.Fatalf("three frames: %v", err)
			}
		}
		for range 100 {
			s.want(pull, "a", "b")
		}
		s.nothing(pull)
	})
}
