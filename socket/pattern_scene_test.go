// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// patience bounds every wait of a test; moment is for what should not happen, or happens at once.
const (
	patience = 10 * time.Second
	moment   = 20 * time.Millisecond
)

// scene is one test over one transport, with a context of sockets of its own.
type scene struct {
	*testing.T
	ctx     context.Context // ends with patience
	context *socket.Context
	scheme  string
	free    int // endpoints made up so far
}

// What all sockets can do, and their halves.
type (
	anySocket interface {
		socket.Socket
		Unbind(endpoint string) error
		Disconnect(endpoint string) error
		WaitConnected(ctx context.Context) error
		WaitPeers(ctx context.Context, n int) error
		Peers() []socket.Peer
		Stats() socket.Stats
	}
	sending interface {
		anySocket
		Send(ctx context.Context, msg socket.Message) error
		SendOwned(ctx context.Context, msg socket.Message) error
		TrySend(msg socket.Message) error
	}
	receiving interface {
		anySocket
		Recv(ctx context.Context) (socket.Message, error)
		RecvInto(ctx context.Context, msg *socket.Message) error
		TryRecv() (socket.Message, error)
	}
)

// overAll runs a test over every transport, overStreams over those with a wire.
func overAll(t *testing.T, run func(s *scene)) { over(t, []string{"tcp", "ipc", "inproc"}, run) }

func overStreams(t *testing.T, run func(s *scene)) { over(t, []string{"tcp", "ipc"}, run) }

func over(t *testing.T, schemes []string, run func(s *scene)) {
	t.Helper()
	for _, scheme := range schemes {
		t.Run(scheme, func(t *testing.T) { play(t, scheme, run) })
	}
}

// play runs a test over one transport. Afterwards its sockets are closed, and nothing of them may be left.
func play(t *testing.T, scheme string, run func(s *scene)) {
	t.Helper()
	sockettest.Leak(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	own, err := socket.NewContext(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := make(chan error, 1)
		go func() { closed <- own.Close() }()
		select {
		case err := <-closed:
			var lost *socket.LostError
			if err != nil && !errors.As(err, &lost) && !errors.Is(err, net.ErrClosed) {
				t.Error("closing the context: ", err)
			}
		case <-time.After(patience):
			t.Error("the context does not close")
		}
	})
	run(&scene{T: t, ctx: ctx, context: own, scheme: scheme})
}

func (s *scene) eventually(what string, done func() bool) {
	s.Helper()
	sockettest.Until(s.T, what, done)
}

// open makes a socket in the scene's context, one that comes back soon, unless the test has another wish.
func open[S any](s *scene, create func(*socket.Options) (S, error), options ...socket.Options) S {
	s.Helper()
	var o socket.Options
	if len(options) > 0 {
		o = options[0]
	}
	o.Context = s.context
	if o.ReconnectMin == 0 {
		o.ReconnectMin = time.Millisecond
	}
	made, err := create(&o)
	if err != nil {
		s.Fatal(err)
	}
	return made
}

// hasty drops what is queued when it is closed.
func hasty() socket.Options { return socket.Options{Linger: socket.LingerNone} }

// bind binds at a fresh endpoint and returns where.
func (s *scene) bind(bound anySocket) string {
	s.Helper()
	s.ok(bound.Bind(sockettest.Endpoint(s.scheme)))
	return bound.LastEndpoint()
}

// link connects each of the others to bound, which it binds, and waits until all are there.
func (s *scene) link(bound anySocket, others ...anySocket) string {
	s.Helper()
	endpoint := s.bind(bound)
	for _, other := range others {
		s.connect(other, endpoint)
	}
	s.ok(bound.WaitPeers(s.ctx, len(others)))
	return endpoint
}

// connect connects and waits until the handshake is over.
func (s *scene) connect(connecting anySocket, endpoint string) {
	s.Helper()
	s.ok(connecting.Connect(endpoint))
	s.ok(connecting.WaitConnected(s.ctx))
}

// unused returns an endpoint that nobody has bound yet.
func (s *scene) unused() string {
	s.Helper()
	s.free++
	switch s.scheme {
	case "tcp":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		s.ok(err)
		defer l.Close()
		return "tcp://" + l.Addr().String()
	case "ipc":
		return "ipc://" + filepath.Join(s.directory(), fmt.Sprint("socket", s.free))
	default:
		return fmt.Sprint("inproc://it", s.free)
	}
}

// directory is short enough for a socket in it, unlike TempDir.
func (s *scene) directory() string {
	s.Helper()
	directory, err := os.MkdirTemp("", "zwire")
	s.ok(err)
	s.Cleanup(func() { os.RemoveAll(directory) })
	return directory
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) is(what string, err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%s: %v, want %v", what, err, want)
	}
}

