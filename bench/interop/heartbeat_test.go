// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

const (
	heartbeatInterval = 50 * time.Millisecond
	heartbeatTimeout  = 250 * time.Millisecond
	heartbeatTTL      = 500 * time.Millisecond
	// pongsAwaited take several times heartbeatTimeout and heartbeatTTL.
	pongsAwaited = 30
)

// A relay stands between two parties on tcp and counts the PONGs it carries.
type relay struct {
	listener net.Listener
	target   string
	accepted atomic.Int32
	pongs    chan struct{} // one value for each, if there is room
	running  sync.WaitGroup

	mu      sync.Mutex
	streams []net.Conn // mu
}

func startRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: strings.TrimPrefix(target, "tcp://"), pongs: make(chan struct{}, pongsAwaited)}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		listener.Close()
		r.mu.Lock()
		for _, stream := range r.streams {
			stream.Close()
		}
		r.mu.Unlock()
		r.running.Wait()
	})
	return r
}

func (r *relay) endpoint() string { return "tcp://" + r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.accepted.Add(1)
		far, err := net.Dial("tcp4", r.target)
		if err != nil {
			near.Close()
			continue
		}
		r.mu.Lock()
		r.streams = append(r.streams, near, far)
		r.mu.Unlock()
		r.running.Go(func() { r.carry(near, far) })
		r.running.Go(func() { r.carry(far, near) })
	}
}

func (r *relay) carry(to, from net.Conn) {
	defer to.Close()
	pong := []byte("\x04PONG")
	buffer := make([]byte, 4096)
	kept := 0 // bytes at the front that may be the begin of a PONG
	for {
		n, err := from.Read(buffer[kept:])
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[kept : kept+n]); err != nil {
			return
		}
		for range bytes.Count(buffer[:kept+n], pong) {
			select {
			case r.pongs <- struct{}{}:
			default:
			}
		}
		kept = copy(buffer, buffer[max(0, kept+n-len(pong)+1):kept+n])
	}
}

func (r *relay) awaitPongs() error {
	late := time.After(patience)
	for range pongsAwaited {
		select {
		case <-r.pongs:
		case <-late:
			return errors.New("too few PONGs")
		}
	}
	return nil
}

// TestHeartbeats leaves a stream idle for much longer than the heartbeat's
// timeout, with heartbeats of one side, then of the other one: the other side
// answers, and the stream stays.
func TestHeartbeats(t *testing.T) {
	checkNoGoroutine(t)
	t.Run("libzmq-asks", func(t *testing.T) {
		checkHeartbeats(t, newOurs, func(_ *testing.T, role role) (party, error) {
			p, err := newLibzmqParty(role)
			if err != nil {
				return nil, err
			}
			return p, errors.Join(p.socket.SetHeartbeatIvl(heartbeatInterval),
				p.socket.SetHeartbeatTimeout(heartbeatTimeout), p.socket.SetHeartbeatTtl(heartbeatTTL))
		})
	})
	t.Run("zwire-asks", func(t *testing.T) {
		checkHeartbeats(t, newLibzmq, func(_ *testing.T, role role) (party, error) {
			return newOursWith(role, &socket.Options{HeartbeatInterval: heartbeatInterval,
				HeartbeatTimeout: heartbeatTimeout, HeartbeatTTL: heartbeatTTL})
		})
	})
}

// checkHeartbeats has the side that asks connect, then bind.
func checkHeartbeats(t *testing.T, answering, asking maker) {
	for name, makers := range map[string][2]maker{"and-connects": {answering, asking}, "and-binds": {asking, answering}} {
		t.Run(name, func(t *testing.T) {
			binder, err := makers[0](t, role{kind: dealer})
			if err != nil {
				t.Fatal(err)
			}
			connecter, err := makers[1](t, role{kind: dealer})
			if err != nil {
				t.Fatal(err)
			}
			target, err := binder.bind("tcp://127.0.0.1:*")
			if err != nil {
				t.Fatal(err)
			}
			relay := startRelay(t, target)
			if err := connecter.connect(relay.endpoint()); err != nil {
				t.Fatal(err)
			}
			if err := relay.awaitPongs(); err != nil {
				t.Error(err)
			}
			talk := &conversation{couple: couple{dealer, dealer, false}, speaker: binder, listener: connecter, patience: patience}
			if err := talk.exchange([][]byte{[]byte("still there")}); err != nil {
				t.Error(err)
			}
			if accepted := relay.accepted.Load(); accepted != 1 {
				t.Errorf("the stream was opened %d times", accepted)
			}
			if err := errors.Join(connecter.close(), binder.close()); err != nil {
				t.Error(err)
			}
		})
	}
}
