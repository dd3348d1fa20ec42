// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

func serveCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "run an authority until interrupted",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "endpoint", Usage: "where to listen", Value: config.DefaultEndpoint},
			&cli.StringFlag{Name: "changes", Usage: "`ENDPOINT` where changes are published (default: the next port, or the name and -changes)"},
			&cli.StringFlag{Name: "store", Usage: "`FILE` that holds the configuration; made if it does not exist", Required: true, TakesFile: true},
			&cli.StringFlag{Name: "other", Usage: "`ENDPOINT` of the other authority: changes are acknowledged when both have them on disk"},
			&cli.BoolFlag{Name: "preferred", Usage: "be the primary when both start alike"},
			&cli.StringFlag{Name: "takeover-after", Usage: "`DURATION` of silence after which a standby takes over, or never (default: 10s, or 5 intervals if that is more)"},
			&cli.DurationFlag{Name: "interval", Usage: "between heartbeats", Value: time.Second},
			&cli.IntFlag{Name: "value-bytes", Usage: "the largest value (default: 1 MiB)"},
			&cli.IntFlag{Name: "history", Usage: "how many revisions are kept at least (default: 4096)"},
			&cli.BoolFlag{Name: "expose", Usage: "allow endpoints that other machines reach; there is no authentication"},
		},
		Action: action(streams, serve),
	}
}

func serve(ctx context.Context, c *call) error {
	options, err := c.authorityOptions()
	if err != nil {
		return err
	}
	authority, err := config.NewAuthority(options)
	if wrong := (*config.OptionError)(nil); errors.As(err, &wrong) && wrong.Option == "Expose" {
		return usagef("%s by --expose", wrong.Reason)
	}
	if err != nil {
		return err
	}
	if err := c.printServing(authority.Endpoint()); err != nil {
		return errors.Join(err, authority.Close())
	}
	select {
	case <-ctx.Done():
	case <-authority.Done():
	}
	return errors.Join(authority.Err(), authority.Close())
}

func (c *call) authorityOptions() (*config.AuthorityOptions, error) {
	if err := c.arguments(0, 0); err != nil {
		return nil, err
	}
	options := &config.AuthorityOptions{
		Endpoint: c.String("endpoint"), Changes: c.String("changes"), Path: c.String("store"), Other: c.String("other"),
		Preferred: c.Bool("preferred"), Interval: c.Duration("interval"),
		ValueBytes: c.Int("value-bytes"), Expose: c.Bool("expose"), HistoryRevisions: c.Int("history"), Log: slog.New(slog.NewTextHandler(c.Err, nil)),
	}
	switch text := c.String("takeover-after"); text {
	case "":
	case "never":
		options.TakeoverAfter = config.TakeoverNever
	default:
		after, err := time.ParseDuration(text)
		if err != nil || after <= 0 {
			return nil, usagef("--takeover-after %q: want a time such as 10s, or never", text)
		}
		options.TakeoverAfter = after
	}
	return options, nil
}

func (c *call) printServing(endpoint string) error {
	if c.Bool("json") {
		return c.PrintJSON(map[string]string{"endpoint": endpoint})
	}
	return c.Printf("listening on %s\n", endpoint)
}

func promoteCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "promote", Usage: "make an authority acknowledge changes alone", ArgsUsage: "ENDPOINT",
		Description: "For when the other authority is gone. A standby that has all that was acknowledged becomes the primary; a primary without\n" +
			"its standby takes changes again. The other one cannot acknowledge anything after it, once it has met this one or a node.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "even if what the other one has acknowledged may be lost"},
		},
		Action: action(streams, promote),
	}
}

func promote(ctx context.Context, c *call) error {
	if err := c.arguments(1, 1); err != nil {
		return err
	}
	endpoint := c.Args().First()
	ctx, cancel := c.limited(ctx)
	defer cancel()
	client, err := c.dial(ctx, &config.Options{Observer: true, Authorities: []string{endpoint}})
	if err != nil {
		return err
	}
	if err := client.Promote(ctx, endpoint, c.Bool("force")); err != nil {
		return errors.Join(err, client.Close())
	}
	if c.Bool("json") {
		err = c.PrintJSON(map[string]string{"promoted": endpoint})
	} else {
		err = c.Printf("%s acknowledges changes alone\n", endpoint)
	}
	return errors.Join(err, client.Close())
}
