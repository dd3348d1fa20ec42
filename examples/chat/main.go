// SPDX-License-Identifier: Apache-2.0

// Command chat shows a chat room: many clients on one topic. The room is a
// proxy between an XSUB, into which all speak, and an XPUB, where all listen.
//
//	go run ./examples/chat
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

const topic, clients = "lounge", 20

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mouth, err := socket.NewXSub(nil)
	check(err)
	defer mouth.Close()
	check(mouth.Bind("tcp://127.0.0.1:*"))
	ear, err := socket.NewXPub(nil)
	check(err)
	defer ear.Close()
	check(ear.Bind("tcp://127.0.0.1:*"))
	go socket.Proxy(ctx, mouth, ear) // until the program ends

	heard := make(chan []string)
	for i := range clients {
		go chat(ctx, fmt.Sprint("client ", i+1), mouth.LastEndpoint(), ear, heard)
	}
	total := 0
	for range clients {
		lines := <-heard
		total += len(lines)
		fmt.Printf("%q and %d more lines\n", lines[0], len(lines)-1)
	}
	fmt.Printf("%d clients said one line each, %d lines were heard\n", clients, total)
}

// chat joins, says one line when all are there, and hears one from everybody.
func chat(ctx context.Context, name, mouth string, ear *socket.XPub, heard chan<- []string) {
	sub, err := socket.NewSub(nil)
	check(err)
	defer sub.Close()
	check(sub.Subscribe(topic))
	check(sub.Connect(ear.LastEndpoint()))
	pub, err := socket.NewPub(nil)
	check(err)
	defer pub.Close()
	check(pub.Connect(mouth))

	check(ear.WaitSubscribers(ctx, topic, clients)) // all listen
	check(pub.WaitSubscribers(ctx, topic, 1))       // and the room has passed that on
	check(pub.Send(ctx, socket.NewMessage([]byte(topic), []byte(name+": hello, all"))))
	var lines []string
	for len(lines) < clients {
		msg, err := sub.Recv(ctx)
		check(err)
		lines = append(lines, string(msg.Frame(1)))
	}
	heard <- lines
}

func check(err error) {
	if err != nil {
		log.Fatal("chat: ", err)
	}
}
