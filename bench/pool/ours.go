// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/zwire-mq/zwire/patterns/workpool"
)

// ours is zwire's patterns/workpool. Each worker is a Worker with a connection of its own, which does one task at a time.
type ours struct{}

func (ours) name() string { return "zwire" }

type ourPool struct {
	dispatcher *workpool.Dispatcher[[]byte, []byte]
	options    workpool.TaskOptions
	results    *tally

	mu     sync.Mutex
	failed error // of a result
}

func (ours) open(_ context.Context, folder string, terms terms) (pool, error) {
	p := &ourPool{options: workpool.TaskOptions{Durable: terms.durable}, results: newTally()}
	options := workpool.DispatcherOptions[[]byte, []byte]{
		Endpoints: []string{"inproc://bench-pool"}, TaskCodec: workpool.Bytes{}, ResultCodec: workpool.Bytes{}, OnResult: p.sink,
	}
	if terms.remote {
		options.Endpoints = []string{"tcp://127.0.0.1:*"}
	}
	if terms.durable {
		options.Path = filepath.Join(folder, "store")
	}
	var err error
	p.dispatcher, err = workpool.NewDispatcher(&options)
	return p, err
}

func (p *ourPool) sink(result workpool.Result[[]byte]) {
	if result.Err != nil {
		p.mu.Lock()
		p.failed = result.Err
		p.mu.Unlock()
	}
	p.results.add()
}

func (p *ourPool) endpoint() string { return p.dispatcher.Endpoint() }

func (p *ourPool) submit(ctx context.Context, payload []byte) error {
	_, err := p.dispatcher.Submit(ctx, payload, &p.options)
	return err
}

func (p *ourPool) await(ctx context.Context, results int64) error {
	err := p.results.await(ctx, results)
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(err, p.failed)
}

func (p *ourPool) close() error { return errors.Join(p.dispatcher.Err(), p.dispatcher.Close()) }

func (ours) work(endpoint string, workers int, do func(payload []byte)) (end func() error, err error) {
	var started []*workpool.Worker
	end = func() error {
		failures := make([]error, len(started))
		var ending sync.WaitGroup
		for i, w := range started {
			ending.Go(func() { failures[i] = w.Close() })
		}
		ending.Wait()
		return errors.Join(failures...)
	}
	for i := range workers {
		options := workpool.WorkerOptions[[]byte, []byte]{
			Dispatchers: []string{endpoint}, Name: fmt.Sprintf("worker %d", i), Concurrency: 1,
			TaskCodec: workpool.Bytes{}, ResultCodec: workpool.Bytes{},
		}
		w, err := workpool.NewWorker(&options, func(_ context.Context, task workpool.Task[[]byte]) ([]byte, error) {
			do(task.Value)
			return nil, nil
		})
		if err != nil {
			return nil, errors.Join(err, end())
		}
		started = append(started, w)
	}
	return end, nil
}
