// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/zwire-mq/zwire/bench/internal/child"
	"github.com/zwire-mq/zwire/bench/internal/profile"
)

// A crew is the workers, in this process or in another one.
type crew interface {
	// await returns when they have called the function so often, with the time that this took them so far, in ns.
	await(ctx context.Context, calls int64) (worked int64, err error)
	end() error
}

type localCrew struct {
	calls  *tally
	ending func() error
}

func startLocal(c contender, endpoint string, workers int) (crew, error) {
	calls := newTally()
	end, err := c.work(endpoint, workers, calls.perform)
	return &localCrew{calls, end}, err
}

func (l *localCrew) await(ctx context.Context, calls int64) (int64, error) {
	err := l.calls.await(ctx, calls)
	return l.calls.worked.Load(), err
}

func (l *localCrew) end() error { return l.ending() }

// remoteCrew is this program again. It gets the number of calls to wait for on a line, and answers when there are as many.
type remoteCrew struct {
	*child.Process
}

type answer struct {
	Worked int64  `json:"worked_ns"`
	Error  string `json:"error,omitempty"`
}

// startRemote has the process write a profile into the file of that name, unless it is empty.
func startRemote(ctx context.Context, c contender, endpoint string, workers int, profilePath string) (crew, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := child.Start(ctx, self, roleWorkers, c.name(), endpoint, strconv.Itoa(workers), profilePath)
	if err != nil {
		return nil, err
	}
	return remoteCrew{p}, nil
}

func (r remoteCrew) await(_ context.Context, calls int64) (int64, error) {
	if err := r.Tell(strconv.FormatInt(calls, 10)); err != nil {
		return 0, err
	}
	line, err := r.ReadLine()
	if err != nil {
		return 0, err
	}
	var a answer
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		return 0, err
	}
	if a.Error != "" {
		return 0, errors.New(a.Error)
	}
	return a.Worked, nil
}

func (r remoteCrew) end() error { return r.End() }

// serveWorkers is the other process. It ends when its standard input does.
func serveWorkers(name, endpoint, count, profilePath string) error {
	c, err := contenderOf(name)
	if err != nil {
		return err
	}
	workers, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var written profile.Profile
	if err := written.Turn(profilePath); err != nil {
		return err
	}
	calls := newTally()
	end, err := c.work(endpoint, workers, calls.perform)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), sceneLimit)
	defer cancel()
	answers := json.NewEncoder(os.Stdout)
	var failed error
	for orders := bufio.NewScanner(os.Stdin); failed == nil && orders.Scan(); {
		goal, err := strconv.ParseInt(orders.Text(), 10, 64)
		if err != nil {
			failed = fmt.Errorf("an order: %w", err)
			break
		}
		var a answer
		if err := calls.await(ctx, goal); err != nil {
			a.Error = err.Error()
		}
		a.Worked = calls.worked.Load()
		failed = answers.Encode(a)
	}
	return errors.Join(failed, written.Stop(), end())
}
