// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

// lookEvery is how often a command that goes on looks whether all is well.
const lookEvery = time.Second

func watchCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "show keys, and then each change, until interrupted", ArgsUsage: "[PREFIX]",
		Action: action(streams, watch),
	}
}

func watch(ctx context.Context, c *call) error {
	if err := c.arguments(0, 1); err != nil {
		return err
	}
	prefix := c.Args().First()
	options := &config.Options{Unlisted: true}
	if tree, _, _ := strings.Cut(prefix, "/"); tree != "" {
		options.Trees = []string{tree}
	}
	limited, cancel := c.limited(ctx)
	defer cancel()
	client, err := c.dial(limited, options)
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() { c.watchFreshness(watching, client) })
	err = c.printWatch(watching, client, prefix)
	stop()
	others.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // how a watch ends
	}
	return errors.Join(err, client.Close())
}

func (c *call) printWatch(ctx context.Context, client *config.Client, prefix string) error {
	for change, err := range client.Watch(ctx, prefix) {
		if err != nil {
			return err
		}
		if err := c.printChange(&change); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) printChange(change *config.Change) error {
	if c.Bool("json") {
		return c.PrintJSON(jsonChange{
			change.Revision, change.Key, jsonEntryOf(change.Old), jsonEntryOf(change.New), change.More,
		})
	}
	described := describe(change.Old, change.New)
	if change.Old == nil {
		described.Colour = terminal.Plain // what is there already looks alike
	}
	return c.Printf("%d  %s  %s\n", change.Revision, change.Key, c.Paint(described.Colour, described.Text))
}

type jsonChange struct {
	Revision uint64     `json:"revision"`
	Key      string     `json:"key"`
	Old      *jsonEntry `json:"old"`
	New      *jsonEntry `json:"new"`
	More     bool       `json:"more"`
}

// watchFreshness tells when the authority goes away and comes back.
func (c *call) watchFreshness(ctx context.Context, client *config.Client) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	connected := true
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		fresh := client.Freshness()
		switch {
		case fresh.Connected == connected:
			continue
		case fresh.Connected:
			c.Warn("the authority %s is back", fresh.Authority)
		default:
			c.Warn("the authority is away: what is shown was last known to be right %s ago", terminal.Rounded(time.Since(fresh.Proved)))
		}
		connected = fresh.Connected
	}
}
