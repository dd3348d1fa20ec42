// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

const (
	// tasksQueue is the high-water mark of the tasks link at either end: enough
	// to keep a worker busy, few enough that a slow one does not hoard.
	tasksQueue   = 32
	slowMS       = 20
	assembleTime = 30 * time.Second // for all processes to be there
)

// coordinator is the process in charge. One goroutine, in coordinate, owns
// its fields and learns everything from events.
type coordinator struct {
	options      options
	folder       string
	registration *socket.Rep
	control      *socket.Pub
	done         *socket.Sub
	events       chan any // request, doneMessage, exit or subscribed
	ended        chan struct{}
	children     []*child
	running      sync.WaitGroup // one per child that has started
	progress     *progress
	job          *job

	listed, subscribed, started, reported, stopping bool
}

// job is everything the report shows.
type job struct {
	root     string
	outcomes map[int]outcome // by id
	children []*child
	files    int // to do
	skipped  int // links, devices and the like
	tasks    int // messages per link
	results  int
	requests int
	control  int
	again    int // tasks sent more than once
	repeats  int // results ignored because their file was done
	began    time.Time
	took     time.Duration // from the start signal to the last result
	victims  int           // workers that died on the way
	notes    []string
}

type (
	exit struct {
		child *child
		err   error
	}
	doneMessage struct {
		files int
		bytes int64
	}
	subscribed struct{ err error }
)

// coordinate runs the whole job. When it returns no process, socket or file
// of it is left.
func coordinate(ctx context.Context, opts options) (*job, error) {
	c := &coordinator{
		options: opts, events: make(chan any), ended: make(chan struct{}),
		progress: newProgress(os.Stderr), job: &job{root: opts.root, outcomes: map[int]outcome{}},
	}
	var err error
	if c.folder, err = os.MkdirTemp("", runFolderPrefix); err != nil {
		return nil, err
	}
	defer removeRunFolder(c.folder)
	ctx, cancel := context.WithCancel(ctx)
	defer func() { // in this order: the processes, the goroutines, the sockets
		close(c.ended)
		cancel()
		c.running.Wait()
		c.close()
	}()
	for _, phase := range []func(context.Context) error{c.open, c.assemble, c.work, c.dismiss} {
		if err := phase(ctx); err != nil {
			c.progress.end()
			return nil, err
		}
	}
	c.job.children = c.children
	return c.job, nil
}

func (c *coordinator) open(ctx context.Context) error {
	var err error
	if c.registration, err = socket.NewRep(nil); err != nil {
		return err
	}
	if c.control, err = socket.NewPub(nil); err != nil {
		return err
	}
	if err := errors.Join(c.registration.Bind("tcp://127.0.0.1:*"), c.control.Bind(controlEndpoint(c.folder))); err != nil {
		return err
	}
	base := settings{
		Root: c.options.root, Tasks: tasksEndpoint(c.folder), Queue: tasksQueue,
		Control: []string{controlEndpoint(c.folder), doneEndpoint(c.folder)},
	}
	go serveRegistration(ctx, c.registration, base, c.adapt, func(r request) { c.post(r) })
	return nil
}

func (c *coordinator) close() {
	if c.registration != nil {
		c.registration.Close()
	}
	if c.control != nil {
		c.control.Close()
	}
	if c.done != nil {
		c.done.Close()
	}
}

// adapt gives the first worker to -kill and the last one to -slow. It uses
// the options alone, which never change: another goroutine calls it.
func (c *coordinator) adapt(name string, s *settings) {
	s.Victim = c.options.kill && name == workerName(1)
	if c.options.slow && name == workerName(c.options.workers) {
		s.SlowMS = slowMS
	}
}

func workerName(i int) string { return "w" + strconv.Itoa(i) }

