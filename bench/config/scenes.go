// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

// keys of a sample
const (
	keyLastP50, keyLastP99       = "ack_to_last_p50_s", "ack_to_last_p99_s"
	keyWholeP50, keyWholeP99     = "call_to_last_p50_s", "call_to_last_p99_s"
	keyAckP50                    = "call_to_ack_p50_s"
	keyChangesPerS, keyDeliverPS = "changes_per_s", "deliveries_per_s"
	keySeenPerS, keyRevisionsPS  = "seen_per_s", "revisions_seen_per_s"
	keyServerCPU, keyNodesCPU    = "server_cpu_s_per_delivery", "nodes_cpu_s_per_delivery"
	keyDrain                     = "drain_s"
	keyOneServer, keyOneNodes    = "one_server_cpu_s_per_delivery", "one_nodes_cpu_s_per_delivery"
	keyCrowdJoin, keyJoin        = "crowd_join_s", "join_s"
	keyNodeBytes, keyServerBytes = "node_bytes", "server_bytes_per_node"
	keyIdleServer, keyIdleNodes  = "idle_server_cpu", "idle_nodes_cpu"
	keyJoinedBytes               = "joined_node_bytes"
)

func keyAlone(writers int) string { return fmt.Sprintf("alone_%d_changes_per_s", writers) }

// A sample is what one scene has measured.
type sample map[string]float64

// A scene is measured with a server of its own.
type scene struct {
	name string
	crew int // processes of nodes
	play func(ctx context.Context, s *stage, p plan, found sample) error
}

func scenes() []scene {
	return []scene{{"crowd", processes, crowd}, {"joining", processes, joining}, {"writers", 0, alone}}
}

func (s scene) hold(ctx context.Context, c contender, p plan, profiles string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, sceneLimit)
	defer cancel()
	stage, err := setUp(ctx, c, s.crew, profiles)
	if err != nil {
		return nil, err
	}
	found := sample{}
	err = s.play(ctx, stage, p, found)
	return found, errors.Join(err, stage.tearDown())
}

// crowd has all nodes: what they cost at rest, single changes, and changes as fast as they are acknowledged.
func crowd(ctx context.Context, s *stage, p plan, found sample) error {
	if err := s.fill(ctx, p.Keys); err != nil {
		return err
	}
	if err := s.gather(p, found); err != nil {
		return err
	}
	if err := s.idle(p, found); err != nil {
		return err
	}
	if err := s.profile("changes"); err != nil {
		return err
	}
	if err := s.changes(ctx, p, found); err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	if err := s.engage(ctx, p.Writers); err != nil {
		return err
	}
	if err := s.profile("sustained"); err != nil {
		return err
	}
	if err := s.sustained(ctx, p, found); err != nil {
		return fmt.Errorf("sustained: %w", err)
	}
	return s.profile("")
}

// gather has the nodes join, and measures memory before and after.
func (s *stage) gather(p plan, found sample) error {
	crewBefore, serverBefore, err := s.memory()
	if err != nil {
		return err
	}
	began := s.clock.now()
	at, err := s.join(p.Nodes, joiningAtOnce)
	if err != nil {
		return err
	}
	found[keyCrowdJoin] = seconds(at - began)
	if _, err := s.all(order{Do: orderWatch}, nil); err != nil {
		return err
	}
	time.Sleep(p.Rest)
	crewAfter, serverAfter, err := s.memory()
	if err != nil {
		return err
	}
	found[keyNodeBytes] = (crewAfter - crewBefore) / float64(p.Nodes)
	found[keyServerBytes] = (serverAfter - serverBefore) / float64(p.Nodes)
	_, err = s.all(order{Do: orderKeys, Keys: p.Keys}, nil)
	return err
}

// idle measures what nodes cost that nothing happens to.
func (s *stage) idle(p plan, found sample) error {
	before, err := s.usage()
	if err != nil {
		return err
	}
	began := s.clock.now()
	time.Sleep(p.Rest)
	after, err := s.usage()
	used, length := after.since(before), seconds(s.clock.now()-began)
	found[keyIdleServer], found[keyIdleNodes] = used.server.Seconds()/length, used.crew.Seconds()/length
	return err
}

// A change is one that was acknowledged.
type change struct {
	revision      uint64
	called, acked int64
}

// changes makes one change at a time. The gaps are random, but the same for all.
func (s *stage) changes(ctx context.Context, p plan, found sample) error {
	if _, err := s.all(order{Do: orderForget, Stamping: true}, nil); err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	var made []change
	for i := range p.Changes {
		time.Sleep(p.GapMin + time.Duration(random.Int64N(int64(p.GapMax-p.GapMin))))
		c := change{called: s.clock.now()}
		if c.revision, err = s.writers[0].set(ctx, keyOf(i%p.Keys), valueOf(i)); err != nil {
			return err
		}
		c.acked = s.clock.now()
		made = append(made, c)
	}
	from, to := made[0].revision, made[len(made)-1].revision
	if _, err := s.await(to); err != nil {
		return err
	}
	answers, err := s.all(order{Do: orderTimes, From: from, Revision: to}, nil)
	if err != nil {
		return err
	}
	found.single(made, answers)
	after, err := s.usage()
	used := after.since(before)
	found[keyOneServer] = used.server.Seconds() / float64(p.Changes*p.Nodes)
	found[keyOneNodes] = used.crew.Seconds() / float64(p.Changes*p.Nodes)
	return err
}

