// SPDX-License-Identifier: Apache-2.0

package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/wire"
)

// party is both sides of every queue of a test: it keeps what it is told.
type party struct {
	ready   []*pipe.Queue
	revived []*pipe.Queue
}

func (p *party) Ready(q *pipe.Queue, _ bool) { p.ready = append(p.ready, q) }
func (p *party) Revive(q *pipe.Queue)        { p.revived = append(p.revived, q) }

// newEnd makes an end whose queues hold that many messages, 0 for any number.
func (p *party) newEnd(messages int) *pipe.End {
	e := pipe.NewEnd(pipe.Limits{Messages: messages}, pipe.Limits{Messages: messages})
	for _, q := range []*pipe.Queue{e.Out, e.In} {
		q.Consumer, q.Producer = p, p
		q.Set(pipe.Idle)
	}
	return e
}

func (p *party) newEnds(count, messages int) []*pipe.End {
	ends := make([]*pipe.End, count)
	for i := range ends {
		ends[i] = p.newEnd(messages)
	}
	return ends
}

// arrive has a message come in at e.
func arrive(e *pipe.End, body string) {
	e.In.Append(nil, [][]byte{[]byte(body)})
	if e.In.Claim() {
		e.In.Consumer.Ready(e.In, false)
	}
}

// depart writes one message of e.Out to a stream.
func depart(t *testing.T, e *pipe.End) {
	t.Helper()
	e.Out.Set(pipe.Draining)
	pieces := e.Out.Gather(nil)
	if len(pieces) == 0 {
		t.Fatal("nothing to write")
	}
	flags, size, n := wire.ParseHeader(pieces[0])
	if flags != 0 {
		t.Fatal("a test's message has one frame")
	}
	e.Out.Advance(n + int(size))
	e.Out.Rewind() // credit for a part of what was gathered
	e.Out.Set(pipe.Idle)
}

// balance is a load balance over ends, and which of them gets the next messages.
type balance struct {
	t    *testing.T
	b    LoadBalance
	ends []*pipe.End
}

func (b *balance) next() int {
	e := b.b.Next(3, 0)
	if e == nil {
		return -1
	}
	e.Out.Append(nil, [][]byte{{1}})
	return slices.Index(b.ends, e)
}

func (b *balance) want(turns ...int) {
	b.t.Helper()
	for i, want := range turns {
		if got := b.next(); got != want {
			b.t.Fatalf("turn %d of %v: end %d", i, turns, got)
		}
	}
}

func newBalance(t *testing.T, count, messages int) (*balance, *party) {
	p := new(party)
	b := &balance{t: t, ends: p.newEnds(count, messages)}
	for _, e := range b.ends {
		b.b.Add(e)
	}
	return b, p
}

// RFC 30, PUSH; RFC 28, DEALER: round robin among the peers that have room.
func TestLoadBalanceTakesTurns(t *testing.T) {
	b, _ := newBalance(t, 3, 0)
	b.want(0, 1, 2, 0, 1, 2, 0)
}

func TestLoadBalanceOfNobody(t *testing.T) {
	var b LoadBalance
	if b.Next(1, 0) != nil || b.Full() != nil {
		t.Error("an end out of nothing")
	}
	b.Remove(new(party).newEnd(1)) // that was never added
}

func TestLoadBalanceLeavesOutTheFull(t *testing.T) {
	b, p := newBalance(t, 3, 2)
	b.want(0, 1, 2, 0, 1, 2, -1, -1)
	if b.b.Full() == nil {
		t.Error("nobody is full")
	}
	if len(p.revived) != 0 {
		t.Error("revived without room")
	}
	// One takes one of its messages: its queue is at half and revives; it alone takes part again.
	depart(t, b.ends[1])
	if len(p.revived) != 1 || p.revived[0] != b.ends[1].Out {
		t.Fatal("the queue with room was not revived")
	}
	b.b.Add(b.ends[1])
	b.want(1, -1)
	depart(t, b.ends[1])
	depart(t, b.ends[0])
	b.b.Add(b.ends[0])
	b.b.Add(b.ends[1])
	b.b.Add(b.ends[1]) // once more changes nothing
	if got := []int{b.next(), b.next(), b.next()}; !slices.Contains(got, 0) || !slices.Contains(got, 1) || got[2] != -1 {
		t.Errorf("ends %v", got)
	}
}

