// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zwire-mq/zwire/internal/simnet"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
	"github.com/zwire-mq/zwire/transport"
)

// village is a network in memory with a context of its own, in a bubble with a clock of its own. What is left running when
// a test ends makes the bubble fail.
type village struct {
	t       *testing.T
	network *simnet.Network
	context *socket.Context
	log     *dialLog
}

// virtually runs a test in a village. Everything but the clock is as it is outside.
func virtually(t *testing.T, cfg simnet.Config, run func(t *testing.T, v *village)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &village{t: t, network: simnet.New(1, cfg)}
		v.log = &dialLog{Transport: v.network.Transport()}
		c, err := socket.NewContext(&socket.ContextOptions{Transports: []transport.Transport{v.log}})
		if err != nil {
			t.Fatal(err)
		}
		v.context = c
		t.Cleanup(func() { c.Close() }) // what could not be handed over is the test's affair
		run(t, v)
	})
}

// options gives o the village's context, and short waits where it says nothing.
func (v *village) options(o socket.Options) *socket.Options {
	o.Context = v.context
	if o.Linger == 0 {
		o.Linger = socket.LingerNone
	}
	return &o
}

// dialLog is a transport that notes when streams were dialled, and can make Accept fail.
type dialLog struct {
	transport.Transport

	mu      sync.Mutex
	dials   []time.Time
	accepts []time.Time
	failing int // Accepts still to fail
	reason  error
}

func (d *dialLog) Dial(ctx context.Context, address string, cfg transport.Config) (transport.Stream, error) {
	d.mu.Lock()
	d.dials = append(d.dials, time.Now())
	d.mu.Unlock()
	return d.Transport.Dial(ctx, address, cfg)
}

func (d *dialLog) Listen(ctx context.Context, address string, cfg transport.Config) (transport.Listener, error) {
	l, err := d.Transport.Listen(ctx, address, cfg)
	if err != nil {
		return nil, err
	}
	return &loggedListener{Listener: l, log: d}, nil
}

type loggedListener struct {
	transport.Listener
	log *dialLog
}

func (l *loggedListener) Accept() (transport.Stream, error) {
	d := l.log
	d.mu.Lock()
	d.accepts = append(d.accepts, time.Now())
	if d.failing > 0 {
		d.failing--
		d.mu.Unlock()
		return nil, d.reason
	}
	d.mu.Unlock()
	return l.Listener.Accept()
}

// gaps tells the times between what was noted, and forgets it.
func (d *dialLog) gaps() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	gaps := gapsOf(d.dials)
	d.dials = nil
	return gaps
}

func (d *dialLog) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.dials)
}

func gapsOf(times []time.Time) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(times); i++ {
		gaps = append(gaps, times[i].Sub(times[i-1]))
	}
	return gaps
}

// simConn makes a stream of the network a net.Conn for a raw peer.
type simConn struct {
	transport.Stream
	deadline time.Time
}

func (c *simConn) Read(b []byte) (int, error) {
	if !c.deadline.IsZero() {
		defer time.AfterFunc(time.Until(c.deadline), func() { c.Stream.Close() }).Stop()
	}
	return c.Stream.Read(b)
}

func (c *simConn) LocalAddr() net.Addr  { return nil }
func (c *simConn) RemoteAddr() net.Addr { return nil }

func (c *simConn) SetDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *simConn) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *simConn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

// raw is a scripted peer in a village.
type raw struct {
	*sockettest.Raw
	t      *testing.T
	stream transport.Stream
}

func (v *village) newRaw(stream transport.Stream) *raw {
	return &raw{Raw: sockettest.NewRaw(v.t, &simConn{Stream: stream}), t: v.t, stream: stream}
}

// dial connects a raw peer to a bound socket.
func (v *village) dial(address string) *raw {
	v.t.Helper()
	stream, err := v.network.Transport().Dial(context.Background(), address, transport.Config{})
	if err != nil {
		v.t.Fatal(err)
	}
	return v.newRaw(stream)
}

func (v *village) dialMany(address string, count int) []*raw {
	v.t.Helper()
	peers := make([]*raw, count)
	for i := range peers {
		peers[i] = v.dial(address)
	}
	return peers
}

// post is where a raw peer accepts the streams of a connecting socket.
type post struct {
	v        *village
	listener transport.Listener
}

func (v *village) listen(address string) *post {
	v.t.Helper()
	l, err := v.network.Transport().Listen(context.Background(), address, transport.Config{})
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { l.Close() })
	return &post{v, l}
}

func (p *post) accept() *raw {
	p.v.t.Helper()
	stream, err := p.listener.Accept()
	if err != nil {
		p.v.t.Fatal(err)
	}
	return p.v.newRaw(stream)
}

// closedAfter waits for the socket to end the stream, for as long as it takes, and tells how long that was.
func (r *raw) closedAfter() time.Duration {
	r.t.Helper()
	start := time.Now()
	for b := make([]byte, 100); ; {
		if _, err := r.stream.Read(b); err != nil {
			return time.Since(start)
		}
	}
}

// since checks that exactly that much time has passed.
func since(t *testing.T, start time.Time, want time.Duration, what string) {
	t.Helper()
	if got := time.Since(start); got != want {
		t.Errorf("%s after %v, want %v", what, got, want)
	}
}

// lostMessages is how many messages an error of Close counts, -1 if it is another error.
func lostMessages(err error) int {
	var lost *socket.LostError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &lost):
		return lost.Messages
	}
	return -1
}

// text is a message of one frame.
func text(format string, values ...any) socket.Message {
	return socket.NewMessage(fmt.Appendf(nil, format, values...))
}
