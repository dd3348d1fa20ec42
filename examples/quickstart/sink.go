// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zwire-mq/zwire/socket"
)

const (
	doneBatchMax = 256  // ids in one done message
	reportPage   = 1000 // outcomes in one report request
)

// sink collects one outcome per file and tells which ids are finished.
type sink struct {
	results  *socket.Pull
	done     *socket.Pub
	outcomes map[int]outcome
	bytes    int64
	received int // messages on the results link
	repeats  int // of these, for an id that had its outcome already
	strays   int // of these, not understood
	reports  int // messages on the control link
}

// playSink collects until every file has its outcome, then hands the whole
// result to the coordinator and waits for the stop signal.
func playSink(ctx context.Context, p part) error {
	s := &sink{outcomes: map[int]outcome{}}
	if err := s.open(p); err != nil {
		return err
	}
	defer s.results.Close()
	defer s.done.Close()
	registration, answer, err := register(ctx, p, note{Endpoint: s.results.LastEndpoint()})
	if err != nil {
		return err
	}
	defer registration.Close()
	control, err := joinControl(answer.Control[:1], topicStop, topicStart)
	if err != nil {
		return err
	}
	defer control.Close()
	_, files, err := awaitStart(ctx, control)
	if err != nil {
		return err
	}
	// Ventilator and coordinator must hear of every id.
	if err := s.done.WaitSubscribers(ctx, topicDone, 2); err != nil {
		return err
	}
	if err := s.collect(ctx, files); err != nil {
		return err
	}
	if err := s.report(ctx, registration, p.name); err != nil {
		return err
	}
	return awaitStop(ctx, control)
}

// open binds both sockets before anybody is told of them. A full subscriber
// makes the publisher wait, because a lost id would be work done twice.
func (s *sink) open(p part) error {
	var err error
	if s.results, err = socket.NewPull(nil); err != nil {
		return err
	}
	if s.done, err = socket.NewPub(&socket.Options{PubNoDrop: true}); err != nil {
		return err
	}
	return errors.Join(s.results.Bind("tcp://127.0.0.1:*"), s.done.Bind(doneEndpoint(p.folder)))
}

// collect takes results until each of the files has one. What has piled up
// meanwhile is taken in one go and acknowledged with one message.
func (s *sink) collect(ctx context.Context, files int) error {
	for len(s.outcomes) < files {
		msg, err := s.results.Recv(ctx)
		var ids []string
		for err == nil {
			if id, fresh := s.take(msg); fresh {
				ids = append(ids, strconv.Itoa(id))
			}
			if len(ids) == doneBatchMax {
				break
			}
			msg, err = s.results.TryRecv()
		}
		if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
			return err
		}
		if len(ids) == 0 {
			continue
		}
		s.reports++
		err = s.done.Send(ctx, textMessage(topicDone, strings.Join(ids, " "), strconv.Itoa(len(s.outcomes)), strconv.FormatInt(s.bytes, 10)))
		if err != nil {
			return err
		}
	}
	return nil
}

// take keeps the first outcome of an id.
func (s *sink) take(msg socket.Message) (id int, fresh bool) {
	s.received++
	o, err := parseOutcome(msg)
	if err != nil {
		s.strays++
		return 0, false
	}
	if _, known := s.outcomes[o.ID]; known {
		s.repeats++
		return 0, false
	}
	s.outcomes[o.ID] = o
	s.bytes += o.Size
	return o.ID, true
}

// report hands everything over in pages, one request each.
func (s *sink) report(ctx context.Context, req *socket.Req, name string) error {
	list := make([]outcome, 0, len(s.outcomes))
	for _, o := range s.outcomes {
		list = append(list, o)
	}
	for page := range slices.Chunk(list, reportPage) {
		if _, err := ask(ctx, req, verbReport, note{Name: name, Outcomes: page}); err != nil {
			return err
		}
	}
	last := note{Name: name, Results: s.received, Repeats: s.repeats, Reports: s.reports, Last: true}
	_, err := ask(ctx, req, verbReport, last)
	return err
}

// message puts an outcome into the six frames of a result.
func (o outcome) message() socket.Message {
	return socket.NewMessage(strconv.AppendInt(nil, int64(o.ID), 10), []byte(o.Worker), o.Path,
		strconv.AppendInt(nil, o.Size, 10), []byte(o.Hash), []byte(o.Error))
}

func parseOutcome(msg socket.Message) (outcome, error) {
	var o outcome
	if msg.Len() != 6 {
		return o, fmt.Errorf("result of %d frames, want 6", msg.Len())
	}
	var idErr, sizeErr error
	o.ID, idErr = strconv.Atoi(string(msg.Frame(0)))
	o.Size, sizeErr = strconv.ParseInt(string(msg.Frame(3)), 10, 64)
	o.Worker, o.Path = string(msg.Frame(1)), slices.Clone(msg.Frame(2))
	o.Hash, o.Error = string(msg.Frame(4)), string(msg.Frame(5))
	return o, errors.Join(idErr, sizeErr)
}