func TestLoadBalanceWhileEndsComeAndGo(t *testing.T) {
	b, p := newBalance(t, 3, 0)
	b.want(0)
	b.b.Remove(b.ends[0])
	b.b.Remove(b.ends[0])
	var got []int
	for range 4 {
		got = append(got, b.next())
	}
	if slices.Contains(got, 0) || got[0] == got[1] || got[0] != got[2] || got[1] != got[3] {
		t.Errorf("turns of two ends: %v", got)
	}
	b.ends = append(b.ends, p.newEnd(0))
	b.b.Add(b.ends[3])
	count := make([]int, 4)
	for range 12 {
		count[b.next()]++
	}
	if !slices.Equal(count, []int{0, 4, 4, 4}) {
		t.Errorf("12 messages went to %v", count)
	}
	for _, e := range b.ends {
		b.b.Remove(e)
	}
	b.want(-1)
}

func TestLoadBalanceForgetsAFullEndThatLeaves(t *testing.T) {
	b, _ := newBalance(t, 1, 1)
	b.want(0, -1)
	if b.b.Full() != b.ends[0] {
		t.Fatal("the full end is not known")
	}
	b.b.Remove(b.ends[0])
	if b.b.Full() != nil {
		t.Error("an end that has left is said to be full")
	}
}

// reader is what a ReadMore of a test does.
type reader struct {
	end  *pipe.End
	more []string
}

func (r *reader) ReadMore() bool {
	if len(r.more) == 0 {
		return false
	}
	r.end.In.Append(nil, [][]byte{[]byte(r.more[0])})
	r.more = r.more[1:]
	return true
}
func (r *reader) Steal()       {}
func (r *reader) Steals() bool { return false }
func (r *reader) Drop(error)   {}

// list does what a socket does when it is told of messages.
func (p *party) list(t *testing.T, f *FairQueue) {
	t.Helper()
	for _, q := range p.ready {
		if !f.Add(q.End) {
			t.Fatal("told of a queue that was not posted")
		}
	}
	p.ready = nil
}

// take does what a socket does when it receives.
func take(f *FairQueue) string {
	var memory [32]byte
	if n, ok := f.TakeSmall(memory[:]); ok {
		return string(memory[:n])
	}
	e, b := f.Front()
	if e == nil {
		return ""
	}
	body := string(b[2:])
	f.Pop(e, len(b))
	return body
}

