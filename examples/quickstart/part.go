// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// Roles of the child processes.
const (
	roleVentilator = "ventilator"
	roleWorker     = "worker"
	roleSink       = "sink"
)

// endAllowance is how long a process may take to end once told so.
const endAllowance = 2 * time.Second

var (
	errStop     = errors.New("stop signal")
	errOrphaned = errors.New("the coordinator has gone")
)

// playPart runs one role in this process. Standard input is a pipe that the
// coordinator keeps open while it lives: its end is this process's end too.
func playPart(p part) int {
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole group; the coordinator decides
	ctx, end := context.WithCancelCause(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		end(errOrphaned)
		time.AfterFunc(endAllowance, func() { os.Exit(exitWrong) })
	}()
	roles := map[string]func(context.Context, part) error{
		roleVentilator: playVentilator, roleWorker: playWorker, roleSink: playSink,
	}
	role, found := roles[p.role]
	if !found {
		fmt.Fprintf(os.Stderr, "quickstart: no role %q\n", p.role)
		return exitUsage
	}
	err := role(ctx, p)
	switch {
	case context.Cause(ctx) != nil:
		removeRunFolder(p.folder) // the coordinator may have been killed
		return exitWrong
	case err != nil:
		fmt.Fprintf(os.Stderr, "quickstart %s: %v\n", p.name, err)
		return exitWrong
	}
	return 0
}

// register says hello and returns the socket for later requests.
func register(ctx context.Context, p part, n note) (*socket.Req, settings, error) {
	req, err := socket.NewReq(nil)
	if err != nil {
		return nil, settings{}, err
	}
	if err := req.Connect(p.registration); err != nil {
		req.Close()
		return nil, settings{}, err
	}
	n.Role, n.Name, n.PID = p.role, p.name, os.Getpid()
	answer, err := ask(ctx, req, verbHello, n)
	if err == nil && len(answer.Control) != 2 {
		err = errors.New("hello: no control endpoints")
	}
	if err != nil {
		req.Close()
	}
	return req, answer, err
}

// joinControl makes the socket that listens to control. The start topic comes
// last, so that a publisher which sees it subscribed may count on the others.
func joinControl(endpoints []string, topics ...string) (*socket.Sub, error) {
	sub, err := socket.NewSub(nil)
	if err != nil {
		return nil, err
	}
	for _, topic := range topics {
		err = errors.Join(err, sub.Subscribe(topic))
	}
	for _, endpoint := range endpoints {
		err = errors.Join(err, sub.Connect(endpoint))
	}
	if err != nil {
		sub.Close()
		return nil, err
	}
	return sub, nil
}

// awaitStart returns the number of workers and of files.
func awaitStart(ctx context.Context, control *socket.Sub) (workers, files int, err error) {
	for {
		msg, err := control.Recv(ctx)
		if err != nil {
			return 0, 0, err
		}
		if string(msg.Frame(0)) != topicStart || msg.Len() != 3 {
			continue
		}
		workers, workersErr := strconv.Atoi(string(msg.Frame(1)))
		files, filesErr := strconv.Atoi(string(msg.Frame(2)))
		return workers, files, errors.Join(workersErr, filesErr)
	}
}

// awaitStop returns nil once the stop signal is there.
func awaitStop(ctx context.Context, control *socket.Sub) error {
	for {
		msg, err := control.Recv(ctx)
		if err != nil {
			return err
		}
		if string(msg.Frame(0)) == topicStop {
			return nil
		}
	}
}

const runFolderPrefix = "zwire-quickstart-"

// removeRunFolder refuses any folder that this command cannot have made.
func removeRunFolder(folder string) {
	if strings.HasPrefix(filepath.Base(folder), runFolderPrefix) {
		os.RemoveAll(folder)
	}
}

func tasksEndpoint(folder string) string   { return "ipc://" + filepath.Join(folder, "tasks") }
func doneEndpoint(folder string) string    { return "ipc://" + filepath.Join(folder, "done") }
func controlEndpoint(folder string) string { return "ipc://" + filepath.Join(folder, "control") }
