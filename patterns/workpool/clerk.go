// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/zwire-mq/zwire/patterns/workpool/internal/dispatcher"
	"github.com/zwire-mq/zwire/patterns/workpool/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// question is what an operator has asked.
type question struct {
	from    string
	message wire.Message
}

// ask leaves a question for answer; when too many wait, nobody answers it, and the operator waits until its context ends.
func (c *core) ask(q question) {
	select {
	case c.asked <- q:
	default:
		c.log.Debug("too many questions wait for their answers")
	}
}

// answer answers operators, one after the other: workers do not wait for what is told to people.
func (c *core) answer() {
	for {
		select {
		case q := <-c.asked:
			var reply wire.Message
			switch message := q.message.(type) {
			case *wire.Status:
				reply = c.report()
			case *wire.List:
				c.mu.Lock()
				reply = c.machine.Letters(message.After)
				c.mu.Unlock()
			case *wire.Settle:
				reply = c.settle(message)
			}
			if reply != nil {
				_ = c.router.TrySend(socket.NewMessage([]byte(q.from), wire.Encode(reply))) // it has gone, or does not read
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// report is the statistics; nil: they cannot be told.
func (c *core) report() wire.Message {
	text, err := json.Marshal(c.stats())
	if err != nil {
		c.log.Error("statistics cannot be told", "error", err)
		return nil
	}
	return &wire.Report{JSON: text}
}

// settle does something about dead letters; nil: the dispatcher has ended before all was on disk.
func (c *core) settle(message *wire.Settle) wire.Message {
	settled := &wire.Settled{Verdicts: make([]wire.Verdict, len(message.IDs))}
	err := c.request(func(m *dispatcher.Machine, now time.Time) (batch uint64, err error) {
		for i, id := range message.IDs {
			var one uint64
			if message.Action == wire.Rerun {
				one, err = c.rerun(m, id, now)
			} else {
				one, err = m.Forget(id, now)
			}
			batch = max(batch, one)
			settled.Verdicts[i] = verdictOf(err)
		}
		return batch, nil
	})
	if err != nil {
		return nil
	}
	return settled
}

func verdictOf(err error) wire.Verdict {
	switch {
	case err == nil:
		return wire.Agreed
	case errors.Is(err, ErrFull):
		return wire.Full
	case errors.Is(err, ErrDraining):
		return wire.Draining
	}
	return wire.Unknown
}

// rerun is that of the machine, unless it drains; under mu.
func (c *core) rerun(m *dispatcher.Machine, id uint64, now time.Time) (batch uint64, err error) {
	if c.draining {
		return 0, ErrDraining
	}
	return m.Rerun(id, now)
}
