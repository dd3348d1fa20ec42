// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// victimShare sets when the worker picked by -kill takes its last file: after
// this part of its fair share.
const victimShare = 4

// worker hashes what it pulls.
type worker struct {
	name     string
	settings settings
	tasks    *socket.Pull
	results  *socket.Push
	control  *socket.Sub
}

// playWorker registers, connects to its three links and works until the stop
// signal.
func playWorker(ctx context.Context, p part) error {
	registration, answer, err := register(ctx, p, note{Language: "Go"})
	if err != nil {
		return err
	}
	defer registration.Close()
	w := &worker{name: p.name, settings: answer}
	if err := w.open(); err != nil {
		return err
	}
	defer w.close()
	workers, files, err := awaitStart(ctx, w.control)
	if err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		if err := awaitStop(working, w.control); err != nil {
			stop(err)
		} else {
			stop(errStop)
		}
	}()
	last := 0 // never
	if answer.Victim {
		last = max(1, files/(workers*victimShare))
	}
	err = w.work(working, last, func(path []byte) error {
		_, err := ask(working, registration, verbHolding, note{Name: p.name, Path: path})
		return err
	})
	if errors.Is(context.Cause(working), errStop) {
		return nil
	}
	return err
}

// open connects. The short receive queue leaves tasks to quicker workers;
// results left when the job stops are repetitions, so nothing lingers.
func (w *worker) open() error {
	var err error
	if w.tasks, err = socket.NewPull(&socket.Options{RecvHWM: w.settings.Queue}); err != nil {
		return err
	}
	if w.results, err = socket.NewPush(&socket.Options{Linger: socket.LingerNone}); err != nil {
		return err
	}
	if w.control, err = joinControl(w.settings.Control[:1], topicStop, topicStart); err != nil {
		return err
	}
	return errors.Join(w.results.Connect(w.settings.Results), w.tasks.Connect(w.settings.Tasks))
}

func (w *worker) close() {
	w.tasks.Close()
	w.results.Close()
	w.control.Close()
}

// work answers every task. At the task of number last it keeps the file and
// says so: the coordinator then kills this process, and what it holds and
// has queued must be done by others.
func (w *worker) work(ctx context.Context, last int, holding func(path []byte) error) error {
	taken := 0
	for task, err := range w.tasks.Messages(ctx) {
		if err != nil {
			return err
		}
		o, err := w.do(task)
		if err != nil {
			fmt.Fprintf(os.Stderr, "quickstart %s: %v\n", w.name, err)
			continue
		}
		if taken++; taken == last {
			if err := holding(o.Path); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}
		if w.settings.SlowMS > 0 {
			select {
			case <-time.After(time.Duration(w.settings.SlowMS) * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := w.results.Send(ctx, o.message()); err != nil {
			return err
		}
	}
	return errors.New("tasks socket closed")
}

// do hashes one task: id, path, content; without content it reads the file.
func (w *worker) do(task socket.Message) (outcome, error) {
	if task.Len() != 2 && task.Len() != 3 {
		return outcome{}, fmt.Errorf("task of %d frames, want 2 or 3", task.Len())
	}
	id, err := strconv.Atoi(string(task.Frame(0)))
	if err != nil {
		return outcome{}, err
	}
	o := outcome{ID: id, Worker: w.name, Path: task.Frame(1)}
	if task.Len() == 3 {
		o.Hash, o.Size = hashContent(task.Frame(2)), int64(len(task.Frame(2)))
	} else if o.Hash, o.Size, err = hashFile(w.settings.Root, string(o.Path)); err != nil {
		o.Error = err.Error()
	}
	return o, nil
}