// message makes a message of text frames.
func message(frames ...string) socket.Message {
	octets := make([][]byte, len(frames))
	for i, f := range frames {
		octets[i] = []byte(f)
	}
	return socket.NewMessage(octets...)
}

// frames is the reverse.
func frames(msg socket.Message) []string {
	text := make([]string, msg.Len())
	for i := range text {
		text[i] = string(msg.Frame(i))
	}
	return text
}

func (s *scene) send(from sending, frames ...string) {
	s.Helper()
	if err := from.Send(s.ctx, message(frames...)); err != nil {
		s.Fatalf("sending %q: %v", frames, err)
	}
}

func (s *scene) recv(by receiving) []string {
	s.Helper()
	msg, err := by.Recv(s.ctx)
	if err != nil {
		s.Fatal("receiving: ", err)
	}
	return frames(msg)
}

// want receives one message, which must be this.
func (s *scene) want(by receiving, frames ...string) {
	s.Helper()
	if got := s.recv(by); !equal(got, frames) {
		s.Fatalf("received %.200q, want %.200q", got, frames)
	}
}

func equal(a, b []string) bool {
	return len(a) == len(b) && strings.Join(a, "\x00|") == strings.Join(b, "\x00|")
}

// nothing checks that no message is there.
func (s *scene) nothing(by receiving) {
	s.Helper()
	if msg, err := by.TryRecv(); err == nil {
		s.Errorf("received %q, want nothing", frames(msg))
	} else {
		s.is("TryRecv", err, socket.ErrWouldBlock)
	}
}

// full checks that a socket takes no message now, in any way.
func (s *scene) full(to sending, frames ...string) {
	s.Helper()
	s.is("TrySend without room", to.TrySend(message(frames...)), socket.ErrWouldBlock)
	short, cancel := context.WithTimeout(s.ctx, moment)
	defer cancel()
	s.is("Send without room", to.Send(short, message(frames...)), context.DeadlineExceeded)
}

// fill sends until there is no room and returns how many messages went in. number makes them.
func (s *scene) fill(to sending, number func(i int) socket.Message) int {
	s.Helper()
	for i := 0; ; i++ {
		err := to.TrySend(number(i))
		if errors.Is(err, socket.ErrWouldBlock) {
			return i
		}
		s.ok(err)
	}
}

// numbered makes messages of n octets that begin with their number.
func numbered(n int) func(i int) socket.Message {
	return func(i int) socket.Message {
		body := make([]byte, max(n, 8))
		copy(body, fmt.Sprintf("%08d", i))
		return socket.NewMessage(body)
	}
}

// gone waits until a socket has no peer left.
func (s *scene) gone(bound anySocket) {
	s.Helper()
	s.eventually("the peer is gone", func() bool { return len(bound.Peers()) == 0 })
}

// queued waits until n messages have arrived and can be received; on inproc they have when Send returns.
func (s *scene) queued(by anySocket, n int) {
	s.Helper()
	if s.scheme != "inproc" {
		s.eventually(fmt.Sprint(n, " messages have arrived"), func() bool { return waiting(by) >= n })
	}
}

// waiting is how many messages can be received.
func waiting(by anySocket) (messages int) {
	for _, p := range by.Peers() {
		messages += p.RecvQueue
	}
	return messages
}

// sendQueue is how many messages have not been handed over.
func sendQueue(of anySocket) (messages int) {
	for _, p := range of.Peers() {
		messages += p.SendQueue
	}
	return messages
}

// stuff sends numbered messages until every queue on the way, the kernel's too, is full: none is taken, and what is queued
// stays the same for many looks. It returns how many went in.
func (s *scene) stuff(to sending, number func(i int) socket.Message) int {
	s.Helper()
	const looks = 50
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	queued := -1
	for sent, same := 0, 0; ; {
		err := to.TrySend(number(sent))
		if err == nil {
			sent, same = sent+1, 0
			continue
		}
		s.is("TrySend", err, socket.ErrWouldBlock)
		s.ok(s.ctx.Err())
		if now := sendQueue(to); now != queued {
			queued, same = now, 0
		}
		if same++; same == looks {
			return sent
		}
		<-tick.C
	}
}

// narrow keeps the kernel's share of a queue small, and its own limits too.
func narrow(hwm int) socket.Options {
	return socket.Options{SendHWM: hwm, RecvHWM: hwm, SendBuffer: 64 << 10, RecvBuffer: 64 << 10, Linger: socket.LingerNone}
}

// closeAll closes sockets that have nothing to hand over.
func (s *scene) closeAll(sockets ...io.Closer) {
	s.Helper()
	for _, one := range sockets {
		s.ok(one.Close())
	}
}
