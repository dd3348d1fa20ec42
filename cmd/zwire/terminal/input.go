// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Await reads in a goroutine of its own, for a terminal does not return because somebody interrupts; it ends with the process.
func Await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type outcome struct {
		data []byte
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		data, err := read()
		done <- outcome{data, err}
	}()
	select {
	case o := <-done:
		return o.data, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Consent asks for it if somebody sits at In, and is an error unless it is given.
func (s Streams) Consent(ctx context.Context, question string) error {
	if !s.Asks {
		return nil
	}
	fmt.Fprintf(s.Err, "%s [y/N] ", question)
	line, err := Await(ctx, func() ([]byte, error) {
		line, err := bufio.NewReader(s.In).ReadBytes('\n')
		if err == io.EOF {
			err = nil // no answer
		}
		return line, err
	})
	if err != nil {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(string(line))); answer != "y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}
