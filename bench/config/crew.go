// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A stage is one server, and the processes of its nodes, for one measurement.
type stage struct {
	contender contender
	folder    string
	profiles  string // folder; empty: none
	server    *server
	crew      []*process
	writers   []writer
	clock     clock
}

// setUp starts the server, and processes without nodes.
func setUp(ctx context.Context, c contender, crew int, profiles string) (*stage, error) {
	folder, err := os.MkdirTemp("", "bench-config")
	if err != nil {
		return nil, err
	}
	s := &stage{contender: c, folder: folder, profiles: profiles, clock: newClock()}
	if s.server, err = c.serve(ctx, folder); err != nil {
		return nil, errors.Join(err, s.tearDown())
	}
	self, err := os.Executable()
	if err != nil {
		return nil, errors.Join(err, s.tearDown())
	}
	for range crew {
		p, err := start(ctx, self, roleNodes, c.name(), s.server.endpoint)
		if err != nil {
			return nil, errors.Join(err, s.tearDown())
		}
		s.crew = append(s.crew, p)
	}
	return s, nil
}

// tearDown ends all processes and removes what they have written.
func (s *stage) tearDown() error {
	failures := []error{s.dismiss(0)}
	ends := make([]error, len(s.crew))
	var ending sync.WaitGroup
	for i, p := range s.crew {
		ending.Go(func() { ends[i] = p.End() })
	}
	ending.Wait()
	if s.server != nil {
		failures = append(failures, s.server.finish())
	}
	return errors.Join(append(append(failures, ends...), os.RemoveAll(s.folder))...)
}

// all gives an order to all processes at once, or what vary makes of it for each.
func (s *stage) all(o order, vary func(i int, o *order)) ([]answer, error) {
	answers, failures := make([]answer, len(s.crew)), make([]error, len(s.crew))
	var asking sync.WaitGroup
	for i, p := range s.crew {
		own := o
		if vary != nil {
			vary(i, &own)
		}
		asking.Go(func() { answers[i], failures[i] = p.ask(own) })
	}
	asking.Wait()
	return answers, errors.Join(failures...)
}

// join shares the nodes among the processes, and tells when the last had all keys.
func (s *stage) join(count, atOnce int) (int64, error) {
	answers, err := s.all(order{Do: orderJoin, AtOnce: atOnce}, func(i int, o *order) {
		o.First = i * count / len(s.crew)
		o.Nodes = (i+1)*count/len(s.crew) - o.First
	})
	return latest(answers), err
}

// await tells when the last node had applied the revision.
func (s *stage) await(revision uint64) (int64, error) {
	answers, err := s.all(order{Do: orderAwait, Revision: revision}, nil)
	return latest(answers), err
}

func latest(answers []answer) int64 {
	var at int64
	for _, a := range answers {
		at = max(at, a.At)
	}
	return at
}

// memory is what the processes of nodes have resident together, and the server.
func (s *stage) memory() (crew, server float64, err error) {
	answers, err := s.all(order{Do: orderMemory}, nil)
	if err != nil {
		return 0, 0, err
	}
	for _, a := range answers {
		crew += float64(a.Resident)
	}
	own, err := residentOf(s.server.PID())
	return crew, float64(own), err
}

// usage is processor time so far.
type usage struct {
	server, crew, writers time.Duration
}

func (u usage) since(before usage) usage {
	return usage{u.server - before.server, u.crew - before.crew, u.writers - before.writers}
}

func (s *stage) usage() (usage, error) {
	var u usage
	var err error
	if u.server, err = cpuOf(s.server.PID()); err != nil {
		return u, err
	}
	for _, p := range s.crew {
		own, err := cpuOf(p.PID())
		if err != nil {
			return u, err
		}
		u.crew += own
	}
	u.writers, err = cpuOf(os.Getpid())
	return u, err
}

// engage dials further writers until there are so many.
func (s *stage) engage(ctx context.Context, count int) error {
	for len(s.writers) < count {
		w, err := s.contender.dial(ctx, s.server.endpoint, fmt.Sprintf("writer %d", len(s.writers)))
		if err != nil {
			return err
		}
		s.writers = append(s.writers, w)
	}
	return nil
}

// dismiss closes writers until so few are left.
func (s *stage) dismiss(left int) error {
	var failures []error
	for len(s.writers) > left {
		last := len(s.writers) - 1
		failures = append(failures, s.writers[last].close())
		s.writers = s.writers[:last]
	}
	return errors.Join(failures...)
}

// fill sets the first keys, all of them new.
func (s *stage) fill(ctx context.Context, count int) error {
	if err := s.engage(ctx, 1); err != nil {
		return err
	}
	value := make([]byte, valueBytes)
	for first := 0; first < count; first += fillKeys {
		var keys []string
		for number := first; number < min(first+fillKeys, count); number++ {
			keys = append(keys, keyOf(number))
		}
		if err := s.writers[0].fill(ctx, keys, value); err != nil {
			return err
		}
	}
	return nil
}

// profile begins profiles of our processes, or ends them if name is empty.
func (s *stage) profile(name string) error {
	if s.profiles == "" || s.contender.name() != (ours{}).name() {
		return nil
	}
	path := func(who string) string {
		if name == "" {
			return ""
		}
		return filepath.Join(s.profiles, name+"-"+who+".pprof")
	}
	failures := []error{s.server.Tell(path("authority"))}
	_, err := s.all(order{Do: orderProfile}, func(i int, o *order) { o.Path = path(fmt.Sprintf("nodes-%d", i)) })
	return errors.Join(append(failures, err)...)
}
