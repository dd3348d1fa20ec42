// SPDX-License-Identifier: Apache-2.0

// Command pipeline shows the pipeline: a PUSH deals tasks out, each to one of
// several workers, and a PULL collects the results.
//
//	go run ./examples/pipeline
package main

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

const workers, tasks = 3, 3000

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ventilator, err := socket.NewPush(nil)
	check(err)
	defer ventilator.Close()
	check(ventilator.Bind("inproc://tasks"))
	sink, err := socket.NewPull(nil)
	check(err)
	defer sink.Close()
	check(sink.Bind("inproc://results"))

	for i := range workers {
		go work(ctx, fmt.Append(nil, "worker ", i+1))
	}
	check(ventilator.WaitPeers(ctx, workers)) // else the first one there would get the most
	go func() {
		for i := range tasks {
			check(ventilator.Send(ctx, socket.NewMessage(strconv.AppendInt(nil, int64(i), 10))))
		}
	}()
	sum, share := 0, map[string]int{}
	for range tasks {
		result, err := sink.Recv(ctx)
		check(err)
		square, err := strconv.Atoi(string(result.Frame(1)))
		check(err)
		sum += square
		share[string(result.Frame(0))]++
	}
	fmt.Println("tasks done by: ", share)
	fmt.Println("sum of squares:", sum, "right:", sum == (tasks-1)*tasks*(2*tasks-1)/6)
}

// work squares numbers for as long as there are any.
func work(ctx context.Context, name []byte) {
	in, err := socket.NewPull(nil)
	check(err)
	check(in.Connect("inproc://tasks"))
	out, err := socket.NewPush(nil)
	check(err)
	check(out.Connect("inproc://results"))
	for task, err := range in.Messages(ctx) {
		if err != nil {
			return // the program ends
		}
		n, err := strconv.Atoi(string(task.Body()))
		check(err)
		check(out.Send(ctx, socket.NewMessage(name, strconv.AppendInt(nil, int64(n*n), 10))))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal("pipeline: ", err)
	}
}
