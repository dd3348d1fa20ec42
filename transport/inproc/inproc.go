// SPDX-License-Identifier: Apache-2.0

// Package inproc joins two sockets of one context by a pipe with nobody in between: no descriptor, no loop, no protocol.
// A name can be connected to before it is bound.
package inproc

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// Scheme is what stands before "://".
const Scheme = "inproc"

// NameBytesMax is the longest name (libzmq, zmq_inproc).
const NameBytesMax = 256

// waitersMax bounds the ends that wait for names nobody has bound, so that a loop of connects cannot eat the memory.
const waitersMax = 1 << 16

// ErrTooManyWaiters says that too many ends wait for names that nobody has bound.
var ErrTooManyWaiters = errors.New("inproc: too many sockets wait for names that nobody has bound")

// ErrMismatch says that the name belongs to a socket of a type that the connecting one does not talk to.
var ErrMismatch = errors.New("inproc: incompatible socket types")

// Party is a socket on one side of a join. Its methods do not wait.
type Party interface {
	pipe.Consumer // of the queue that it drains
	pipe.Producer // of the queue that it writes
	// Queues tells its limits on what it sends and receives.
	Queues() (send, recv pipe.Limits)
	// Suits reports whether it talks to a socket of that type.
	Suits(socketType string) bool
	// Type is its socket type.
	Type() string
	// Joined hands it its end of a new pipe, which carries messages when both sides have it.
	Joined(end *pipe.End, name string, bound bool)
	// Left tells that the other end of a pipe is gone. What it sent can still be received. A reason says that this party is
	// refused; without one it may connect again.
	Left(end *pipe.End, reason error)
	// Mismatched tells a party that waited for a name that it now belongs to a socket it cannot talk to.
	Mismatched(end *pipe.End)
}

// Names are the names of one context. The zero value is ready.
type Names struct {
	mu      sync.Mutex
	bound   map[string]Party
	waiting map[string][]wait
	waiters int
}

type wait struct {
	party Party
	end   *pipe.End
}

// Bind takes a name and joins everybody who waits for it. A name that is taken is syscall.EADDRINUSE.
func (n *Names) Bind(name string, party Party) error {
	n.mu.Lock()
	if _, taken := n.bound[name]; taken {
		n.mu.Unlock()
		return os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	if n.bound == nil {
		n.bound = make(map[string]Party)
	}
	n.bound[name] = party
	waiting := n.waiting[name]
	delete(n.waiting, name)
	n.waiters -= len(waiting)
	n.mu.Unlock()
	for _, w := range waiting {
		if join(w, party, name) != nil {
			w.party.Mismatched(w.end)
		}
	}
	return nil
}

// Unbind frees a name, unless it is another's by now. Pipes that were joined by it stay.
func (n *Names) Unbind(name string, party Party) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bound[name] == party {
		delete(n.bound, name)
	}
}

// NewEnd makes an end of a pipe that party will connect. Until another party has the other end its queue holds what party
// alone may send.
func NewEnd(party Party) *pipe.End {
	end := pipe.NewEnd(party.Queues())
	end.Out.Producer, end.In.Consumer = party, party
	end.Out.Far = end
	return end
}

// Connect gives the other end to whoever binds name, now or later. On an error the end is the caller's to drop.
func (n *Names) Connect(name string, party Party, end *pipe.End) error {
	n.mu.Lock()
	other, found := n.bound[name]
	if !found {
		if n.waiters >= waitersMax {
			n.mu.Unlock()
			return ErrTooManyWaiters
		}
		if n.waiting == nil {
			n.waiting = make(map[string][]wait)
		}
		n.waiting[name] = append(n.waiting[name], wait{party, end})
		n.waiters++
	}
	n.mu.Unlock()
	if found {
		return join(wait{party, end}, other, name)
	}
	return nil
}

// Leave takes back a Connect that nobody has answered. It reports whether that was so.
func (n *Names) Leave(name string, end *pipe.End) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.waiting[name]
	for i, w := range list {
		if w.end == end {
			n.waiting[name] = append(list[:i:i], list[i+1:]...)
			if len(list) == 1 {
				delete(n.waiting, name)
			}
			n.waiters--
			return true
		}
	}
	return false
}

// join makes the other end of w's pipe. The limits of a direction are those of both its sides together.
func join(w wait, bound Party, name string) error {
	if !bound.Suits(w.party.Type()) || !w.party.Suits(bound.Type()) {
		return ErrMismatch
	}
	send, recv := bound.Queues()
	ownSend, ownRecv := w.party.Queues()
	in, out := w.end.Out, w.end.In
	in.Limit(sum(ownSend, recv))
	out.Limit(sum(send, ownRecv))
	there := &pipe.End{Out: out, In: in, Partner: w.end, OutSlot: -1}
	w.end.Partner = there
	in.End, in.Consumer = there, bound
	out.Far, out.Producer = there, bound
	bound.Joined(there, name, true)
	w.party.Joined(w.end, name, false)
	return nil
}

func sum(a, b pipe.Limits) pipe.Limits {
	return pipe.Limits{Messages: add(a.Messages, b.Messages), Bytes: add(a.Bytes, b.Bytes)}
}

func add(a, b int) int {
	if a <= 0 || b <= 0 {
		return 0
	}
	return a + b
}
