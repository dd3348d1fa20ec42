// SPDX-License-Identifier: Apache-2.0

//go:build unix

package config

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket/sockettest"
)

// serveVariable makes the test binary an authority: its value is the options, as words.
const serveVariable = "ZWIRE_TEST_SERVE"

func TestMain(m *testing.M) {
	if words := strings.Fields(os.Getenv(serveVariable)); len(words) > 0 {
		serveChild(words)
		return
	}
	os.Exit(m.Run())
}

// serveChild is an authority in a process of its own, until its standard input ends or it is killed.
func serveChild(words []string) {
	opts := &AuthorityOptions{Endpoint: words[0], Path: words[1], Interval: 50 * time.Millisecond, TakeoverAfter: 400 * time.Millisecond}
	if len(words) > 2 {
		opts.Other, opts.Preferred = words[2], words[3] == "preferred"
	}
	a, err := NewAuthority(opts)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("serving")
	io.Copy(io.Discard, os.Stdin)
	a.Close()
}

// soakKillsMax is what is asked for in full.
const soakKillsMax = 200

// process is an authority that can be killed.
type process struct {
	t     *testing.T
	words string
	cmd   *exec.Cmd
	stdin io.Closer
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), serveVariable+"="+p.words)
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "serving\n" {
		p.t.Fatalf("the authority says %q, %v", line, err)
	}
}

// kill ends it with SIGKILL, in the middle of whatever it does.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// load is writers that change keys all the time, through a client each, and remember what was acknowledged.
type load struct {
	t       *testing.T
	mu      sync.Mutex
	acked   map[string]acknowledged // the last of each key
	total   int
	writers sync.WaitGroup
	stop    context.CancelFunc
}

type acknowledged struct {
	number   int
	revision uint64
}

func startLoad(t *testing.T, endpoints []string) *load {
	l := &load{t: t, acked: map[string]acknowledged{}}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	for w := range 4 {
		client := mustDial(t, &Options{Authorities: endpoints, Name: fmt.Sprint("writer", w)})
		l.writers.Go(func() {
			defer client.Close()
			for number := 1; ctx.Err() == nil; number++ {
				l.write(ctx, client, fmt.Sprintf("w%d/k%d", w, number%7), number)
			}
		})
	}
	return l
}

// write changes a key, and another one with it, until it is acknowledged: what is asked again is not done twice.
func (l *load) write(ctx context.Context, client *Client, key string, number int) {
	value := fmt.Appendf(nil, "%d", number)
	revision, err := client.Commit(ctx, &Transaction{Ops: []Op{{Key: key, Value: value}, {Key: "both/" + key, Value: value}}})
	if err != nil {
		if ctx.Err() == nil {
			l.t.Errorf("commit: %v", err)
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[key] = acknowledged{number, revision}
	l.total++
}

// check reads everything that was acknowledged, by a new client and by one that was there all the time.
func (l *load) check(clients ...*Client) {
	l.t.Helper()
	var last uint64
	for _, a := range l.acked {
		last = max(last, a.revision)
	}
	for i, client := range clients {
		ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
		defer cancel()
		for range client.Watch(ctx, "") {
			if client.Snapshot().Revision() >= last {
				break
			}
		}
		snapshot := client.Snapshot()
		for key, a := range l.acked {
			entry, err := snapshot.Get(key)
			both, errBoth := snapshot.Get("both/" + key)
			if err = errors.Join(err, errBoth); err != nil {
				l.t.Errorf("client %d: %s, acknowledged as %d at %d: %v", i, key, a.number, a.revision, err)
				continue
			}
			var number int
			fmt.Sscan(string(entry.Value), &number)
			if number < a.number || string(entry.Value) != string(both.Value) || entry.Revision != both.Revision {
				l.t.Errorf("client %d: %s is %s at %d and %s at %d, acknowledged was %d at %d", i, key, entry.Value, entry.Revision,
					both.Value, both.Revision, a.number, a.revision)
			}
		}
	}
}

// TestSoakKill: an authority is killed again and again under load; what it acknowledged is there when it starts again.
func TestSoakKill(t *testing.T) {
	t.Parallel() // it waits most of the time
	dir := t.TempDir()
	endpoint := "ipc://" + filepath.Join(dir, "a")
	p := &process{t: t, words: endpoint + " " + filepath.Join(dir, "store")}
	p.start()
	watcher := mustDial(t, &Options{Authorities: []string{endpoint}, Name: "watcher"})
	defer watcher.Close()
	l := startLoad(t, []string{endpoint})
	kills := sockettest.Soaked(t, 3, soakKillsMax)
	for range kills {
		l.progress(20 + rand.IntN(100))
		p.kill()
		p.start()
	}
	l.progress(20)
	l.stop()
	l.writers.Wait()
	fresh := mustDial(t, &Options{Authorities: []string{endpoint}, Name: "fresh"})
	defer fresh.Close()
	l.check(watcher, fresh)
	t.Logf("%d kills, %d acknowledged changes", kills, l.total)
	p.kill()
}

// TestSoakKillPair: of two authorities one is killed at a time; clients move to the other, and nothing acknowledged is lost.
func TestSoakKillPair(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var endpoints []string
	for _, name := range []string{"a", "b"} {
		endpoints = append(endpoints, "ipc://"+filepath.Join(dir, name))
	}
	pair := []*process{
		{t: t, words: strings.Join([]string{endpoints[0], filepath.Join(dir, "store-a"), endpoints[1], "preferred"}, " ")},
		{t: t, words: strings.Join([]string{endpoints[1], filepath.Join(dir, "store-b"), endpoints[0], "other"}, " ")},
	}
	for _, p := range pair {
		p.start()
	}
	watcher := mustDial(t, &Options{Authorities: endpoints, Name: "watcher"})
	defer watcher.Close()
	l := startLoad(t, endpoints)
	kills := sockettest.Soaked(t, 3, soakKillsMax)
	for range kills {
		inStep(t, watcher)
		l.progress(20 + rand.IntN(100))
		p := pair[rand.IntN(2)]
		primary := strings.HasPrefix(p.words, watcher.Freshness().Authority+" ")
		p.kill()
		if primary && rand.IntN(2) == 0 {
			l.progress(5) // by the one that takes over
		}
		p.start()
	}
	inStep(t, watcher)
	l.stop()
	l.writers.Wait()
	fresh := mustDial(t, &Options{Authorities: endpoints, Name: "fresh"})
	defer fresh.Close()
	l.check(watcher, fresh)
	t.Logf("%d kills, %d acknowledged changes", kills, l.total)
	for _, p := range pair {
		p.kill()
	}
}

// progress waits for so many more acknowledged changes.
func (l *load) progress(changes int) {
	l.t.Helper()
	l.mu.Lock()
	want := l.total + changes
	l.mu.Unlock()
	deadline := time.Now().Add(time.Minute)
	for ticker := time.NewTicker(time.Millisecond); ; <-ticker.C {
		l.mu.Lock()
		total := l.total
		l.mu.Unlock()
		if total >= want {
			ticker.Stop()
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("no change was acknowledged any more, at %d", total)
		}
	}
}

// inStep waits until the standby may take over.
func inStep(t *testing.T, client *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ticker := time.NewTicker(5 * time.Millisecond); ; <-ticker.C {
		status, err := client.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if status.ReadOnly == "" && strings.Contains(status.Standby, "in step") {
			ticker.Stop()
			return
		}
	}
}
