// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/patterns/config"
	"github.com/zwire-mq/zwire/transport"
)

// Exit codes.
const (
	codeError    = 1
	codeUsage    = 2
	codeNotFound = 3
	codeConflict = 4
)

func usagef(format string, values ...any) error {
	return cli.Exit(fmt.Sprintf(format, values...), codeUsage)
}

// exit gives an error its exit code, and says what to do about it.
func exit(ctx context.Context, err error) error {
	var coder cli.ExitCoder
	var key *config.KeyError
	var option *config.OptionError
	var endpoint *transport.EndpointError
	switch {
	case err == nil || errors.As(err, &coder):
		return err
	case ctx.Err() != nil && errors.Is(err, ctx.Err()): // a signal
		if errors.Is(err, config.ErrUncertain) {
			return cli.Exit("interrupted: the change may have been made, look before you make it again", codeError)
		}
		return cli.Exit("interrupted", codeError)
	case errors.As(err, &key), errors.As(err, &option), errors.As(err, &endpoint):
		return cli.Exit(err, codeUsage)
	case errors.Is(err, config.ErrNotFound):
		return cli.Exit(err, codeNotFound)
	case errors.Is(err, config.ErrConflict):
		return cli.Exit(fmt.Errorf("%w: nothing was changed, read it again", err), codeConflict)
	case errors.Is(err, config.ErrUncertain):
		return cli.Exit(fmt.Errorf("%w: the change may have been made, look before you make it again", err), codeError)
	case errors.Is(err, config.ErrReadOnly):
		return cli.Exit(fmt.Errorf("%w: nothing was changed; see zwire config status, and zwire config promote --help", err), codeError)
	case errors.Is(err, context.DeadlineExceeded):
		return cli.Exit(fmt.Errorf("%w: see zwire config status", err), codeError)
	}
	return cli.Exit(err, codeError)
}
