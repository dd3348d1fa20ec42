// SPDX-License-Identifier: Apache-2.0

// Command pubsub shows publish-subscribe with a late joiner: a subscriber
// gets what is published once its subscription has arrived, and the
// publisher can wait for that moment instead of guessing it.
//
//	go run ./examples/pubsub
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

const topic, updates, lateFrom = "weather", 10, 6

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pub, err := socket.NewPub(nil)
	check(err)
	defer pub.Close()
	check(pub.Bind("tcp://127.0.0.1:*"))

	early, late := make(chan string), make(chan string)
	go listen(ctx, pub.LastEndpoint(), early)
	check(pub.WaitSubscribers(ctx, topic, 1))
	for i := 1; i <= updates; i++ {
		if i == lateFrom {
			go listen(ctx, pub.LastEndpoint(), late)
			check(pub.WaitSubscribers(ctx, topic, 2)) // else it would miss more, nobody knows how much
		}
		check(pub.Send(ctx, socket.NewMessage([]byte(topic), fmt.Append(nil, i))))
		check(pub.Send(ctx, socket.NewMessage([]byte("sport"), fmt.Append(nil, i)))) // nobody's topic: stays here
	}
	fmt.Printf("published     updates 1 to %d\n", updates)
	fmt.Println("early joiner ", <-early)
	fmt.Println("late joiner  ", <-late)
}

// listen subscribes and tells what it got up to the last update.
func listen(ctx context.Context, endpoint string, told chan<- string) {
	sub, err := socket.NewSub(nil)
	check(err)
	defer sub.Close()
	check(sub.Subscribe(topic))
	check(sub.Connect(endpoint))
	got := "updates"
	for msg, err := range sub.Messages(ctx) {
		check(err)
		update := string(msg.Frame(1)) // msg itself is valid until the next turn
		got += " " + update
		if update == fmt.Sprint(updates) {
			break
		}
	}
	told <- got
}

func check(err error) {
	if err != nil {
		log.Fatal("pubsub: ", err)
	}
}
