// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
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
		Endpoints: []string{s.endpoint}, Interval: time.Minute, Attempts: 2, BackoffMin: time.Millisecond,
		OnResult: func(workpool.Result[string]) {},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { dispatcher.Close() })
	worker, err := workpool.NewWorker(
		&workpool.WorkerOptions[string, string]{Dispatchers: []string{s.endpoint}, Name: "w\x1b", Concurrency: 2},
		func(ctx context.Context, task workpool.Task[string]) (string, error) {
			switch {
			case strings.HasPrefix(task.Value, "bad") && !s.mended.Load():
				return "", fmt.Errorf("no:\n%s", task.Value)
			case task.Value == "long":
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
	s.live = true
	if o := s.run("status", "--watch=false").want(0, `1 dead letters`, ""); strings.Contains(o.out, "\x1b[2J") {
		t.Errorf("not once: %q", o.out)
	}
	s.run("status", "--json").want(0, `"deadLetters":1`, "")
	s.live = false
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
	s.paints, s.live = true, true
	painted := s.start("status")
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

func TestPoolDead(t *testing.T) {
	s := newScene(t)
	d := s.pool()
	s.run("dead", "list").want(0, `\Ano dead letters\n\z`, "")
	s.run("dead", "list", "--json").want(0, `\A\{"deadLetters":\[\],"more":false\}\n\z`, "")
	s.run("dead", "rerun", "--all").want(0, `\A0 rerun\n\z`, "")
	long := "bad" + strings.Repeat("é", 1000)
	submit(t, d, func(s workpool.Stats) bool { return s.DeadLetters == 5 }, "bad1", "bad2", "bad3", "bad4\x1b", long)
	const row = `\d+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +2 +no +`
	s.run("dead", "list").want(0, `(?s)\AID +DIED +ATTEMPTS +DURABLE +TASK +LAST ERROR\n`+row+`"\\"bad1\\"" +"no:\\nbad1"\n`+
		row+`.*bad4.*`+row+`"\\"bad.*… \(2005 octets\) +"no:\\nbad.*… \(2007 octets\)\n\z`, "")
	first := s.run("dead", "list", "-n", "2").want(0, `(?s)bad2.*^there are more: --after \d+\n\z`, "")
	s.run("dead", "list", "-n", "3", "--after", strings.Fields(first.out[strings.Index(first.out, "--after"):])[1]).want(0, `(?s)\AID[^\n]*\n[^\n]*bad3`, "")

	var document struct {
		DeadLetters []struct {
			ID       uint64
			Task     *string
			Died     time.Time
			Attempts int
			Errors   []struct {
				Worker, Text string
				At           time.Time
			}
		}
		More bool
	}
	if err := json.Unmarshal([]byte(s.run("dead", "list", "--json", "-n", "5").out), &document); err != nil || len(document.DeadLetters) != 5 || document.More {
		t.Fatalf("%v, %+v", err, document)
	}
	var ids []string
	for _, l := range document.DeadLetters {
		ids = append(ids, fmt.Sprint(l.ID))
	}
	if l := document.DeadLetters[3]; *l.Task != `"bad4\u001b"` || l.Attempts != 2 || len(l.Errors) != 2 || l.Errors[1].Worker != "w\x1b" ||
		l.Errors[1].Text != "no:\nbad4\x1b" || l.Died != l.Errors[1].At || time.Since(l.Died) > time.Minute {
		t.Errorf("%+v", l)
	}
	s.run("dead", "show", ids[0]).want(0, `(?s)\Atask `+ids[0]+`, 6 octets: "\\"bad1\\""\n2 attempts, durable: false\n\n`+
		`ATTEMPT +TIME +WORKER +ERROR\n1 +\S+ \S+ +"w\\x1b" +"no:\\nbad1"\n2 [^\n]*\n\z`, "")
	s.run("dead", "show", ids[0], "--json").want(0, `"attempt":2`, "")
	s.run("dead", "show", "101").want(1, "", `no dead letter 101: see zwire pool dead list`)

	s.asks, s.input = true, "n\n"
	s.run("dead", "forget", ids[0]).want(1, "", `Throw 1 dead letters away\? \[y/N\] zwire: nothing was changed`)
	s.run("dead", "forget", ids[0], "--yes").want(0, `\A1 forgotten\n\z`, "")
	s.mended.Store(true)
	s.run("dead", "rerun", ids[0], ids[1], "--json").want(1, `\A\{"rerun":1\}\n\z`, `dead letter `+ids[0]+`: workpool: no such task`)
	s.run("dead", "rerun", "101", "102", "103", "104", "105").want(1, `\A0 rerun\n\z`, `dead letter 103: .*; and 2 more\n\z`)
	submit(t, d, func(s workpool.Stats) bool { return s.Sunk == 1 && s.DeadLetters == 3 })
	s.run("dead", "rerun", "--all").want(0, `\A3 rerun\n\z`, "")
	submit(t, d, func(s workpool.Stats) bool { return s.Sunk == 4 && s.DeadLetters == 0 })
	s.mended.Store(false)
	submit(t, d, func(s workpool.Stats) bool { return s.DeadLetters == 2 }, "bad", "bad")
	s.input = "yes\n"
	s.run("dead", "forget", "--all").want(0, `\A2 forgotten\n\z`, `Throw 2 dead`)
	if letters := d.DeadLetters(); len(letters) != 0 {
		t.Errorf("%+v", letters)
	}
}

func TestPoolUsage(t *testing.T) {
	s := newScene(t)
	s.command, s.flag = "pool", "--dispatcher"
	s.run("status", "--timeout", "50ms").want(1, "", `\Azwire: workpool: ask ipc://.*waited 50ms.*does a dispatcher run there\?`)
	s.run("status", "extra").want(2, "", `1 arguments, want: zwire pool status`)
	s.run("status", "--nonsense").want(2, "", `nonsense.*see zwire pool status --help`)
	s.run("dead", "list", "-n", "0").want(2, "", `-n 0: want at least 1`)
	s.run("dead", "list", "extra").want(2, "", `1 arguments, want: zwire pool dead list`)
	s.run("dead", "show").want(2, "", `0 arguments, want: zwire pool dead show ID`)
	s.run("dead", "rerun").want(2, "", `no arguments, want: zwire pool dead rerun ID… \| --all`)
	s.run("dead", "rerun", "--all", "7").want(2, "", `1 arguments`)
	s.run("dead", "forget", "seven").want(2, "", `"seven" is no ID`)
	s.run("dead", "nonsense").want(2, "", `no command "nonsense": see zwire pool dead --help`)
	s.run("dead").want(0, `(?s)list.*show.*rerun.*forget`, "")
	s.run("dead", "list", "--timeout", "50ms").want(1, "", `waited 50ms.*does a dispatcher run there\?`)
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
