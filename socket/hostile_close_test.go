// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/internal/simnet"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// A scenario of some steps is played, and at one of them something ends: for every step, everything that can end, every
// socket type, bound and connected.

// hostileBlow is what happens at a step.
type hostileBlow int

const (
	blowPeerCloses hostileBlow = iota
	blowPeerResets
	blowOwnClose
	blowLingeringClose
	blowContextEnds
	blowEndpointLeaves // Unbind or Disconnect
	hostileBlows
)

func (b hostileBlow) String() string {
	return [...]string{"the peer closes", "the peer resets", "Close", "Close that lingers", "the context ends", "the endpoint leaves"}[b]
}

// hostileStep is where it happens.
type hostileStep struct {
	at   int
	blow hostileBlow
}

// hostilePlay is one such run.
type hostilePlay struct {
	t       *testing.T
	name    string
	s       wireSocket
	ctx     context.Context
	cancel  context.CancelFunc
	calls   sync.WaitGroup // under way in the background
	peer    io.ReadWriteCloser
	reset   func()
	leave   func() error // Unbind or Disconnect
	closing time.Duration
	closed  bool
}

func (p *hostilePlay) errorf(format string, values ...any) {
	p.t.Helper()
	p.t.Errorf("%s: %s", p.name, fmt.Sprintf(format, values...))
}

// write writes what the socket may not read.
func (p *hostilePlay) write(octets []byte) { p.peer.Write(octets) }

// hostileTail ends every message of several frames that the peer sends.
func hostileTail() []string { return []string{"first of three", "", "last of three"} }

// hostileSteps is what the peer does. There may be nobody there to see it.
func (p *hostilePlay) steps(kind string) []func() {
	peer := wirePeers(kind)[0]
	greeting, ready := sockettest.Greeting(1), wireReady(peer, "Identity", "i")
	var head []byte
	if kind == "REP" || kind == "REQ" {
		head = sockettest.Frame(sockettest.FlagMore, nil)
	}
	tail := hostileTail()
	frames := [][]byte{
		append(head, sockettest.Frame(sockettest.FlagMore, []byte(tail[0]))...),
		sockettest.Frame(sockettest.FlagMore, []byte(tail[1])), sockettest.Frame(0, []byte(tail[2])),
	}
	message := slices.Concat(frames...)
	var many []byte
	for range 50 {
		many = append(many, message...)
	}
	writes := [][]byte{
		greeting[:10], greeting[10:], ready[:20], ready[20:], frames[0], sockettest.Command("PING", []byte("\x00\x00")), frames[1], frames[2],
		sockettest.Command("SUBSCRIBE", nil), many, message[:len(message)-1], message[len(message)-1:], sockettest.Command("CANCEL", nil),
	}
	var steps []func()
	for _, octets := range writes {
		steps = append(steps, func() { p.write(octets) })
	}
	return steps
}

// call sends and receives in the background, at a pace, until there is an error.
func (p *hostilePlay) call(kind string) {
	loop := func(once func() error) {
		p.calls.Go(func() {
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()
			for {
				err := once()
				switch {
				case err == nil, errors.Is(err, socket.ErrState), errors.Is(err, socket.ErrPeerGone), errors.Is(err, socket.ErrUnroutable):
				case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
					return
				default:
					p.errorf("a call returned %v", err)
					return
				}
				select {
				case <-pace.C:
				case <-p.ctx.Done():
					return
				}
			}
		})
	}
	if req, ok := p.s.(*socket.Req); ok {
		loop(func() error {
			reply, err := req.Do(p.ctx, wireMessage("?"))
			return p.whole(reply, err)
		})
		return
	}
	if sender, ok := p.s.(wireSender); ok {
		message := []string{"i", "out", strings.Repeat("x", 3000)}
		loop(func() error { return sender.Send(p.ctx, wireMessage(message...)) })
	}
	if receiver, ok := p.s.(wireReceiver); ok {
		loop(func() error {
			got, err := receiver.Recv(p.ctx)
			return p.whole(got, err)
		})
	}
}

// whole checks that a message is one that the peer sends.
func (p *hostilePlay) whole(got socket.Message, err error) error {
	frames, tail := wireFrames(got), hostileTail()
	subscription := len(frames) == 1 && (frames[0] == "\x01" || frames[0] == "\x00")
	if err == nil && !subscription && (len(frames) < len(tail) || !slices.Equal(frames[len(frames)-len(tail):], tail)) {
		p.errorf("received %.100q", frames)
	}
	return err
}

// strike does what shall happen.
func (p *hostilePlay) strike(blow hostileBlow) {
	switch blow {
	case blowPeerCloses:
		p.peer.Close()
	case blowPeerResets:
		p.reset()
	case blowOwnClose, blowLingeringClose:
		p.close()
	case blowContextEnds:
		p.cancel()
	case blowEndpointLeaves:
		err := p.leave()
		var lost *socket.LostError
		if err != nil && !errors.As(err, &lost) && !errors.Is(err, socket.ErrUnknownEndpoint) {
			p.errorf("Unbind or Disconnect: %v", err)
		}
	}
}

func (p *hostilePlay) close() {
	if p.closed {
		return
	}
	p.closed = true
	start := time.Now()
	var lost *socket.LostError
	if err := p.s.Close(); err != nil && !errors.As(err, &lost) {
		p.errorf("Close: %v", err)
	}
	p.closing = time.Since(start)
}

