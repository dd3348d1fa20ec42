// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
	"github.com/zwire-mq/zwire/transport"
)

// hostileScript is a transport whose streams are written in advance: each Read gives one piece and no more, then comes the
// end. What the socket writes is thrown away.
type hostileScript struct {
	streams chan *hostilePieces
	done    chan struct{}
	once    sync.Once
}

func hostileScripted() *hostileScript {
	return &hostileScript{streams: make(chan *hostilePieces), done: make(chan struct{})}
}

func (s *hostileScript) Scheme() string           { return "script" }
func (s *hostileScript) Check(string, bool) error { return nil }

func (s *hostileScript) Dial(context.Context, string, transport.Config) (transport.Stream, error) {
	return nil, errors.ErrUnsupported
}

func (s *hostileScript) Listen(context.Context, string, transport.Config) (transport.Listener, error) {
	return s, nil
}

func (s *hostileScript) Accept() (transport.Stream, error) {
	select {
	case stream := <-s.streams:
		return stream, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *hostileScript) Endpoint() string { return "script://here" }

func (s *hostileScript) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// play gives the socket a stream of these pieces.
func (s *hostileScript) play(pieces ...[]byte) { s.streams <- &hostilePieces{pieces: pieces} }

// hostilePieces is such a stream.
type hostilePieces struct {
	mu     sync.Mutex // of pieces
	pieces [][]byte
	again  []byte        // what comes when there are no more, for ever; nil: the end
	stays  chan struct{} // nil, or the end does not come before Close
	closed atomic.Bool
}

func (s *hostilePieces) Read(into []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return 0, net.ErrClosed
	case len(s.pieces) == 0 && s.stays != nil:
		<-s.stays
		return 0, net.ErrClosed
	case len(s.pieces) == 0 && s.again == nil:
		return 0, io.EOF
	case len(s.pieces) == 0:
		return copy(into, s.again[:min(len(s.again), len(into)/2*2)]), nil
	}
	n := copy(into, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func (s *hostilePieces) Write(from []byte) (int, error) { return len(from), nil }
func (s *hostilePieces) CloseWrite() error              { return nil }
func (s *hostilePieces) RemoteAddress() string          { return "script" }

func (s *hostilePieces) Close() error {
	if !s.closed.Swap(true) && s.stays != nil {
		close(s.stays)
	}
	return nil
}

// hostileStory is a stream from greeting to five messages of one to five parts, and the messages; commands stand between
// and inside them.
func hostileStory(number int) (octets []byte, messages [][]string) {
	octets = append(sockettest.Greeting(1), wireReady("PUSH")...)
	for parts := range 5 {
		message := []string{fmt.Sprint(number, "/", parts)}
		for part := range parts {
			message = append(message, strings.Repeat("p", part*part))
		}
		messages = append(messages, message)
		for i, part := range message {
			var flags byte = sockettest.FlagMore
			if i == parts {
				flags = 0
			}
			octets = append(octets, sockettest.Frame(flags, []byte(part))...)
			if (i+parts)%3 == 1 {
				octets = append(octets, sockettest.Command("PING", []byte("\x00\x00c"))...)
			}
		}
	}
	return octets, messages
}

// The stream ends behind each of its octets: what is whole by then is delivered, and nothing else. Of a stream that is
// broken off the kernel may have dropped the end.
func TestHostileCut(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		pull := hostileBound(t, endpoint, "PULL").(*socket.Pull)
		octets, _ := hostileStory(1000)
		for number := range 2 * (len(octets) + 1) {
			octets, messages := hostileStory(1000 + number)
			octets = octets[:number/2]
			messages = slices.DeleteFunc(messages, func(message []string) bool { return !hostileWhole(message, octets) })
			raw := sockettest.Dial(t, pull.LastEndpoint())
			raw.Write(octets)
			graceful := number%2 == 0
			if graceful {
				raw.CloseWrite()
				raw.ExpectClosed()
				raw.Close()
			} else {
				raw.Reset()
			}
			sockettest.Until(t, "it is gone", func() bool { return hostileEnded(pull.Stats()) == uint64(number+1) })
			var got [][]string
			for msg, err := pull.TryRecv(); err == nil; msg, err = pull.TryRecv() {
				got = append(got, wireFrames(msg))
			}
			if !slices.EqualFunc(got, messages[:min(len(got), len(messages))], slices.Equal) || graceful && len(got) < len(messages) {
				t.Errorf("ended after %d octets, in good order is %v: received %.100q of %.100q", len(octets), graceful, got, messages)
			}
		}
		sockettest.Until(t, "all are gone", func() bool { return len(pull.Peers()) == 0 })
		wireNothing(t, pull)
		wireGoodPeer(t, pull)
	})
}

// hostileWhole reports whether octets have the last frame of a message of hostileStory.
func hostileWhole(message []string, octets []byte) bool {
	text := string(octets)
	first := strings.Index(text, message[0])
	if first < 0 {
		return false
	}
	// Skip the commands; the frames are what is left.
	rest := octets[first-2:]
	for part := 0; ; {
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return false
		}
		if rest[0] != sockettest.FlagCommand {
			if part++; part == len(message) {
				return true
			}
		}
		rest = rest[2+int(rest[1]):]
	}
}

