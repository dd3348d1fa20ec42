// SPDX-License-Identifier: Apache-2.0

package wire

// kind is the first octet of a message.
type kind uint8

const (
	kindHello kind = 1 + iota
	kindBeat
	kindResults
	kindBye
	kindStatus
)

const (
	kindWelcome kind = 32 + iota
	kindTasks
	kindCancel
	kindAlive
	kindStranger
	kindReport
)

// Message is one of the structs of this package, by pointer.
type Message interface {
	kind() kind
	append(to []byte) []byte
	read(r *reader)
}

// Hello makes a worker known, or known again.
type Hello struct {
	Version uint16
	Credit  uint32
	Name    string
}

// Beat says that a worker lives, what it holds, and how much it can hold.
type Beat struct {
	Credit uint32
	Leases []uint64
}

// Results are answers of a worker.
type Results struct {
	Credit uint32
	Items  []Result
}

// Result is the answer to one lease.
type Result struct {
	Lease   uint64
	Outcome Outcome
	Value   []byte // Done: the result; Failed and Refused: a text for people
}

// Outcome is how an attempt has ended.
type Outcome uint8

// The outcomes. Returned is no attempt: the worker has not begun with the task, or was closed.
const (
	Done Outcome = 1 + iota
	Failed
	Refused
	Returned
)

// Bye takes a worker's leave: what it has not answered it has not done.
type Bye struct{}

// Status asks for a Report; anybody may.
type Status struct{}

// Welcome answers a Hello.
type Welcome struct {
	Version  uint16
	Life     uint64 // another one after each start of the dispatcher
	Interval uint32 // milliseconds between beats
}

// Tasks are tasks for a worker, each under a lease.
type Tasks struct{ Items []Task }

// Task is one attempt at a task.
type Task struct {
	Lease   uint64
	ID      uint64
	Attempt uint32 // from 1
	Time    uint64 // milliseconds that the attempt may take; 0: any
	Payload []byte
}

// Cancel says that nobody waits for the answers to these leases.
type Cancel struct{ Leases []uint64 }

// Alive says that the dispatcher lives.
type Alive struct{}

// Stranger answers a worker that is not known, or not any more: it has to say Hello.
type Stranger struct{}

// Report answers Status.
type Report struct{ JSON []byte }

func (*Hello) kind() kind    { return kindHello }
func (*Beat) kind() kind     { return kindBeat }
func (*Results) kind() kind  { return kindResults }
func (*Bye) kind() kind      { return kindBye }
func (*Status) kind() kind   { return kindStatus }
func (*Welcome) kind() kind  { return kindWelcome }
func (*Tasks) kind() kind    { return kindTasks }
func (*Cancel) kind() kind   { return kindCancel }
func (*Alive) kind() kind    { return kindAlive }
func (*Stranger) kind() kind { return kindStranger }
func (*Report) kind() kind   { return kindReport }

func newMessage(k kind) Message {
	switch k {
	case kindHello:
		return &Hello{}
	case kindBeat:
		return &Beat{}
	case kindResults:
		return &Results{}
	case kindBye:
		return &Bye{}
	case kindStatus:
		return &Status{}
	case kindWelcome:
		return &Welcome{}
	case kindTasks:
		return &Tasks{}
	case kindCancel:
		return &Cancel{}
	case kindAlive:
		return &Alive{}
	case kindStranger:
		return &Stranger{}
	case kindReport:
		return &Report{}
	}
	return nil
}
