// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/zwire-mq/zwire/socket"
)

// Verbs of a registration request: what a process has to tell the coordinator.
const (
	verbHello   = "hello"   // every process, once
	verbListed  = "listed"  // ventilator: so many files
	verbHolding = "holding" // the worker that -kill picks: has taken a file and keeps it
	verbReport  = "report"  // sink: a page of outcomes
	verbSent    = "sent"    // ventilator, at the end: so many tasks
)

// Topics of the control sockets.
const (
	topicStart = "start" // coordinator: number of workers, number of files
	topicGone  = "gone"  // coordinator: a worker died
	topicStop  = "stop"  // coordinator: everybody ends
	topicDone  = "done"  // sink: finished ids, files, bytes
)

// note is the body of a registration request, in JSON; a verb uses the
// fields it needs.
type note struct {
	Role     string    `json:"role,omitempty"`
	Name     string    `json:"name,omitempty"`
	Language string    `json:"language,omitempty"`
	PID      int       `json:"pid,omitempty"`
	Endpoint string    `json:"endpoint,omitempty"`
	Path     []byte    `json:"path,omitempty"`
	Files    int       `json:"files,omitempty"`
	Skipped  int       `json:"skipped,omitempty"`
	Tasks    int       `json:"tasks,omitempty"`
	Again    int       `json:"again,omitempty"`
	Results  int       `json:"results,omitempty"`
	Repeats  int       `json:"repeats,omitempty"`
	Reports  int       `json:"reports,omitempty"`
	Outcomes []outcome `json:"outcomes,omitempty"`
	Last     bool      `json:"last,omitempty"`
}

// settings is the answer to hello.
type settings struct {
	Root    string   `json:"root"`
	Tasks   string   `json:"tasks"`
	Results string   `json:"results"`
	Control []string `json:"control"` // the coordinator's publisher, then the sink's
	Queue   int      `json:"queue"`   // high-water mark of the tasks link on either side
	Victim  bool     `json:"victim"`
	SlowMS  int      `json:"slow_ms"`
}

// outcome is what became of one file.
type outcome struct {
	ID     int    `json:"id"`
	Worker string `json:"worker"`
	Path   []byte `json:"path"` // a path need not be UTF-8
	Size   int64  `json:"size"`
	Hash   string `json:"hash"`
	Error  string `json:"error"`
}

// request is a registration request that has arrived.
type request struct {
	verb string
	note note
}

// textMessage makes a message whose frames are texts.
func textMessage(frames ...string) socket.Message {
	list := make([][]byte, len(frames))
	for i, text := range frames {
		list[i] = []byte(text)
	}
	return socket.NewMessage(list...)
}

// ask sends one request to the coordinator and returns its answer.
func ask(ctx context.Context, req *socket.Req, verb string, n note) (settings, error) {
	var answer settings
	body, err := json.Marshal(n)
	if err != nil {
		return answer, err
	}
	msg, err := req.Do(ctx, socket.NewMessage([]byte(verb), body))
	if err != nil {
		return answer, fmt.Errorf("%s: %w", verb, err)
	}
	if msg.Len() != 2 || string(msg.Frame(0)) != "ok" {
		return answer, fmt.Errorf("%s: refused", verb)
	}
	return answer, json.Unmarshal(msg.Frame(1), &answer)
}

// parseRequest reads a request; anything may arrive on an open port.
func parseRequest(msg socket.Message) (request, error) {
	var r request
	if msg.Len() != 2 {
		return r, errors.New("want two frames: verb and note")
	}
	r.verb = string(msg.Frame(0))
	switch r.verb {
	case verbHello, verbListed, verbHolding, verbReport, verbSent:
	default:
		return r, errors.New("unknown verb")
	}
	return r, json.Unmarshal(msg.Frame(1), &r.note)
}

// serveRegistration answers requests until ctx ends and passes each on. It
// alone owns base once it runs: hello of the sink completes it.
func serveRegistration(ctx context.Context, rep *socket.Rep, base settings, adapt func(string, *settings), pass func(request)) error {
	for {
		msg, err := rep.Recv(ctx)
		if err != nil {
			return err
		}
		r, err := parseRequest(msg)
		if err != nil {
			if err := rep.Send(ctx, textMessage("no", err.Error())); err != nil {
				return err
			}
			continue
		}
		if r.verb == verbHello && r.note.Role == roleSink {
			base.Results = r.note.Endpoint
		}
		answer := base
		adapt(r.note.Name, &answer)
		body, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		// Passed on first: who has the answer may rely on being known.
		pass(r)
		if err := rep.Send(ctx, socket.NewMessage([]byte("ok"), body)); err != nil {
			return err
		}
	}
}
