// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// The wire tests look at sockets from outside, as a scripted peer sees them, over tcp and ipc: the files wire_*_test.go.
// TestConformance… are black-box checks by their number, TestRule… the musts of RFC 23 and 37, TestRecorded… what libzmq
// and its peers really said.

const (
	// wirePatience bounds a whole subtest.
	wirePatience = 10 * time.Second
	// wireMoment is how long something is looked for that must not come.
	wireMoment = 50 * time.Millisecond
)

// wireSocket is a socket of any type; wireSender and wireReceiver are its halves.
type (
	wireSocket interface {
		socket.Socket
		WaitConnected(ctx context.Context) error
		WaitPeers(ctx context.Context, n int) error
		Peers() []socket.Peer
		Stats() socket.Stats
	}
	wireSender interface {
		Send(ctx context.Context, msg socket.Message) error
	}
	wireReceiver interface {
		Recv(ctx context.Context) (socket.Message, error)
		TryRecv() (socket.Message, error)
	}
)

// wireTypes are all socket types.
func wireTypes() []string {
	return []string{"REQ", "REP", "DEALER", "ROUTER", "PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR"}
}

// wirePeers are the types that a type talks to (RFC 23 and 37, The Socket-Type Property).
func wirePeers(socketType string) []string {
	return map[string][]string{
		"REQ": {"REP", "ROUTER"}, "REP": {"REQ", "DEALER"}, "DEALER": {"REP", "DEALER", "ROUTER"},
		"ROUTER": {"REQ", "DEALER", "ROUTER"}, "PUB": {"SUB", "XSUB"}, "XPUB": {"SUB", "XSUB"},
		"SUB": {"PUB", "XPUB"}, "XSUB": {"PUB", "XPUB"}, "PUSH": {"PULL"}, "PULL": {"PUSH"}, "PAIR": {"PAIR"},
	}[socketType]
}

func wireNew(socketType string, opts *socket.Options) (wireSocket, error) {
	switch socketType {
	case "REQ":
		return socket.NewReq(opts)
	case "REP":
		return socket.NewRep(opts)
	case "DEALER":
		return socket.NewDealer(opts)
	case "ROUTER":
		return socket.NewRouter(opts)
	case "PUB":
		return socket.NewPub(opts)
	case "SUB":
		return socket.NewSub(opts)
	case "XPUB":
		return socket.NewXPub(opts)
	case "XSUB":
		return socket.NewXSub(opts)
	case "PUSH":
		return socket.NewPush(opts)
	case "PULL":
		return socket.NewPull(opts)
	case "PAIR":
		return socket.NewPair(opts)
	}
	return nil, errors.New("no such type: " + socketType)
}

// wireOpen makes a socket that is closed with the test. It never gives up a handshake for time alone, so that whoever is
// dropped is dropped for what it said; it comes back at once; and it does not linger, for raw peers never read on.
func wireOpen(t *testing.T, socketType string, change ...func(*socket.Options)) wireSocket {
	t.Helper()
	opts := &socket.Options{
		HandshakeTimeout: socket.Unlimited,
		Linger:           socket.LingerNone,
		ReconnectMin:     time.Millisecond,
		ReconnectMax:     10 * time.Millisecond,
	}
	for _, f := range change {
		f(opts)
	}
	s, err := wireNew(socketType, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the %s: %v", socketType, err)
		}
	})
	return s
}

// wireBound opens a socket and binds it.
func wireBound(t *testing.T, endpoint, socketType string, change ...func(*socket.Options)) wireSocket {
	t.Helper()
	s := wireOpen(t, socketType, change...)
	if err := s.Bind(endpoint); err != nil {
		t.Fatal(err)
	}
	return s
}

// wireDial brings a raw peer to a bound socket.
func wireDial(t *testing.T, s wireSocket) *sockettest.Raw {
	t.Helper()
	return sockettest.Dial(t, s.LastEndpoint())
}

