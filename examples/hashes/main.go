// SPDX-License-Identifier: Apache-2.0

// Command hashes shows a pool whose workers come and go: it hashes each file of a folder, by processes of which one joins and another
// one leaves again and again while the work goes on. Every second one that leaves is killed. No file is missing at the end.
//
//	go run ./examples/hashes [folder]    (default folder: $(go env GOROOT)/src)
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool"
)

const (
	atOnce  = 3 // workers
	changes = 6 // so often one comes and one goes
)

func main() {
	endpoint := flag.String("worker", "", "be a worker of the dispatcher at this endpoint")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if *endpoint != "" {
		beWorker(ctx, *endpoint)
		return
	}
	folder := flag.Arg(0)
	if folder == "" {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		check(err)
		folder = filepath.Join(strings.TrimSpace(string(out)), "src")
	}
	var paths []string
	check(filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	}))
	check(hashAll(ctx, paths))
}

func hashAll(ctx context.Context, paths []string) error {
	d, err := workpool.NewDispatcher(&workpool.DispatcherOptions[string, string]{
		Endpoints: []string{"tcp://127.0.0.1:*"}, Interval: 100 * time.Millisecond, // a dead worker is missed after two of them
	})
	check(err)
	defer d.Close()
	fmt.Printf("%d files; to look on: go run ./cmd/zwire pool status --watch --dispatcher %s\n", len(paths), d.Endpoint())
	crew, gone := []func(kill bool){}, 0 // what ends the workers, the oldest first, and how many have gone
	for range atOnce {
		crew = append(crew, startWorker(ctx, d.Endpoint()))
	}
	began := time.Now()
	fileOf := make(map[workpool.ID]string, len(paths)) // filled before the dispatcher has drained, read after
	go func() {
		for _, path := range paths {
			id, err := d.Submit(ctx, path, nil)
			check(err)
			fileOf[id] = path
		}
		check(d.Drain(ctx))
	}()
	hashOf := make(map[workpool.ID]string, len(paths))
	for result, err := range d.Results(ctx) {
		if err != nil {
			return err
		}
		hashOf[result.ID] = result.Value
		if step := max(len(paths)/(changes+1), 1); len(hashOf)%step == 0 && len(hashOf)/step <= changes {
			kill := gone%2 == 0
			crew[gone](kill)
			crew = append(crew, startWorker(ctx, d.Endpoint()))
			gone++
			fmt.Printf("%6d hashed: worker %d goes, killed: %-5t  worker %d comes\n", len(hashOf), gone, kill, len(crew))
		}
	}
	for _, stop := range crew[gone:] {
		stop(false)
	}
	stats := d.Stats()
	fmt.Printf("%6d hashed in %.1f s; attempts that were made again: %d\n", len(hashOf), time.Since(began).Seconds(), stats.Retries)
	for _, dead := range d.DeadLetters() {
		fmt.Printf("not hashed: %s: %s\n", dead.Task, dead.Errors[len(dead.Errors)-1].Text)
	}
	wrong := 0
	for id, path := range fileOf {
		if hash, err := hashFile(path); hashOf[id] != hash && err == nil {
			wrong++
		}
	}
	fmt.Printf("hashed once more in this process: %d differ, right: %t\n", wrong, wrong == 0 && len(fileOf) == len(paths))
	return nil
}

// startWorker starts a process of this program as a worker. stop kills it, or lets it finish what it has begun.
func startWorker(ctx context.Context, endpoint string) (stop func(kill bool)) {
	self, err := os.Executable()
	check(err)
	process := exec.CommandContext(ctx, self, "-worker", endpoint)
	process.Stderr = os.Stderr
	life, err := process.StdinPipe()
	check(err)
	check(process.Start())
	return func(kill bool) {
		if kill {
			check(process.Process.Kill())
		}
		life.Close()
		if err := process.Wait(); err != nil && !kill {
			log.Print("hashes: a worker: ", err)
		}
	}
}

// beWorker works until its standard input ends; then it finishes what it has begun.
func beWorker(ctx context.Context, endpoint string) {
	worker, err := workpool.NewWorker(&workpool.WorkerOptions[string, string]{Dispatchers: []string{endpoint}},
		func(_ context.Context, task workpool.Task[string]) (string, error) { return hashFile(task.Value) })
	check(err)
	_, err = io.Copy(io.Discard, os.Stdin)
	check(err)
	check(worker.Drain(ctx))
}

func hashFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%x", sum), err
}

func check(err error) {
	if err != nil {
		log.Fatal("hashes: ", err)
	}
}