// assemble starts every process and returns when all have said hello, the
// tree is listed and all listen to control. The sink comes first, because
// its answer tells the others where to send results.
func (c *coordinator) assemble(ctx context.Context) error {
	bounded, cancel := context.WithTimeoutCause(ctx, assembleTime, errors.New("the processes did not come together in time"))
	defer cancel()
	if err := c.start(ctx, &child{role: roleSink, name: roleSink}); err != nil {
		return err
	}
	if err := c.await(bounded, c.allRegistered); err != nil {
		return err
	}
	if err := c.start(ctx, &child{role: roleVentilator, name: roleVentilator}); err != nil {
		return err
	}
	for i := range c.options.workers {
		w := &child{role: roleWorker, name: workerName(i + 1), victim: c.options.kill && i == 0}
		if err := c.start(ctx, w); err != nil {
			return err
		}
	}
	if c.options.python {
		if err := c.startPython(ctx); err != nil {
			return err
		}
	}
	var err error
	if c.done, err = joinControl([]string{doneEndpoint(c.folder)}, topicDone); err != nil {
		return err
	}
	if err := c.await(bounded, func() bool { return c.listed && c.allRegistered() }); err != nil {
		return err
	}
	go func() { c.post(subscribed{c.control.WaitSubscribers(bounded, topicStart, len(c.children))}) }()
	return c.await(bounded, func() bool { return c.subscribed })
}

// start makes this binary play a role in a new process.
func (c *coordinator) start(ctx context.Context, ch *child) error {
	line, err := commandLine(part{ch.role, ch.name, c.registration.LastEndpoint(), c.folder})
	if err != nil {
		return err
	}
	return c.launch(ctx, ch, line)
}

// startPython starts the worker on libzmq, or says why there is none.
func (c *coordinator) startPython(ctx context.Context) error {
	interpreter, version, err := findPython(ctx)
	if err != nil {
		c.note("-python: " + err.Error() + "; going on without")
		return nil
	}
	script, err := writePythonWorker(c.folder)
	if err != nil {
		return err
	}
	ch := &child{role: roleWorker, name: "python", language: "Python, libzmq " + version}
	return c.launch(ctx, ch, []string{interpreter, script, ch.name, c.registration.LastEndpoint()})
}

func (c *coordinator) launch(ctx context.Context, ch *child, line []string) error {
	c.running.Add(1)
	err := startChild(ctx, ch, line, func(err error) {
		c.post(exit{ch, err})
		c.running.Done()
	})
	if err != nil {
		c.running.Done()
		return err
	}
	c.children = append(c.children, ch)
	return nil
}

// work gives the start signal and returns when the sink has handed over the
// whole result.
func (c *coordinator) work(ctx context.Context) error {
	workers := c.liveWorkers()
	c.progress.begin(c.options.root, c.job.files, workers)
	go c.followDone(ctx)
	c.started, c.job.began = true, time.Now()
	if err := c.publish(ctx, topicStart, strconv.Itoa(workers), strconv.Itoa(c.job.files)); err != nil {
		return err
	}
	if err := c.await(ctx, func() bool { return c.reported }); err != nil {
		return err
	}
	c.progress.end()
	return nil
}

// dismiss gives the stop signal. Who has not ended in time is made to.
func (c *coordinator) dismiss(ctx context.Context) error {
	c.stopping = true
	if err := c.publish(ctx, topicStop); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, endAllowance)
	defer cancel()
	if err := c.await(bounded, c.allGone); err != nil && ctx.Err() != nil {
		return err
	}
	for _, ch := range c.children {
		if !ch.gone {
			c.note(ch.name + " did not end by itself and was killed")
			ch.command.Process.Kill()
		}
	}
	if c.options.kill && c.job.victims == 0 {
		c.note("-kill: the job ended before its victim had taken enough files")
	}
	return nil
}

