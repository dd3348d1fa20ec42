// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// What cannot be brought about from outside at will: a sender that is held up while it has the turn.

// drainer is the other side of a queue, which it never drains.
type drainer struct {
	base   *base
	told   int
	sent   uint64 // by the socket, when it was told first
	stolen int
}

func (d *drainer) Ready(*pipe.Queue, bool) {
	if d.told++; d.told == 1 {
		d.sent = d.base.sent
	}
}
func (*drainer) Revive(*pipe.Queue)  {}
func (*drainer) Release(*pipe.Queue) {}
func (*drainer) ReadMore() bool      { return false }
func (d *drainer) Steal()            { d.stolen++ }
func (*drainer) Steals() bool        { return false }
func (*drainer) Drop(error)          {}

// drained is a PUSH with one peer, whose queue that drainer drains.
func drained(t *testing.T, limits pipe.Limits) (*Push, *pipe.Queue, *drainer) {
	t.Helper()
	push, err := NewPush(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { push.Close() })
	end := pipe.NewEnd(limits, limits)
	d := &drainer{base: push.base}
	end.Peer, end.Out.Consumer, end.Out.Producer = d, d, d
	push.pattern.(*balanced).balance.Add(end)
	return push, end.Out, d
}

// A drainer that comes to rest asks for what is held back and to have the queue trimmed, in either order: what was held back is
// not published without telling it.
func TestTrimTells(t *testing.T) {
	push, q, d := drained(t, pipe.Limits{})
	for n := 1; !q.Bursting() || n%3 > 0; n++ {
		q.Set(pipe.Draining)
		if err := push.TrySend(NewMessage([]byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	q.Set(pipe.Idle)
	push.out.post(letter{subject: letterTrim, queue: q})
	push.out.post(letter{subject: letterFlush, queue: q})
	if q.State() != pipe.Posted || d.told != 1 {
		t.Errorf("the queue is in state %d, its drainer was told %d times", q.State(), d.told)
	}
}

// Whom only a goroutine of its own may write to is not waited for with the turn going back and forth.
func TestNothingToSteal(t *testing.T) {
	push, q, d := drained(t, pipe.Limits{Messages: 1})
	q.Set(pipe.Posted)
	for want := error(nil); ; want = ErrWouldBlock {
		if err := push.TrySend(NewMessage([]byte("x"))); err != want {
			t.Fatalf("got %v, want %v", err, want)
		} else if want != nil {
			break
		}
	}
	if d.stolen > 0 {
		t.Error("stolen from who does not allow it")
	}
}

// A drainer that sleeps is told before a long batch is over.
func TestBatchTells(t *testing.T) {
	push, q, d := drained(t, pipe.Limits{})
	q.Set(pipe.Idle)
	batch := make([]Message, 300)
	for i := range batch {
		batch[i] = NewMessage([]byte("x"))
	}
	if n, err := push.SendBatch(context.Background(), batch); n != len(batch) || err != nil {
		t.Fatal(n, err)
	}
	if d.told == 0 || d.sent > 64 {
		t.Errorf("told after %d of %d messages", d.sent, len(batch))
	}
}

// A name belongs to its socket until that is closed, not until Close comes to it: who connects meanwhile waits for the next one.
func TestJoinedWhileClosing(t *testing.T) {
	own, err := NewContext(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	closing, _ := NewPull(&Options{Context: own})
	next, _ := NewPull(&Options{Context: own})
	push, _ := NewPush(&Options{Context: own})
	const endpoint = "inproc://name"
	if err := closing.Bind(endpoint); err != nil {
		t.Fatal(err)
	}
	closing.closed.Store(true)
	if err := push.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
	if err := next.Bind(endpoint); err != nil {
		t.Fatal("the name is not free: ", err)
	}
	if err := push.Send(t.Context(), NewMessage([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	if msg, err := next.Recv(t.Context()); err != nil || string(msg.Body()) != "x" {
		t.Fatalf("received %q, %v", msg.Body(), err)
	}
	closing.closed.Store(false)
}

// A request that is given up while its pipe is being joined does not leave the REQ without a peer.
func TestGivenUpWhileJoining(t *testing.T) {
	own, err := NewContext(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	req, _ := NewReq(&Options{Context: own})
	router, _ := NewRouter(&Options{Context: own})
	if err := req.Connect("inproc://name"); err != nil {
		t.Fatal(err)
	}
	end := req.connected["inproc://name"][0].end
	own.names.Leave("name", end) // as Bind begins
	if err := req.TrySend(NewMessage([]byte("given up"))); err != nil {
		t.Fatal(err)
	}
	req.Reset()
	if err := router.Bind("inproc://name"); err != nil {
		t.Fatal(err)
	}
	if err := own.names.Connect("name", (*owner)(req.base), end); err != nil { // as Bind ends
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := req.Send(ctx, NewMessage([]byte("question"))); err != nil {
		t.Fatal(err)
	}
	for {
		msg, err := router.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if string(msg.Frame(2)) == "question" {
			return
		}
	}
}
