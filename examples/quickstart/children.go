// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed worker.py
var pythonWorker string

// pythonProbeTime bounds the question whether Python has zmq.
const pythonProbeTime = 10 * time.Second

// child is a process of the job as the coordinator sees it.
type child struct {
	role, name, language string
	command              *exec.Cmd
	life                 io.Closer // its standard input: closing it ends the process
	pid                  int
	registered           bool
	victim               bool // of -kill
	died                 bool // on the way
	gone                 bool
}

// startChild starts a process that ends when ctx does, when this process
// does, or by itself; exited is then called once.
func startChild(ctx context.Context, c *child, line []string, exited func(error)) error {
	c.command = exec.CommandContext(ctx, line[0], line[1:]...)
	c.command.Stderr = os.Stderr
	life, err := c.command.StdinPipe()
	if err != nil {
		return err
	}
	c.life = life
	c.command.Cancel = func() error {
		life.Close()
		return nil
	}
	c.command.WaitDelay = endAllowance + endAllowance/2 // then it is killed
	if err := c.command.Start(); err != nil {
		life.Close()
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	c.pid = c.command.Process.Pid
	go func() { exited(c.command.Wait()) }()
	return nil
}

// commandLine is how this binary starts itself in a role.
func commandLine(p part) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{self, "-role", p.role, "-name", p.name, "-registration", p.registration, "-folder", p.folder}, nil
}

// findPython returns an interpreter that can import zmq, and libzmq's version.
func findPython(ctx context.Context) (interpreter, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, pythonProbeTime)
	defer cancel()
	tried := []string{"python3", "/usr/bin/python3"}
	for _, candidate := range tried {
		out, err := exec.CommandContext(ctx, candidate, "-c", "import zmq; print(zmq.zmq_version())").Output()
		if err == nil {
			return candidate, strings.TrimSpace(string(out)), nil
		}
	}
	return "", "", fmt.Errorf("no Python with zmq here (tried %s)", strings.Join(tried, ", "))
}

// writePythonWorker puts the embedded script where the interpreter finds it.
func writePythonWorker(folder string) (path string, err error) {
	path = filepath.Join(folder, "worker.py")
	return path, os.WriteFile(path, []byte(pythonWorker), 0o600)
}
