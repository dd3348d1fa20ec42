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
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// Sockets that share loops, goroutines that wait for a moment or for long, senders that pause at random: every message is
// taken by somebody who waits for one, in no time.
func TestHostileWakeUps(t *testing.T) {
	sockettest.All(t, func(t *testing.T, endpoint string) {
		c, err := socket.NewContext(&socket.ContextOptions{Loops: 1 + rand.IntN(2)})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for pair := range 4 {
			all.Go(func() { hostileWakePair(t, c, endpoint[:3], pair) })
		}
		all.Wait()
	})
}

// hostileWakePair is a ROUTER with several receivers and a DEALER with several senders and receivers.
func hostileWakePair(t *testing.T, c *socket.Context, scheme string, pair int) {
	messages := uint32(hostileCount(t, 1000))
	opts := &socket.Options{Context: c, SendHWM: 5, RecvHWM: 5}
	router, err1 := socket.NewRouter(opts)
	dealer, err2 := socket.NewDealer(opts)
	if scheme == "inp" {
		scheme = "inproc"
	}
	err3 := router.Bind(sockettest.Endpoint(scheme))
	err4 := dealer.Connect(router.LastEndpoint())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Error(err)
		return
	}
	var taken, returned atomic.Uint32
	var calls sync.WaitGroup
	done, cancel := context.WithCancel(context.Background())
	for who := range 3 { // the echo
		calls.Go(func() {
			hostileTake(t, done, who, router.Recv, func(msg socket.Message) {
				taken.Add(1)
				if err := router.Send(done, msg); err != nil && done.Err() == nil {
					t.Error("echo:", err)
				}
			})
		})
		calls.Go(func() {
			hostileTake(t, done, who, dealer.Recv, func(socket.Message) { returned.Add(1) })
		})
	}
	var sent atomic.Uint32
	var senders sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for {
				n := sent.Add(1)
				if n > messages {
					return
				}
				hostilePause()
				ctx, cancel := context.WithTimeout(context.Background(), hostilePatience)
				if err := dealer.Send(ctx, socket.NewMessage(binary.BigEndian.AppendUint32(nil, n))); err != nil {
					t.Errorf("pair %d, message %d: %v", pair, n, err)
				}
				cancel()
			}
		})
	}
	senders.Wait()
	dropped := func() uint32 { return uint32(router.Stats().Dropped[socket.DropFull]) }
	if !hostileComes(func() bool { return taken.Load() == messages && returned.Load()+dropped() == messages }) {
		stacks := make([]byte, 1<<20)
		t.Errorf("pair %d: %d messages, %d taken, %d back, %d dropped: %+v\n%s", pair, messages, taken.Load(), returned.Load(), dropped(), router.Peers(), stacks[:runtime.Stack(stacks, true)])
	}
	cancel()
	calls.Wait()
	if err := errors.Join(dealer.Close(), router.Close()); err != nil {
		t.Error(err)
	}
}

// hostileTake receives, now with a short wait and now with a long one.
func hostileTake(t *testing.T, done context.Context, who int, recv func(context.Context) (socket.Message, error), use func(socket.Message)) {
	for done.Err() == nil {
		ctx, cancel := done, context.CancelFunc(func() {})
		if who > 0 {
			ctx, cancel = context.WithTimeout(done, time.Duration(rand.IntN(300*who))*time.Microsecond)
		}
		msg, err := recv(ctx)
		cancel()
		switch {
		case err == nil:
			use(msg)
			hostilePause()
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled):
			t.Error(fmt.Errorf("receive: %w", err))
			return
		}
	}
}

// hostilePause is no time at all, or a turn of the scheduler, or a moment.
func hostilePause() {
	switch rand.IntN(20) {
	case 0:
		<-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond)
	case 1, 2, 3:
		runtime.Gosched()
	}
}

// hostileComes is sockettest.Until for any goroutine.
func hostileComes(condition func() bool) bool {
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for end := time.Now().Add(hostilePatience); !condition(); <-pace.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