// linger is how long a Close takes at most.
func (b hostileBlow) linger() time.Duration {
	if b == blowLingeringClose {
		return 5 * time.Millisecond
	}
	return socket.LingerNone
}

// hostileStory of a kind of socket in virtual time: whoever has something to do has done it before the next step.
func TestHostileCloseAnywhereInOrder(t *testing.T) {
	for _, kind := range wireTypes() {
		t.Run(kind, func(t *testing.T) {
			for at := range 14 {
				for blow := range hostileBlows {
					for _, bound := range []bool{true, false} {
						virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
							hostilePlayInOrder(t, v, kind, bound, hostileStep{at, blow})
						})
					}
				}
			}
		})
	}
}

func hostilePlayInOrder(t *testing.T, v *village, kind string, bound bool, step hostileStep) {
	at, blow := step.at, step.blow
	s, err := wireNew(kind, v.options(socket.Options{Linger: blow.linger(), SendHWM: 20, ReconnectMin: 10 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	p := &hostilePlay{t: t, name: fmt.Sprintf("%s, bound %v, step %d: %v", kind, bound, at, blow), s: s}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.reset = func() { v.network.Cut() }
	if sub, ok := s.(interface{ Subscribe(topic string) error }); ok {
		sub.Subscribe("")
	}
	if bound {
		err = s.Bind("sim://here")
		p.peer = v.dial("here").stream
		p.leave = func() error { return s.(interface{ Unbind(string) error }).Unbind("sim://here") }
	} else {
		l := v.listen("here")
		err = s.Connect("sim://here")
		p.peer = l.accept().stream
		p.leave = func() error { return s.(interface{ Disconnect(string) error }).Disconnect("sim://here") }
	}
	if err != nil {
		t.Fatal(err)
	}
	p.call(kind)
	for i, step := range p.steps(kind) {
		synctest.Wait()
		if i == at {
			p.strike(blow)
		}
		step()
		<-time.After(2 * time.Millisecond)
	}
	if p.close(); p.closing > 5*time.Second {
		p.errorf("Close took %v", p.closing)
	}
	p.cancel()
	p.calls.Wait()
	p.peer.Close()
}

// The same over real streams, where everything happens at once.
func TestHostileCloseAnywhere(t *testing.T) {
	rounds := hostileCount(t, 1)
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		c, err := socket.NewContext(nil)
		if err != nil {
			t.Fatal(err)
		}
		for range rounds {
			for _, kind := range wireTypes() {
				for at := range 14 {
					for blow := range hostileBlows {
						hostilePlayAtOnce(t, c, endpoint[:3], kind, hostileStep{at, blow})
					}
				}
			}
		}
	})
}

func hostilePlayAtOnce(t *testing.T, c *socket.Context, scheme, kind string, step hostileStep) {
	at, blow := step.at, step.blow
	s, err := wireNew(kind, &socket.Options{Context: c, Linger: blow.linger(), SendHWM: 20, ReconnectMin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	bound := (at+int(blow))%2 == 0
	p := &hostilePlay{t: t, name: fmt.Sprintf("%s, bound %v, step %d: %v", kind, bound, at, blow), s: s}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if sub, ok := s.(interface{ Subscribe(topic string) error }); ok {
		sub.Subscribe("")
	}
	var raw *sockettest.Raw
	if bound {
		if err := s.Bind(sockettest.Endpoint(scheme)); err != nil {
			t.Fatal(err)
		}
		raw = wireDial(t, s)
		p.leave = func() error { return s.(interface{ Unbind(string) error }).Unbind(s.LastEndpoint()) }
	} else {
		l := sockettest.Listen(t, scheme)
		if err := s.Connect(l.Endpoint()); err != nil {
			t.Fatal(err)
		}
		raw = l.Accept()
		l.Close()
		p.leave = func() error { return s.(interface{ Disconnect(string) error }).Disconnect(l.Endpoint()) }
	}
	raw.Conn.SetDeadline(time.Now().Add(hostilePatience))
	p.peer, p.reset = raw.Conn, raw.Reset
	p.call(kind)
	hostileWithin(t, p.name, func() {
		for i, step := range p.steps(kind) {
			if i == at {
				p.strike(blow)
			}
			step()
		}
		p.close()
		p.cancel()
		p.calls.Wait()
	})
	raw.Close()
}

// Context.Close returns when all is gone, also what somebody else is closing.
func TestHostileContextClose(t *testing.T) {
	virtually(t, simnet.Config{}, func(t *testing.T, v *village) {
		push, err := socket.NewPush(v.options(socket.Options{Linger: time.Minute}))
		if err != nil {
			t.Fatal(err)
		}
		if err := push.Connect("sim://nobody"); err != nil {
			t.Fatal(err)
		}
		wireSend(t, push, "m")
		closed := make(chan error, 1)
		go func() { closed <- push.Close() }()
		synctest.Wait()
		if err := v.context.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait() // both have been told at once; a socket that lingers would go on for a minute
		select {
		case err := <-closed:
			if lostMessages(err) != 1 {
				t.Error(err)
			}
		default:
			t.Error("Context.Close has returned while its socket lingers")
			<-closed
		}
	})
}
