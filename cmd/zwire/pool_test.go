// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/workpool"
)

// pool starts a dispatcher at the scene's endpoint, and a worker that fails each task called "bad" and holds on to each called "long"
// until the test ends.
func (s *scene) pool() *workpool.Dispatcher[string, string] {
	s.t.Helper()
	s.command, s.flag = "pool", "--dispatcher"
	dispatcher, err := workpool.NewDispatcher(&workpool.DispatcherOptions[string, string]{
		Endpoints: []string{s.endpoint}, Interval: 20 * time.Millisecond, Attempts: 2, BackoffMin: time.Millisecond,
		OnResult: func(workpool.Result[string]) {},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { dispatcher.Close() })
	worker, err := workpool.NewWorker(
		&workpool.WorkerOptions[string, string]{Dispatchers: []string{s.endpoint}, Name: "w\x1b", Concurrency: 2},
		func(ctx context.Context, task workpool.Task[string]) (string, error) {
			switch task.Value {
			case "bad":
				return "", errors.New("no")
			case "long":
				<-ctx.Done()
			}
			return "", nil
		})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { worker.Close() })
	return dispatcher
}

// submit gives tasks, and waits until the dispatcher is as far as wanted.
func submit(t *testing.T, d *workpool.Dispatcher[string, string], far func(workpool.Stats) bool, tasks ...string) {
	t.Helper()
	if _, err := d.SubmitBatch(t.Context(), tasks, nil); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(10 * time.Second); !far(d.Stats()); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("no further than %+v", d.Stats())
		}
	}
}

func TestPoolStatus(t *testing.T) {
	s := newScene(t)
	d := s.pool()
	submit(t, d, func(s workpool.Stats) bool { return s.Sunk == 3 && s.DeadLetters == 1 && s.Leased == 1 }, "a", "b", "c", "bad", "long")
	const figures = `(?s)\A` + `ipc://\S+  1 workers hold 1 tasks of \d+ that they can\n\n` +
		`queue     0 waiting, 0 delayed, 1 with workers, 0 on their way to disk, 0 results for the sink; 6 octets\n` +
		`rates     \d+ accepted/s, \d+ done/s\n` +
		`tasks     5 accepted, 3 done, 3 through the sink, 0 cancelled, 0 refused by a full queue\n` +
		`attempts  2 failed, 1 retries, 0 hung, 0 lost on the way, 0 late answers, \d+ returned\n` +
		`failures  1 dead letters, 0 workers lost\n\n` +
		`WORKER +HOLDS +CREDIT +DONE +FAILED +HEARD\n"w\\x1b" +1 +\d+ +3 +2 +\S+ ago\n\z`
	for range 3 { // asking is not felt
		s.run("status").want(0, figures, "")
	}
	document := s.run("status", "--json").json()
	worker := document["workers"].([]any)[0].(map[string]any)
	for key, want := range map[string]any{"leased": 1.0, "deadLetters": 1.0, "retries": 1.0, "accepted": 5.0, "queueBytes": 6.0} {
		if document[key] != want {
			t.Errorf("%s is %v, want %v", key, document[key], want)
		}
	}
	if worker["name"] != "w\x1b" || worker["done"] != 3.0 || worker["held"] != 1.0 || worker["silentSeconds"].(float64) > 5 {
		t.Errorf("worker: %v", worker)
	}
	s.paints = true
	s.run("status").want(0, `\x1b\[31m1 dead letters\x1b\[0m, 0 workers lost$`, "")
	t.Setenv("NO_COLOR", "1")
	if o := s.run("status").want(0, `1 dead letters`, ""); strings.Contains(o.out, "\x1b") {
		t.Errorf("colours: %q", o.out)
	}
}

func TestPoolStatusGoesOn(t *testing.T) {
	s := newScene(t)
	d := s.pool()
	text, lines := s.start("status", "--watch"), s.start("status", "--watch", "--json", "--timeout", "50ms")
	s.paints = true
	painted := s.start("status", "--watch")
	text.line(`^ipc://`)
	painted.line(`^\x1b\[H\x1b\[2J\x1b\[1mipc://`)
	lines.line(`"accepted":0`)
	submit(t, d, func(s workpool.Stats) bool { return s.Sunk == 1 }, "a")
	lines.until(`"accepted":1`)
	text.until(`^WORKER`)
	text.line(`^"w`)
	text.line(`^$`) // the next picture is apart
	text.line(`^ipc://`)
	for _, g := range []*going{text, painted} {
		if code, errs := g.end(); code != 0 || errs != "" {
			t.Errorf("code %d, %s", code, errs)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	s.pool() // another one in its place: the command goes on
	lines.until(`"accepted":0`)
	if code, _ := lines.end(); code != 0 {
		t.Errorf("code %d", code)
	}
}

func TestPoolUsage(t *testing.T) {
	s := newScene(t)
	s.command, s.flag = "pool", "--dispatcher"
	s.run("status", "--timeout", "50ms").want(1, "", `\Azwire: workpool: ask ipc://.*waited 50ms.*does a dispatcher run there\?`)
	s.run("status", "extra").want(2, "", `1 arguments, want: zwire pool status`)
	s.run("status", "--nonsense").want(2, "", `nonsense.*see zwire pool status --help`)
	s.run("nonsense").want(2, "", `no command "nonsense": see zwire pool --help`)
	s.run("status", "--dispatcher", "nonsense").want(2, "", `no scheme`)
	s.run("status", "--watch", "--dispatcher", "nonsense").want(2, "", `no scheme`)
	s.run().want(0, `(?s)status.*--dispatcher`, "")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var errs strings.Builder
	t.Setenv("ZWIRE_POOL_DISPATCHER", s.endpoint)
	if code := run(ctx, []string{"zwire", "pool", "status"}, terminal.Streams{Out: &errs, Err: &errs}); code != 1 || errs.String() != "zwire: interrupted\n" {
		t.Errorf("code %d, %q", code, errs.String())
	}
}
