// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// assorted makes messages that carry their numbers, of different sizes and numbers of frames.
func assorted(from, n int) []socket.Message {
	msgs := make([]socket.Message, n)
	for i := range msgs {
		number := fmt.Appendf(nil, "%d", from+i)
		switch i % 10 {
		case 7:
			msgs[i] = socket.NewMessage(number, nil, make([]byte, 300))
		case 8:
			msgs[i] = socket.NewMessage(append(number, make([]byte, 5000)...))
		default:
			msgs[i] = socket.NewMessage(number)
		}
	}
	return msgs
}

func sameMessage(a, b socket.Message) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if string(a.Frame(i)) != string(b.Frame(i)) {
			return false
		}
	}
	return true
}

// Batches arrive whole and in order, though they are larger than the queues.
func TestBatches(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush, socket.Options{SendHWM: 7})
		pull := open(s, socket.NewPull, socket.Options{RecvHWM: 5})
		s.link(pull, push)
		const total, size = 3000, 250
		sent := make(chan error, 1)
		go func() {
			for from := 0; from < total; from += size {
				if n, err := push.SendBatch(s.ctx, assorted(from, size)); n != size || err != nil {
					sent <- fmt.Errorf("%d messages of a batch: %w", n, err)
					return
				}
			}
			sent <- nil
		}()
		want := assorted(0, size)
		msgs := make([]socket.Message, 64)
		for got := 0; got < total; {
			n, err := pull.RecvBatch(s.ctx, msgs)
			s.ok(err)
			if n < 1 || n > len(msgs) {
				s.Fatalf("%d messages in a batch of %d", n, len(msgs))
			}
			for _, msg := range msgs[:n] {
				if got%size == 0 {
					want = assorted(got, size)
				}
				if !sameMessage(msg, want[got%size]) {
					s.Fatalf("message %d is another", got)
				}
				got++
			}
		}
		s.ok(<-sent)
		if stats := push.Stats(); stats.Sent != total {
			s.Errorf("%d messages counted as sent", stats.Sent)
		}
	})
}

// RecvBatch takes what is there and does not wait for more; what it does not fill stays as it was.
func TestRecvBatchDoesNotWaitForMore(t *testing.T) {
	overAll(t, func(s *scene) {
		push, pull := open(s, socket.NewPush), open(s, socket.NewPull)
		s.link(pull, push)
		if n, err := pull.RecvBatch(s.ctx, nil); n != 0 || err != nil {
			s.Errorf("an empty batch: %d, %v", n, err)
		}
		for range 3 {
			s.send(push, "x")
			msgs := make([]socket.Message, 10)
			n, err := pull.RecvBatch(s.ctx, msgs)
			s.ok(err)
			if n != 1 || string(msgs[0].Body()) != "x" || msgs[1].Len() != 0 {
				s.Errorf("%d messages, the second has %d frames", n, msgs[1].Len())
			}
		}
	})
}

// Both halves wait until ctx ends or the socket is closed, and say how far they came.
func TestBatchesThatEndEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, err := socket.NewContext(nil)
		if err != nil {
			t.Fatal(err)
		}
		push, _ := socket.NewPush(&socket.Options{Context: own, SendHWM: 5, MessageBytes: 10, Linger: socket.LingerNone})
		pull, _ := socket.NewPull(&socket.Options{Context: own})
		if err := push.Connect("inproc://later"); err != nil {
			t.Fatal(err)
		}
		one := socket.NewMessage([]byte("1"))
		eight := []socket.Message{one, one, one, one, one, one, one, one}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if n, err := push.SendBatch(ctx, eight); n != 5 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("queued %d, %v", n, err)
		}
		if n, err := push.SendBatch(ctx, eight); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the end queued %d, %v", n, err)
		}
		if n, err := pull.RecvBatch(ctx, eight); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the end received %d, %v", n, err)
		}
		if err := pull.Bind("inproc://later"); err != nil {
			t.Fatal(err)
		}
		got := make([]socket.Message, 10)
		if n, err := pull.RecvBatch(t.Context(), got); n != 5 || err != nil {
			t.Errorf("received %d, %v", n, err)
		}
		large := []socket.Message{one, one, socket.NewMessage(make([]byte, 11)), one}
		if n, err := push.SendBatch(t.Context(), large); n != 2 || !errors.Is(err, socket.ErrTooLarge) {
			t.Errorf("queued %d before the large one, %v", n, err)
		}
		if n, err := pull.RecvBatch(t.Context(), got); n != 2 || err != nil {
			t.Errorf("received %d, %v", n, err)
		}
		go func() {
			synctest.Wait()
			pull.Close()
			push.Close()
		}()
		if n, err := pull.RecvBatch(t.Context(), got); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("received %d, %v, from a closed socket", n, err)
		}
		own.Close()
		if n, err := push.SendBatch(t.Context(), eight); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("queued %d, %v, on a closed socket", n, err)
		}
	})
}

// A batch goes round the peers like single messages.
func TestBatchIsSpread(t *testing.T) {
	overAll(t, func(s *scene) {
		push := open(s, socket.NewPush)
		first, second := open(s, socket.NewPull), open(s, socket.NewPull)
		s.link(push, first, second)
		n, err := push.SendBatch(s.ctx, assorted(0, 40))
		if n != 40 {
			s.Errorf("queued %d", n)
		}
		s.ok(err)
		msgs := make([]socket.Message, 40)
		for _, pull := range []*socket.Pull{first, second} {
			for left := 20; left > 0; {
				n, err := pull.RecvBatch(s.ctx, msgs)
				s.ok(err)
				if left -= n; left < 0 {
					s.Error("one of two peers has more than half")
				}
			}
		}
	})
}

// What SendOwned sends without a copy arrives whole, at one peer and at several, also where peers are of different kinds,
// and in front of and behind messages that are copied.
func TestOwnedBodies(t *testing.T) {
	overStreams(t, func(s *scene) {
		pub := open(s, socket.NewPub, socket.Options{SendHWM: 1000})
		near, far, other := open(s, socket.NewSub), open(s, socket.NewSub), open(s, socket.NewSub)
		stream, inside := s.bind(pub), "inproc://inside"
		s.ok(pub.Bind(inside))
		for sub, endpoint := range map[*socket.Sub]string{near: inside, far: stream, other: stream} {
			s.ok(sub.Subscribe("t"))
			s.connect(sub, endpoint)
		}
		s.ok(pub.WaitSubscribers(s.ctx, "t", 3))
		sizes := []int{0, 1, 16<<10 - 1, 16 << 10, 20_000, 70_000, 1 << 20, 5, 300_000, 16 << 10}
		made := func(i int) socket.Message {
			body := make([]byte, sizes[i])
			for k := range body {
				body[k] = byte(i + k*7>>3)
			}
			if i%3 == 0 {
				return socket.NewMessage([]byte("t"), []byte{byte(i)}, body)
			}
			return socket.NewMessage(append([]byte("t"), body...))
		}
		for i := range sizes {
			if i == 4 {
				s.ok(pub.Send(s.ctx, made(i)))
			} else {
				s.ok(pub.SendOwned(s.ctx, made(i)))
			}
		}
		for _, sub := range []*socket.Sub{near, far, other} {
			for i := range sizes {
				msg, err := sub.Recv(s.ctx)
				s.ok(err)
				if !sameMessage(msg, made(i)) {
					s.Errorf("message %d is another", i)
				}
			}
		}
	})
}
