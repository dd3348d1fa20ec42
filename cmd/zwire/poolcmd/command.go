// SPDX-License-Identifier: Apache-2.0

package poolcmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/workpool"
	"github.com/zwire-mq/zwire/transport"
)

// Exit codes.
const (
	codeError = 1
	codeUsage = 2
)

// New makes the command.
func New(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "pool", Usage: "a pool of workers: see its queue, its workers and its failures, run dead letters again",
		Description: "Exit codes: 0 done, 1 error, 2 wrong usage.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dispatcher", Usage: "`ENDPOINT` of the dispatcher", Value: workpool.DefaultEndpoint,
				Sources: cli.EnvVars("ZWIRE_POOL_DISPATCHER")},
			&cli.DurationFlag{Name: "timeout", Usage: "how long to wait for the dispatcher", Value: 3 * time.Second},
			&cli.BoolFlag{Name: "json", Usage: "print JSON: one document, with --watch one per line"},
		},
		Commands: []*cli.Command{statusCommand(streams), deadCommand(streams)},
		Action:   help,
	}
}

// help is what a command does that has only commands.
func help(_ context.Context, command *cli.Command) error {
	if command.Args().Present() {
		return usagef("no command %q: see %s --help", command.Args().First(), command.FullName())
	}
	return cli.ShowSubcommandHelp(command)
}

// call is one execution of a command.
type call struct {
	terminal.Streams
	*cli.Command
	operator *workpool.Operator
}

func action(streams terminal.Streams, work func(context.Context, *call) error) cli.ActionFunc {
	return func(ctx context.Context, command *cli.Command) error {
		c := &call{streams, command, &workpool.Operator{Dispatcher: command.String("dispatcher")}}
		return exit(ctx, work(ctx, c))
	}
}

// arguments says whether there are as many as wanted.
func (c *call) arguments(least, most int) error {
	if count := c.Args().Len(); count < least || count > most {
		return usagef("%d arguments, want: %s %s", count, c.FullName(), c.ArgsUsage)
	}
	return nil
}

// ask gives questions to the dispatcher as long as they may take.
func (c *call) ask(ctx context.Context, questions func(context.Context) error) error {
	timeout := c.Duration("timeout")
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := questions(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w (waited %v): does a dispatcher run there?", err, timeout)
	}
	return err
}

func usagef(format string, values ...any) error {
	return cli.Exit(fmt.Sprintf(format, values...), codeUsage)
}

// exit gives an error its exit code.
func exit(ctx context.Context, err error) error {
	var coder cli.ExitCoder
	var endpoint *transport.EndpointError
	switch {
	case err == nil || errors.As(err, &coder):
		return err
	case ctx.Err() != nil && errors.Is(err, ctx.Err()): // a signal
		return cli.Exit("interrupted", codeError)
	case errors.As(err, &endpoint):
		return cli.Exit(err, codeUsage)
	}
	return cli.Exit(err, codeError)
}
