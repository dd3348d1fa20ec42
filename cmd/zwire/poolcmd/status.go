// SPDX-License-Identifier: Apache-2.0

package poolcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/workpool"
	"github.com/zwire-mq/zwire/transport"
)

// lookEvery is how often a watched status is asked for.
const lookEvery = time.Second

func statusCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show queue, workers, rates, retries and dead letters", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "show it each second until interrupted; so it is at a terminal unless --watch=false"},
		},
		Action: action(streams, status),
	}
}

func status(ctx context.Context, c *call) error {
	if err := c.arguments(0, 0); err != nil {
		return err
	}
	if c.Bool("watch") || !c.IsSet("watch") && c.Live && !c.Bool("json") {
		return c.watch(ctx)
	}
	stats, err := c.stats(ctx)
	if err != nil {
		return err
	}
	return c.show(stats, "")
}

func (c *call) stats(ctx context.Context) (stats workpool.Stats, err error) {
	err = c.ask(ctx, func(ctx context.Context) (err error) {
		stats, err = c.operator.Stats(ctx)
		return err
	})
	return stats, err
}

// watch goes on while the dispatcher is away: it may come back.
func (c *call) watch(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for shown := 0; ; {
		stats, err := c.stats(ctx)
		var endpoint *transport.EndpointError
		switch {
		case ctx.Err() != nil:
			return nil // how a watch ends
		case errors.As(err, &endpoint):
			return err // which no waiting makes better
		case err != nil:
			c.Warn("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		default:
			if err := c.show(stats, c.separator(shown)); err != nil {
				return err
			}
			shown++
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// separator is what stands before the next picture.
func (c *call) separator(shown int) string {
	switch {
	case c.Live:
		return terminal.FromTheTop
	case shown > 0:
		return "\n"
	}
	return ""
}

// show writes all at once, so that a terminal does not flicker.
func (c *call) show(s workpool.Stats, before string) error {
	if c.Bool("json") {
		return c.PrintJSON(jsonOf(&s))
	}
	var out strings.Builder
	page := c.Streams
	page.Out = &out
	out.WriteString(before)
	printFigures(page, c.operator.Dispatcher, &s)
	printWorkers(page, &s)
	return c.Printf("%s", out.String())
}

func printFigures(page terminal.Streams, dispatcher string, s *workpool.Stats) {
	held, credit := 0, 0
	for i := range s.Workers {
		held += s.Workers[i].Held
		credit += s.Workers[i].Credit
	}
	bad := func(count uint64, colour terminal.Colour, what string) string {
		text := fmt.Sprintf("%d %s", count, what)
		if count == 0 {
			return text
		}
		return page.Paint(colour, text)
	}
	line := func(name, format string, values ...any) {
		_ = page.Printf("%-9s %s\n", name, fmt.Sprintf(format, values...))
	}
	_ = page.Printf("%s  %d workers hold %d tasks of %d that they can\n\n", page.Paint(terminal.Bold, dispatcher), len(s.Workers), held, credit)
	line("queue", "%d waiting, %d delayed, %d with workers, %d on their way to disk, %d results for the sink; %d octets",
		s.Waiting, s.Delayed, s.Leased, s.Storing, s.Results, s.QueueBytes)
	line("rates", "%.0f accepted/s, %.0f done/s", s.AcceptedPerSecond, s.DonePerSecond)
	line("tasks", "%d accepted, %d done, %d through the sink, %d cancelled, %s",
		s.Accepted, s.Done, s.Sunk, s.Cancelled, bad(s.Refused, terminal.Yellow, "refused by a full queue"))
	line("attempts", "%s, %d retries, %s, %d lost on the way, %d late answers, %d returned",
		bad(s.Failed, terminal.Yellow, "failed"), s.Retries, bad(s.Hung, terminal.Yellow, "hung"), s.Lost, s.Late, s.Returned)
	line("failures", "%s, %s", bad(uint64(s.DeadLetters), terminal.Red, "dead letters"),
		bad(s.WorkersLost, terminal.Yellow, "workers lost"))
}

func printWorkers(page terminal.Streams, s *workpool.Stats) {
	if len(s.Workers) == 0 {
		_ = page.Printf("\nno workers\n")
		return
	}
	table := &terminal.Table{}
	table.Heads("WORKER", "HOLDS", "CREDIT", "DONE", "FAILED", "HEARD")
	for i := range s.Workers {
		w := &s.Workers[i]
		failed := terminal.Cell{Text: fmt.Sprint(w.Failed)}
		if w.Failed > 0 {
			failed.Colour = terminal.Yellow
		}
		table.Row(terminal.Cell{Text: terminal.Name(w.Name)}, terminal.Cell{Text: fmt.Sprint(w.Held)}, terminal.Cell{Text: fmt.Sprint(w.Credit)},
			terminal.Cell{Text: fmt.Sprint(w.Done)}, failed, terminal.Cell{Text: terminal.Rounded(w.Silent) + " ago"})
	}
	_ = page.Printf("\n")
	_ = page.PrintTable(table)
}
