// SPDX-License-Identifier: Apache-2.0

package inproc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/zwire-mq/zwire/internal/pipe"
)

// party is a socket as far as a join goes: it notes what it is told.
type party struct {
	kind       string
	suits      []string
	send, recv pipe.Limits

	mu         sync.Mutex
	joined     []*pipe.End
	names      []string // of the joins; with "!" if it was bound there
	mismatched []*pipe.End
	ready      int
	revived    int
}

func newParty(kind string, suits ...string) *party { return &party{kind: kind, suits: suits} }

func (p *party) Queues() (send, recv pipe.Limits) { return p.send, p.recv }
func (p *party) Suits(kind string) bool           { return slices.Contains(p.suits, kind) }
func (p *party) Type() string                     { return p.kind }
func (p *party) Left(*pipe.End, error)            {}

func (p *party) Ready(*pipe.Queue, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready++
}

func (p *party) Revive(*pipe.Queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revived++
}

func (p *party) Joined(end *pipe.End, name string, bound bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if bound {
		name += "!"
	}
	p.joined, p.names = append(p.joined, end), append(p.names, name)
}

func (p *party) Mismatched(end *pipe.End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mismatched = append(p.mismatched, end)
}

// connect fails the test if it does.
func (p *party) connect(t *testing.T, names *Names, name string) *pipe.End {
	t.Helper()
	end := NewEnd(p)
	if err := names.Connect(name, p, end); err != nil {
		t.Fatal(err)
	}
	return end
}

func (p *party) bind(t *testing.T, names *Names, name string) {
	t.Helper()
	if err := names.Bind(name, p); err != nil {
		t.Fatal(err)
	}
}

// checkJoined says that both have one end of one pipe.
func checkJoined(t *testing.T, connecting, bound *party, name string) (here, there *pipe.End) {
	t.Helper()
	if len(connecting.joined) != 1 || len(bound.joined) != 1 {
		t.Fatalf("%d and %d joins", len(connecting.joined), len(bound.joined))
	}
	here, there = connecting.joined[0], bound.joined[0]
	if connecting.names[0] != name || bound.names[0] != name+"!" {
		t.Errorf("joined by %q and %q", connecting.names[0], bound.names[0])
	}
	if here.Out != there.In || here.In != there.Out || here.Partner != there || there.Partner != here {
		t.Error("two pipes")
	}
	if here.Out.Producer != pipe.Producer(connecting) || here.Out.Consumer != pipe.Consumer(bound) ||
		here.In.Producer != pipe.Producer(bound) || here.In.Consumer != pipe.Consumer(connecting) {
		t.Error("a side of the pipe would be told of the other's")
	}
	if here.Out.Far != here || here.Out.End != there || here.In.Far != there || here.In.End != here {
		t.Error("a queue does not know whose it is")
	}
	return here, there
}

func TestConnectAfterBind(t *testing.T) {
	var names Names
	bound, connecting := newParty("PULL", "PUSH"), newParty("PUSH", "PULL")
	bound.bind(t, &names, "a")
	end := connecting.connect(t, &names, "a")
	if here, _ := checkJoined(t, connecting, bound, "a"); here != end {
		t.Error("another end than Connect was given")
	}
	if names.Leave("a", end) {
		t.Error("a joined end was still waiting")
	}
}

// K7: a name can be connected to before it is bound, and what is sent meanwhile arrives.
func TestConnectBeforeBind(t *testing.T) {
	var names Names
	bound, connecting := newParty("PULL", "PUSH"), newParty("PUSH", "PULL")
	end := connecting.connect(t, &names, "a")
	connecting.connect(t, &names, "other")
	for i := range 3 {
		end.Out.Append(nil, [][]byte{{byte(i)}})
		if end.Out.Claim() {
			t.Error("somebody sleeps already")
		}
	}
	if len(connecting.joined) != 0 {
		t.Fatal("joined to nobody")
	}
	bound.bind(t, &names, "a")
	_, there := checkJoined(t, connecting, bound, "a")
	there.In.Set(pipe.Draining)
	for i := range 3 {
		b := there.In.Front()
		if !bytes.Equal(b, []byte{0, 1, byte(i)}) {
			t.Fatalf("message %d is % x", i, b)
		}
		there.In.Pop(len(b))
	}
}

