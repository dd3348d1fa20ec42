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

// New makes the command.
func New(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "a configuration centre: run it, change it, see who has what",
		Description: "Keys look like tree/rest/of/path. A PREFIX is a tree or a path: it stands for the key itself and all keys below it.\n" +
			"Exit codes: 0 done, 1 error, 2 wrong usage, 3 not found, 4 conflict.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "authority", Usage: "`ENDPOINT` of the authority, and of its standby",
				Value: []string{config.DefaultEndpoint}, Sources: cli.EnvVars("ZWIRE_CONFIG_AUTHORITY")},
			&cli.StringFlag{Name: "author", Usage: "`NAME` that changes carry", Sources: cli.EnvVars("USER", "USERNAME")},
			&cli.DurationFlag{Name: "timeout", Usage: "how long to wait for the authority", Value: 10 * time.Second},
			&cli.BoolFlag{Name: "json", Usage: "print JSON: one document, of watch one per line"},
		},
		Commands: []*cli.Command{
			serveCommand(streams), getCommand(streams), listCommand(streams), setCommand(streams), deleteCommand(streams),
			editCommand(streams), watchCommand(streams), logCommand(streams), statusCommand(streams), rollbackCommand(streams),
			promoteCommand(streams), waitCommand(streams),
		},
		Action: action(streams, func(_ context.Context, c *call) error {
			if c.Args().Present() {
				return usagef("no command %q: see zwire config --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c.Command)
		}),
	}
}

// call is one execution of a command.
type call struct {
	terminal.Streams
	*cli.Command
}

func action(streams terminal.Streams, work func(context.Context, *call) error) cli.ActionFunc {
	return func(ctx context.Context, command *cli.Command) error {
		return exit(ctx, work(ctx, &call{streams, command}))
	}
}

// arguments says whether there are as many as wanted.
func (c *call) arguments(least, most int) error {
	if count := c.Args().Len(); count < least || count > most {
		return usagef("%d arguments, want: %s %s", count, c.FullName(), c.ArgsUsage)
	}
	return nil
}

// limited gives the context the time that an answer may take.
func (c *call) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.Duration("timeout"))
}

// observe dials as one that holds no copy, and lets work ask within the time that is given.
func (c *call) observe(ctx context.Context, work func(context.Context, *config.Client) error) error {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	client, err := c.dial(ctx, &config.Options{Observer: true})
	if err != nil {
		return err
	}
	return errors.Join(work(ctx, client), client.Close())
}

// dial completes the options by the flags.
func (c *call) dial(ctx context.Context, options *config.Options) (*config.Client, error) {
	if len(options.Authorities) == 0 {
		options.Authorities = c.StringSlice("authority")
	}
	options.Author = c.String("author")
	options.Name = "zwire config " + c.Name
	client, err := config.Dial(ctx, options)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w (waited %v): does an authority run at %s (zwire config serve)?",
			err, c.Duration("timeout"), strings.Join(options.Authorities, " or "))
	}
	return client, err
}
