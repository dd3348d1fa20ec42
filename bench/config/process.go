// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/zwire-mq/zwire/bench/internal/child"
)

// A process is a server, or has nodes.
type process struct {
	*child.Process
}

func start(ctx context.Context, path string, arguments ...string) (*process, error) {
	p, err := child.Start(ctx, path, arguments...)
	return &process{p}, err
}

// ask gives an order and waits for the answer.
func (p *process) ask(o order) (answer, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if err := p.Tell(string(line)); err != nil {
		return answer{}, err
	}
	reply, err := p.ReadLine()
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal([]byte(reply), &a); err != nil {
		return answer{}, err
	}
	if a.Error != "" {
		return answer{}, fmt.Errorf("%s: %s", o.Do, a.Error)
	}
	return a, nil
}
