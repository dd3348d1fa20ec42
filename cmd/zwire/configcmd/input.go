// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
)

// inputBytesMax is above what any authority takes as a value, so that what never ends is not read to the end.
const inputBytesMax = 16 << 20

func readAll(ctx context.Context, from io.Reader) ([]byte, error) {
	return terminal.Await(ctx, func() ([]byte, error) {
		data, err := io.ReadAll(io.LimitReader(from, inputBytesMax+1))
		if err == nil && len(data) > inputBytesMax {
			err = fmt.Errorf("more than %d octets: too large for a value", inputBytesMax)
		}
		return data, err
	})
}

func readFile(ctx context.Context, name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(ctx, file)
}
