// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

const mebi = 1 << 20

// sizes stand on both sides of the short frame's limit and of every buffer.
func sizes() []int { return []int{0, 1, 255, 256, 8192, 65536, mebi, 16 * mebi} }

// burstLength is below every high-water mark.
const burstLength = 400

func TestEveryPairWithLibzmq(t *testing.T) {
	checkNoGoroutine(t)
	runMatrix(t, newLibzmq, samples(sizes()))
}

func TestEveryPairWithPython(t *testing.T) {
	if _, err := python(); err != nil {
		t.Fatal(err)
	}
	checkNoGoroutine(t)
	runMatrix(t, newPython, samples([]int{0, 1, 255, 256, 65536, mebi, 16 * mebi}))
}

// A sample is one message of the matrix.
type sample struct {
	shape  shape
	size   int
	frames [][]byte
}

// A shape is the way in which a message of some size is cut into frames.
type shape string

const (
	oneFrame    shape = "one frame"
	threeFrames shape = "the second of three frames"
	emptyLast   shape = "two frames, the last one empty"
)

func samples(sizes []int) []sample {
	var all []sample
	for i, size := range sizes {
		body := payload(size, uint64(i))
		all = append(all,
			sample{oneFrame, size, [][]byte{body}},
			sample{threeFrames, size, [][]byte{payload(300, 1), body, payload(3, 2)}},
			sample{emptyLast, size, [][]byte{body, {}}})
	}
	return all
}

func (s sample) String() string { return fmt.Sprintf("%d bytes in %s", s.size, s.shape) }

// A seat is one side of a couple: who sits there speaks or listens, and binds
// or connects.
type seat struct {
	couple
	speaks, binds bool
}

func seats() []seat {
	var all []seat
	for _, couple := range couples() {
		for _, speaks := range []bool{true, false} {
			for _, binds := range []bool{true, false} {
				all = append(all, seat{couple, speaks, binds})
			}
		}
	}
	return all
}

func (s seat) kind() kind {
	if s.speaks {
		return s.first
	}
	return s.second
}

// meeting has one implementation in the seat and the other one opposite. Who
// is in the seat leaves first.
func (s seat) meeting(here, opposite maker, patience time.Duration) meeting {
	if s.speaks {
		return meeting{s.couple, here, opposite, s.binds, true, patience}
	}
	return meeting{s.couple, opposite, here, !s.binds, false, patience}
}

// String says which part the implementation in the seat plays.
func (s seat) String() string {
	name := fmt.Sprintf("%v/as-%s", s.couple, s.kind())
	if s.speaks {
		name += "-speaks-first"
	}
	if s.binds {
		return name + "-binds"
	}
	return name + "-connects"
}

// runMatrix has zwire in every seat, opposite the other implementation.
func runMatrix(t *testing.T, other maker, samples []sample) {
	for _, transport := range []string{"tcp", "ipc"} {
		place := newPlace(t, transport)
		for _, seat := range seats() {
			t.Run(fmt.Sprintf("%s/%v", transport, seat), func(t *testing.T) {
				err := seat.meeting(newOurs, other, patience).hold(t, place, func(c *conversation) error {
					return errors.Join(talk(c, samples), burst(c))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// talk exchanges all samples, one after the other.
func talk(c *conversation, samples []sample) error {
	for _, sample := range samples {
		if err := c.exchange(sample.frames); err != nil {
			return fmt.Errorf("%v: %w", sample, err)
		}
	}
	return nil
}

// burst has many messages under way at once.
func burst(c *conversation) error {
	if c.lockStep() {
		return nil
	}
	for i := range burstLength {
		if err := c.say(burstMessage(i)); err != nil {
			return fmt.Errorf("message %d of a burst: %w", i, err)
		}
	}
	for i := range burstLength {
		if err := c.hear(burstMessage(i)); err != nil {
			return fmt.Errorf("message %d of a burst: %w", i, err)
		}
	}
	return nil
}

// burstMessage mixes sizes around the limits of frames and buffers, and one to
// three frames.
func burstMessage(i int) [][]byte {
	lengths := []int{0, 10, 254, 257, 1000, 9000}
	message := make([][]byte, 1+i%3)
	for frame := range message {
		message[frame] = payload(lengths[(i+frame)%len(lengths)], uint64(i))
	}
	return message
}
