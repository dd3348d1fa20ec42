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
		Name: "pool", Usage: "a pool of workers: see its queue, its workers and its failures",
		Description: "Exit codes: 0 done, 1 error, 2 wrong usage.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dispatcher", Usage: "`ENDPOINT` of the dispatcher", Value: workpool.DefaultEndpoint,
				Sources: cli.EnvVars("ZWIRE_POOL_DISPATCHER")},
			&cli.DurationFlag{Name: "timeout", Usage: "how long to wait for the dispatcher", Value: 3 * time.Second},
			&cli.BoolFlag{Name: "json", Usage: "print JSON: one document, with --watch one per line"},
		},
		Commands: []*cli.Command{statusCommand(streams)},
		Action: func(_ context.Context, command *cli.Command) error {
			if command.Args().Present() {
				return usagef("no command %q: see zwire pool --help", command.Args().First())
			}
			return cli.ShowSubcommandHelp(command)
		},
	}
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
