// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/node"
)

// TestTickDoesNotWakeItself has something due soon: the clock has to sleep until then, not to look again and again.
func TestTickDoesNotWakeItself(t *testing.T) {
	const soon = lookMax / 2
	c := &Client{wake: make(chan struct{}, 1), machine: node.New(node.Config{Session: "s", Links: 1})}
	now := time.Now()
	c.machine.Connected(0, now.Add(soon-time.Second)) // a greeting is said again after a second
	c.machine.Take()
	c.publish()
	due := c.tick()
	if len(c.wake) > 0 {
		t.Error("the clock was woken by its own tick")
	}
	if early := due.Sub(now); early < soon/2 || early > soon {
		t.Errorf("the next tick is due in %v, want %v", early, soon)
	}
}
