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
			&cli.BoolFlag{Name: "watch", Usage: "show it each second until interrupted"},
		},
		Action: func(ctx context.Context, command *cli.Command) error {
			if count := command.Args().Len(); count > 0 {
				return usagef("%d arguments, want: %s", count, command.FullName())
			}
			v := &view{streams, command.String("dispatcher"), command.Duration("timeout"), command.Bool("json")}
			if command.Bool("watch") {
				return exit(ctx, v.watch(ctx))
			}
			stats, err := v.ask(ctx)
			if err == nil {
				err = v.show(stats, "")
			}
			return exit(ctx, err)
		},
	}
}

// view is one dispatcher as somebody wants to see it.
type view struct {
	terminal.Streams
	dispatcher string
	timeout    time.Duration
	json       bool
}

func (v *view) ask(ctx context.Context) (workpool.Stats, error) {
	limited, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	stats, err := workpool.ReadStats(limited, nil, v.dispatcher)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w (waited %v): does a dispatcher run there?", err, v.timeout)
	}
	return stats, err
}

// watch goes on while the dispatcher is away: it may come back.
func (v *view) watch(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for shown := 0; ; {
		stats, err := v.ask(ctx)
		var endpoint *transport.EndpointError
		switch {
		case ctx.Err() != nil:
			return nil // how a watch ends
		case errors.As(err, &endpoint):
			return err // which no waiting makes better
		case err != nil:
			v.Warn("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		default:
			if err := v.show(stats, v.separator(shown)); err != nil {
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
func (v *view) separator(shown int) string {
	switch {
	case v.Paints:
		return terminal.FromTheTop
	case shown > 0:
		return "\n"
	}
	return ""
}

// show writes all at once, so that a terminal does not flicker.
func (v *view) show(s workpool.Stats, before string) error {
	if v.json {
		return v.PrintJSON(jsonOf(&s))
	}
	var out strings.Builder
	page := v.Streams
	page.Out = &out
	out.WriteString(before)
	printFigures(page, v.dispatcher, &s)
	printWorkers(page, &s)
	return v.Printf("%s", out.String())
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
