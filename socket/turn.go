// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"sync"
	"sync/atomic"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// turn is the lock of one direction of a socket, with a mailbox. Loops and other sockets must not wait for the
// application, so they post what is to be done; whoever holds the turn, or else they themselves, does it.
type turn struct {
	mu     sync.Mutex
	mailed atomic.Bool
	handle func(letter) // called with the turn held; must not wait

	box   sync.Mutex
	mail  []letter
	spare []letter // turn
}

// letter is one thing to be done.
type letter struct {
	subject subject
	member  *member
	queue   *pipe.Queue
}

type subject uint8

const (
	letterOpened subject = iota // member may be sent to, though no handshake stands yet
	letterAttach                // a handshake has ended well
	letterDetach                // the stream is gone
	letterEnded                 // the pipe is gone
	letterLeft                  // the same, because the other socket of an inproc pipe has left, or has not taken it
	letterRevive                // queue has room again
	letterTrim                  // queue is at rest
	letterOwed                  // who writes to queue wants the credit of what has been taken from it
	letterFlush                 // the drainer of queue wants what is held back
	letterReady                 // queue has messages
	letterHung                  // member has stopped writing, and its queue may be full
	letterSweep                 // member has left; forget some of its subscriptions
	letterAdmit                 // peers that have left hold less now
)

// lock takes the turn and does what has been posted.
func (t *turn) lock() {
	t.mu.Lock()
	if t.mailed.Load() {
		t.read()
	}
}

// unlock gives the turn up, and does what has been posted meanwhile unless another has taken over.
func (t *turn) unlock() {
	t.mu.Unlock()
	if t.mailed.Load() {
		t.attend()
	}
}

// attend does what has been posted, unless another has the turn. Whoever comes by does not do it for ever: after some rounds
// a goroutine takes over.
func (t *turn) attend() {
	for round := 0; t.mailed.Load() && t.mu.TryLock(); round++ {
		if round == roundsMax {
			go t.serve()
			return
		}
		t.read()
		t.mu.Unlock()
	}
}

// roundsMax is how many batches of letters one caller handles on its way out.
const roundsMax = 8

// serve handles letters as long as there are any. It has the turn.
func (t *turn) serve() {
	for {
		t.read()
		t.mu.Unlock()
		if !t.mailed.Load() || !t.mu.TryLock() {
			return
		}
	}
}

// post has a letter handled soon, perhaps at once by the caller. It does not wait.
func (t *turn) post(l letter) {
	t.leave(l)
	if t.mu.TryLock() {
		t.unlock()
	}
}

// leave has a letter handled by whoever takes the turn next.
func (t *turn) leave(l letter) {
	t.box.Lock()
	t.mail = append(t.mail, l)
	t.mailed.Store(true)
	t.box.Unlock()
}

// visit handles what has been left.
func (t *turn) visit() {
	t.lock()
	t.unlock()
}

// read does what has been posted so far. What that posts in turn waits for the next one to come by.
func (t *turn) read() {
	t.box.Lock()
	mail := t.mail
	t.mail = t.spare[:0]
	t.mailed.Store(false)
	t.box.Unlock()
	for _, l := range mail {
		t.handle(l)
	}
	if cap(mail) > lettersKept {
		t.spare = nil
		return
	}
	clear(mail)
	t.spare = mail[:0]
}

// lettersKept is how large a mailbox may be to be used again: that of a crowd's coming and going is not kept.
const lettersKept = 256
