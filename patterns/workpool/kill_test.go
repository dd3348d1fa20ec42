// SPDX-License-Identifier: Apache-2.0

//go:build unix

package workpool

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	signals "os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket/sockettest"
)

// childVariable makes the test binary a worker or a dispatcher: its value is what it is to be, as words.
const childVariable = "ZWIRE_TEST_POOL"

const killInterval = 50 * time.Millisecond

func TestMain(m *testing.M) {
	words := strings.Fields(os.Getenv(childVariable))
	if len(words) == 0 {
		os.Exit(m.Run())
	}
	children := map[string]func([]string) error{"worker": workChild, "interrupted": drainChild, "dispatcher": dispatchChild}
	if err := children[words[0]](words[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// workChild is a worker in a process of its own, until it is killed or its standard input ends.
func workChild(endpoints []string) error {
	w, err := NewWorker(&hands{Dispatchers: endpoints, Concurrency: 4}, takeAWhile)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return w.Close()
}

// drainChild is a worker that drains when it is interrupted, as programs do at Ctrl-C. What it has begun ends with its standard input.
func drainChild(endpoints []string) error {
	interrupted, stop := signals.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	goOn := make(chan struct{})
	w, err := NewWorker(&hands{Dispatchers: endpoints, Concurrency: 2}, func(context.Context, Task[int]) (int, error) {
		fmt.Println("begun")
		<-goOn
		return -1, nil
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-interrupted.Done()
	fmt.Println("interrupted")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(goOn)
	}()
	if err := w.Drain(context.Background()); err != nil {
		return err
	}
	fmt.Println("drained")
	return nil
}

// takeAWhile is a task: it lasts so many milliseconds as its last digit says.
func takeAWhile(ctx context.Context, task Task[int]) (int, error) {
	timer := time.NewTimer(time.Duration(task.Value%10) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 2 * task.Value, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// dispatchChild is a dispatcher, of a store and endpoints, with its producers and its sink. It writes down what it has accepted, and what
// the sink sees. When its standard input ends it drains.
func dispatchChild(words []string) error {
	ready := make(chan struct{})
	d, err := NewDispatcher(&numbers{
		Endpoints: words[1:], Path: words[0], Interval: killInterval, BackoffMin: time.Millisecond, Attempts: 1000, QueueTasks: 200,
		OnResult: func(r Result[int]) {
			<-ready
			fmt.Printf("seen %d %d %v\n", r.ID, r.Value, r.Redelivered) // one write each, unbuffered
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	close(ready)
	ctx, stop := context.WithCancel(context.Background())
	var producers sync.WaitGroup
	for range 4 {
		producers.Go(func() {
			for ctx.Err() == nil {
				value := rand.IntN(1000)
				id, err := d.Submit(ctx, value, &TaskOptions{Durable: true})
				if err == nil {
					fmt.Printf("accepted %d %d\n", id, value)
				}
			}
		})
	}
	io.Copy(io.Discard, os.Stdin)
	stop()
	producers.Wait()
	if err := d.Drain(context.Background()); err != nil {
		return err
	}
	fmt.Println("drained")
	return d.Close()
}

// child is a process that can be killed.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Reader
}

func startChild(t *testing.T, words ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childVariable+"="+strings.Join(words, " "))
	c.cmd.Stderr = os.Stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := c.lines.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return c
}

// kill ends it with SIGKILL, in the middle of whatever it does.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// TestSoakKillWorkers: workers are killed again and again under load, and stopped for a while, over ipc and tcp; every task is done, and
// the sink sees each once.
func TestSoakKillWorkers(t *testing.T) {
	endpoints := []string{"ipc://" + filepath.Join(t.TempDir(), "pool"), "tcp://127.0.0.1:*"}
	var mu sync.Mutex
	seen := map[ID]int{}
	var sunk atomic.Int64
	d := mustDispatch(t, numbers{
		Endpoints: endpoints, Interval: killInterval, Attempts: 1000, QueueTasks: 100,
		OnResult: func(r Result[int]) {
			mu.Lock()
			defer mu.Unlock()
			seen[r.ID] = r.Value
			sunk.Add(1)
		},
	})
	endpoints[1] = d.Endpoint()
	wanted := map[ID]int{}
	ctx, stop := context.WithCancel(t.Context())
	var producer sync.WaitGroup
	producer.Go(func() {
		for ctx.Err() == nil {
			value := rand.IntN(1000)
			if id, err := d.Submit(ctx, value, nil); err == nil {
				wanted[id] = 2 * value
			}
		}
	})
	workers := make([]*child, 4)
	for i := range workers {
		workers[i] = startChild(t, "worker", endpoints[i%2])
	}
	kills, stops := 10*soakFactor(t), 0
	for range kills {
		after := sunk.Load() + int64(rand.IntN(60))
		sockettest.Until(t, "progress", func() bool { return sunk.Load() >= after })
		i := 1 + rand.IntN(len(workers)-1)
		workers[i].kill()
		workers[i] = startChild(t, "worker", endpoints[i%2])
		if rand.IntN(10) == 0 { // the first is not killed: it is stopped, mostly long enough to be given up, and goes on
			stops++
			state := syscall.SIGSTOP
			if stops%2 == 0 {
				state = syscall.SIGCONT
			}
			if err := workers[0].cmd.Process.Signal(state); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	producer.Wait()
	if err := d.Drain(patient(t)); err != nil {
		t.Fatalf("%v, %+v", err, d.Stats())
	}
	for _, w := range workers {
		w.kill()
	}
	stats := d.Stats()
	if len(seen) != len(wanted) || sunk.Load() != int64(len(wanted)) || stats.Died != 0 {
		t.Errorf("%d results for %d of %d tasks, %+v", sunk.Load(), len(seen), len(wanted), stats)
	}
	for id, value := range wanted {
		if seen[id] != value {
			t.Errorf("task %d gives %d, want %d", id, seen[id], value)
		}
	}
	t.Logf("%d kills, %d stops, %d tasks, %d attempts failed, %d late answers", kills, stops/2, len(wanted), stats.Failed, stats.Late)
	if stats.Failed == 0 {
		t.Error("no worker was killed at work")
	}
}

// account is what a dispatcher that is killed again and again has said.
type account struct {
	t        *testing.T
	life     int
	accepted map[uint64]int // value
	seen     map[uint64]int // the last life in which the sink saw it
	again    int
	drained  bool
}

// read takes lines until the process has ended, or one more than count.
func (a *account) read(c *child, count int) {
	for range count {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return // what was cut off was not said
		}
		var id uint64
		var value int
		var redelivered bool
		switch {
		case line == "drained\n":
			a.drained = true
		case strings.HasPrefix(line, "accepted"):
			fmt.Sscanf(line, "accepted %d %d", &id, &value)
			a.accepted[id] = value
		default:
			fmt.Sscanf(line, "seen %d %d %t", &id, &value, &redelivered)
			before := a.seen[id]
			if before == a.life {
				a.t.Errorf("life %d: the sink sees %d twice", a.life, id)
			}
			if before != 0 && !redelivered {
				a.t.Errorf("life %d: the sink sees %d again, as in life %d, unmarked", a.life, id, before)
			}
			if before != 0 {
				a.again++
			}
			a.seen[id] = a.life
		}
	}
}

// TestSoakKillDispatcher: a dispatcher is killed again and again under load, with workers over ipc and tcp; every task that it accepted
// is done, and the sink sees each once in each life, and again only marked.
func TestSoakKillDispatcher(t *testing.T) {
	directory := t.TempDir()
	words := []string{"dispatcher", filepath.Join(directory, "store"), "ipc://" + filepath.Join(directory, "pool"), freeEndpoint(t)}
	for _, endpoint := range words[2:] {
		mustWork(t, hands{Dispatchers: []string{endpoint}, Concurrency: 4}, takeAWhile)
	}
	a := &account{t: t, life: 1, accepted: map[uint64]int{}, seen: map[uint64]int{}}
	kills := 1 + soakFactor(t)
	for range kills {
		c := startChild(t, words...)
		a.read(c, 300+rand.IntN(500))
		c.cmd.Process.Kill()
		a.read(c, 1<<30)
		c.cmd.Wait()
		a.life++
	}
	c := startChild(t, words...)
	a.read(c, 100)
	c.stdin.Close()
	a.read(c, 1<<30)
	if err := c.cmd.Wait(); err != nil || !a.drained {
		t.Fatalf("the last dispatcher: %v, drained: %v", err, a.drained)
	}
	for id, value := range a.accepted {
		if a.seen[id] == 0 {
			t.Errorf("task %d, value %d, is lost", id, value)
		}
	}
	t.Logf("%d kills, %d tasks accepted, %d results came again", kills, len(a.accepted), a.again)
}

// freeEndpoint is one that nobody has, and that no stream gets for its own end while a dispatcher is away: below the ports that systems
// give to those.
func freeEndpoint(t *testing.T) string {
	for range 100 {
		address := fmt.Sprint("127.0.0.1:", 20000+rand.IntN(12000))
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return "tcp://" + address
		}
	}
	t.Fatal("no free port")
	return ""
}

// TestInterrupted: a worker process that drains at SIGINT finishes what it has begun, takes no more, and ends well; others do the rest.
func TestInterrupted(t *testing.T) {
	d := mustDispatch(t, numbers{Endpoints: []string{"tcp://127.0.0.1:*"}})
	w := startChild(t, "interrupted", d.Endpoint())
	defer w.kill()
	says := func(want string) {
		t.Helper()
		if line, err := w.lines.ReadString('\n'); line != want+"\n" {
			t.Fatalf("the worker says %q, %v, want %q", line, err, want)
		}
	}
	submit(t, d, 20, nil)
	says("begun")
	says("begun")
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	says("interrupted")
	sockettest.Until(t, "no credit", func() bool { s := d.Stats(); return s.Workers[0].Credit == 0 && s.Workers[0].Held == 2 })
	w.stdin.Close()
	says("drained")
	if err := w.cmd.Wait(); err != nil {
		t.Error(err)
	}
	mustWork(t, hands{Dispatchers: []string{d.Endpoint()}}, double)
	finished := 0
	for _, value := range values(collect(t, d, 20)) {
		if value == -1 {
			finished++
		}
	}
	if s := d.Stats(); finished != 2 || s.Done != 20 || s.Failed != 0 || s.WorkersLost != 0 {
		t.Errorf("%d by the first, %+v", finished, s)
	}
}

// TestStop: a worker that is stopped loses what it has to others; when it goes on, its late answers are dropped, and it works again.
func TestStop(t *testing.T) {
	endpoint := "ipc://" + filepath.Join(t.TempDir(), "pool")
	d := mustDispatch(t, numbers{Endpoints: []string{endpoint}, Interval: killInterval, Attempts: 100})
	stopped := startChild(t, "worker", endpoint)
	defer stopped.kill()
	submit(t, d, 100, nil)
	sockettest.Until(t, "work", func() bool { s := d.Stats(); return s.Done > 0 && s.Leased > 0 })
	if err := stopped.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	mustWork(t, hands{Dispatchers: []string{endpoint}, Concurrency: 4}, takeAWhile)
	collect(t, d, 100)
	lost := d.Stats().WorkersLost
	if err := stopped.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	sockettest.Until(t, "return", func() bool { s := d.Stats(); return len(s.Workers) == 2 && s.Late > 0 })
	if s := d.Stats(); lost == 0 || s.Sunk != 100 {
		t.Errorf("%d lost, %+v", lost, s)
	}
	submit(t, d, 100, nil)
	collect(t, d, 100)
}
