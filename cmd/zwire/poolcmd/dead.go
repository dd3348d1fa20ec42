// SPDX-License-Identifier: Apache-2.0

package poolcmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/workpool"
)

// letter is a dead letter as an operator sees it.
type letter = workpool.DeadLetter[[]byte]

func deadCommand(streams terminal.Streams) *cli.Command {
	all := []cli.Flag{&cli.BoolFlag{Name: "all", Usage: "all that there are, instead of IDs"}}
	return &cli.Command{
		Name: "dead", Usage: "dead letters: tasks that are not tried any more",
		Commands: []*cli.Command{
			{
				Name: "list", Usage: "show dead letters, the oldest tasks first", ArgsUsage: " ",
				Flags: []cli.Flag{
					&cli.Uint64Flag{Name: "after", Usage: "begin after this `ID`"},
					&cli.IntFlag{Name: "n", Usage: "how many at most", Value: 20},
				},
				Action: action(streams, list),
			},
			{
				Name: "show", Usage: "show a dead letter with the errors of all its attempts", ArgsUsage: "ID",
				Action: action(streams, showLetter),
			},
			{
				Name: "rerun", Usage: "make dead letters tasks again, with all their attempts", ArgsUsage: "ID… | --all", Flags: all,
				Action: action(streams, rerun),
			},
			{
				Name: "forget", Usage: "throw dead letters away; at a terminal it asks", ArgsUsage: "ID… | --all",
				Flags:  append(all, &cli.BoolFlag{Name: "yes", Usage: "do not ask"}),
				Action: action(streams, forget),
			},
		},
		Action: help,
	}
}

func list(ctx context.Context, c *call) error {
	if err := c.arguments(0, 0); err != nil {
		return err
	}
	if c.Int("n") < 1 {
		return usagef("-n %d: want at least 1", c.Int("n"))
	}
	letters, more, err := c.letters(ctx, workpool.ID(c.Uint64("after")), c.Int("n"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(jsonLettersOf(letters, more))
	}
	if len(letters) == 0 {
		return c.Printf("no dead letters\n")
	}
	t := &terminal.Table{}
	t.Heads("ID", "DIED", "ATTEMPTS", "DURABLE", "TASK", "LAST ERROR")
	for i := range letters {
		l := &letters[i]
		durable, last := "no", ""
		if l.Durable {
			durable = "yes"
		}
		if len(l.Errors) > 0 {
			last = l.Errors[len(l.Errors)-1].Text
		}
		t.Row(terminal.Cell{Text: fmt.Sprint(l.ID)}, terminal.Cell{Text: clock(l.Time())}, terminal.Cell{Text: fmt.Sprint(l.Attempts)},
			terminal.Cell{Text: durable}, terminal.Cell{Text: terminal.Excerpt(l.Task, l.TaskBytes)},
			terminal.Cell{Text: terminal.Excerpt([]byte(last), len(last)), Colour: terminal.Yellow})
	}
	if err := c.PrintTable(t); err != nil || !more {
		return err
	}
	return c.Printf("there are more: --after %d\n", letters[len(letters)-1].ID)
}

// letters are so many dead letters, and whether there are more.
func (c *call) letters(ctx context.Context, after workpool.ID, most int) (found []letter, more bool, err error) {
	err = c.ask(ctx, func(ctx context.Context) error {
		for l, err := range c.operator.DeadLetters(ctx, after) {
			if err != nil {
				return err
			}
			if more = len(found) == most; more {
				return nil
			}
			found = append(found, l)
		}
		return nil
	})
	return found, more, err
}

func showLetter(ctx context.Context, c *call) error {
	if err := c.arguments(1, 1); err != nil {
		return err
	}
	ids, err := c.ids()
	if err != nil {
		return err
	}
	found, _, err := c.letters(ctx, ids[0]-1, 1)
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].ID != ids[0] {
		return fmt.Errorf("no dead letter %d: see zwire pool dead list", ids[0])
	}
	l := &found[0]
	if c.Bool("json") {
		return c.PrintJSON(jsonLetterOf(l))
	}
	err = c.Printf("task %d, %d octets: %s\n%d attempts, durable: %v\n\n", l.ID, l.TaskBytes, terminal.Printable(string(l.Task)), l.Attempts, l.Durable)
	if err != nil {
		return err
	}
	t := &terminal.Table{}
	t.Heads("ATTEMPT", "TIME", "WORKER", "ERROR")
	for _, e := range l.Errors {
		t.Row(terminal.Cell{Text: fmt.Sprint(e.Attempt)}, terminal.Cell{Text: clock(e.At)}, terminal.Cell{Text: terminal.Name(e.Worker)},
			terminal.Cell{Text: terminal.Printable(e.Text)})
	}
	return c.PrintTable(t)
}

func clock(at time.Time) string { return at.Local().Format(time.DateTime) }

func rerun(ctx context.Context, c *call) error {
	ids, err := c.chosen(ctx)
	if err != nil {
		return err
	}
	return c.settle(ctx, "rerun", ids, c.operator.Rerun)
}

func forget(ctx context.Context, c *call) error {
	ids, err := c.chosen(ctx)
	if err == nil && len(ids) > 0 && !c.Bool("yes") {
		err = c.Consent(ctx, fmt.Sprintf("Throw %d dead letters away?", len(ids)))
	}
	if err != nil {
		return err
	}
	return c.settle(ctx, "forgotten", ids, c.operator.Forget)
}

// settle tells how many it was done to, also when it was not done to all.
func (c *call) settle(ctx context.Context, what string, ids []workpool.ID, do func(context.Context, ...workpool.ID) (int, error)) error {
	count := 0
	failed := c.ask(ctx, func(ctx context.Context) (err error) {
		count, err = do(ctx, ids...)
		return err
	})
	if c.Bool("json") {
		return errors.Join(c.PrintJSON(map[string]int{what: count}), shortened(failed))
	}
	return errors.Join(c.Printf("%d %s\n", count, what), shortened(failed))
}

// errorsShown is how many of many errors are told.
const errorsShown = 3

// shortened leaves a few of many errors.
func shortened(err error) error {
	many, are := err.(interface{ Unwrap() []error })
	if !are || len(many.Unwrap()) <= errorsShown {
		return err
	}
	all := many.Unwrap()
	return errors.Join(errors.Join(all[:errorsShown]...), fmt.Errorf("and %d more", len(all)-errorsShown))
}

// chosen are the arguments, or all dead letters.
func (c *call) chosen(ctx context.Context) (ids []workpool.ID, err error) {
	if !c.Bool("all") {
		if c.Args().Len() == 0 {
			return nil, usagef("no arguments, want: %s %s", c.FullName(), c.ArgsUsage)
		}
		return c.ids()
	}
	if err := c.arguments(0, 0); err != nil {
		return nil, err
	}
	err = c.ask(ctx, func(ctx context.Context) error {
		for l, err := range c.operator.DeadLetters(ctx, 0) {
			if err != nil {
				return err
			}
			ids = append(ids, l.ID)
		}
		return nil
	})
	return ids, err
}

// ids are the arguments.
func (c *call) ids() (ids []workpool.ID, err error) {
	for _, text := range c.Args().Slice() {
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil || id == 0 {
			return nil, usagef("%q is no ID: want a number, see zwire pool dead list", text)
		}
		ids = append(ids, workpool.ID(id))
	}
	return ids, nil
}
