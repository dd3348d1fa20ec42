// SPDX-License-Identifier: Apache-2.0

package poolcmd

import (
	"time"
	"unicode/utf8"

	"github.com/zwire-mq/zwire/patterns/workpool"
)

// jsonStats has names of its own, so that scripts do not depend on those of Go.
type jsonStats struct {
	Waiting           int          `json:"waiting"`
	Delayed           int          `json:"delayed"`
	Leased            int          `json:"leased"`
	Storing           int          `json:"storing"`
	Results           int          `json:"results"`
	DeadLetters       int          `json:"deadLetters"`
	QueueBytes        int          `json:"queueBytes"`
	AcceptedPerSecond float64      `json:"acceptedPerSecond"`
	DonePerSecond     float64      `json:"donePerSecond"`
	Accepted          uint64       `json:"accepted"`
	Refused           uint64       `json:"refused"`
	Done              uint64       `json:"done"`
	Sunk              uint64       `json:"sunk"`
	Failed            uint64       `json:"failed"`
	Retries           uint64       `json:"retries"`
	Hung              uint64       `json:"hung"`
	Late              uint64       `json:"late"`
	Lost              uint64       `json:"lost"`
	Returned          uint64       `json:"returned"`
	Died              uint64       `json:"died"`
	Cancelled         uint64       `json:"cancelled"`
	WorkersLost       uint64       `json:"workersLost"`
	Workers           []jsonWorker `json:"workers"`
}

type jsonWorker struct {
	Name   string  `json:"name"`
	Credit int     `json:"credit"`
	Held   int     `json:"held"`
	Done   uint64  `json:"done"`
	Failed uint64  `json:"failed"`
	Silent float64 `json:"silentSeconds"`
}

func jsonOf(s *workpool.Stats) jsonStats {
	document := jsonStats{
		Waiting: s.Waiting, Delayed: s.Delayed, Leased: s.Leased, Storing: s.Storing, Results: s.Results, DeadLetters: s.DeadLetters,
		QueueBytes: s.QueueBytes, AcceptedPerSecond: s.AcceptedPerSecond, DonePerSecond: s.DonePerSecond,
		Accepted: s.Accepted, Refused: s.Refused, Done: s.Done, Sunk: s.Sunk, Failed: s.Failed, Retries: s.Retries, Hung: s.Hung,
		Late: s.Late, Lost: s.Lost, Returned: s.Returned, Died: s.Died, Cancelled: s.Cancelled, WorkersLost: s.WorkersLost,
		Workers: []jsonWorker{},
	}
	for i := range s.Workers {
		w := &s.Workers[i]
		document.Workers = append(document.Workers, jsonWorker{w.Name, w.Credit, w.Held, w.Done, w.Failed, w.Silent.Seconds()})
	}
	return document
}

type jsonLetters struct {
	Letters []jsonLetter `json:"deadLetters"`
	More    bool         `json:"more"`
}

// jsonLetter has the beginning of a task as text if it is UTF-8, else in base64.
type jsonLetter struct {
	ID         uint64      `json:"id"`
	Died       time.Time   `json:"died"`
	Attempts   int         `json:"attempts"`
	Durable    bool        `json:"durable"`
	TaskBytes  int         `json:"taskBytes"`
	Task       *string     `json:"task,omitempty"`
	TaskBase64 []byte      `json:"taskBase64,omitempty"`
	Errors     []jsonError `json:"errors"`
}

type jsonError struct {
	Attempt int       `json:"attempt"`
	Worker  string    `json:"worker,omitempty"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}

func jsonLettersOf(letters []letter, more bool) jsonLetters {
	document := jsonLetters{[]jsonLetter{}, more}
	for i := range letters {
		document.Letters = append(document.Letters, jsonLetterOf(&letters[i]))
	}
	return document
}

func jsonLetterOf(l *letter) jsonLetter {
	document := jsonLetter{
		ID: uint64(l.ID), Died: l.Time(), Attempts: l.Attempts, Durable: l.Durable, TaskBytes: l.TaskBytes, Errors: []jsonError{},
	}
	if utf8.Valid(l.Task) {
		text := string(l.Task)
		document.Task = &text
	} else {
		document.TaskBase64 = l.Task
	}
	for _, e := range l.Errors {
		document.Errors = append(document.Errors, jsonError(e))
	}
	return document
}
