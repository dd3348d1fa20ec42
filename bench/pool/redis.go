// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/zwire-mq/zwire/bench/internal/child"
)

const (
	redisPackage = "redis-server"
	taskType     = "work"
)

// redisQueue is asynq on Debian's Redis. Its workers are the concurrent calls of one Server; it has no sink, and a task counts as
// done when the function is called, before Redis knows.
type redisQueue struct{}

func (redisQueue) name() string { return "asynq" }

// redisVersion says which server is there.
func redisVersion(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "redis-server", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("no Redis to compare with: %w; on Debian: apt-get install %s", err, redisPackage)
	}
	for field := range strings.FieldsSeq(string(output)) {
		if version, found := strings.CutPrefix(field, "v="); found {
			return version, nil
		}
	}
	return "of unknown version", nil
}

type redisPool struct {
	server  *child.Process
	address string
	client  *asynq.Client
}

// open starts a server of its own, whose data is in folder.
func (redisQueue) open(ctx context.Context, folder string, terms terms) (pool, error) {
	address, port, err := freeAddress()
	if err != nil {
		return nil, err
	}
	arguments := []string{"--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", ""}
	if terms.durable {
		arguments = append(arguments, "--appendonly", "yes", "--appendfsync", "always")
	} else {
		arguments = append(arguments, "--appendonly", "no")
	}
	server, err := child.Start(ctx, "redis-server", arguments...)
	if err != nil {
		return nil, err
	}
	if err := awaitRedis(ctx, address); err != nil {
		err = server.Explain(err)
		server.Kill()
		return nil, err
	}
	// Each producer has a connection, so that none waits for another one's.
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: address, PoolSize: terms.producers})
	return &redisPool{server, address, client}, nil
}

// freeAddress is of a port that was free a moment ago.
func freeAddress() (address, port string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer listener.Close()
	address = listener.Addr().String()
	_, port, err = net.SplitHostPort(address)
	return address, port, err
}

// awaitRedis returns when the server answers.
func awaitRedis(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	for {
		err := pingRedis(ctx, address)
		if err == nil {
			return nil
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return err
		}
	}
}

func pingRedis(ctx context.Context, address string) error {
	var dialer net.Dialer
	stream, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := stream.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return err
	}
	if _, err := stream.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(stream).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") {
		err = fmt.Errorf("Redis says %q", line)
	}
	return err
}

func (p *redisPool) endpoint() string { return p.address }

func (p *redisPool) submit(ctx context.Context, payload []byte) error {
	_, err := p.client.EnqueueContext(ctx, asynq.NewTask(taskType, payload))
	return err
}

func (p *redisPool) await(context.Context, int64) error { return nil }

func (p *redisPool) close() error {
	err := p.client.Close()
	p.server.Kill()
	return err
}

// work has a server look again at once when its queue was empty: by default it waits for a second.
func (redisQueue) work(endpoint string, workers int, do func(payload []byte)) (end func() error, err error) {
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: endpoint, PoolSize: workers + spareConnections}, asynq.Config{
		Concurrency: workers, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	err = server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		do(task.Payload())
		return nil
	}))
	if err != nil {
		return nil, errors.Join(errors.New("the server of asynq did not start"), err)
	}
	return func() error {
		server.Shutdown()
		return nil
	}, nil
}
