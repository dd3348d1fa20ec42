// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// villain is a worker that does what it likes with what it gets.
type villain struct {
	id     string
	leases []uint64 // that it has ever got, or made up
}

// message is anything.
func (v *villain) message(random *rand.Rand) wire.Message {
	credit := uint32(random.IntN(4))
	if random.IntN(4) == 0 {
		credit = ^uint32(0)
	}
	some := func() (leases []uint64) {
		for range random.IntN(6) {
			if len(v.leases) == 0 || random.IntN(4) == 0 {
				leases = append(leases, random.Uint64()>>random.IntN(64))
			} else {
				leases = append(leases, v.leases[random.IntN(len(v.leases))])
			}
		}
		return leases
	}
	switch random.IntN(300) {
	case 0:
		return &wire.Bye{}
	case 1, 2, 3:
		return &wire.Hello{Version: uint16(random.IntN(3)), Credit: credit, Name: v.id}
	case 4:
		return &wire.Tasks{Items: []wire.Task{{Lease: 1}}} // which only dispatchers say
	case 5:
		return &wire.Cancel{Leases: some()}
	case 6:
		return &wire.Beat{Credit: credit, Leases: some()}
	}
	if random.IntN(4) > 0 {
		return &wire.Beat{Credit: credit, Leases: v.leases}
	}
	results := &wire.Results{Credit: credit}
	for _, lease := range some() {
		results.Items = append(results.Items, wire.Result{Lease: lease, Outcome: wire.Outcome(1 + random.IntN(4)), Value: []byte(v.id)})
		if random.IntN(10) == 0 {
			results.Items[len(results.Items)-1].Value = make([]byte, 101) // too large a result
		}
	}
	return results
}

// TestHostileWorkers: workers that claim any credit, answer what others have, again, or never, and leave without a word: no task is
// lost, the sink sees each once, of a worker that it was given to, and the honest worker never holds more than its credit.
func TestHostileWorkers(t *testing.T) {
	for seed := range 20 * soakFactor(t) {
		random := rand.New(rand.NewPCG(uint64(seed), 3))
		now := time.Unix(1000, 0)
		m := dispatcher.New(dispatcher.Config{
			Life: random.Uint64(), Interval: simInterval, QueueTasks: 50, QueueBytes: 1 << 20, DeadLetters: 1000, ResultBytes: 100, Attempts: 3,
			Timeout: 50 * time.Millisecond, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond,
		}, nil, now)
		villains := map[string]*villain{}
		for i := range 3 {
			id := fmt.Sprint("villain ", i)
			villains[id] = &villain{id: id}
		}
		accepted, seen, given := map[uint64]bool{}, map[uint64]bool{}, map[string]bool{} // given: task and worker
		var held []uint64                                                                // by the honest one
		const credit = 3
		for step := range 1500 {
			now = now.Add(simStep)
			if id, _, err := m.Submit(&dispatcher.Task{}, now); err == nil && step < 1000 {
				accepted[id] = true
			} else if err == nil {
				m.Cancel(id, now)
			}
			if step < 1000 { // then they are silent
				for _, v := range villains {
					m.Received(v.id, v.message(random), now)
				}
			}
			if step%15 == 0 {
				m.Received("honest", &wire.Hello{Version: wire.Version, Credit: credit, Name: "honest"}, now)
				m.Received("honest", &wire.Beat{Credit: credit, Leases: held}, now)
			}
			results := &wire.Results{Credit: credit}
			for _, lease := range held {
				results.Items = append(results.Items, wire.Result{Lease: lease, Outcome: wire.Done, Value: []byte("honest")})
			}
			held = nil
			m.Received("honest", results, now)
			m.Tick(now)
			for _, send := range m.Take(now).Send {
				tasks, are := send.Message.(*wire.Tasks)
				if !are {
					continue
				}
				for _, task := range tasks.Items {
					given[fmt.Sprint(task.ID, send.To)] = true
					for _, v := range villains { // they guess those of others
						v.leases = append(v.leases[max(0, len(v.leases)-150):], task.Lease)
					}
					if villains[send.To] != nil {
						continue
					}
					if held = append(held, task.Lease); len(held) > credit {
						t.Fatalf("seed %d: the honest worker has %d", seed, len(held))
					}
				}
			}
			for _, r := range m.Results(make([]dispatcher.Result, 0, 100)) {
				if seen[r.ID] || !given[fmt.Sprint(r.ID, string(r.Value))] {
					t.Fatalf("seed %d: the sink sees %d, of %s, seen before: %v", seed, r.ID, r.Value, seen[r.ID])
				}
				seen[r.ID] = true
				m.Acked(r.ID, now)
			}
		}
		for _, letter := range m.DeadLetters() {
			seen[letter.ID] = true
		}
		for id := range accepted {
			if !seen[id] {
				t.Fatalf("seed %d: task %d is lost; %+v", seed, id, m.Stats(now))
			}
		}
		if s := m.Stats(now); m.Active() != 0 || s.QueueBytes != 0 || s.Late == 0 || s.Leased != 0 || len(s.Workers) != 1 || len(accepted) < 100 {
			t.Fatalf("seed %d: %d tasks, left over: %+v", seed, len(accepted), s)
		}
	}
}

