// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

func logCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "log", Usage: "show who changed what", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "from", Usage: "the first `REVISION` to show (default: so that the newest are shown)"},
			&cli.IntFlag{Name: "n", Usage: "how many at most", Value: 20},
		},
		Action: action(streams, log),
	}
}

func log(ctx context.Context, c *call) error {
	if err := c.arguments(0, 0); err != nil {
		return err
	}
	if c.Int("n") < 1 {
		return usagef("-n %d: want at least 1", c.Int("n"))
	}
	return c.observe(ctx, func(ctx context.Context, client *config.Client) error {
		records, err := client.Log(ctx, c.Uint64("from"), c.Int("n"))
		for last := 0; err == nil && len(records) > last && len(records) < c.Int("n"); { // an answer has a bound of its own
			last = len(records)
			var more []config.Record
			more, err = client.Log(ctx, records[last-1].Revision+1, c.Int("n")-last)
			records = append(records, more...)
		}
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return c.PrintJSON(jsonLogOf(records))
		}
		t := &terminal.Table{}
		t.Heads("REVISION", "TIME", "AUTHOR", "CHANGES")
		for i := range records {
			r := &records[i]
			t.Row(terminal.Cell{Text: fmt.Sprint(r.Revision)}, terminal.Cell{Text: r.Time.Local().Format(time.DateTime)}, terminal.Cell{Text: terminal.Name(r.Author)},
				terminal.Cell{Text: summary(r.Ops)})
		}
		return c.PrintTable(t)
	})
}

// summaryOps is how many changes of a record stand in a line.
const summaryOps = 3

func summary(ops []config.Op) string {
	var parts []string
	for i := range ops {
		op := &ops[i]
		switch {
		case i == summaryOps:
			return strings.Join(parts, ", ") + fmt.Sprintf(", and %d more", len(ops)-i)
		case op.Delete:
			parts = append(parts, op.Key+" deleted")
		default:
			parts = append(parts, op.Key+" = "+shown(op.Value))
		}
	}
	return strings.Join(parts, ", ")
}

type jsonLog struct {
	Records []jsonRecord `json:"records"`
}

type jsonRecord struct {
	Revision uint64    `json:"revision"`
	Epoch    string    `json:"epoch"`
	Time     time.Time `json:"time"`
	Author   string    `json:"author"`
	Session  string    `json:"session,omitempty"`
	Ops      []jsonOp  `json:"ops"`
}

type jsonOp struct {
	Key    string `json:"key"`
	Delete bool   `json:"delete,omitempty"`
	jsonValue
	TTL float64 `json:"ttlSeconds,omitempty"`
}

func jsonLogOf(records []config.Record) jsonLog {
	document := jsonLog{[]jsonRecord{}}
	for i := range records {
		r := &records[i]
		record := jsonRecord{r.Revision, r.Epoch.String(), r.Time, r.Author, r.Session, nil}
		for _, op := range r.Ops {
			one := jsonOp{Key: op.Key, Delete: op.Delete, TTL: op.TTL.Seconds()}
			if !op.Delete {
				one.jsonValue = jsonValueOf(op.Value)
			}
			record.Ops = append(record.Ops, one)
		}
		document.Records = append(document.Records, record)
	}
	return document
}

func rollbackCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "rollback", Usage: "make the configuration what it was, under a new revision", ArgsUsage: "REVISION",
		Description: "It shows what will change and, at a terminal, asks; if other changes come in between, it changes nothing. Ephemeral keys stay.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "tree", Usage: "only this `TREE`; may be given more than once"},
			&cli.BoolFlag{Name: "yes", Usage: "do not ask"},
		},
		Action: action(streams, rollback),
	}
}

func rollback(ctx context.Context, c *call) error {
	revision, err := c.revision()
	if err != nil {
		return err
	}
	trees := c.StringSlice("tree")
	var changes []change
	var seen uint64
	err = c.observe(ctx, func(ctx context.Context, client *config.Client) (err error) {
		seen, changes, err = rollbackChanges(ctx, client, revision, trees)
		return err
	})
	if err != nil {
		return err
	}
	if !c.Bool("json") {
		if err := c.printChanges(changes); err != nil {
			return err
		}
	}
	if len(changes) > 0 && !c.Bool("yes") {
		if err := c.Consent(ctx, fmt.Sprintf("Change %d keys?", len(changes))); err != nil {
			return err
		}
	}
	return c.observe(ctx, func(ctx context.Context, client *config.Client) error {
		made, err := client.RollbackIf(ctx, seen, revision, trees...) // what was shown, or nothing
		if err != nil {
			return err
		}
		return c.printRevision(made)
	})
}

// change is what happens to a key; nil: it is not there.
type change struct {
	key      string
	old, new *config.Entry
}

// rollbackChanges is what a rollback would do now, at the revision seen.
func rollbackChanges(ctx context.Context, client *config.Client, revision uint64, trees []string) (seen uint64, changes []change, err error) {
	_, then, err := readBelow(ctx, client, revision, "")
	if err != nil {
		return 0, nil, err
	}
	seen, now, err := readBelow(ctx, client, 0, "")
	if err != nil {
		return 0, nil, err
	}
	byKey := map[string]*change{}
	of := func(key string) *change {
		if byKey[key] == nil {
			byKey[key] = &change{key: key}
		}
		return byKey[key]
	}
	for i := range now {
		of(now[i].Key).old = &now[i]
	}
	for i := range then {
		if then[i].TTL == 0 {
			of(then[i].Key).new = &then[i]
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		tree, _, _ := strings.Cut(key, "/")
		if one := byKey[key]; one.differs() && (len(trees) == 0 || slices.Contains(trees, tree)) {
			changes = append(changes, *one)
		}
	}
	return seen, changes, nil
}

// differs says whether the value does; ephemeral keys belong to their owners.
func (ch *change) differs() bool {
	if ch.old == nil || ch.new == nil {
		return (ch.old == nil || ch.old.TTL == 0) && ch.old != ch.new
	}
	return ch.old.TTL == 0 && string(ch.old.Value) != string(ch.new.Value)
}

func (c *call) printChanges(changes []change) error {
	t := &terminal.Table{}
	for _, ch := range changes {
		t.Row(terminal.Cell{Text: ch.key}, describe(ch.old, ch.new))
	}
	if len(changes) == 0 {
		return c.Printf("nothing differs\n")
	}
	return c.PrintTable(t)
}

// describe tells what happens to a key.
func describe(old, new *config.Entry) terminal.Cell {
	switch {
	case new == nil:
		return terminal.Cell{Text: "deleted, was " + shown(old.Value), Colour: terminal.Red}
	case old == nil:
		return terminal.Cell{Text: "= " + shown(new.Value), Colour: terminal.Green}
	}
	return terminal.Cell{Text: shown(old.Value) + " → " + shown(new.Value), Colour: terminal.Yellow}
}

// revision is the argument.
func (c *call) revision() (uint64, error) {
	if err := c.arguments(1, 1); err != nil {
		return 0, err
	}
	var revision uint64
	if _, err := fmt.Sscanf(c.Args().First(), "%d", &revision); err != nil || fmt.Sprint(revision) != c.Args().First() {
		return 0, usagef("%q is no revision: want a number, see zwire config log", c.Args().First())
	}
	return revision, nil
}
