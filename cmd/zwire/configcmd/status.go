// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

func statusCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show the authorities, and which node has applied what", ArgsUsage: " ",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "show it each second until interrupted"},
		},
		Action: action(streams, status),
	}
}

func status(ctx context.Context, c *call) error {
	if err := c.arguments(0, 0); err != nil {
		return err
	}
	if !c.Bool("watch") {
		return c.showStatus(ctx, c.askAll(ctx))
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		answers := c.askAll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if c.Paints && !c.Bool("json") {
			_ = c.Printf(terminal.FromTheTop)
		}
		if err := c.showStatus(ctx, answers); err != nil {
			c.Warn("%v", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// answer is what one authority says.
type answer struct {
	endpoint string
	status   *config.Status
	err      error
}

// askAll asks each authority by itself: only one of them is followed, and the others are what an operator wants to know about.
func (c *call) askAll(ctx context.Context) []answer {
	endpoints := c.StringSlice("authority")
	answers := make([]answer, len(endpoints))
	var asking sync.WaitGroup
	for i, endpoint := range endpoints {
		asking.Go(func() { answers[i] = c.askOne(ctx, endpoint) })
	}
	asking.Wait()
	return answers
}

func (c *call) askOne(ctx context.Context, endpoint string) answer {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	client, err := c.dial(ctx, &config.Options{Observer: true, Authorities: []string{endpoint}})
	if err != nil {
		return answer{endpoint, nil, err}
	}
	status, err := client.StatusOf(ctx, endpoint)
	return answer{endpoint, status, errors.Join(err, client.Close())}
}

// showStatus prints what the authorities say, and of the nodes what the primary says, for nodes report to it.
func (c *call) showStatus(ctx context.Context, answers []answer) error {
	var best *config.Status
	var errs []error
	for _, a := range answers {
		switch {
		case a.err != nil:
			errs = append(errs, a.err)
		case best == nil || a.status.Role == primary:
			best = a.status
		}
	}
	if best == nil {
		return errors.Join(errs...)
	}
	if c.Bool("json") {
		return c.PrintJSON(jsonStatusOf(best, answers))
	}
	for _, a := range answers {
		if err := c.printAuthority(a); err != nil {
			return err
		}
	}
	return c.printNodes(best)
}

const primary = "primary"

func (c *call) printAuthority(a answer) error {
	if a.err != nil {
		text := strings.ReplaceAll(a.err.Error(), "\n", "; ")
		return c.Printf("%s  %s\n", c.Paint(terminal.Bold, a.endpoint), c.Paint(terminal.Red, text))
	}
	s := a.status
	role, changes := terminal.Plain, c.Paint(terminal.Green, "takes changes")
	if s.Role == primary {
		role = terminal.Green
	}
	if s.ReadOnly != "" {
		changes = c.Paint(terminal.Yellow, "read-only: "+s.ReadOnly)
	}
	err := c.Printf("%s  %s, epoch %d, revision %d (history from %d), %s; %d keys in %d trees, %d octets\n",
		c.Paint(terminal.Bold, a.endpoint), c.Paint(role, s.Role), s.Epoch, s.Revision, s.Oldest, changes, s.Keys, s.Trees, s.Bytes)
	if err == nil && s.Standby != "" {
		err = c.Printf("  the other authority: %s\n", s.Standby)
	}
	return err
}

func (c *call) printNodes(s *config.Status) error {
	if len(s.Nodes) == 0 {
		return c.Printf("\nno nodes\n")
	}
	t := &terminal.Table{}
	t.Heads("NODE", "REVISION", "LAG", "SEEN", "PROVED", "TREES")
	for i := range s.Nodes {
		node := &s.Nodes[i]
		lag, proved := terminal.Cell{Text: "-", Colour: terminal.Green}, terminal.Cell{Text: "yes", Colour: terminal.Green}
		if node.Revision < s.Revision {
			lag = terminal.Cell{Text: terminal.Rounded(node.Lag), Colour: terminal.Yellow}
		}
		if !node.Proved {
			proved = terminal.Cell{Text: "no", Colour: terminal.Red}
		}
		trees := strings.Join(node.Trees, " ")
		if trees == "" {
			trees = "all"
		}
		t.Row(terminal.Cell{Text: terminal.Name(node.Name)}, terminal.Cell{Text: fmt.Sprint(node.Revision)}, lag,
			terminal.Cell{Text: terminal.Rounded(node.Seen) + " ago"}, proved, terminal.Cell{Text: trees})
	}
	if _, err := io.WriteString(c.Out, "\n"); err != nil {
		return err
	}
	return c.PrintTable(t)
}

// jsonStatus is the status of the primary, or of the first that answers, and a line about each authority.
type jsonStatus struct {
	*config.Status
	Authorities []jsonAuthority `json:"authorities"`
}

type jsonAuthority struct {
	Endpoint string `json:"endpoint"`
	Role     string `json:"role,omitempty"`
	Epoch    uint64 `json:"epoch,omitempty"`
	Revision uint64 `json:"revision,omitempty"`
	ReadOnly string `json:"readOnly,omitempty"`
	Error    string `json:"error,omitempty"`
}

func jsonStatusOf(best *config.Status, answers []answer) jsonStatus {
	document := jsonStatus{Status: best}
	for _, a := range answers {
		one := jsonAuthority{Endpoint: a.endpoint}
		if a.err != nil {
			one.Error = a.err.Error()
		} else {
			one.Role, one.Epoch, one.Revision, one.ReadOnly = a.status.Role, a.status.Epoch, a.status.Revision, a.status.ReadOnly
		}
		document.Authorities = append(document.Authorities, one)
	}
	return document
}