func TestManyWaitForOneName(t *testing.T) {
	var names Names
	bound, other := newParty("PULL", "PUSH"), newParty("PULL", "PUSH")
	const count = 10
	for range count {
		newParty("PUSH", "PULL").connect(t, &names, "a")
	}
	bound.bind(t, &names, "a")
	if len(bound.joined) != count {
		t.Errorf("%d joins, want %d", len(bound.joined), count)
	}
	names.Unbind("a", bound)
	other.bind(t, &names, "a")
	if len(other.joined) != 0 {
		t.Error("joined a second time")
	}
}

func TestNames(t *testing.T) {
	var names Names
	first, second := newParty("PULL", "PUSH"), newParty("PULL", "PUSH")
	first.bind(t, &names, "a")
	if err := names.Bind("a", second); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a name was taken twice: %v", err)
	}
	second.bind(t, &names, "b")
	names.Unbind("a", second)
	if err := names.Bind("a", second); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("another party's name was freed: %v", err)
	}
	names.Unbind("a", first)
	names.Unbind("never", first)
	second.bind(t, &names, "a")
	newParty("PUSH", "PULL").connect(t, &names, "a")
	if len(first.joined) != 0 || len(second.joined) != 1 {
		t.Error("joined to who was there before")
	}
}

func TestMismatch(t *testing.T) {
	t.Run("found at once", func(t *testing.T) {
		var names Names
		bound, connecting := newParty("PUB", "SUB"), newParty("REQ", "REP")
		bound.bind(t, &names, "a")
		end := NewEnd(connecting)
		if err := names.Connect("a", connecting, end); !errors.Is(err, ErrMismatch) {
			t.Errorf("error %v", err)
		}
		if len(bound.joined)+len(connecting.joined) != 0 {
			t.Error("joined")
		}
		if names.Leave("a", end) {
			t.Error("it waits")
		}
	})
	t.Run("found late", func(t *testing.T) {
		var names Names
		bound, connecting, suitable := newParty("PUB", "SUB"), newParty("REQ", "REP"), newParty("SUB", "PUB")
		end := connecting.connect(t, &names, "a")
		suitable.connect(t, &names, "a")
		bound.bind(t, &names, "a")
		if len(connecting.mismatched) != 1 || connecting.mismatched[0] != end {
			t.Errorf("told of %d mismatches", len(connecting.mismatched))
		}
		if len(connecting.joined) != 0 || len(suitable.joined) != 1 || len(suitable.mismatched) != 0 {
			t.Error("joined wrongly")
		}
	})
	t.Run("one side only", func(t *testing.T) {
		var names Names
		bound, connecting := newParty("DEALER", "REP", "REQ"), newParty("REQ", "REP")
		bound.bind(t, &names, "a")
		if err := names.Connect("a", connecting, NewEnd(connecting)); !errors.Is(err, ErrMismatch) {
			t.Errorf("error %v", err)
		}
	})
}

func TestLeave(t *testing.T) {
	var names Names
	waiting := newParty("PUSH", "PULL")
	var ends []*pipe.End
	for range 3 {
		ends = append(ends, waiting.connect(t, &names, "a"))
	}
	if !names.Leave("a", ends[1]) || names.Leave("a", ends[1]) || names.Leave("b", ends[0]) {
		t.Error("left wrongly")
	}
	bound := newParty("PULL", "PUSH")
	bound.bind(t, &names, "a")
	if len(bound.joined) != 2 || slices.Contains(waiting.joined, ends[1]) {
		t.Errorf("%d joins, want 2", len(bound.joined))
	}
	if names.Leave("a", ends[0]) {
		t.Error("a joined end was still waiting")
	}
	if len(names.waiting) != 0 || names.waiters != 0 {
		t.Errorf("%d names with %d waiters are left", len(names.waiting), names.waiters)
	}
}

