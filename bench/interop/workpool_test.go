// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// pythonWorker is a process that runs the example worker in Python.
func pythonWorker(t *testing.T, endpoint string) (*exec.Cmd, func()) {
	t.Helper()
	interpreter, err := python()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(interpreter, "../../patterns/workpool/testdata/worker.py", endpoint)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill() })
	return command, func() { input.Close() }
}

// TestPoolOfPython: a worker on libzmq works beside ours, tries again what fails, leaves in peace, and is missed when it is killed.
func TestPoolOfPython(t *testing.T) {
	endpoint := "ipc://" + filepath.Join(t.TempDir(), "pool")
	d, err := workpool.NewDispatcher(&workpool.DispatcherOptions[string, string]{
		Endpoints: []string{endpoint}, Interval: 200 * time.Millisecond, BackoffMin: time.Millisecond, Attempts: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first, leave := pythonWorker(t, endpoint)
	round(t, d, "fail", "liaf", 100)
	round(t, d, "straw", "warts", 500)
	if failed := d.Stats().Failed; failed != 100 {
		t.Errorf("%d attempts failed, want 100", failed)
	}
	second, _ := pythonWorker(t, endpoint)
	sockettest.Until(t, "two workers", func() bool { return len(d.Stats().Workers) == 2 })
	ours, err := workpool.NewWorker(&workpool.WorkerOptions[string, string]{Dispatchers: []string{endpoint}},
		func(context.Context, workpool.Task[string]) (string, error) { return "warts", nil })
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	for range 500 {
		if _, err := d.Submit(t.Context(), "straw", nil); err != nil {
			t.Fatal(err)
		}
	}
	second.Process.Kill()
	second.Wait()
	leave()
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	take(t, d, "warts", 500)
	sockettest.Until(t, "their leave", func() bool { return len(d.Stats().Workers) == 1 })
	if s := d.Stats(); s.WorkersLost != 1 || s.Sunk != 1100 {
		t.Errorf("%+v", s)
	}
}

// round gives the same task many times and waits for its results.
func round(t *testing.T, d *workpool.Dispatcher[string, string], value, want string, count int) {
	t.Helper()
	for range count {
		if _, err := d.Submit(t.Context(), value, nil); err != nil {
			t.Fatal(err)
		}
	}
	take(t, d, want, count)
}

func take(t *testing.T, d *workpool.Dispatcher[string, string], want string, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got := 0
	for r, err := range d.Results(ctx) {
		if err != nil || r.Err != nil || r.Value != want {
			t.Fatalf("result %d is %+v, %v, want %q", got, r, err, want)
		}
		if got++; got == count {
			return
		}
	}
}
