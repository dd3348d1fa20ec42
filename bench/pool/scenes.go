// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/beside"
	"github.com/zwire-mq/zwire/bench/internal/profile"
)

// keys of a sample
const (
	keyRate        = "tasks_per_s"
	keyTasks       = "tasks"
	keySkewWorked  = "by_share_of_worked"
	keySkewNominal = "by_share_of_nominal"
	keySkewTime    = "seconds"
)

// A scene is measured with a pool of its own.
type scene struct {
	name    string
	terms   terms
	workers int
	rounds  int
	play    func(ctx context.Context, s *stage, p plan) (beside.Sample, error)
}

// places and stores of the names of scenes
const (
	oneProcess, overTCP = "process", "tcp"
	inMemory, durable   = "memory", "durable"
	fewProducers        = "few"
	skewScene           = "skew"
)

func rateScene(place, store string, number int) string {
	return fmt.Sprintf("%s/%s/%d", place, store, number)
}

func (p plan) scenes() []scene {
	var all []scene
	for _, place := range []string{oneProcess, overTCP} {
		for _, store := range []string{inMemory, durable} {
			for _, workers := range p.Workers {
				terms := terms{durable: store == durable, remote: place == overTCP, producers: p.Producers}
				all = append(all, scene{rateScene(place, store, workers), terms, workers, p.Rounds, rate})
			}
		}
	}
	for _, producers := range p.Few {
		all = append(all, scene{rateScene(fewProducers, durable, producers), terms{durable: true, producers: producers}, p.FewWorkers, p.Rounds, rate})
	}
	return append(all, scene{skewScene, terms{remote: true, producers: p.Producers}, p.SkewWorkers, p.SkewRounds, skew})
}

// A stage is one pool with its workers.
type stage struct {
	pool      pool
	crew      crew
	producers int
	results   int64 // so far
	worked    int64 // by the workers so far, in ns
}

// hold measures once. Profiles, of zwire alone, go into a folder, unless its name is empty.
func (sc scene) hold(ctx context.Context, c contender, p plan, profiles string) (found beside.Sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, sceneLimit)
	defer cancel()
	folder, err := os.MkdirTemp("", "bench-pool")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := func(who string) string {
		if profiles == "" || c.name() != (ours{}).name() {
			return ""
		}
		return filepath.Join(profiles, strings.ReplaceAll(sc.name, "/", "-")+"-"+who+".pprof")
	}
	s := stage{producers: sc.terms.producers}
	if s.pool, err = c.open(ctx, folder, sc.terms); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.pool.close()) }()
	if sc.terms.remote {
		s.crew, err = startRemote(ctx, c, s.pool.endpoint(), sc.workers, path("workers"))
	} else {
		s.crew, err = startLocal(c, s.pool.endpoint(), sc.workers)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.crew.end()) }()
	var written profile.Profile
	if err := written.Turn(path("pool")); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, written.Stop()) }()
	return sc.play(ctx, &s, p)
}

// run has all producers submit what next gives them, and waits until everything is done. It tells how many tasks that were.
func (s *stage) run(ctx context.Context, next func() (payload []byte, more bool)) (int64, time.Duration, error) {
	began := time.Now()
	var accepted atomic.Int64
	failures := make([]error, s.producers)
	var producing sync.WaitGroup
	for i := range s.producers {
		producing.Go(func() {
			for {
				payload, more := next()
				if !more {
					return
				}
				if failures[i] = s.pool.submit(ctx, payload); failures[i] != nil {
					return
				}
				accepted.Add(1)
			}
		})
	}
	producing.Wait()
	if err := errors.Join(failures...); err != nil {
		return 0, 0, err
	}
	s.results += accepted.Load()
	var err error
	if s.worked, err = s.crew.await(ctx, s.results); err != nil {
		return 0, 0, err
	}
	if err := s.pool.await(ctx, s.results); err != nil {
		return 0, 0, err
	}
	return accepted.Load(), time.Since(began), nil
}

// rate finds in a short run how many tasks take as long as they should, and then measures with them. So nobody's queue grows for
// longer, however much faster it takes tasks than it has them done.
func rate(ctx context.Context, s *stage, p plan) (beside.Sample, error) {
	empty := payloadOf(0)
	var over atomic.Bool
	timer := time.AfterFunc(p.Short, func() { over.Store(true) })
	defer timer.Stop()
	tried, took, err := s.run(ctx, func() ([]byte, bool) { return empty, !over.Load() })
	if err != nil {
		return nil, err
	}
	goal := max(1, int64(float64(tried)*float64(p.Measure)/float64(took)))
	var given atomic.Int64
	tasks, took, err := s.run(ctx, func() ([]byte, bool) { return empty, given.Add(1) <= goal })
	if err != nil {
		return nil, err
	}
	return beside.Sample{keyRate: float64(tasks) / took.Seconds(), keyTasks: float64(tasks)}, nil
}

// skew has few long tasks among many short ones, in the same random order for all.
func skew(ctx context.Context, s *stage, p plan) (beside.Sample, error) {
	waits := skewed(p)
	var nominal time.Duration
	for _, wait := range waits {
		nominal += wait
	}
	var given atomic.Int64
	_, took, err := s.run(ctx, func() ([]byte, bool) {
		i := int(given.Add(1)) - 1
		if i >= len(waits) {
			return nil, false
		}
		return payloadOf(waits[i]), true
	})
	if err != nil {
		return nil, err
	}
	share := func(total time.Duration) float64 { return float64(took) / (float64(total) / float64(p.SkewWorkers)) }
	return beside.Sample{
		keyTasks: float64(len(waits)), keySkewTime: took.Seconds(),
		keySkewWorked: share(time.Duration(s.worked)), keySkewNominal: share(nominal),
	}, nil
}

// skewed tells how long each task waits.
func skewed(p plan) []time.Duration {
	long := p.SkewWorkers * p.SkewLong
	waits := make([]time.Duration, long*longEvery)
	for i := range waits {
		waits[i] = p.SkewWait
		if i < long {
			waits[i] *= longTimes
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(waits), func(i, j int) { waits[i], waits[j] = waits[j], waits[i] })
	return waits
}
