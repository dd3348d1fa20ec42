// SPDX-License-Identifier: Apache-2.0

// Command rollout shows a change reach 20 processes, from the operator's side: who has it, who lacks it, and when all have it.
//
//	go run ./examples/rollout
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/zwire-mq/zwire/patterns/config"
)

const nodes = 20

func main() {
	name := flag.String("node", "", "be a node of this name")
	endpoint := flag.String("authority", "", "endpoint of the authority, for a node")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if *name != "" {
		beNode(ctx, *name, *endpoint)
		return
	}
	check(operate(ctx))
}

// beNode holds a copy until its standard input ends, as it does when the operator's process is gone.
func beNode(ctx context.Context, name, endpoint string) {
	client, err := config.Dial(ctx, &config.Options{Authorities: []string{endpoint}, Name: name})
	check(err)
	_, err = io.Copy(io.Discard, os.Stdin)
	check(err)
	check(client.Close())
}

func operate(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "rollout")
	check(err)
	defer os.RemoveAll(folder)
	authority, err := config.NewAuthority(&config.AuthorityOptions{
		Endpoint: "ipc://" + filepath.ToSlash(folder) + "/a", Path: filepath.Join(folder, "store"), Interval: 100 * time.Millisecond,
	})
	check(err)
	defer authority.Close()
	operator, err := config.Dial(ctx, &config.Options{Authorities: []string{authority.Endpoint()}, Observer: true})
	check(err)
	defer operator.Close()
	revision, err := operator.Set(ctx, "web/motd", []byte("hello"))
	check(err)
	for i := range nodes {
		defer startNode(ctx, fmt.Sprintf("node-%02d", i+1), authority.Endpoint())()
	}
	if err := operator.WaitApplied(ctx, revision, nodes); err != nil {
		return fmt.Errorf("waiting for %d nodes: %w", nodes, err)
	}
	fmt.Printf("%d nodes have revision %d\n", nodes, revision)

	revision, err = operator.Set(ctx, "web/motd", []byte("hello, all"))
	began := time.Now() // it is acknowledged
	if err != nil {
		return err
	}
	applied := make(chan error, 1)
	var took time.Duration
	go func() {
		err := operator.WaitApplied(ctx, revision, nodes)
		took = time.Since(began)
		applied <- err
	}()
	for {
		status, err := operator.Status(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%d of %d nodes have revision %d\n", count(status, revision), nodes, revision)
		select {
		case err := <-applied:
			if err != nil {
				return err
			}
			return show(ctx, operator, revision, took)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func count(status *config.Status, revision uint64) (have int) {
	for _, node := range status.Nodes {
		if node.Revision >= revision {
			have++
		}
	}
	return have
}

func show(ctx context.Context, operator *config.Client, revision uint64, took time.Duration) error {
	status, err := operator.Status(ctx)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "NODE\tREVISION\tPROVED")
	for _, node := range status.Nodes {
		fmt.Fprintf(out, "%s\t%d\t%v\n", node.Name, node.Revision, node.Proved)
	}
	fmt.Fprintf(out, "all %d processes had revision %d %.1f ms after it was acknowledged\n",
		count(status, revision), revision, float64(took)/float64(time.Millisecond))
	return out.Flush()
}

// startNode starts a process of this program as a node, and returns what ends it.
func startNode(ctx context.Context, name, endpoint string) (stop func()) {
	self, err := os.Executable()
	check(err)
	process := exec.CommandContext(ctx, self, "-node", name, "-authority", endpoint)
	process.Stderr = os.Stderr
	life, err := process.StdinPipe()
	check(err)
	check(process.Start())
	return func() {
		life.Close()
		if err := process.Wait(); err != nil {
			log.Printf("rollout: %s: %v", name, err)
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal("rollout: ", err)
	}
}
