// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// ventilator reads the files and pushes each to one worker.
type ventilator struct {
	settings settings
	files    []file
	tasks    *socket.Push
	results  *socket.Push // what cannot be read is a result at once
	control  *socket.Sub

	mu      sync.Mutex
	ledger  *ledger       // under mu
	changed chan struct{} // the ledger has news for a sender that waits
	sent    int           // messages on the tasks link
}

// playVentilator says hello, lists the tree, sends it on the start signal and
// repeats what stays open until the stop signal.
func playVentilator(ctx context.Context, p part) error {
	registration, answer, err := register(ctx, p, note{})
	if err != nil {
		return err
	}
	defer registration.Close()
	v := &ventilator{settings: answer, changed: make(chan struct{}, 1)}
	if err := v.open(); err != nil {
		return err
	}
	defer v.close()
	var skipped int
	if v.files, skipped, err = listFiles(answer.Root); err != nil {
		return err
	}
	v.ledger = newLedger(len(v.files))
	n := note{Name: p.name, Files: len(v.files), Skipped: skipped}
	if _, err := ask(ctx, registration, verbListed, n); err != nil {
		return err
	}
	if err := v.work(ctx); err != nil {
		return err
	}
	n = note{Name: p.name, Tasks: v.sent, Again: v.ledger.repeats}
	_, err = ask(ctx, registration, verbSent, n)
	return err
}

// open makes the sockets. The short queue keeps a slow worker from hoarding
// tasks; at the end nothing lingers, because what is still queued then is a
// repetition.
func (v *ventilator) open() error {
	var err error
	if v.tasks, err = socket.NewPush(&socket.Options{SendHWM: v.settings.Queue, Linger: socket.LingerNone}); err != nil {
		return err
	}
	if v.results, err = socket.NewPush(nil); err != nil {
		return err
	}
	if v.control, err = joinControl(v.settings.Control, topicStop, topicDone, topicGone, topicStart); err != nil {
		return err
	}
	return errors.Join(v.tasks.Bind(v.settings.Tasks), v.results.Connect(v.settings.Results))
}

func (v *ventilator) close() {
	v.tasks.Close()
	v.results.Close()
	v.control.Close()
}

// work waits for the start signal and all workers, then sends until the stop
// signal.
func (v *ventilator) work(ctx context.Context) error {
	workers, _, err := awaitStart(ctx, v.control)
	if err != nil {
		return err
	}
	if err := v.tasks.WaitPeers(ctx, workers); err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		stop(v.follow(working))
	}()
	err = v.sendAll(working)
	stop(err)
	<-followed
	if cause := context.Cause(working); !errors.Is(cause, errStop) {
		return cause
	}
	return nil
}

// sendAll sends what the ledger says until ctx ends.
func (v *ventilator) sendAll(ctx context.Context) error {
	for {
		v.mu.Lock()
		id, wait, ok := v.ledger.next(time.Now())
		v.mu.Unlock()
		if ok {
			if err := v.send(ctx, id); err != nil {
				return err
			}
			continue
		}
		var later <-chan time.Time // nil, so never, when all is done
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-v.changed:
		case <-later:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send hands one file to one worker: id, path and, unless it is large, the
// content. What cannot be read goes to the sink instead.
func (v *ventilator) send(ctx context.Context, id int) error {
	f := v.files[id]
	var content []byte
	var large bool
	err := f.err
	if err == nil {
		content, large, err = readFile(v.settings.Root, f.path)
	}
	if err != nil {
		o := outcome{ID: id, Worker: roleVentilator, Path: []byte(f.path), Error: err.Error()}
		return v.results.Send(ctx, o.message())
	}
	frames := [][]byte{strconv.AppendInt(nil, int64(id), 10), []byte(f.path)}
	if !large {
		frames = append(frames, content)
	}
	v.sent++
	// Owned: the content travels by reference instead of being copied.
	return v.tasks.SendOwned(ctx, socket.NewMessage(frames...))
}

// follow keeps the ledger up to date with the control sockets until it gets
// the stop signal.
func (v *ventilator) follow(ctx context.Context) error {
	for msg, err := range v.control.Messages(ctx) {
		if err != nil {
			return err
		}
		switch string(msg.Frame(0)) {
		case topicStop:
			return errStop
		case topicGone:
			v.update((*ledger).workerGone)
		case topicDone:
			ids := strings.Fields(string(msg.Frame(1)))
			v.update(func(l *ledger) {
				for _, text := range ids {
					if id, err := strconv.Atoi(text); err == nil {
						l.finish(id)
					}
				}
			})
		}
	}
	return errors.New("control socket closed")
}

func (v *ventilator) update(change func(*ledger)) {
	v.mu.Lock()
	change(v.ledger)
	v.mu.Unlock()
	select {
	case v.changed <- struct{}{}:
	default:
	}
}
