// SPDX-License-Identifier: Apache-2.0

// Command peakshaving shows a bounded queue that refuses instead of falling
// over: a burst of orders meets a slow kitchen. What there is room for is
// taken; the rest is refused at once and comes again when it can be served.
//
//	go run ./examples/peakshaving
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

const (
	orders   = 100
	queueHWM = 5 // on either side, so at most 10 orders wait
	cooking  = 5 * time.Millisecond
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	counter, err := socket.NewPush(&socket.Options{SendHWM: queueHWM})
	check(err)
	defer counter.Close()
	kitchen, err := socket.NewPull(&socket.Options{RecvHWM: queueHWM})
	check(err)
	defer kitchen.Close()
	check(kitchen.Bind("inproc://orders"))
	check(counter.Connect("inproc://orders"))

	taken := 0
	var refused []int
	for i := range orders { // nobody cooks yet: this is the peak
		err := counter.TrySend(order(i))
		if errors.Is(err, socket.ErrWouldBlock) {
			refused = append(refused, i)
			continue
		}
		check(err)
		taken++
	}
	fmt.Printf("a burst of %d orders: %d taken, %d refused at once\n", orders, taken, len(refused))
	go func() { // these come again; now each waits until there is room
		for _, i := range refused {
			check(counter.Send(ctx, order(i)))
		}
	}()
	began := time.Now()
	for range orders {
		_, err := kitchen.Recv(ctx)
		check(err)
		<-time.After(cooking)
	}
	fmt.Printf("served %d of %d in %.1f s; never more than %d waited in the queue\n",
		orders, orders, time.Since(began).Seconds(), 2*queueHWM)
}

func order(number int) socket.Message { return socket.NewMessage(fmt.Append(nil, number)) }

func check(err error) {
	if err != nil {
		log.Fatal("peakshaving: ", err)
	}
}
