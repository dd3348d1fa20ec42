// SPDX-License-Identifier: Apache-2.0

// Command reqrep shows request-reply: a REQ asks, a REP answers, and a
// question that is not answered in time leaves the asker able to ask again.
//
//	go run ./examples/reqrep
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// How long an answer may take: less than the nap, except for the last question.
const patience, nap = 300 * time.Millisecond, time.Second

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rep, err := socket.NewRep(nil)
	check(err)
	defer rep.Close()
	check(rep.Bind("tcp://127.0.0.1:*")) // * takes a free port, LastEndpoint tells which
	req, err := socket.NewReq(nil)
	check(err)
	defer req.Close()
	check(req.Connect(rep.LastEndpoint()))
	go answer(ctx, rep)
	for _, question := range []string{"apple", "sleep", "pear"} {
		limit := patience
		if question == "pear" {
			limit += nap
		}
		patient, done := context.WithTimeout(ctx, limit)
		reply, err := req.Do(patient, socket.NewMessage([]byte(question)))
		done()
		if errors.Is(err, context.DeadlineExceeded) {
			fmt.Printf("asked %-6s no answer in time; the socket can ask again\n", question)
			continue
		}
		check(err)
		fmt.Printf("asked %-6s answer %s\n", question, reply.Body())
	}
}

// answer replies in upper case; asked to sleep, it replies too late, and that
// reply reaches nobody.
func answer(ctx context.Context, rep *socket.Rep) {
	for {
		question, err := rep.Recv(ctx)
		if err != nil {
			return // closed: the program ends
		}
		if string(question.Body()) == "sleep" {
			<-time.After(nap)
		}
		reply := strings.ToUpper(string(question.Body()))
		check(rep.Send(ctx, socket.NewMessage([]byte(reply))))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal("reqrep: ", err)
	}
}
