// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/transport"
	"github.com/zwire-mq/zwire/transport/inproc"
	"github.com/zwire-mq/zwire/transport/ipc"
	"github.com/zwire-mq/zwire/transport/tcp"
)

// ContextOptions configure a [Context]. The zero value and nil mean the defaults.
type ContextOptions struct {
	// Loops is the number of I/O loops. Default: GOMAXPROCS, at most 8.
	Loops int
	// Transports are added to tcp, ipc and inproc, or replace one of the same scheme.
	Transports []transport.Transport
}

// Context holds what sockets of one program share: inproc names, transports and I/O loops, which run while a socket has
// used a stream transport. Most programs never make one: nil in [Options] means the default context, of which there is
// one per process. (Not to be confused with [context.Context], which bounds the time of a call.) All methods may be
// called from any goroutine.
type Context struct {
	names      inproc.Names
	transports map[string]transport.Transport
	loops      *ioloop.Group

	mu      sync.Mutex
	closed  bool
	sockets map[*base]struct{}
}

// defaultContext is made on first use and never closed.
var defaultContext = sync.OnceValue(func() *Context {
	c, _ := NewContext(nil) // the defaults are valid
	return c
})

// NewContext returns a Context of its own, which isolates its inproc names and loops from others.
func NewContext(opts *ContextOptions) (*Context, error) {
	if opts == nil {
		opts = &ContextOptions{}
	}
	if opts.Loops < 0 {
		return nil, fmt.Errorf("socket: ContextOptions.Loops must not be %d", opts.Loops)
	}
	c := &Context{transports: make(map[string]transport.Transport), loops: ioloop.NewGroup(opts.Loops), sockets: make(map[*base]struct{})}
	for _, t := range append([]transport.Transport{tcp.Transport{}, ipc.Transport{}}, opts.Transports...) {
		c.transports[t.Scheme()] = t
	}
	return c, nil
}

// Close closes all sockets of the context, each of which lingers, and returns when they and the loops are gone. The error
// joins those of the sockets.
func (c *Context) Close() error {
	c.mu.Lock()
	c.closed = true
	open := make([]*base, 0, len(c.sockets))
	for s := range c.sockets {
		open = append(open, s)
	}
	c.mu.Unlock()
	failures := make([]error, len(open))
	var wait sync.WaitGroup
	for i, s := range open {
		wait.Go(func() {
			if err := s.Close(); err != net.ErrClosed {
				failures[i] = err
			}
			<-s.gone // somebody else may be closing it
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}

func (c *Context) add(s *base) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fmt.Errorf("socket: the context: %w", net.ErrClosed)
	}
	c.sockets[s] = struct{}{}
	return nil
}

func (c *Context) remove(s *base) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sockets, s)
}

// find returns the transport for an endpoint and the address within it. The transport of inproc is nil.
func (c *Context) find(endpoint string, listen bool) (t transport.Transport, address string, err error) {
	scheme, address, err := transport.SplitEndpoint(endpoint)
	if err != nil {
		return nil, "", err
	}
	if scheme == inproc.Scheme {
		if address == "" || len(address) > inproc.NameBytesMax {
			return nil, "", &EndpointError{Endpoint: endpoint, Reason: fmt.Sprintf("a name has 1 to %d bytes", inproc.NameBytesMax)}
		}
		return nil, address, nil
	}
	t = c.transports[scheme]
	if t == nil {
		return nil, "", &EndpointError{Endpoint: endpoint, Reason: "no transport is called " + scheme, Err: ErrUnknownScheme}
	}
	return t, address, t.Check(address, listen)
}
