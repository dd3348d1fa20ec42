// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// A contender is one way to have workers do tasks.
type contender interface {
	name() string
	// open starts what holds the tasks, with its data in folder.
	open(ctx context.Context, folder string, terms terms) (pool, error)
	// work starts workers that call do with the payload of each task. It returns what ends them.
	work(endpoint string, workers int, do func(payload []byte)) (end func() error, err error)
}

// terms are what tasks are given under.
type terms struct {
	durable   bool // a task is on disk when it has been submitted
	remote    bool // the workers are in another process
	producers int
}

// A pool holds tasks until workers have done them.
type pool interface {
	endpoint() string
	// submit is called from many goroutines, and returns when the task is accepted.
	submit(ctx context.Context, payload []byte) error
	// await returns when the sink has so many results. Where there is no sink, it returns at once.
	await(ctx context.Context, results int64) error
	close() error
}

func contenderOf(name string) (contender, error) {
	for _, c := range []contender{ours{}, redisQueue{}} {
		if c.name() == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no contender is called %q", name)
}

// payloadOf makes a task, which is to wait for so long.
func payloadOf(wait time.Duration) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(wait))
}

// perform does a task.
func (t *tally) perform(payload []byte) {
	if wait := time.Duration(binary.BigEndian.Uint64(payload)); wait > 0 {
		began := time.Now()
		time.Sleep(wait)
		t.worked.Add(int64(time.Since(began)))
	}
	t.add()
}
