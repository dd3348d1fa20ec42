// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// python returns the first interpreter that has zmq.
var python = sync.OnceValues(func() (string, error) {
	var errs []error
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		output, err := exec.Command(name, "-c", "import zmq").CombinedOutput()
		if err == nil {
			return name, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w: %s", name, err, output))
	}
	return "", fmt.Errorf("no Python with zmq; install the Debian package python3-zmq: %w", errors.Join(errs...))
})

// pythonParty is a process that runs testdata/party.py. It starts at bind or
// connect, and is killed when it does not answer.
type pythonParty struct {
	role    role
	command *exec.Cmd
	input   *bufio.Writer
	inputTo io.Closer
	output  *bufio.Reader
	stderr  bytes.Buffer
}

func newPython(t *testing.T, role role) (party, error) {
	p := &pythonParty{role: role}
	t.Cleanup(p.kill)
	return p, nil
}

func (p *pythonParty) bind(endpoint string) (string, error) { return p.start("bind", endpoint) }

func (p *pythonParty) connect(endpoint string) error {
	_, err := p.start("connect", endpoint)
	return err
}

func (p *pythonParty) start(verb, endpoint string) (string, error) {
	interpreter, err := python()
	if err != nil {
		return "", err
	}
	p.command = exec.Command(interpreter, "testdata/party.py", string(p.role.kind), p.role.identity, p.role.topic,
		verb, endpoint)
	p.command.Stderr = &p.stderr
	input, inputErr := p.command.StdinPipe()
	output, outputErr := p.command.StdoutPipe()
	if err := errors.Join(inputErr, outputErr, p.command.Start()); err != nil {
		return "", err
	}
	p.input, p.inputTo, p.output = bufio.NewWriter(input), input, bufio.NewReader(output)
	line, err := p.output.ReadString('\n')
	if err != nil {
		return "", p.failed(err)
	}
	return strings.TrimSpace(line), nil
}

func (p *pythonParty) send(frames [][]byte) error {
	p.input.WriteByte('S')
	writeMessage(p.input, frames)
	switch answer, err := p.answer(patience); {
	case err != nil:
		return err
	case answer == 'U':
		return errUnroutable
	}
	return nil
}

func (p *pythonParty) receive(within time.Duration) ([][]byte, error) {
	p.input.WriteByte('R')
	binary.Write(p.input, binary.BigEndian, uint32(within.Milliseconds()))
	switch answer, err := p.answer(within + patience); {
	case err != nil:
		return nil, err
	case answer == 'L':
		return nil, errLate
	}
	frames, err := readMessage(p.output)
	if err != nil {
		return nil, p.failed(err)
	}
	return frames, nil
}

// answer sends the command and waits for the first byte of the answer.
func (p *pythonParty) answer(within time.Duration) (byte, error) {
	watch := time.AfterFunc(within, p.kill)
	defer watch.Stop()
	if err := p.input.Flush(); err != nil {
		return 0, p.failed(err)
	}
	answer, err := p.output.ReadByte()
	if err != nil {
		return 0, p.failed(err)
	}
	return answer, nil
}

func (p *pythonParty) close() error {
	watch := time.AfterFunc(2*patience, p.kill)
	defer watch.Stop()
	p.inputTo.Close()
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, &p.stderr)
	}
	return nil
}

// kill is safe at any time, and any number of times.
func (p *pythonParty) kill() {
	if p.command != nil && p.command.Process != nil {
		p.command.Process.Kill()
	}
}

// failed adds what Python said, which is complete once the process has ended.
func (p *pythonParty) failed(err error) error {
	p.kill()
	return fmt.Errorf("python: %w", errors.Join(err, p.close()))
}

func writeMessage(w *bufio.Writer, frames [][]byte) {
	binary.Write(w, binary.BigEndian, uint32(len(frames)))
	for _, frame := range frames {
		binary.Write(w, binary.BigEndian, uint32(len(frame)))
		w.Write(frame)
	}
}

func readMessage(r io.Reader) ([][]byte, error) {
	var count uint32
	if err := binary.Read(r, binary.BigEndian, &count); err != nil {
		return nil, err
	}
	frames := make([][]byte, count)
	for i := range frames {
		var size uint32
		if err := binary.Read(r, binary.BigEndian, &size); err != nil {
			return nil, err
		}
		frames[i] = make([]byte, size)
		if _, err := io.ReadFull(r, frames[i]); err != nil {
			return nil, err
		}
	}
	return frames, nil
}
