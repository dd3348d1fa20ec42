// SPDX-License-Identifier: Apache-2.0

// Command logs is a log pipeline: several producers submit lines, workers parse them, each as fast as it can, and one sink gets them in
// the order in which they came.
//
//	go run ./examples/logs
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool"
)

const producers, linesEach, workers = 3, 1000, 4

// Line is a line of a log, as it is written.
type Line struct{ Text string }

// Event is what a line says.
type Event struct {
	Service string
	Number  int
	Level   string
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	d, err := workpool.NewDispatcher(&workpool.DispatcherOptions[Line, Event]{
		Endpoints: []string{"inproc://logs"}, Ordered: true, QueueTasks: 500, // a burst of lines has to wait
	})
	check(err)
	defer d.Close()
	for range workers {
		w, err := workpool.NewWorker(&workpool.WorkerOptions[Line, Event]{Dispatchers: []string{"inproc://logs"}}, parse)
		check(err)
		defer w.Close()
	}
	go func() {
		var running sync.WaitGroup
		for service := range producers {
			running.Go(func() { produce(ctx, d, fmt.Sprint("service", service)) })
		}
		running.Wait()
		check(d.Drain(ctx))
	}()

	last, levels, order := map[string]int{}, map[string]int{}, true
	for result, err := range d.Results(ctx) {
		check(err)
		event := result.Value
		order = order && event.Number == last[event.Service]+1
		last[event.Service] = event.Number
		levels[event.Level]++
	}
	fmt.Println("lines of each service:", last)
	fmt.Println("lines of each level:  ", levels)
	fmt.Println("in order:             ", order)
	if stats := d.Stats(); stats.DeadLetters > 0 {
		fmt.Println("not understood:       ", stats.DeadLetters)
	}
}

func produce(ctx context.Context, d *workpool.Dispatcher[Line, Event], service string) {
	for number := 1; number <= linesEach; number++ {
		level := "info"
		if number%100 == 0 {
			level = "error"
		}
		_, err := d.Submit(ctx, Line{fmt.Sprintf("%s %d %s something has happened", service, number, level)}, nil)
		check(err)
	}
}

// parse takes longer for some lines than for others.
func parse(ctx context.Context, task workpool.Task[Line]) (event Event, err error) {
	select {
	case <-time.After(time.Duration(rand.IntN(300)) * time.Microsecond):
	case <-ctx.Done():
		return event, ctx.Err()
	}
	_, err = fmt.Fscan(strings.NewReader(task.Value.Text), &event.Service, &event.Number, &event.Level)
	return event, err
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