// raw is a peer that speaks for itself.
func raw(t *testing.T, endpoint string) *socket.Dealer {
	t.Helper()
	dealer, err := socket.NewDealer(&socket.Options{Immediate: true, Linger: socket.LingerNone})
	if err == nil {
		err = dealer.Connect(endpoint)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dealer.Close() })
	return dealer
}

// TestHostilePeers: over real streams, one peer says what is no message, one takes as much as it gets and never reads it, one asks
// without end and never reads the answers: the pool goes on, and an operator is answered.
func TestHostilePeers(t *testing.T) {
	d := mustDispatch(t, numbers{
		Endpoints: []string{"tcp://127.0.0.1:*"}, Interval: 100 * time.Millisecond, Timeout: 50 * time.Millisecond, Attempts: 100,
		BackoffMax: time.Millisecond,
	})
	babbler, glutton, asker := raw(t, d.Endpoint()), raw(t, d.Endpoint()), raw(t, d.Endpoint())
	random := rand.New(rand.NewPCG(4, 4))
	say := func(dealer *socket.Dealer, frames ...[]byte) {
		t.Helper()
		if err := dealer.Send(patient(t), socket.NewMessage(frames...)); err != nil {
			t.Fatal(err)
		}
	}
	say(glutton, wire.Encode(&wire.Hello{Version: wire.Version, Credit: ^uint32(0), Name: "glutton"}))
	sockettest.Until(t, "the glutton", func() bool { return len(d.Stats().Workers) == 1 })
	submitted := submit(t, d, 500, nil)
	for range 2000 {
		noise := make([]byte, random.IntN(40))
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		if len(noise) > 0 && random.IntN(2) == 0 {
			noise[0] = 1 + byte(random.IntN(8)) // kinds that there are
			if noise[0] == 7 {
				noise = noise[:1] // but for what is done about dead letters
			}
		}
		frames := [][]byte{noise}
		if random.IntN(4) == 0 {
			frames = append(frames, noise)
		}
		say(babbler, frames...)
		say(asker, wire.Encode(&wire.Status{}))
		say(asker, wire.Encode(&wire.List{}))
	}
	mustWork(t, hands{Dispatchers: []string{d.Endpoint()}}, double)
	found := collect(t, d, 500)
	ids := make([]ID, len(found))
	for i, r := range found {
		ids[i] = r.ID
	}
	slices.Sort(ids)
	if !slices.Equal(ids, submitted) {
		t.Errorf("%d results of %d tasks", len(slices.Compact(ids)), len(submitted))
	}
	o := &Operator{Dispatcher: d.Endpoint()}
	sockettest.Until(t, "an answer", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := o.Stats(ctx)
		return err == nil && s.Sunk == 500
	})
}

// TestHostileDispatcher: an operator that is told nonsense says so.
func TestHostileDispatcher(t *testing.T) {
	router, err := socket.NewRouter(&socket.Options{Linger: socket.LingerNone})
	if err == nil {
		err = router.Bind("inproc://" + t.Name())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer router.Close()
	letter := wire.Letter{ID: 7}
	answers := [][]byte{
		{}, {255}, binary.BigEndian.AppendUint32([]byte{38, 0, 0, 0, 0}, 1<<31),
		wire.Encode(&wire.Letters{Left: 5, Items: []wire.Letter{letter, letter}}), wire.Encode(&wire.Settled{}),
	}
	go func() {
		for _, answer := range answers {
			question, err := router.Recv(t.Context())
			if err != nil {
				return
			}
			_ = router.Send(t.Context(), socket.NewMessage(question.Frame(0), wire.Encode(&wire.Alive{}))) // which is not for it
			_ = router.Send(t.Context(), socket.NewMessage(question.Frame(0), answer))
		}
	}()
	o := &Operator{Dispatcher: "inproc://" + t.Name()}
	for i := range answers {
		var err error
		if i < len(answers)-1 {
			for _, err = range o.DeadLetters(patient(t), 0) {
			}
		} else {
			_, err = o.Rerun(patient(t), 7)
		}
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answer %d: %v", i, err)
		}
	}
}

// TestAfterRestart: delays, priorities and deadlines of durable tasks are those that they were accepted with.
func TestAfterRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	d := mustDispatch(t, numbers{Path: path})
	later := time.Now().Add(300 * time.Millisecond)
	for value, opts := range []TaskOptions{{NotBefore: later}, {Priority: -1}, {}, {Priority: 5}, {}, {Deadline: time.Now().Add(time.Millisecond)}} {
		opts.Durable = true
		if _, err := d.Submit(t.Context(), value, &opts); err != nil {
			t.Fatal(err)
		}
	}
	awaitDead(t, d, 1)
	if _, err := d.Submit(t.Context(), 6, &TaskOptions{Durable: true, Deadline: later}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = mustDispatch(t, numbers{Path: path})
	awaitDead(t, d, 2) // the deadline of the last passes now, or passed before
	mustWork(t, hands{Concurrency: 1, Ahead: AheadNone}, func(_ context.Context, task Task[int]) (int, error) {
		if task.Value == 0 && time.Now().Before(later) {
			t.Error("too early")
		}
		return task.Value, nil
	})
	found := slices.DeleteFunc(values(collect(t, d, 5)), func(value int) bool { return value == 0 }) // whose time may have come before
	if !slices.Equal(found, []int{3, 2, 4, 1}) {
		t.Errorf("%v", found)
	}
}
