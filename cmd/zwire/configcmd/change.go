// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

func setCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "set a key", ArgsUsage: "KEY VALUE | KEY --file FILE | KEY -",
		Description: "A value of - is read from the standard input. Put -- before a value that begins with a hyphen.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "file", Usage: "`FILE` that holds the value", TakesFile: true},
			&cli.DurationFlag{Name: "ttl", Usage: "keep the key alive until interrupted, and let it outlive this command by so much if it is killed"},
			&cli.Uint64Flag{Name: "if-revision", Usage: "only if the key was set under `REVISION`; 0: only if there is no such key"},
		},
		Action: action(streams, set),
	}
}

func set(ctx context.Context, c *call) error {
	value, err := c.value(ctx)
	if err != nil {
		return err
	}
	key := c.Args().First()
	change := &config.Transaction{Ops: []config.Op{{Key: key, Value: value, TTL: c.Duration("ttl")}}}
	if c.IsSet("if-revision") {
		change.Conditions = []config.Condition{{Key: key, Revision: c.Uint64("if-revision")}}
	}
	if c.IsSet("ttl") {
		return c.keepAlive(ctx, change)
	}
	return c.observe(ctx, func(ctx context.Context, client *config.Client) error { return c.commit(ctx, client, change) })
}

// value is the argument, or what a file or the standard input holds.
func (c *call) value(ctx context.Context) ([]byte, error) {
	if c.IsSet("file") {
		if err := c.arguments(1, 1); err != nil {
			return nil, err
		}
		if c.String("file") != "-" {
			return readFile(ctx, c.String("file"))
		}
		return readAll(ctx, c.In)
	}
	if err := c.arguments(2, 2); err != nil {
		return nil, err
	}
	if value := c.Args().Get(1); value != "-" {
		return []byte(value), nil
	}
	return readAll(ctx, c.In)
}

func (c *call) commit(ctx context.Context, client *config.Client, change *config.Transaction) error {
	revision, err := client.Commit(ctx, change)
	if err != nil {
		return err
	}
	return c.printRevision(revision)
}

func (c *call) printRevision(revision uint64) error {
	if c.Bool("json") {
		return c.PrintJSON(map[string]uint64{"revision": revision})
	}
	return c.Printf("revision %d\n", revision)
}

// keepAlive sets an ephemeral key, owns it until interrupted, and looks from time to time whether it still does.
func (c *call) keepAlive(ctx context.Context, change *config.Transaction) error {
	limited, cancel := c.limited(ctx)
	defer cancel()
	client, err := c.dial(limited, &config.Options{Observer: true})
	if err != nil {
		return err
	}
	op := change.Ops[0]
	revision, err := client.Commit(limited, change)
	if err == nil {
		err = c.printRevision(revision)
	}
	ticker := time.NewTicker(max(op.TTL/2, lookEvery))
	defer ticker.Stop()
	for err == nil {
		select {
		case <-ticker.C:
			err = c.owns(ctx, client, op.Key, revision)
		case <-ctx.Done():
			return client.Close() // which deletes the key
		}
	}
	return errors.Join(err, client.Close())
}

// owns is an error when somebody else has changed a key since a revision.
func (c *call) owns(ctx context.Context, client *config.Client, key string, revision uint64) error {
	limited, cancel := c.limited(ctx)
	defer cancel()
	snapshot, err := client.At(limited, 0, key)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		c.Warn("cannot see whether %s is alive: %v", key, err)
		return nil
	}
	entry, err := snapshot.Get(key)
	switch {
	case err != nil:
		return fmt.Errorf("%w: it was deleted, or has expired while the authority heard nothing from here", err)
	case entry.Revision != revision:
		return cli.Exit(fmt.Sprintf("%s was set by somebody else, under revision %d", key, entry.Revision), codeConflict)
	}
	return nil
}

func deleteCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "delete", Usage: "delete keys, all or none", ArgsUsage: "KEY…",
		Action: action(streams, func(ctx context.Context, c *call) error {
			if c.Args().Len() == 0 {
				return usagef("no arguments, want: %s %s", c.FullName(), c.ArgsUsage)
			}
			change := &config.Transaction{}
			for _, key := range c.Args().Slice() {
				change.Ops = append(change.Ops, config.Op{Key: key, Delete: true})
			}
			return c.observe(ctx, func(ctx context.Context, client *config.Client) error { return c.commit(ctx, client, change) })
		}),
	}
}
