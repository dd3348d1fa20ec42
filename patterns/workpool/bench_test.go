// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

// BenchmarkTasks is empty work, from Submit to the end of the sink's turn.
func BenchmarkTasks(b *testing.B) {
	for _, endpoint := range []string{"inproc://benchmark", "tcp://127.0.0.1:*"} {
		for _, workers := range []int{1, 2, 8, 64} {
			b.Run(fmt.Sprintf("%.3s/%d", endpoint, workers), func(b *testing.B) {
				benchmarkTasks(b, DispatcherOptions[struct{}, struct{}]{Endpoints: []string{endpoint}}, workers, 2)
			})
		}
	}
}

// BenchmarkDurableTasks has many producers, whose tasks go to disk together.
func BenchmarkDurableTasks(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store")
	benchmarkTasks(b, DispatcherOptions[struct{}, struct{}]{Endpoints: []string{"inproc://benchmark"}, Path: path}, 2, 512)
}

func benchmarkTasks(b *testing.B, opts DispatcherOptions[struct{}, struct{}], workers, producers int) {
	d, err := NewDispatcher(&opts)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for range workers {
		w, err := NewWorker(&WorkerOptions[struct{}, struct{}]{Dispatchers: []string{d.Endpoint()}, Concurrency: 1},
			func(context.Context, Task[struct{}]) (struct{}, error) { return struct{}{}, nil })
		if err != nil {
			b.Fatal(err)
		}
		defer w.Close()
	}
	task := &TaskOptions{Durable: opts.Path != ""}
	var running sync.WaitGroup
	defer running.Wait()
	b.ResetTimer()
	b.ReportAllocs()
	for p := range producers {
		running.Go(func() {
			for range b.N/producers + min(1, max(0, b.N%producers-p)) {
				if _, err := d.Submit(context.Background(), struct{}{}, task); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	count := 0
	for _, err := range d.Results(context.Background()) {
		if err != nil {
			b.Fatal(err)
		}
		if count++; count == b.N {
			break
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
