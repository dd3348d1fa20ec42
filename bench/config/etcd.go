// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const etcdPackage = "etcd-server"

// etcd is Debian's server and its Go client. Every node and writer has a client of its own, which is a connection.
type etcd struct{}

func (etcd) name() string { return "etcd" }

// etcdVersion says which server is there.
func etcdVersion(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "etcd", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("no etcd to compare with: %w; on Debian: apt-get install %s", err, etcdPackage)
	}
	first, _, _ := strings.Cut(string(output), "\n")
	return strings.TrimPrefix(first, "etcd Version: "), nil
}

// serve gives etcd what is needed to take the same transactions; all else is as it comes, fsync of every change included.
func (e etcd) serve(ctx context.Context, folder string) (*server, error) {
	endpoints, err := freeEndpoints(2)
	if err != nil {
		return nil, err
	}
	own, peers := endpoints[0], endpoints[1]
	p, err := start(ctx, "etcd", "--name=bench", "--data-dir="+folder, "--logger=zap", "--log-level=error",
		"--listen-client-urls="+own, "--advertise-client-urls="+own, "--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers, "--initial-cluster=bench="+peers, fmt.Sprintf("--max-txn-ops=%d", fillKeys))
	if err != nil {
		return nil, err
	}
	s := &server{process: p, endpoint: own, stubborn: true}
	if err := e.await(ctx, own); err != nil {
		return nil, errors.Join(p.Explain(err), s.finish())
	}
	return s, nil
}

// await returns when the server answers.
func (e etcd) await(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	client, err := e.client(ctx, endpoint)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		attempt, done := context.WithTimeout(ctx, time.Second)
		_, err := client.Get(attempt, prefix)
		done()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// freeEndpoints are of ports that were free a moment ago.
func freeEndpoints(count int) ([]string, error) {
	var endpoints []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		endpoints = append(endpoints, "http://"+listener.Addr().String())
	}
	return endpoints, nil
}

func (etcd) client(ctx context.Context, endpoint string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, Context: ctx, DialTimeout: startLimit, Logger: zap.NewNop(),
	})
}

// etcdNode copies into a map what it gets, as a program does that wants to read without a network.
type etcdNode struct {
	client   *clientv3.Client
	follower *follower
	revision int64 // of the copy that it joined with
	cancel   context.CancelFunc
	watching sync.WaitGroup

	mu   sync.Mutex
	copy map[string][]byte
}

func (e etcd) join(ctx context.Context, endpoint, _ string, f *follower) (node, error) {
	client, err := e.client(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	got, err := client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	n := &etcdNode{
		client: client, follower: f, revision: got.Header.Revision, cancel: func() {}, copy: make(map[string][]byte, len(got.Kvs)),
	}
	for _, pair := range got.Kvs {
		n.copy[string(pair.Key)] = pair.Value
	}
	f.begin(uint64(n.revision))
	return n, nil
}

func (n *etcdNode) watch(ctx context.Context) {
	ctx, n.cancel = context.WithCancel(ctx)
	changes := n.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(n.revision+1))
	n.watching.Go(func() { n.follow(ctx, changes) })
}

func (n *etcdNode) follow(ctx context.Context, changes clientv3.WatchChan) {
	f := n.follower
	for response := range changes {
		if err := response.Err(); err != nil {
			f.fail(fmt.Errorf("watch: %w", err))
			return
		}
		for first := 0; first < len(response.Events); {
			first += n.apply(response.Events[first:])
		}
	}
	if ctx.Err() == nil {
		f.fail(errors.New("the watch has ended"))
	}
}

// apply takes the events of one revision, and returns how many there were.
func (n *etcdNode) apply(events []*clientv3.Event) int {
	revision, count := events[0].Kv.ModRevision, 0
	n.mu.Lock()
	for count < len(events) && events[count].Kv.ModRevision == revision {
		pair := events[count].Kv
		if events[count].Type == clientv3.EventTypeDelete {
			delete(n.copy, string(pair.Key))
		} else {
			n.copy[string(pair.Key)] = pair.Value
		}
		count++
	}
	n.mu.Unlock()
	n.follower.advance(uint64(revision), count)
	return count
}

func (n *etcdNode) keys() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.copy)
}

func (n *etcdNode) close() error {
	n.cancel()
	n.watching.Wait()
	return n.client.Close()
}

type etcdWriter struct{ client *clientv3.Client }

func (e etcd) dial(ctx context.Context, endpoint, _ string) (writer, error) {
	client, err := e.client(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	if _, err := client.Get(ctx, prefix); err != nil { // connects
		return nil, errors.Join(err, client.Close())
	}
	return etcdWriter{client}, nil
}

func (w etcdWriter) set(ctx context.Context, key string, value []byte) (uint64, error) {
	response, err := w.client.Put(ctx, key, string(value))
	if err != nil {
		return 0, err
	}
	return uint64(response.Header.Revision), nil
}

func (w etcdWriter) fill(ctx context.Context, keys []string, value []byte) error {
	var puts []clientv3.Op
	for _, key := range keys {
		puts = append(puts, clientv3.OpPut(key, string(value)))
	}
	_, err := w.client.Txn(ctx).Then(puts...).Commit()
	return err
}

func (w etcdWriter) close() error { return w.client.Close() }
