// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/zwire-mq/zwire/bench/internal/profile"
	"github.com/zwire-mq/zwire/patterns/config"
)

const boundPrefix = "bound "

// ours is zwire's patterns/config. The authority is this program again, in a process of its own.
type ours struct{}

func (ours) name() string { return "zwire" }

func (ours) serve(ctx context.Context, folder string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, self, roleAuthority, filepath.Join(folder, "store"))
	if err != nil {
		return nil, err
	}
	line, err := p.ReadLine()
	endpoint, bound := strings.CutPrefix(strings.TrimSpace(line), boundPrefix)
	if err != nil || !bound {
		return nil, errors.Join(fmt.Errorf("the authority did not start: %w", err), p.End())
	}
	return &server{process: p, endpoint: endpoint}, nil
}

// authority is what the process of the authority does, until its standard input ends.
func authority(path string) error {
	options := config.AuthorityOptions{Endpoint: "tcp://127.0.0.1:*", Path: path}
	a, err := config.NewAuthority(&options)
	if err != nil {
		return err
	}
	fmt.Println(boundPrefix + a.Endpoint())
	orders := bufio.NewScanner(os.Stdin)
	var written profile.Profile
	for orders.Scan() {
		if err := written.Turn(orders.Text()); err != nil {
			return errors.Join(err, a.Close())
		}
	}
	return errors.Join(written.Stop(), a.Err(), a.Close())
}

type oursNode struct {
	client   *config.Client
	follower *follower
	cancel   context.CancelFunc
	watching sync.WaitGroup
}

func (ours) join(ctx context.Context, endpoint, name string, f *follower) (node, error) {
	client, err := config.Dial(ctx, &config.Options{Authorities: []string{endpoint}, Name: name})
	if err != nil {
		return nil, err
	}
	f.begin(client.Snapshot().Revision())
	return &oursNode{client: client, follower: f, cancel: func() {}}, nil
}

func (n *oursNode) watch(ctx context.Context) {
	ctx, n.cancel = context.WithCancel(ctx)
	n.watching.Go(func() { n.follow(ctx) })
}

// follow is shown first what is there.
func (n *oursNode) follow(ctx context.Context) {
	f := n.follower
	count := 0
	for change, err := range n.client.Watch(ctx, prefix) {
		if err != nil {
			if ctx.Err() == nil {
				f.fail(fmt.Errorf("watch: %w", err))
			}
			return
		}
		if count++; !change.More {
			f.advance(change.Revision, count)
			count = 0
		}
	}
}

func (n *oursNode) keys() int { return n.client.Snapshot().Len() }

func (n *oursNode) close() error {
	n.cancel()
	n.watching.Wait()
	return n.client.Close()
}

type oursWriter struct{ client *config.Client }

func (ours) dial(ctx context.Context, endpoint, name string) (writer, error) {
	client, err := config.Dial(ctx, &config.Options{Authorities: []string{endpoint}, Name: name, Observer: true})
	if err != nil {
		return nil, err
	}
	return oursWriter{client}, nil
}

func (w oursWriter) set(ctx context.Context, key string, value []byte) (uint64, error) {
	return w.client.Set(ctx, key, value)
}

func (w oursWriter) fill(ctx context.Context, keys []string, value []byte) error {
	var transaction config.Transaction
	for _, key := range keys {
		transaction.Ops = append(transaction.Ops, config.Op{Key: key, Value: value})
	}
	_, err := w.client.Commit(ctx, &transaction)
	return err
}

func (w oursWriter) close() error { return w.client.Close() }
