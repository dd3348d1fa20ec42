// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
)

const (
	incarnations   = 3
	perIncarnation = 1500 // messages: more than a high-water mark
)

// A trial is a one-way stream of numbered messages, one side of which restarts.
type trial struct {
	name               string
	sending, receiving kind
	sender, receiver   maker
	receiverBinds      bool
	transport          string
}

func trials() []trial {
	makers := map[string]maker{"zwire": newOurs, "libzmq": newLibzmq}
	var all []trial
	for _, names := range [][2]string{{"zwire", "libzmq"}, {"libzmq", "zwire"}} {
		for _, kinds := range [][2]kind{{push, pull}, {dealer, dealer}} {
			for _, transport := range []string{"tcp", "ipc"} {
				for _, receiverBinds := range []bool{true, false} {
					verb := "connects"
					if receiverBinds {
						verb = "binds"
					}
					all = append(all, trial{
						name: fmt.Sprintf("%s/%s-%s-to-%s-%s-which-%s", transport, names[0], kinds[0],
							names[1], kinds[1], verb),
						sending: kinds[0], receiving: kinds[1],
						sender: makers[names[0]], receiver: makers[names[1]],
						receiverBinds: receiverBinds, transport: transport,
					})
				}
			}
		}
	}
	return all
}

// numbered makes messages of one to three frames, some above the size of a
// buffer, that show where they begin and end.
func numbered(n uint64) [][]byte {
	sizes := []int{0, 100, 300, 5000, 70000}
	number := binary.BigEndian.AppendUint64(nil, n)
	return append([][]byte{number, payload(sizes[n%uint64(len(sizes))], n)}, make([][]byte, n%2)...)
}

func checkNumbered(frames [][]byte) (uint64, error) {
	if len(frames) == 0 || len(frames[0]) != 8 {
		return 0, fmt.Errorf("no number in %s", describe(frames))
	}
	n := binary.BigEndian.Uint64(frames[0])
	return n, checkFrames(frames, numbered(n))
}

// A stream sends numbered messages until it is stopped.
type stream struct {
	stop atomic.Bool
	next uint64     // the first number not sent; after done
	done chan error // gets one value, when the sender is closed
}

func startStream(sender party, first uint64) *stream {
	s := &stream{next: first, done: make(chan error, 1)}
	go func() {
		var err error
		for err == nil && !s.stop.Load() {
			if err = sender.send(numbered(s.next)); err == nil {
				s.next++
			}
		}
		s.done <- errors.Join(err, sender.close())
	}()
	return s
}

// finish stops the stream and hands what still comes to each.
func (s *stream) finish(receiver party, each func(uint64) error) error {
	s.stop.Store(true)
	var ended bool
	var streamErr error
	for {
		frames, err := receiver.receive(shortPatience)
		if errors.Is(err, errLate) && ended {
			return streamErr
		}
		if err == nil {
			var n uint64
			if n, err = checkNumbered(frames); err == nil {
				err = each(n)
			}
		}
		if err != nil && !errors.Is(err, errLate) {
			return err
		}
		select {
		case streamErr = <-s.done:
			ended = true
		default:
		}
	}
}

// abandon ends a stream that has failed.
func (s *stream) abandon(receiver party, failure error) error {
	if failure == nil {
		return nil
	}
	s.stop.Store(true)
	return errors.Join(failure, receiver.close())
}

// TestReceiverRestarts takes the receiver away in the middle of the traffic and
// brings another one: messages go on, in order, whole, and none comes twice. If
// the sender keeps its pipe, because it connects, none is missing while one
// receiver lives. At the end nothing is lost.
func TestReceiverRestarts(t *testing.T) {
	checkNoGoroutine(t)
	for _, trial := range trials() {
		t.Run(trial.name, func(t *testing.T) {
			if err := trial.restartReceiver(t); err != nil {
				t.Error(err)
			}
		})
	}
}

func (r trial) restartReceiver(t *testing.T) (err error) {
	place := newPlace(t, r.transport)
	sender, err := r.sender(t, role{kind: r.sending})
	if err != nil {
		return err
	}
	receiver, err := r.receiver(t, role{kind: r.receiving})
	if err != nil {
		return err
	}
	endpoint, err := r.meet(place.endpoint(), sender, receiver)
	if err != nil {
		return err
	}
	stream := startStream(sender, 0)
	defer func() { err = stream.abandon(receiver, err) }()
	expect := sequence{contiguous: r.receiverBinds}
	for incarnation := range incarnations {
		if incarnation > 0 {
			next, err := r.replace(t, receiver, endpoint)
			if err != nil {
				return fmt.Errorf("incarnation %d: %w", incarnation, err)
			}
			receiver = next
			expect.newIncarnation()
		}
		if err := expect.take(receiver, perIncarnation); err != nil {
			return fmt.Errorf("incarnation %d: %w", incarnation, err)
		}
	}
	if err := stream.finish(receiver, expect.see); err != nil {
		return err
	}
	if expect.next != stream.next {
		return fmt.Errorf("the last message is number %d, want %d", int64(expect.next)-1, stream.next-1)
	}
	return receiver.close()
}

