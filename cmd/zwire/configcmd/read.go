// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

func atFlag() cli.Flag {
	return &cli.Uint64Flag{Name: "at", Usage: "`REVISION` instead of the newest"}
}

func getCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "print the value of a key", ArgsUsage: "KEY", Flags: []cli.Flag{atFlag()},
		Action: action(streams, get),
	}
}

func get(ctx context.Context, c *call) error {
	if err := c.arguments(1, 1); err != nil {
		return err
	}
	key := c.Args().First()
	return c.observe(ctx, func(ctx context.Context, client *config.Client) error {
		snapshot, err := client.At(ctx, c.Uint64("at"), key)
		if err != nil {
			return err
		}
		entry, err := snapshot.Get(key)
		switch {
		case errors.Is(err, config.ErrNotFound):
			return fmt.Errorf("%w at revision %d: see zwire config list", err, snapshot.Revision())
		case err != nil:
			return err
		case c.Bool("json"):
			return c.PrintJSON(jsonEntryOf(&entry))
		}
		if c.Paints && !bytes.HasSuffix(entry.Value, []byte("\n")) { // raw, but for people a whole line
			entry.Value = append(entry.Value, '\n')
		}
		_, err = c.Out.Write(entry.Value)
		return err
	})
}

func listCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "show keys and what they hold", ArgsUsage: "[PREFIX]", Flags: []cli.Flag{atFlag()},
		Action: action(streams, list),
	}
}

func list(ctx context.Context, c *call) error {
	if err := c.arguments(0, 1); err != nil {
		return err
	}
	return c.observe(ctx, func(ctx context.Context, client *config.Client) error {
		revision, entries, err := readBelow(ctx, client, c.Uint64("at"), c.Args().First())
		if err != nil {
			return err
		}
		if c.Bool("json") {
			document := jsonList{revision, []*jsonEntry{}}
			for i := range entries {
				document.Entries = append(document.Entries, jsonEntryOf(&entries[i]))
			}
			return c.PrintJSON(document)
		}
		t := &terminal.Table{}
		t.Heads("KEY", "REVISION", "VALUE")
		for _, entry := range entries {
			value := shown(entry.Value)
			if entry.TTL != 0 {
				value += fmt.Sprintf(" (lives %v longer than its owner)", entry.TTL)
			}
			t.Row(terminal.Cell{Text: entry.Key}, terminal.Cell{Text: fmt.Sprint(entry.Revision)}, terminal.Cell{Text: value})
		}
		return c.PrintTable(t)
	})
}

type jsonList struct {
	Revision uint64       `json:"revision"`
	Entries  []*jsonEntry `json:"entries"`
}

// readBelow reads what a prefix of the command line stands for; revision 0 is now.
func readBelow(ctx context.Context, client *config.Client, revision uint64, prefix string) (uint64, []config.Entry, error) {
	snapshot, err := client.At(ctx, revision, prefix)
	if err != nil {
		return 0, nil, err
	}
	return snapshot.Revision(), slices.Collect(snapshot.List(prefix)), nil
}