// However a stream is cut into pieces, by up to three cuts, the outcome is that of one piece.
func TestHostileChunks(t *testing.T) {
	script := hostileScripted()
	c, err := socket.NewContext(&socket.ContextOptions{Transports: []transport.Transport{script}})
	if err != nil {
		t.Fatal(err)
	}
	sockettest.Leak(t)
	pull := hostileBound(t, "script://here", "PULL", func(o *socket.Options) { o.Context = c }).(*socket.Pull)
	octets, _ := hostileStory(0)
	number := 0
	tell := func(cuts ...int) {
		t.Helper()
		number++
		octets, messages := hostileStory(number)
		slices.Sort(cuts)
		var pieces [][]byte
		from := 0
		for _, cut := range append(cuts, len(octets)) {
			if cut = min(cut, len(octets)); cut > from {
				pieces, from = append(pieces, octets[from:cut]), cut
			}
		}
		script.play(pieces...)
		for _, message := range messages {
			got, err := pull.Recv(wireContext(t))
			if err != nil || !slices.Equal(wireFrames(got), message) {
				t.Fatalf("cut at %v: received %.100q, %v, want %.100q", cuts, wireFrames(got), err, message)
			}
		}
	}
	tell()
	for cut := range octets {
		tell(cut)
	}
	for range hostileCount(t, 3000) {
		tell(rand.IntN(len(octets)), rand.IntN(len(octets)))
		tell(rand.IntN(len(octets)), rand.IntN(len(octets)), rand.IntN(len(octets)))
	}
	wireNothing(t, pull)
	hostileCounted(t, pull, "", uint64(number))
}

// Streams that have always more, of what the socket has to throw away: no call goes on for ever.
func TestHostileEndless(t *testing.T) {
	for _, c := range []struct{ kind, peer string }{{"SUB", "PUB"}, {"REP", "REQ"}, {"REQ", "REP"}, {"PUB", "SUB"}, {"XPUB", "SUB"}, {"PUSH", "PULL"}} {
		t.Run(c.kind, func(t *testing.T) {
			script := hostileScripted()
			context_, err := socket.NewContext(&socket.ContextOptions{Transports: []transport.Transport{script}})
			if err != nil {
				t.Fatal(err)
			}
			sockettest.Leak(t)
			s := hostileBound(t, "script://here", c.kind, func(o *socket.Options) {
				// Queues that are never found empty.
				o.Context, o.RecvHWM, o.QueueBytes = context_, socket.Unlimited, 4<<20
			})
			for range 3 {
				script.streams <- &hostilePieces{
					pieces: [][]byte{append(sockettest.Greeting(1), wireReady(c.peer)...)},
					again:  make([]byte, 64<<10), // empty messages
				}
			}
			hostileWithin(t, "WaitPeers", func() {
				if err := s.WaitPeers(wireContext(t), 3); err != nil {
					t.Error(err)
				}
			})
			hostileCalls(t, s)
			hostileWithin(t, "Close", func() { s.Close() })
		})
	}
}

// hostileCalls makes calls that have nothing to wait for but ctx.
func hostileCalls(t *testing.T, s wireSocket) {
	t.Helper()
	ended, cancel := context.WithCancel(context.Background())
	for range 5 {
		if sender, ok := s.(wireSender); ok {
			hostileWithin(t, "Send", func() { sender.Send(wireContext(t), wireMessage("m")) })
		}
		if receiver, ok := s.(wireReceiver); ok {
			hostileWithin(t, "TryRecv", func() { receiver.TryRecv() })
			hostileWithin(t, "Recv", func() {
				ended, cancel := context.WithCancel(ended)
				go cancel()
				receiver.Recv(ended)
			})
		}
		hostileWithin(t, "Peers and Stats", func() {
			s.Peers()
			s.Stats()
		})
	}
	cancel()
}

// A Recv that is cancelled among messages it has to throw away leaves them to another that waits.
func TestHostileCancelAmongDiscards(t *testing.T) {
	script := hostileScripted()
	c, err := socket.NewContext(&socket.ContextOptions{Transports: []transport.Transport{script}})
	if err != nil {
		t.Fatal(err)
	}
	sockettest.Leak(t)
	rep := hostileBound(t, "script://here", "REP", func(o *socket.Options) { o.Context, o.RecvHWM = c, socket.Unlimited }).(*socket.Rep)
	for range hostileCount(t, 5) {
		ctx, cancel := context.WithCancel(context.Background())
		first := make(chan error, 1)
		go func() {
			_, err := rep.Recv(ctx)
			first <- err
		}()
		hostileParked(t, 1)
		second := make(chan error, 1)
		go func() {
			_, err := rep.Recv(wireContext(t))
			second <- err
		}()
		hostileParked(t, 2)
		before := rep.Stats().Dropped[socket.DropMalformed]
		play := func(pieces ...[]byte) {
			pieces = append([][]byte{append(sockettest.Greeting(1), wireReady("REQ")...)}, pieces...)
			script.streams <- &hostilePieces{pieces: append(pieces, sockettest.Message(nil, []byte("good"))), stays: make(chan struct{})}
		}
		play(make([]byte, 400000))
		sockettest.Until(t, "messages are thrown away", func() bool { return rep.Stats().Dropped[socket.DropMalformed] > before })
		cancel()
		if err := <-first; err == nil { // it was faster
			wireSend(t, rep, "to nobody")
			play()
		}
		if err := <-second; err != nil {
			t.Fatal("the other Recv:", err)
		}
		wireSend(t, rep, "to nobody")
	}
}
