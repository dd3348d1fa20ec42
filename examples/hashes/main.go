// SPDX-License-Identifier: Apache-2.0

// Command hashes hashes the files of a folder with a pool of workers that come and go. More of them can help from other terminals:
// they take part until they are interrupted, and finish what they have begun.
//
//	go run ./examples/hashes FOLDER
//	go run ./examples/hashes -worker tcp://127.0.0.1:7501
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool"
)

// Hash is what a worker finds out about a file.
type Hash struct {
	Path  string
	Bytes int64
	SHA   string
}

func main() {
	endpoint := flag.String("worker", "", "work for the dispatcher at this `endpoint` until interrupted")
	listen := flag.String("listen", "tcp://127.0.0.1:*", "the `endpoint` of the dispatcher")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *endpoint != "" {
		w := begin(*endpoint)
		<-ctx.Done()
		stop() // a second interrupt ends it at once
		check(w.Drain(context.Background()))
		return
	}
	folder := "."
	if flag.NArg() > 0 {
		folder = flag.Arg(0)
	}
	hashFolder(ctx, *listen, folder)
}

func hashFolder(ctx context.Context, listen, folder string) {
	d, err := workpool.NewDispatcher(&workpool.DispatcherOptions[string, Hash]{Endpoints: []string{listen}})
	check(err)
	defer d.Close()
	fmt.Println("workers may help at", d.Endpoint())
	counted := make(chan int, 1)
	go func() { counted <- walk(ctx, d, folder) }()

	workers := []*workpool.Worker{begin(d.Endpoint()), begin(d.Endpoint())}
	drained := make(chan error, 1)
	go func() {
		files := <-counted
		fmt.Println(files, "files found")
		drained <- d.Drain(ctx)
	}()
	var bytes int64
	results, came := 0, len(workers)
	for result, err := range d.Results(ctx) {
		check(err)
		results++
		bytes += result.Value.Bytes
		if results%10 == 0 && came < 10 { // the oldest goes in the middle of its work, and a new one comes
			check(workers[0].Close())
			workers = append(workers[1:], begin(d.Endpoint()))
			came++
		}
	}
	check(<-drained)
	for _, w := range workers {
		check(w.Drain(ctx))
	}
	stats := d.Stats()
	fmt.Printf("%d files of %d octets hashed by %d workers, %d attempts failed, %d files could not be read\n",
		results, bytes, came, stats.Failed, stats.DeadLetters)
	for _, letter := range d.DeadLetters() {
		fmt.Println("not read:", letter.Task, letter.Errors[len(letter.Errors)-1].Text)
	}
}

// walk submits the files of a folder.
func walk(ctx context.Context, d *workpool.Dispatcher[string, Hash], folder string) (files int) {
	check(filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // what cannot be seen is skipped
		}
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		files++
		_, err = d.Submit(ctx, path, &workpool.TaskOptions{Attempts: 2, Timeout: time.Minute})
		return err
	}))
	return files
}

// begin starts a worker.
func begin(endpoint string) *workpool.Worker {
	w, err := workpool.NewWorker(&workpool.WorkerOptions[string, Hash]{Dispatchers: []string{endpoint}}, hash)
	check(err)
	return w
}

func hash(ctx context.Context, task workpool.Task[string]) (Hash, error) {
	file, err := os.Open(task.Value)
	if err != nil {
		return Hash{}, err
	}
	defer file.Close() // was only read
	sum := sha256.New()
	bytes, err := io.Copy(sum, reader{ctx, file})
	return Hash{task.Value, bytes, hex.EncodeToString(sum.Sum(nil))}, err
}

// reader stops when nobody waits for the result any more.
type reader struct {
	ctx  context.Context
	file *os.File
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
