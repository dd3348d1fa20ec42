// SPDX-License-Identifier: Apache-2.0

// Command logpipeline shows several producers of log lines, workers that parse them at their own pace, and one sink that has the
// lines in order all the same. What nobody can parse lands among the dead letters, where it can be looked at.
//
//	go run ./examples/logpipeline
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool"
)

const (
	endpoint   = "inproc://logs" // with tcp://… the workers may be anywhere
	workers    = 3
	lines      = 5000 // of each producer
	nonsense   = 2000 // each such line makes no sense
	queueTasks = 1000 // producers wait while so many are on their way
)

// entry is a line that was understood.
type entry struct {
	Service      string
	Number       int
	Status       int
	Milliseconds int
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d, err := workpool.NewDispatcher(&workpool.DispatcherOptions[string, entry]{
		Endpoints: []string{endpoint}, Ordered: true, QueueTasks: queueTasks,
		Attempts: 2, BackoffMin: 10 * time.Millisecond, // nonsense does not get better
	})
	check(err)
	defer d.Close()
	var newest, overtaken atomic.Uint64
	for i := range workers {
		worker, err := workpool.NewWorker(&workpool.WorkerOptions[string, entry]{
			Dispatchers: []string{endpoint}, Name: fmt.Sprint("parser ", i+1), Concurrency: 2,
		}, func(_ context.Context, task workpool.Task[string]) (entry, error) {
			parsed, err := parse(task.Value)
			if before := newest.Load(); before > uint64(task.ID) {
				overtaken.Add(1)
			} else {
				newest.CompareAndSwap(before, uint64(task.ID))
			}
			return parsed, err
		})
		check(err)
		defer worker.Close()
	}
	services := []string{"web", "search", "mail", "billing"}
	var producers sync.WaitGroup
	for _, service := range services {
		producers.Go(func() { produce(ctx, d, service) })
	}
	go func() {
		producers.Wait()
		check(d.Drain(ctx)) // then the results end
	}()
	sums, disorder := map[string]*summary{}, 0
	for result, err := range d.Results(ctx) {
		check(err)
		check(result.Err)
		if !add(sums, result.Value) {
			disorder++
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "SERVICE\tLINES\tERRORS\tSLOWEST\tGAPS")
	total := 0
	for _, service := range services {
		s := sums[service]
		fmt.Fprintf(out, "%s\t%d\t%d\t%d ms\t%d\n", service, s.lines, s.errors, s.slowest, s.gaps)
		total += s.lines
	}
	check(out.Flush())
	dead := d.DeadLetters()
	fmt.Printf("not understood: %d lines, such as %q: %s\n", len(dead), dead[0].Task, dead[0].Errors[0].Text)
	fmt.Printf("parsed after a later line: %d; out of order at the sink: %d\n", overtaken.Load(), disorder)
	fmt.Printf("all %d lines are there: %t\n", len(services)*lines, total+len(dead) == len(services)*lines)
}

// produce writes the log of a service. Submit waits while the queue is full.
func produce(ctx context.Context, d *workpool.Dispatcher[string, entry], service string) {
	for i := range lines {
		line := fmt.Sprintf("service=%s number=%d status=%d ms=%d", service, i+1, 200+i%50/49*300, i*i%997)
		if i%nonsense == nonsense-1 {
			line = "panic: " + line
		}
		_, err := d.Submit(ctx, line, nil)
		check(err)
	}
}

func parse(line string) (e entry, err error) {
	if !strings.HasPrefix(line, "service=") {
		return e, errors.New("no service at the start")
	}
	_, err = fmt.Sscanf(line, "service=%s number=%d status=%d ms=%d", &e.Service, &e.Number, &e.Status, &e.Milliseconds)
	return e, err
}

// summary is what the sink knows of one service.
type summary struct{ lines, errors, slowest, last, gaps int }

// add says whether the entry came in its order.
func add(sums map[string]*summary, e entry) (inOrder bool) {
	if sums[e.Service] == nil {
		sums[e.Service] = &summary{}
	}
	s := sums[e.Service]
	inOrder = e.Number > s.last
	if e.Number > s.last+1 {
		s.gaps++ // a line that was not understood
	}
	s.last = e.Number
	s.lines++
	s.slowest = max(s.slowest, e.Milliseconds)
	if e.Status >= 500 {
		s.errors++
	}
	return inOrder
}

func check(err error) {
	if err != nil {
		log.Fatal("logpipeline: ", err)
	}
}
