// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

func waitCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "wait", Usage: "wait until nodes have applied a revision", ArgsUsage: "REVISION",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Usage: "how many nodes (default: all that are there)"},
			&cli.DurationFlag{Name: "timeout", Usage: "how long to wait", Value: 30 * time.Second},
		},
		Action: action(streams, wait),
	}
}

func wait(ctx context.Context, c *call) error {
	revision, err := c.revision()
	if err != nil {
		return err
	}
	nodes := c.Int("nodes")
	if nodes < 0 {
		return usagef("--nodes %d: want 1 or more", nodes)
	}
	limited, cancel := c.limited(ctx)
	defer cancel()
	client, err := c.dial(limited, &config.Options{Observer: true})
	if err != nil {
		return err
	}
	began := time.Now()
	err = client.WaitApplied(limited, revision, nodes)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		err = c.lacking(ctx, client, revision)
	case err != nil:
	case c.Bool("json"):
		err = c.PrintJSON(map[string]any{"revision": revision, "applied": true, "seconds": time.Since(began).Seconds()})
	default:
		err = c.Printf("revision %d is applied\n", revision)
	}
	return errors.Join(err, client.Close())
}

// lackingShown is how many nodes that lack a revision are named.
const lackingShown = 5

// lacking says who has not applied a revision.
func (c *call) lacking(ctx context.Context, client *config.Client, revision uint64) error {
	limited, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	status, err := client.Status(limited)
	if err != nil {
		return fmt.Errorf("revision %d is not known to be applied within %v: %w", revision, c.Duration("timeout"), err)
	}
	var names []string
	lack := 0
	for i := range status.Nodes {
		if node := &status.Nodes[i]; node.Revision < revision || !node.Proved {
			if lack++; lack <= lackingShown {
				names = append(names, terminal.Name(node.Name))
			}
		}
	}
	if lack > lackingShown {
		names = append(names, "…")
	}
	return fmt.Errorf("revision %d is not applied within %v: %d of %d nodes lack it (%s)",
		revision, c.Duration("timeout"), lack, len(status.Nodes), strings.Join(names, ", "))
}
