// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/node"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// Client is a local copy of a configuration that follows the centre, and the way to change it. All methods may be called from any
// goroutine, Close included.
//
// How it works: sockets feed the machine of package node, under one lock; what becomes visible is published as a view, which
// readers load without a lock.
type Client struct {
	options Options
	session string
	begun   time.Time

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup
	view atomic.Pointer[view]
	// slots holds one element per request that has no answer.
	slots chan struct{}
	wake  chan struct{} // of the clock; holds one
	ready chan struct{} // closed when Dial may return

	mu      sync.Mutex // guards what follows
	machine *node.Machine
	links   []*authorityLink
	feed    *feed // nil: nothing is subscribed
	calls   map[uint64]chan node.Answer
	armed   time.Time // when the clock wakes
	drain   time.Time // when full sockets are tried again; zero: none is
	isReady bool
	closed  bool
	err     error        // of the cache file
	saved   *model.State // that the cache file holds
}

// view is what readers see. It never changes but for next, which is closed when there is another.
type view struct {
	state  *model.State
	epoch  model.Epoch
	have   bool
	synced bool
	next   chan struct{}
}

// Dial finds the authority and returns when there is a good copy; for an observer, when an authority has answered. With a cache
// file that has a copy, it returns after a second at the latest: see Freshness. When ctx ends before, its error is returned, with
// the reason why there is no copy yet. ctx has no meaning after Dial has returned.
func Dial(ctx context.Context, opts *Options) (*Client, error) {
	options, err := opts.resolved()
	if err != nil {
		return nil, err
	}
	c := &Client{
		options: options, session: newSession(), begun: time.Now(),
		slots: make(chan struct{}, requestsMax), wake: make(chan struct{}, 1), ready: make(chan struct{}),
		calls: make(map[uint64]chan node.Answer),
	}
	c.life, c.end = context.WithCancel(context.Background())
	start := c.nodeConfig()
	stored, err := c.loadCache()
	if stored != nil {
		start.State, start.Epoch, start.Seen = stored.state, stored.epoch, stored.seen
	}
	c.err = err // a file that is of no use does not keep a client from starting
	c.machine = node.New(start)
	c.publish()
	if err := c.openLinks(); err != nil {
		c.Close()
		return nil, err
	}
	c.work.Go(c.clock)
	if err := c.waitReady(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if options.CacheFile != "" {
		c.work.Go(c.keepCache)
	}
	return c, nil
}

func (c *Client) nodeConfig() node.Config {
	return node.Config{
		Session: c.session, Name: c.options.Name, Trees: c.options.Trees, Observer: c.options.Observer,
		Unlisted: c.options.Unlisted,
		FailFast: c.options.FailFast, Links: len(c.options.Authorities),
	}
}

func (c *Client) waitReady(ctx context.Context) error {
	var grace <-chan time.Time
	if c.view.Load().have {
		timer := time.NewTimer(cacheGrace)
		defer timer.Stop()
		grace = timer.C
	}
	select {
	case <-c.ready:
		return nil
	case <-grace:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.reason(); err != nil {
		return fmt.Errorf("config: no copy yet: %w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("config: no copy yet: %w", ctx.Err())
}

// reason is why the copy is not up to date, if something is known. The caller holds mu.
func (c *Client) reason() error {
	if err := c.machine.View().Err; err != nil {
		return err
	}
	for _, link := range c.links {
		if link.err != nil {
			return fmt.Errorf("%s: %w", link.endpoint, link.err)
		}
	}
	return nil
}

// clock does what is due.
func (c *Client) clock() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case <-c.wake:
		case <-timer.C:
		}
		timer.Reset(time.Until(c.tick()))
	}
}

// tick returns when the next one is due.
func (c *Client) tick() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return time.Now().Add(time.Hour) // life has ended
	}
	now := time.Now()
	c.drainLinks(now)
	if due := c.machine.Deadline(); !due.IsZero() && !now.Before(due) {
		c.machine.Tick(now)
	}
	c.armed = time.Time{} // what is due is looked at below: flush shall not wake the clock for it
	c.flush()
	c.armed = now.Add(time.Hour)
	if due := c.due(); !due.IsZero() {
		c.armed = due
	}
	return c.armed
}

// due is when the clock has something to do; zero: not before something happens.
func (c *Client) due() time.Time {
	due := c.machine.Deadline()
	if !c.drain.IsZero() && (due.IsZero() || c.drain.Before(due)) {
		return c.drain
	}
	return due
}

// flush carries out what the machine wants. The caller holds mu.
func (c *Client) flush() {
	out := c.machine.Take()
	for _, send := range out.Sends {
		if !c.links[send.Link].send(wire.Encode(send.Message)) && c.drain.IsZero() {
			c.drain = time.Now().Add(drainEvery)
		}
	}
	if out.Follow != nil {
		c.follow(out.Follow)
	}
	for _, answer := range out.Answers {
		if answered := c.calls[answer.Handle]; answered != nil {
			answered <- answer // has room for the one
			delete(c.calls, answer.Handle)
		}
	}
	if out.Visible {
		c.publish()
	}
	if !c.isReady && c.nowReady() {
		c.isReady = true
		close(c.ready)
	}
	if due := c.due(); !due.IsZero() && due.Before(c.armed) {
		c.armed = due
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

func (c *Client) nowReady() bool {
	v := c.machine.View()
	if c.options.Observer {
		return v.Greeted
	}
	return v.Synced
}

// publish shows readers what is visible, and wakes those who wait for it.
func (c *Client) publish() {
	v := &view{synced: c.machine.View().Synced, next: make(chan struct{})}
	v.state, v.epoch, v.have = c.machine.Copy()
	if old := c.view.Swap(v); old != nil {
		close(old.next)
	}
}

// Close says goodbye, so that this client is no node any more and its ephemeral keys go, writes the cache file and ends all that the
// client began: calls that wait return net.ErrClosed. Its error is that of the cache file, or of a socket. Closing once more is
// net.ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.machine.Bye()
	c.flush()
	c.closed = true
	c.end()
	links, feed := c.links, c.feed
	c.mu.Unlock()
	err := c.closeLinks(links, feed)
	c.work.Wait()
	if saveErr := c.saveCache(); saveErr != nil {
		return saveErr
	}
	return err
}

// Get returns the entry of a key as it stands in the copy: ErrNotFound, ErrNotHeld, or a *KeyError. The value is the caller's.
func (c *Client) Get(key string) (Entry, error) { return c.Snapshot().Get(key) }

// List returns the entries of the copy that a prefix covers, as in Snapshot.List. Values are the caller's.
func (c *Client) List(prefix string) []Entry { return slices.Collect(c.Snapshot().List(prefix)) }

// Snapshot returns the copy as it stands, without waiting. It never changes.
func (c *Client) Snapshot() *Snapshot {
	v := c.view.Load()
	return &Snapshot{state: v.state, epoch: v.epoch, trees: c.options.Trees, nothing: c.options.Observer}
}
