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
	kindList
	kindSettle
)

const (
	kindWelcome kind = 32 + iota
	kindTasks
	kindCancel
	kindAlive
	kindStranger
	kindReport
	kindLetters
	kindSettled
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

// List asks for Letters of dead letters after an ID; anybody may.
type List struct{ After uint64 }

// Settle asks to do something about dead letters, of which there are at most SettleMax; anybody may.
type Settle struct {
	Action Action
	IDs    []uint64
}

// Action is what is done about a dead letter.
type Action uint8

// The actions: to make it a task again, or to throw it away.
const (
	Rerun Action = 1 + iota
	Forget
)

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

// Letters answers List: the dead letters with the lowest IDs, as many as fit into LettersBytesMax.
type Letters struct {
	Left  uint32 // that come after these
	Items []Letter
}

// Letter is a dead letter.
type Letter struct {
	ID       uint64
	Attempts uint32
	Durable  bool
	Bytes    uint32 // of the payload
	Payload  []byte // its beginning
	Errors   []AttemptError
}

// AttemptError is why an attempt has failed.
type AttemptError struct {
	Attempt uint32
	At      uint64 // nanoseconds since 1970
	Worker  string
	Text    string
}

// Settled answers Settle: what came of each ID, in the same order.
type Settled struct{ Verdicts []Verdict }

// Verdict is what came of an action.
type Verdict uint8

// The verdicts.
const (
	Agreed   Verdict = 1 + iota // it is done, and on disk where the task is durable
	Unknown                     // there is no such dead letter
	Full                        // the queue has no room for the task
	Draining                    // the dispatcher takes no more tasks
)

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
func (*List) kind() kind     { return kindList }
func (*Settle) kind() kind   { return kindSettle }
func (*Letters) kind() kind  { return kindLetters }
func (*Settled) kind() kind  { return kindSettled }

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
	case kindList:
		return &List{}
	case kindSettle:
		return &Settle{}
	case kindLetters:
		return &Letters{}
	case kindSettled:
		return &Settled{}
	}
	return nil
}
