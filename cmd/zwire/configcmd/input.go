// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
)

// inputBytesMax is above what any authority takes as a value, so that what never ends is not read to the end.
const inputBytesMax = 16 << 20

// read is what a reader gave.
type read struct {
	data []byte
	err  error
}

// await reads in a goroutine of its own, for a terminal does not return because somebody interrupts; it ends with the process.
func await(ctx context.Context, work func() ([]byte, error)) ([]byte, error) {
	done := make(chan read, 1)
	go func() {
		data, err := work()
		done <- read{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func readLine(ctx context.Context, from io.Reader) (string, error) {
	line, err := await(ctx, func() ([]byte, error) {
		text, err := bufio.NewReader(from).ReadBytes('\n')
		if err == io.EOF {
			err = nil // no answer
		}
		return text, err
	})
	return string(line), err
}

func readAll(ctx context.Context, from io.Reader) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
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