// HOSTILE InprocBomb: connects to names that nobody binds come to an end, and those that went before go on.
func TestWaitersAreBounded(t *testing.T) {
	var names Names
	p := newParty("PUSH", "PULL")
	ends := make([]*pipe.End, 0, waitersMax)
	names.waiters = waitersMax - 2
	for i := range 2 {
		ends = append(ends, p.connect(t, &names, fmt.Sprint("name", i)))
	}
	for range 2 {
		if err := names.Connect("x", p, NewEnd(p)); !errors.Is(err, ErrTooManyWaiters) {
			t.Fatalf("one too many: %v", err)
		}
	}
	bound := newParty("PULL", "PUSH")
	bound.bind(t, &names, "y")
	p.connect(t, &names, "y") // that does not wait
	names.Leave("name0", ends[0])
	p.connect(t, &names, "x")
	if err := names.Connect("x", p, NewEnd(p)); !errors.Is(err, ErrTooManyWaiters) {
		t.Fatalf("one too many: %v", err)
	}
	newParty("PULL", "PUSH").bind(t, &names, "x")
	p.connect(t, &names, "z")
	if names.waiters != waitersMax {
		t.Errorf("%d waiters, want %d", names.waiters, waitersMax)
	}
}

// K8: a direction has the limits of both its sides together; one side without a limit means none.
func TestLimitsAddUp(t *testing.T) {
	for _, c := range []struct {
		send, recv pipe.Limits
		want       int
	}{
		{pipe.Limits{Messages: 3}, pipe.Limits{Messages: 4}, 7},
		{pipe.Limits{Messages: 1}, pipe.Limits{Messages: 1}, 2},
		{pipe.Limits{}, pipe.Limits{Messages: 1}, -1},
		{pipe.Limits{Messages: 1}, pipe.Limits{}, -1},
		{pipe.Limits{Messages: 100, Bytes: 9}, pipe.Limits{Messages: 100, Bytes: 6}, 5},
	} {
		for _, connectFirst := range []bool{false, true} {
			var names Names
			sender, receiver := newParty("PUSH", "PULL"), newParty("PULL", "PUSH")
			sender.send, receiver.recv = c.send, c.recv
			sender.recv, receiver.send = pipe.Limits{Messages: 1}, pipe.Limits{Messages: 1} // of the other direction
			if !connectFirst {
				receiver.bind(t, &names, "a")
			}
			end := sender.connect(t, &names, "a")
			if connectFirst {
				alone := 0
				for alone < 500 && end.Out.Fits(3, 0) {
					end.Out.Append(nil, [][]byte{{1}})
					alone++
				}
				if c.send.Messages > 0 && alone != min(c.send.Messages, max(1, c.send.Bytes/3)) && c.send.Bytes > 0 {
					t.Errorf("%+v: %d messages fit while there is nobody", c, alone)
				}
				receiver.bind(t, &names, "a")
			}
			n, _ := end.Out.Queued()
			for n < 500 && end.Out.Fits(3, 0) {
				end.Out.Append(nil, [][]byte{{1}})
				n++
			}
			if c.want >= 0 && n != c.want || c.want < 0 && n != 500 {
				t.Errorf("%+v, connectFirst=%v: %d messages fit, want %d", c, connectFirst, n, c.want)
			}
		}
	}
}

// Whatever the order in which they come and go, each connect is joined once, or still waits, or has left.
func TestComingAndGoing(t *testing.T) {
	var names Names
	const rounds = 300
	var left, joined atomic.Int64
	var all sync.WaitGroup
	parties := make([]*party, 4)
	for i := range parties {
		p := newParty("PUSH", "PULL")
		parties[i] = p
		all.Go(func() {
			for range rounds {
				end := NewEnd(p)
				err := names.Connect("a", p, end)
				if err != nil {
					t.Error(err)
				}
				if names.Leave("a", end) {
					left.Add(1)
				} else {
					joined.Add(1)
				}
			}
		})
	}
	bound := newParty("PULL", "PUSH")
	for range 2 {
		all.Go(func() {
			for range rounds {
				if names.Bind("a", bound) == nil {
					names.Unbind("a", bound)
				}
			}
		})
	}
	all.Wait()
	count := 0
	for _, p := range parties {
		count += len(p.joined)
	}
	if left.Load()+joined.Load() != int64(len(parties)*rounds) || joined.Load() != int64(count) || count != len(bound.joined) {
		t.Errorf("%d left, %d joined; told of %d and %d joins", left.Load(), joined.Load(), count, len(bound.joined))
	}
	if len(names.waiting) != 0 || names.waiters != 0 {
		t.Errorf("%d names with %d waiters are left", len(names.waiting), names.waiters)
	}
}