// await handles events until the condition holds.
func (c *coordinator) await(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case ev := <-c.events:
			if err := c.handle(ctx, ev); err != nil {
				return err
			}
		case <-c.progress.tick():
			c.progress.show()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (c *coordinator) handle(ctx context.Context, ev any) error {
	switch ev := ev.(type) {
	case request:
		c.job.requests++
		return c.handleRequest(ev)
	case doneMessage:
		c.progress.files, c.progress.bytes = ev.files, ev.bytes
		if ev.files == c.job.files {
			c.job.took = time.Since(c.job.began)
		}
	case subscribed:
		c.subscribed = true
		return ev.err
	case exit:
		return c.handleExit(ctx, ev)
	}
	return nil
}

func (c *coordinator) handleRequest(r request) error {
	sender := c.find(r.note.Name)
	if sender == nil {
		return nil // a stranger on an open port
	}
	switch r.verb {
	case verbHello:
		sender.registered = true
		if sender.language == "" {
			sender.language = r.note.Language
		}
	case verbListed:
		c.listed, c.job.files, c.job.skipped = true, r.note.Files, r.note.Skipped
	case verbHolding:
		if sender.victim {
			sender.command.Process.Kill() // fails only if it has just died
		}
	case verbReport:
		for _, o := range r.note.Outcomes {
			c.job.outcomes[o.ID] = o
		}
		if r.note.Last {
			c.reported = true
			c.job.results, c.job.repeats = r.note.Results, r.note.Repeats
			c.job.control += r.note.Reports
		}
	case verbSent:
		c.job.tasks, c.job.again = r.note.Tasks, r.note.Again
	}
	return nil
}

// handleExit tells the ventilator of a dead worker; without any other
// process, or without the last worker, the job cannot go on.
func (c *coordinator) handleExit(ctx context.Context, ev exit) error {
	ch := ev.child
	ch.gone = true
	if c.stopping {
		return nil
	}
	why := "it ended"
	if ev.err != nil {
		why = ev.err.Error()
	}
	switch {
	case ch.role != roleWorker || !c.started:
		return fmt.Errorf("%s (process %d) ended before the job was done: %s", ch.name, ch.pid, why)
	case c.liveWorkers() == 0:
		return fmt.Errorf("no worker is left; the last, %s (process %d): %s", ch.name, ch.pid, why)
	}
	ch.died = true
	c.job.victims++
	c.note(fmt.Sprintf("%s (process %d) died on the way (%s); the others take over what it left", ch.name, ch.pid, why))
	return c.publish(ctx, topicGone, ch.name)
}

// followDone passes on what the sink reports.
func (c *coordinator) followDone(ctx context.Context) {
	for msg, err := range c.done.Messages(ctx) {
		if err != nil {
			return
		}
		if msg.Len() != 4 {
			continue
		}
		files, filesErr := strconv.Atoi(string(msg.Frame(2)))
		bytes, bytesErr := strconv.ParseInt(string(msg.Frame(3)), 10, 64)
		if filesErr == nil && bytesErr == nil {
			c.post(doneMessage{files, bytes})
		}
	}
}

func (c *coordinator) publish(ctx context.Context, frames ...string) error {
	c.job.control++
	return c.control.Send(ctx, textMessage(frames...))
}

// post hands an event to the owner of the fields while there is one.
func (c *coordinator) post(ev any) {
	select {
	case c.events <- ev:
	case <-c.ended:
	}
}

// note keeps a remark for the report and shows it at once.
func (c *coordinator) note(text string) {
	c.job.notes = append(c.job.notes, text)
	c.progress.say(text)
}

func (c *coordinator) find(name string) *child {
	for _, ch := range c.children {
		if ch.name == name {
			return ch
		}
	}
	return nil
}

func (c *coordinator) allRegistered() bool {
	return !slices.ContainsFunc(c.children, func(ch *child) bool { return !ch.registered })
}

func (c *coordinator) allGone() bool {
	return !slices.ContainsFunc(c.children, func(ch *child) bool { return !ch.gone })
}

func (c *coordinator) liveWorkers() int {
	n := 0
	for _, ch := range c.children {
		if ch.role == roleWorker && !ch.gone {
			n++
		}
	}
	return n
}