// wireConnected opens a socket and connects it to a raw listener.
func wireConnected(t *testing.T, endpoint, socketType string, change ...func(*socket.Options)) (wireSocket, *sockettest.RawListener) {
	t.Helper()
	s := wireOpen(t, socketType, change...)
	l := sockettest.Listen(t, endpoint)
	if err := s.Connect(l.Endpoint()); err != nil {
		t.Fatal(err)
	}
	return s, l
}

// wireBoth runs a test over tcp and ipc for a socket that is bound and for one that is connected, with a fresh raw peer.
func wireBoth(t *testing.T, socketType string, run func(t *testing.T, s wireSocket, raw *sockettest.Raw), change ...func(*socket.Options)) {
	t.Helper()
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		t.Run("bound", func(t *testing.T) {
			s := wireBound(t, endpoint, socketType, change...)
			run(t, s, wireDial(t, s))
		})
		t.Run("connected", func(t *testing.T) {
			s, l := wireConnected(t, endpoint, socketType, change...)
			run(t, s, l.Accept())
		})
	})
}

func wireContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wirePatience)
	t.Cleanup(cancel)
	return ctx
}

// wireSend sends a message from the socket under test.
func wireSend(t *testing.T, s wireSocket, frames ...string) {
	t.Helper()
	if err := s.(wireSender).Send(wireContext(t), wireMessage(frames...)); err != nil {
		t.Fatalf("send %q: %v", frames, err)
	}
}

// wireRecv waits for a message of the socket under test, which must be this one.
func wireRecv(t *testing.T, s wireSocket, frames ...string) {
	t.Helper()
	got, err := s.(wireReceiver).Recv(wireContext(t))
	if err != nil {
		t.Fatalf("want %.100q: %v", frames, err)
	}
	if f := wireFrames(got); !slices.Equal(f, frames) {
		t.Fatalf("received %.100q, want %.100q", f, frames)
	}
}

// wireNothing checks that the socket under test has no message for the application.
func wireNothing(t *testing.T, s wireSocket) {
	t.Helper()
	if got, err := s.(wireReceiver).TryRecv(); !errors.Is(err, socket.ErrWouldBlock) {
		t.Fatalf("received %.100q, %v; want nothing", wireFrames(got), err)
	}
}

func wireMessage(frames ...string) socket.Message {
	all := make([][]byte, len(frames))
	for i, f := range frames {
		all[i] = []byte(f)
	}
	return socket.NewMessage(all...)
}

func wireFrames(m socket.Message) []string {
	var frames []string
	for i := range m.Len() {
		frames = append(frames, string(m.Frame(i)))
	}
	return frames
}

// wireExpect reads octets that must be these.
func wireExpect(t *testing.T, raw *sockettest.Raw, want []byte) {
	t.Helper()
	if got := raw.ReadN(len(want)); !bytes.Equal(got, want) {
		t.Fatalf("the socket said %x, want %x", got, want)
	}
}

// wireReason waits until the socket has counted a dropped stream with this reason.
func wireReason(t *testing.T, s wireSocket, reason string) {
	t.Helper()
	sockettest.Until(t, "dropped for: "+reason, func() bool { return s.Stats().ProtocolErrors[reason] > 0 })
}

// wireDropped checks that the socket ends a stream, having said just this, and counts the reason.
func wireDropped(t *testing.T, s wireSocket, raw *sockettest.Raw, said []byte, reason string) {
	t.Helper()
	if got := raw.ExpectClosed(); !bytes.Equal(got, said) {
		t.Errorf("the socket said %x, want %x", got, said)
	}
	wireReason(t, s, reason)
}

// wireGoodPeer checks that the bound socket still serves others: a PUSH whose message it must be able to receive.
func wireGoodPeer(t *testing.T, pull wireSocket) {
	t.Helper()
	raw := wireDial(t, pull)
	raw.Handshake("PUSH")
	raw.Send([]byte("from a good peer"))
	wireRecv(t, pull, "from a good peer")
	raw.Close()
}

// wireReady is a READY of this type.
func wireReady(socketType string, properties ...string) []byte {
	return sockettest.Command("READY", sockettest.Properties(append([]string{"Socket-Type", socketType}, properties...)...))
}

// wireJoin puts octets behind each other.
func wireJoin(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
