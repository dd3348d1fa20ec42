// SPDX-License-Identifier: Apache-2.0

// Command zwire runs and operates what is built from zwire's sockets.
//
//	go run ./cmd/zwire config --help
//	go run ./cmd/zwire pool --help
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/configcmd"
	"github.com/zwire-mq/zwire/cmd/zwire/poolcmd"
	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends it at once
	os.Exit(run(ctx, os.Args, terminal.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Asks: isTerminal(os.Stdin), Paints: isTerminal(os.Stdout), Live: isTerminal(os.Stdout),
	}))
}

// run executes a command line and returns its exit code.
func run(ctx context.Context, args []string, streams terminal.Streams) int {
	if os.Getenv("NO_COLOR") != "" {
		streams.Paints = false
	}
	root := &cli.Command{
		Name: "zwire", Usage: "runs and operates what is built from zwire's sockets",
		Commands:        []*cli.Command{configcmd.New(streams), poolcmd.New(streams)},
		HideHelpCommand: true,
		Reader:          streams.In, Writer: streams.Out, ErrWriter: streams.Err,
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return cli.Exit(fmt.Sprintf("no command %q: see zwire --help", cmd.Args().First()), usageCode)
			}
			return cli.ShowRootCommandHelp(cmd)
		},
	}
	_ = root.Walk(func(part *cli.Command) error {
		part.OnUsageError = func(_ context.Context, at *cli.Command, err error, _ bool) error {
			return cli.Exit(fmt.Sprintf("%v: see %s --help", err, at.FullName()), usageCode)
		}
		return nil
	})
	return report(streams.Err, root.Run(ctx, args))
}

const usageCode = 2

// report writes an error as one line.
func report(to io.Writer, err error) (code int) {
	if err == nil {
		return 0
	}
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	fmt.Fprintf(to, "zwire: %s\n", text)
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return 1
}

// isTerminal says whether a file is a device of characters other than the null device: what a person sits at.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
