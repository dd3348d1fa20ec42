// SPDX-License-Identifier: Apache-2.0

// Package duel builds the probe and its yardstick on libzmq, and runs two such
// processes against each other.
package duel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	benchModule = "github.com/zwire-mq/zwire/bench"
	boundPrefix = "bound "
)

// ErrNoLibzmq names what the yardstick needs.
var ErrNoLibzmq = errors.New("building on libzmq needs the Debian packages gcc, pkg-config and libzmq3-dev")

// Folder returns the folder of the module bench.
func Folder(ctx context.Context) (string, error) {
	folder, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", benchModule+"/perf").Output()
	if err != nil {
		return "", fmt.Errorf("go list %s/perf: %w", benchModule, err)
	}
	return filepath.Dir(strings.TrimSpace(string(folder))), nil
}

// BuildProbe builds bench/perf into folder, without cgo, and returns its path.
func BuildProbe(ctx context.Context, folder string) (string, error) {
	return BuildProgram(ctx, folder, "perf", false)
}

// BuildProgram builds one program of bench into folder and returns its path.
func BuildProgram(ctx context.Context, folder, name string, cgo bool, flags ...string) (string, error) {
	path := filepath.Join(folder, name+"-zwire")
	arguments := append([]string{"build", "-o", path}, flags...)
	build := exec.CommandContext(ctx, "go", append(arguments, benchModule+"/"+name)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if cgo {
		build.Env = append(build.Env, "CGO_ENABLED=1")
	}
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s/%s: %w\n%s", benchModule, name, err, output)
	}
	return path, nil
}

// BuildYardstick compiles bench/libzmq/perf.c into folder and returns its path.
func BuildYardstick(ctx context.Context, folder string) (string, error) {
	bench, err := Folder(ctx)
	if err != nil {
		return "", err
	}
	source := filepath.Join(bench, "libzmq", "perf.c")
	library, err := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", "libzmq").Output()
	if err != nil {
		return "", fmt.Errorf("%w: pkg-config: %w", ErrNoLibzmq, err)
	}
	path := filepath.Join(folder, "perf-libzmq")
	arguments := []string{"-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", path, source}
	arguments = append(arguments, strings.Fields(string(library))...)
	if output, err := exec.CommandContext(ctx, "gcc", arguments...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: gcc %s: %w\n%s", ErrNoLibzmq, source, err, output)
	}
	return path, nil
}

// A Process is a running probe or yardstick.
type Process struct {
	command *exec.Cmd
	stdout  bytes.Buffer
	stderr  bytes.Buffer  // complete when drained is closed
	bound   chan string   // gets the endpoint, or is closed without
	drained chan struct{} // closed at the end of standard error
}

// Start runs the program; it is killed when ctx ends.
func Start(ctx context.Context, path string, arguments ...string) (*Process, error) {
	p := &Process{
		command: exec.CommandContext(ctx, path, arguments...),
		bound:   make(chan string, 1),
		drained: make(chan struct{}),
	}
	p.command.Stdout = &p.stdout
	stderr, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go p.drain(stderr)
	return p, nil
}

func (p *Process) drain(stderr io.Reader) {
	defer close(p.drained)
	defer close(p.bound)
	lines := bufio.NewScanner(io.TeeReader(stderr, &p.stderr))
	for lines.Scan() {
		if endpoint, found := strings.CutPrefix(lines.Text(), boundPrefix); found {
			select {
			case p.bound <- endpoint:
			default:
			}
		}
	}
}

// Bound waits until the process has bound, and returns the endpoint.
func (p *Process) Bound() (string, error) {
	endpoint, bound := <-p.bound
	if !bound {
		_, err := p.Wait()
		return "", fmt.Errorf("the process ended without binding: %w", err)
	}
	return endpoint, nil
}

// Wait waits for the end of the process and returns what it wrote on standard
// output. The error holds its exit status and what it wrote on standard error.
func (p *Process) Wait() (stdout []byte, err error) {
	<-p.drained
	if err := p.command.Wait(); err != nil {
		arguments := strings.Join(p.command.Args, " ")
		return p.stdout.Bytes(), fmt.Errorf("%s: %w\n%s", arguments, err, p.stderr.String())
	}
	return p.stdout.Bytes(), nil
}

// Pair runs binder, then connecter with the flag -connect and what binder bound
// added. It returns what each wrote on standard output.
func Pair(ctx context.Context, binder, connecter []string) (fromBinder, fromConnecter []byte, err error) {
	processes, err := run(ctx, binder, connecter)
	if len(processes) < 2 {
		return nil, nil, err
	}
	return processes[0].stdout.Bytes(), processes[1].stdout.Bytes(), err
}

// Run is Pair, or without a connecter one process alone. It returns all that
// the processes wrote, standard error included.
func Run(ctx context.Context, binder, connecter []string) (written [][]byte, err error) {
	processes, err := run(ctx, binder, connecter)
	for _, process := range processes {
		written = append(written, process.stdout.Bytes(), process.stderr.Bytes())
	}
	return written, err
}

// run returns processes that have ended. The error begins with that of the one
// that failed first; the other is killed then.
func run(ctx context.Context, binder, connecter []string) ([]*Process, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	binding, err := Start(ctx, binder[0], binder[1:]...)
	if err != nil {
		return nil, err
	}
	processes := []*Process{binding}
	if len(connecter) > 0 {
		endpoint, err := binding.Bound()
		if err != nil {
			return nil, err
		}
		connecting, err := Start(ctx, connecter[0], append(connecter[1:len(connecter):len(connecter)], "-connect", endpoint)...)
		if err != nil {
			cancel()
			_, waitErr := binding.Wait()
			return nil, errors.Join(err, waitErr)
		}
		processes = append(processes, connecting)
	}
	ends := make(chan error)
	for _, process := range processes {
		go func() {
			_, err := process.Wait()
			ends <- err
		}()
	}
	var errs []error
	for range processes {
		if err := <-ends; err != nil {
			errs = append(errs, err)
			cancel()
		}
	}
	return processes, errors.Join(errs...)
}