// Who comes in the middle of a round goes behind those who wait, however many they are.
func TestFairQueueNewcomers(t *testing.T) {
	p := new(party)
	ends := p.newEnds(9, 0)
	var f FairQueue
	for i, e := range ends[:3] {
		arrive(e, fmt.Sprint(i, " first"))
		arrive(e, fmt.Sprint(i, " second"))
	}
	p.list(t, &f)
	for i := range 2 {
		if got, want := take(&f), fmt.Sprint(i, " first"); got != want {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
	for i, e := range ends[3:] {
		arrive(e, fmt.Sprint(3+i, " first"))
	}
	p.list(t, &f)
	wants := []string{"2 first", "0 second", "1 second"}
	for i := range ends[3:] {
		wants = append(wants, fmt.Sprint(3+i, " first"))
	}
	for i, want := range append(wants, "2 second", "") {
		if got := take(&f); got != want {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
}

func TestFairQueueTakesOnePerPipe(t *testing.T) {
	p := new(party)
	ends := p.newEnds(3, 0)
	var f FairQueue
	for _, m := range []string{"a1", "a2", "a3", "a4"} {
		arrive(ends[0], m)
	}
	arrive(ends[1], "b1")
	arrive(ends[2], "c1")
	arrive(ends[2], "c2")
	p.list(t, &f)
	for i, want := range []string{"a1", "b1", "c1", "a2", "c2", "a3", "a4", "", ""} {
		if got := take(&f); got != want {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
	for i, e := range ends {
		if e.In.State() != pipe.Idle {
			t.Errorf("end %d, found empty: state %d", i, e.In.State())
		}
	}
	for i, e := range f.ring {
		if e != nil {
			t.Errorf("place %d keeps an end, and with it its socket, that is no longer listed", i)
		}
	}
	if f.lone != nil {
		t.Error("the last one's queue, and with it its socket, is kept")
	}
	arrive(ends[1], "b2")
	p.list(t, &f)
	if got := take(&f); got != "b2" {
		t.Errorf("got %q after a rest, want b2", got)
	}
}

// A pipe that floods gets its turn and no more, however often the others are found empty in between.
func TestFairQueueUnderAFlood(t *testing.T) {
	p := new(party)
	ends := p.newEnds(4, 0)
	var f FairQueue
	for range 1000 {
		arrive(ends[0], "flood")
	}
	p.list(t, &f)
	for i := range 100 {
		e := ends[1+i%3]
		body := fmt.Sprint("m", i)
		arrive(e, body)
		p.list(t, &f)
		if first, second := take(&f), take(&f); first != body && second != body {
			t.Fatalf("a single message waited behind %q and %q", first, second)
		}
	}
}

func TestFairQueueReadsForItself(t *testing.T) {
	p := new(party)
	ends := p.newEnds(2, 0)
	r := &reader{end: ends[0], more: []string{"a2", "a3"}}
	ends[0].Peer = r
	var f FairQueue
	arrive(ends[0], "a1")
	arrive(ends[1], "b1")
	p.list(t, &f)
	for i, want := range []string{"a1", "b1", "a2", "a3", ""} {
		if got := take(&f); got != want {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
}

// A message that comes between the last look and the rest is not left behind.
func TestFairQueueAddsOnlyThePosted(t *testing.T) {
	p := new(party)
	e := p.newEnd(0)
	var f FairQueue
	if f.Add(e) {
		t.Error("an idle queue was listed")
	}
	arrive(e, "m")
	if !f.Add(e) || f.Add(e) {
		t.Error("a posted queue is listed once")
	}
	if !f.More() {
		t.Error("a message is there")
	}
	take(&f)
	if f.More() {
		t.Error("no message is there")
	}
	if take(&f) != "" || f.More() {
		t.Error("a message out of nothing")
	}
}

func TestFairQueueReturnsCredit(t *testing.T) {
	p := new(party)
	e := p.newEnd(4)
	var f FairQueue
	for e.In.Fits(3, 0) {
		arrive(e, "m")
	}
	p.list(t, &f)
	take(&f)
	if len(p.revived) != 0 {
		t.Error("revived above half")
	}
	take(&f)
	if len(p.revived) != 1 {
		t.Errorf("revived %d times at half", len(p.revived))
	}
}

// RFC 29, PUB: each subscriber gets a message once, however many of its topics begin it.
func TestFanoutFindsEachOnce(t *testing.T) {
	p := new(party)
	ends := p.newEnds(4, 0)
	var f Fanout
	for i, topics := range [][]string{{"", "a", "ab", "abc"}, {"a"}, {"b"}, {"abcd", "ab"}} {
		for _, topic := range topics {
			f.Topics.Add([]byte(topic), ends[i])
		}
	}
	for _, c := range []struct {
		frame string
		want  []int
	}{
		{"", []int{0}}, {"a", []int{0, 1}}, {"abc", []int{0, 1, 3}}, {"abcde", []int{0, 1, 3}}, {"b", []int{0, 2}}, {"x", []int{0}},
	} {
		var got []int
		for _, e := range f.Match([]byte(c.frame)) {
			got = append(got, slices.Index(ends, e))
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q goes to %v, want %v", c.frame, got, c.want)
		}
	}
	f.Topics.RemovePeer(ends[0], 1000, func([]byte, bool) {})
	if n := len(f.Match([]byte("x"))); n != 0 {
		t.Errorf("%d ends want it still", n)
	}
	if n := cap(f.matches); n > 0 {
		for _, e := range f.matches[:n] {
			if e != nil {
				t.Error("an end that did not match is still referred to")
			}
		}
	}
}

// RFC 28, ROUTER.
func TestByIdentity(t *testing.T) {
	p := new(party)
	one, other := p.newEnd(0), p.newEnd(0)
	var r ByIdentity
	if r.Find([]byte("x")) != nil {
		t.Error("an end out of nothing")
	}
	r.Drop([]byte("x"), one)
	identity := []byte{'x', 0, 255}
	r.Put(identity, one)
	identity[0] = 'y' // the caller's again
	if r.Find([]byte("x\x00\xff")) != one || r.Find(identity) != nil || r.Find([]byte("x")) != nil {
		t.Error("wrong end")
	}
	r.Put([]byte("x\x00\xff"), other)
	r.Drop([]byte("x\x00\xff"), one) // who does not hold it any more takes it from nobody
	if r.Find([]byte("x\x00\xff")) != other {
		t.Error("the identity was not handed over")
	}
	r.Drop([]byte("x\x00\xff"), other)
	if r.Find([]byte("x\x00\xff")) != nil {
		t.Error("the identity is still held")
	}
}

// Who is shunned gets nothing more, whatever topics it still has, or is given.
func TestFanoutShuns(t *testing.T) {
	ends := new(party).newEnds(2, 0)
	var f Fanout
	for _, e := range ends {
		f.Topics.Add([]byte("a"), e)
	}
	f.Match([]byte("ab"))
	f.Shun(ends[0])
	if f.Same([]byte("ab")) {
		t.Error("the same as before")
	}
	f.Topics.Add(nil, ends[0])
	for range 3 {
		if got := f.Match([]byte("ab")); len(got) != 1 || got[0] != ends[1] {
			t.Errorf("%d ends want it", len(got))
		}
	}
}

// A frame is the same to all topics only if it begins like the last one as far as they look, and none has come or gone.
func TestFanoutKnowsTheSame(t *testing.T) {
	p := new(party)
	ends := p.newEnds(3, 0)
	var f Fanout
	if f.Same([]byte("a")) {
		t.Error("the same as none")
	}
	f.Topics.Add([]byte(""), ends[0])
	if f.Match([]byte("anything")); f.Same([]byte("something else")) {
		t.Error("a single end is remembered")
	}
	f.Topics.Add([]byte(""), ends[2])
	f.Match([]byte("anything"))
	if !f.Same([]byte("something else")) || !f.Same(nil) {
		t.Error("the empty topic looks at nothing")
	}
	f.Topics.Add([]byte("ab"), ends[1])
	if f.Same([]byte("anything")) {
		t.Error("the same as before a topic came")
	}
	for _, c := range []struct {
		last, frame string
		same        bool
	}{
		{"abc", "abd", true}, {"abc", "ab", true}, {"abc", "a", false}, {"abc", "acc", false}, {"x", "ab", false},
		{"xy", "xz", true}, {"a", "ab", false}, {"ac", "acc", true}, {"ac", "ad", false}, {"", "ab", false},
	} {
		f.Match([]byte(c.last))
		if got := f.Same([]byte(c.frame)); got != c.same {
			t.Errorf("after %q, %q is the same: %v", c.last, c.frame, got)
		}
	}
	f.Match([]byte("abc"))
	f.Topics.Remove([]byte("ab"), ends[1])
	if f.Same([]byte("abc")) {
		t.Error("the same as before a topic went")
	}
	long := []byte(strings.Repeat("l", 2*beginsMax))
	f.Topics.Add(long, ends[1])
	if f.Match(long); f.Same(long) {
		t.Error("so much is not remembered")
	}
}