// single takes the time of the last node of all processes for each change.
func (found sample) single(made []change, answers []answer) {
	var fromAck, fromCall, toAck []time.Duration
	for _, c := range made {
		var last int64
		for _, a := range answers {
			last = max(last, a.Times[c.revision-made[0].revision])
		}
		fromAck = append(fromAck, time.Duration(last-c.acked))
		fromCall = append(fromCall, time.Duration(last-c.called))
		toAck = append(toAck, time.Duration(c.acked-c.called))
	}
	slices.Sort(fromAck)
	slices.Sort(fromCall)
	slices.Sort(toAck)
	found[keyLastP50] = figures.Percentile(fromAck, 500).Seconds()
	found[keyLastP99] = figures.Percentile(fromAck, 990).Seconds()
	found[keyWholeP50] = figures.Percentile(fromCall, 500).Seconds()
	found[keyWholeP99] = figures.Percentile(fromCall, 990).Seconds()
	found[keyAckP50] = figures.Percentile(toAck, 500).Seconds()
}

// sustained has all writers change as fast as they can. Deliveries are changes that nodes have applied, and count until the
// last node has the last change.
func (s *stage) sustained(ctx context.Context, p plan, found sample) error {
	if _, err := s.all(order{Do: orderForget}, nil); err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	began := s.clock.now()
	made, last, err := s.write(ctx, p.Sustained)
	if err != nil {
		return err
	}
	ended := s.clock.now()
	at, err := s.await(last)
	if err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	answers, err := s.all(order{Do: orderCounts}, nil)
	if err != nil {
		return err
	}
	var seen counts
	for _, a := range answers {
		seen.Changes += a.Changes
		seen.Revisions += a.Revisions
	}
	deliveries, used := float64(made)*float64(p.Nodes), after.since(before)
	found[keyChangesPerS] = float64(made) / seconds(ended-began)
	found[keyDeliverPS] = deliveries / seconds(at-began)
	found[keySeenPerS] = float64(seen.Changes) / seconds(at-began)
	found[keyRevisionsPS] = float64(seen.Revisions) / seconds(at-began)
	found[keyDrain] = seconds(at - ended)
	found[keyServerCPU] = used.server.Seconds() / deliveries
	found[keyNodesCPU] = used.crew.Seconds() / deliveries
	return nil
}

// write has all writers change keys of their own for a while, and tells how many changes were acknowledged, and the last.
func (s *stage) write(ctx context.Context, length time.Duration) (made int, last uint64, err error) {
	var mu sync.Mutex
	var failures []error
	var writing sync.WaitGroup
	end := time.Now().Add(length)
	for i, w := range s.writers {
		writing.Go(func() {
			count, highest, err := writeOn(ctx, w, i*keysPerWriter, end)
			mu.Lock()
			defer mu.Unlock()
			made += count
			last = max(last, highest)
			failures = append(failures, err)
		})
	}
	writing.Wait()
	return made, last, errors.Join(failures...)
}

func writeOn(ctx context.Context, w writer, firstKey int, end time.Time) (made int, last uint64, err error) {
	for time.Now().Before(end) {
		if last, err = w.set(ctx, keyOf(firstKey+made%keysPerWriter), valueOf(made)); err != nil {
			return made, last, err
		}
		made++
	}
	return made, last, nil
}

// joining has nodes join at once where there are many keys.
func joining(ctx context.Context, s *stage, p plan, found sample) error {
	if err := s.fill(ctx, p.JoinKeys); err != nil {
		return err
	}
	before, _, err := s.memory()
	if err != nil {
		return err
	}
	if err := s.profile("joining"); err != nil {
		return err
	}
	began := s.clock.now()
	at, err := s.join(p.JoinNodes, p.JoinNodes)
	if err != nil {
		return err
	}
	found[keyJoin] = seconds(at - began)
	if err := s.profile(""); err != nil {
		return err
	}
	if _, err := s.all(order{Do: orderKeys, Keys: p.JoinKeys}, nil); err != nil {
		return err
	}
	after, _, err := s.memory()
	found[keyJoinedBytes] = (after - before) / float64(p.JoinNodes)
	return err
}

// alone has writers and no nodes.
func alone(ctx context.Context, s *stage, p plan, found sample) error {
	for _, writers := range p.AloneWriters {
		if err := s.engage(ctx, writers); err != nil {
			return err
		}
		if err := s.profile(fmt.Sprintf("alone-%d", writers)); err != nil {
			return err
		}
		began := s.clock.now()
		made, _, err := s.write(ctx, p.Alone)
		if err != nil {
			return fmt.Errorf("%d writers: %w", writers, err)
		}
		found[keyAlone(writers)] = float64(made) / seconds(s.clock.now()-began)
	}
	return s.profile("")
}

// valueOf differs from change to change, for setting what is there already might be cheaper.
func valueOf(number int) []byte { return fmt.Appendf(nil, "%0*d", valueBytes, number) }

func seconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e9 }
