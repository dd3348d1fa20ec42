// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

// prefix is that of all keys; for zwire it is one tree.
const prefix = "bench/"

// A contender is one way to distribute configuration.
type contender interface {
	name() string
	// serve starts the server, as a process that keeps its data in folder.
	serve(ctx context.Context, folder string) (*server, error)
	// join makes a node, which has all keys when join returns.
	join(ctx context.Context, endpoint, name string, f *follower) (node, error)
	// dial makes a client that changes keys and holds no copy.
	dial(ctx context.Context, endpoint, name string) (writer, error)
}

// A server is a process that holds the configuration.
type server struct {
	*process
	endpoint string
	stubborn bool // it does not end when its standard input does
}

// finish ends it, in the way that it takes.
func (s *server) finish() error {
	if s.stubborn {
		s.Kill()
		return nil
	}
	return s.End()
}

// A node has a copy of the configuration.
type node interface {
	// watch tells the follower that it joined with of every change from then on, until ctx or the node ends. It is called once.
	watch(ctx context.Context)
	keys() int
	close() error
}

// A writer changes the configuration.
type writer interface {
	// set returns when the change is on disk.
	set(ctx context.Context, key string, value []byte) (revision uint64, err error)
	// fill sets keys in one transaction.
	fill(ctx context.Context, keys []string, value []byte) error
	close() error
}

func contenderOf(name string) (contender, error) {
	for _, c := range []contender{ours{}, etcd{}} {
		if c.name() == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no contender is called %q", name)
}

func keyOf(number int) string { return fmt.Sprintf("%skey-%06d", prefix, number) }