// meet binds one side and connects the other one; it returns the endpoint.
func (r trial) meet(endpoint string, sender, receiver party) (string, error) {
	binder, connecter := sender, receiver
	if r.receiverBinds {
		binder, connecter = receiver, sender
	}
	bound, err := binder.bind(endpoint)
	if err != nil {
		return "", err
	}
	return bound, connecter.connect(bound)
}

func (r trial) replace(t *testing.T, old party, endpoint string) (party, error) {
	if err := old.close(); err != nil {
		return nil, err
	}
	receiver, err := r.receiver(t, role{kind: r.receiving})
	if err != nil {
		return nil, err
	}
	if r.receiverBinds {
		_, err = receiver.bind(endpoint)
	} else {
		err = receiver.connect(endpoint)
	}
	return receiver, err
}

// A sequence checks the order of numbers.
type sequence struct {
	contiguous bool // within one incarnation
	next       uint64
	fresh      bool // nothing came since the last restart
}

func (s *sequence) newIncarnation() { s.fresh = true }

func (s *sequence) see(n uint64) error {
	if n < s.next || s.contiguous && !s.fresh && n != s.next {
		return fmt.Errorf("message %d came when %d was due", n, s.next)
	}
	s.next, s.fresh = n+1, false
	return nil
}

func (s *sequence) take(receiver party, count int) error {
	for range count {
		frames, err := receiver.receive(patience)
		if err != nil {
			return err
		}
		n, err := checkNumbered(frames)
		if err != nil {
			return err
		}
		if err := s.see(n); err != nil {
			return err
		}
	}
	return nil
}

// TestSenderRestarts closes the sender in the middle of the traffic and goes on
// with another one: closing loses nothing, every sender's messages keep their
// order, and none comes twice.
func TestSenderRestarts(t *testing.T) {
	checkNoGoroutine(t)
	for _, trial := range trials() {
		t.Run(trial.name, func(t *testing.T) {
			if err := trial.restartSender(t); err != nil {
				t.Error(err)
			}
		})
	}
}

func (r trial) restartSender(t *testing.T) error {
	endpoint := newPlace(t, r.transport).endpoint()
	receiver, err := r.receiver(t, role{kind: r.receiving})
	if err != nil {
		return err
	}
	if r.receiverBinds {
		if endpoint, err = receiver.bind(endpoint); err != nil {
			return err
		}
	}
	var first uint64
	for incarnation := range incarnations {
		sender, err := r.sender(t, role{kind: r.sending})
		if err != nil {
			return err
		}
		if r.receiverBinds {
			err = sender.connect(endpoint)
		} else if endpoint, err = sender.bind(endpoint); err == nil && incarnation == 0 {
			err = receiver.connect(endpoint)
		}
		if err != nil {
			return fmt.Errorf("incarnation %d: %w", incarnation, err)
		}
		if first, err = r.takeIncarnation(sender, receiver, first); err != nil {
			return fmt.Errorf("incarnation %d: %w", incarnation, err)
		}
	}
	return receiver.close()
}

// takeIncarnation receives all that one sender sends, which goes on from first.
func (r trial) takeIncarnation(sender, receiver party, first uint64) (next uint64, err error) {
	stream := startStream(sender, first)
	defer func() { err = stream.abandon(receiver, err) }()
	expect := sequence{contiguous: true, next: first}
	if err := expect.take(receiver, perIncarnation); err != nil {
		return 0, err
	}
	if err := stream.finish(receiver, expect.see); err != nil {
		return 0, err
	}
	if expect.next != stream.next {
		return 0, fmt.Errorf("number %d came last, want %d", int64(expect.next)-1, stream.next-1)
	}
	return stream.next, nil
}

// TestPythonIsKilled kills a receiver that has no time to say good-bye.
func TestPythonIsKilled(t *testing.T) {
	if _, err := python(); err != nil {
		t.Fatal(err)
	}
	checkNoGoroutine(t)
	sender, err := newOurs(t, role{kind: push})
	if err != nil {
		t.Fatal(err)
	}
	var stream *stream
	var receiver *pythonParty
	endpoint := "tcp://127.0.0.1:*"
	expect := sequence{contiguous: true}
	for incarnation := range incarnations {
		if receiver != nil {
			receiver.kill()
			receiver.command.Wait() // killed: the error says so
		}
		receiver = &pythonParty{role: role{kind: pull}}
		t.Cleanup(receiver.kill)
		if endpoint, err = receiver.bind(endpoint); err != nil {
			t.Fatal(err)
		}
		if incarnation == 0 {
			if err := sender.connect(endpoint); err != nil {
				t.Fatal(err)
			}
			stream = startStream(sender, 0)
		}
		expect.newIncarnation()
		if err := expect.take(receiver, 300); err != nil {
			t.Fatalf("incarnation %d: %v", incarnation, err)
		}
	}
	if err := stream.finish(receiver, expect.see); err != nil {
		t.Fatal(err)
	}
	if expect.next != stream.next {
		t.Errorf("the last message is number %d, want %d", int64(expect.next)-1, stream.next-1)
	}
	if err := receiver.close(); err != nil {
		t.Error(err)
	}
}
