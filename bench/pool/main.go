// SPDX-License-Identifier: Apache-2.0

// Command pool measures patterns/workpool: tasks per second with empty work, from Submit to the end of the sink's turn, and how long
// a skewed load takes. Over tcp the workers are processes of their own.
//
//	go run ./pool
//	go run ./pool -skew -workers 8
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool"
)

type nothing = struct{}

var (
	worker    = flag.String("worker", "", "be workers for the dispatcher at this `endpoint`, until standard input ends")
	workers   = flag.Int("workers", 0, "how many workers; 0: 1, 2, 8 and 64")
	seconds   = flag.Float64("seconds", 2, "how long one measurement takes, about")
	rounds    = flag.Int("rounds", 3, "measurements of each row; the median counts")
	producers = flag.Int("producers", 2, "goroutines that submit")
	together  = flag.Int("together", 512, "goroutines that submit durable tasks")
	directory = flag.String("directory", "", "where the store of durable tasks is; default: a temporary folder")
	skew      = flag.Bool("skew", false, "measure a skewed load")
	short     = flag.Duration("short", time.Millisecond, "how long 99 of 100 tasks of the skewed load wait; the others a hundred times that")
	long      = flag.Int("long", 100, "long tasks for each worker")
)

func main() {
	flag.Parse()
	if *worker != "" {
		work(*worker, max(*workers, 1))
		io.Copy(io.Discard, os.Stdin)
		return
	}
	if *skew {
		measureSkew(max(*workers, 1))
		return
	}
	counts := []int{1, 2, 8, 64}
	if *workers > 0 {
		counts = []int{*workers}
	}
	fmt.Println("| workers | one process | one process, durable | tcp | tcp, durable |")
	fmt.Println("|---|---|---|---|---|")
	for _, count := range counts {
		fmt.Printf("| %d |", count)
		for _, endpoint := range []string{"inproc://pool", "tcp://127.0.0.1:*"} {
			for _, durable := range []bool{false, true} {
				var rates []float64
				for range *rounds {
					rates = append(rates, rate(endpoint, count, durable))
				}
				slices.Sort(rates)
				fmt.Printf(" %.0f |", rates[len(rates)/2])
			}
		}
		fmt.Println()
	}
}

// work starts workers of empty work.
func work(endpoint string, count int) {
	for range count {
		_, err := workpool.NewWorker(&workpool.WorkerOptions[nothing, nothing]{Dispatchers: []string{endpoint}, Concurrency: 1},
			func(context.Context, workpool.Task[nothing]) (nothing, error) { return nothing{}, nil })
		check(err)
	}
}

// rate measures tasks per second.
func rate(endpoint string, count int, durable bool) float64 {
	opts := workpool.DispatcherOptions[nothing, nothing]{Endpoints: []string{endpoint}}
	submitters := *producers
	if durable {
		folder, err := os.MkdirTemp(*directory, "pool")
		check(err)
		defer os.RemoveAll(folder)
		opts.Path, submitters = filepath.Join(folder, "store"), *together
	}
	d, err := workpool.NewDispatcher(&opts)
	check(err)
	defer d.Close()
	var mine []*workpool.Worker
	if endpoint[:3] == "tcp" {
		defer processes(d.Endpoint(), count)()
	} else {
		for range count {
			w, err := workpool.NewWorker(&workpool.WorkerOptions[nothing, nothing]{Dispatchers: []string{endpoint}, Concurrency: 1},
				func(context.Context, workpool.Task[nothing]) (nothing, error) { return nothing{}, nil })
			check(err)
			mine = append(mine, w)
		}
	}
	defer func() {
		for _, w := range mine {
			w.Close()
		}
	}()
	for len(d.Stats().Workers) < count {
		time.Sleep(time.Millisecond)
	}
	return flood(d, submitters, durable)
}

// flood submits as fast as it can, and counts results for a while, after a while to get going.
func flood(d *workpool.Dispatcher[nothing, nothing], submitters int, durable bool) float64 {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range submitters {
		running.Go(func() {
			for ctx.Err() == nil {
				_, err := d.Submit(ctx, nothing{}, &workpool.TaskOptions{Durable: durable})
				if ctx.Err() == nil {
					check(err)
				}
			}
		})
	}
	length := time.Duration(*seconds * float64(time.Second))
	begin := time.Now().Add(length / 4)
	counted := 0
	var last time.Time
	for _, err := range d.Results(ctx) {
		check(err)
		if last = time.Now(); last.Before(begin) {
			continue
		}
		if counted++; last.Sub(begin) > length {
			break
		}
	}
	stop()
	running.Wait()
	return float64(counted) / last.Sub(begin).Seconds()
}

// processes starts workers, in up to two processes, and returns how they end.
func processes(endpoint string, count int) (end func()) {
	var ends []func()
	for i := range min(count, 2) {
		share := count / min(count, 2)
		if i == 0 {
			share = count - share*(min(count, 2)-1)
		}
		command := exec.Command(os.Args[0], "-worker", endpoint, "-workers", fmt.Sprint(share))
		command.Stderr = os.Stderr
		input, err := command.StdinPipe()
		check(err)
		check(command.Start())
		ends = append(ends, func() {
			input.Close()
			check(command.Wait())
		})
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// measureSkew says how much longer than its fair share a load takes of which one task in a hundred takes a hundred times as long.
func measureSkew(count int) {
	d, err := workpool.NewDispatcher(&workpool.DispatcherOptions[time.Duration, nothing]{Endpoints: []string{"inproc://skew"}})
	check(err)
	defer d.Close()
	var total atomic.Int64
	for range count {
		w, err := workpool.NewWorker(&workpool.WorkerOptions[time.Duration, nothing]{Dispatchers: []string{"inproc://skew"}, Concurrency: 1},
			func(_ context.Context, task workpool.Task[time.Duration]) (nothing, error) {
				start := time.Now()
				time.Sleep(task.Value)
				total.Add(int64(time.Since(start)))
				return nothing{}, nil
			})
		check(err)
		defer w.Close()
	}
	tasks := 100 * *long * count
	start := time.Now()
	go func() {
		for i := range tasks {
			length := *short
			if i%100 == 99 {
				length *= 100
			}
			_, err := d.Submit(context.Background(), length, nil)
			check(err)
		}
		check(d.Drain(context.Background()))
	}()
	for _, err := range d.Results(context.Background()) {
		check(err)
	}
	took := time.Since(start)
	named := time.Duration(*long*count) * 199 * *short / time.Duration(count)
	measured := time.Duration(total.Load()) / time.Duration(count)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintf(out, "%d tasks, %d workers: %v\n", tasks, count, took)
	fmt.Fprintf(out, "%.3f times the time of all tasks as it was, %v for each worker\n", took.Seconds()/measured.Seconds(), measured)
	fmt.Fprintf(out, "%.3f times the time that they were told, %v\n", took.Seconds()/named.Seconds(), named)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
