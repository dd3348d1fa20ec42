// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A process is a child of this one. It is killed when the context ends, and on Linux also when this process is gone.
type process struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	stderr  tail
	cancel  context.CancelFunc
}

func start(ctx context.Context, path string, arguments ...string) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &process{command: exec.CommandContext(ctx, path, arguments...), cancel: cancel}
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

func (p *process) pid() int { return p.command.Process.Pid }

func (p *process) readLine() (string, error) {
	line, err := p.stdout.ReadString('\n')
	return line, p.explain(err)
}

// tell writes one line.
func (p *process) tell(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return p.explain(err)
}

// ask gives an order and waits for the answer.
func (p *process) ask(o order) (answer, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if err := p.tell(string(line)); err != nil {
		return answer{}, err
	}
	reply, err := p.readLine()
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal([]byte(reply), &a); err != nil {
		return answer{}, err
	}
	if a.Error != "" {
		return answer{}, fmt.Errorf("%s: %s", o.Do, a.Error)
	}
	return a, nil
}

// explain adds what the process said last.
func (p *process) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", strings.Join(p.command.Args, " "), err, &p.stderr)
}

// end closes the standard input, at which this program's own processes end, and kills what does not.
func (p *process) end() error {
	defer p.cancel()
	p.stdin.Close()
	late := time.AfterFunc(endLimit, p.cancel)
	defer late.Stop()
	io.Copy(io.Discard, p.stdout)
	return p.explain(p.command.Wait())
}

// kill is for a program that does not end by itself.
func (p *process) kill() {
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
