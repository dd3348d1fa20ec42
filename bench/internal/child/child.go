// SPDX-License-Identifier: Apache-2.0

// Package child is processes that are started to be measured, and told what to do line by line.
package child

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// endLimit is how long a process may take to end before it is killed.
	endLimit = 5 * time.Second
	// stderrBytes is how much of what a process said last is kept for an error.
	stderrBytes = 4096
)

// A Process is a child of this one. It is killed when the context ends, and on Linux also when this process is gone.
type Process struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	stderr  tail
	cancel  context.CancelFunc
}

// Start starts a program.
func Start(ctx context.Context, path string, arguments ...string) (*Process, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &Process{command: exec.CommandContext(ctx, path, arguments...), cancel: cancel}
	p.command.SysProcAttr = dieWithParent()
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = endLimit
	stdin, err := p.command.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	if err := p.command.Start(); err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// PID is its number.
func (p *Process) PID() int { return p.command.Process.Pid }

// ReadLine waits for a line of its standard output.
func (p *Process) ReadLine() (string, error) {
	line, err := p.stdout.ReadString('\n')
	return line, p.Explain(err)
}

// Tell writes one line to its standard input.
func (p *Process) Tell(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return p.Explain(err)
}

// Explain adds what the process said last.
func (p *Process) Explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", strings.Join(p.command.Args, " "), err, &p.stderr)
}

// End closes the standard input, at which the programs of bench end, and kills what does not.
func (p *Process) End() error {
	defer p.cancel()
	p.stdin.Close()
	late := time.AfterFunc(endLimit, p.cancel)
	defer late.Stop()
	io.Copy(io.Discard, p.stdout)
	return p.Explain(p.command.Wait())
}

// Kill is for a program that does not end by itself.
func (p *Process) Kill() {
	p.cancel()
	io.Copy(io.Discard, p.stdout)
	_ = p.command.Wait() // says that it was killed
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, text...)
	if over := len(t.text) - stderrBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(text), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
