// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/node"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket"
)

// authorityLink is the way to one authority. A DEALER spreads what it sends over its peers, so each has one of its own.
type authorityLink struct {
	endpoint string
	dealer   *socket.Dealer
	outbox   [][]byte // what the socket had no room for, in order
	up       bool
	failures uint64 // streams and dials that had ended when we last looked
	err      error  // why there is no stream
}

// feed is a subscription to what an authority publishes. Following another one makes another feed, so that nothing of the old one
// is mistaken for something of the new one.
type feed struct {
	sub *socket.Sub
}

func (c *Client) socketOptions() *socket.Options {
	return &socket.Options{
		Context: c.options.Context, Linger: clientLinger, MessageBytes: wire.FrameBytesMax + 1024,
		ReconnectMin: redialMin, ReconnectMax: redialMax, HeartbeatInterval: pingEvery, HeartbeatTimeout: pingTimeout,
		BusyPoll: socket.BusyPollNone, // a configuration changes seldom
	}
}

// openLinks dials all authorities. What it has opened on error, Close closes.
func (c *Client) openLinks() error {
	for _, endpoint := range c.options.Authorities {
		options := c.socketOptions()
		options.Identity = []byte(c.session)
		options.Immediate = true // nothing shall wait for a stream that a Hello has not opened
		dealer, err := socket.NewDealer(options)
		if err != nil {
			return fmt.Errorf("config: %w", err)
		}
		link := &authorityLink{endpoint: endpoint, dealer: dealer}
		c.mu.Lock()
		c.links = append(c.links, link)
		at := len(c.links) - 1
		c.mu.Unlock()
		if err := dealer.Connect(endpoint); err != nil {
			return fmt.Errorf("config: Options.Authorities: %w", err)
		}
		c.work.Go(func() { c.receive(at, link) })
		c.work.Go(func() { c.observe(at, link) })
	}
	return nil
}

// receive gives the machine what an authority says, until Close.
func (c *Client) receive(at int, link *authorityLink) {
	batch := make([]socket.Message, batchMin)
	for {
		clear(batch) // messages are kept: their memory must not be used again
		count, err := link.dealer.RecvBatch(c.life, batch)
		if err != nil {
			return
		}
		messages := decode(nil, batch[:count], wire.Decode)
		c.mu.Lock()
		now := time.Now()
		for _, m := range messages {
			c.machine.Received(at, m.Message, m.Bytes, now)
		}
		c.flushOpen()
		c.mu.Unlock()
	}
}

// decode appends what a batch says, without the message where it cannot be read.
func decode(to []node.Published, batch []socket.Message, one func([]byte) (wire.Message, error)) []node.Published {
	for _, m := range batch {
		frame := m.Frame(m.Len() - 1)
		decoded := node.Published{Bytes: len(frame)}
		if message, err := one(frame); err == nil {
			decoded.Message = message
		}
		to = append(to, decoded)
	}
	return to
}

// flushOpen is flush unless Close has begun. The caller holds mu.
func (c *Client) flushOpen() {
	if !c.closed {
		c.flush()
	}
}

// send hands a frame over, or keeps it until there is room, and says whether none is kept. The caller holds mu of the client.
func (l *authorityLink) send(frame []byte) bool {
	if len(l.outbox) == 0 && l.dealer.TrySend(socket.NewMessage(frame)) == nil {
		return true
	}
	if len(l.outbox) < outboxMax && l.up {
		l.outbox = append(l.outbox, frame)
	}
	return len(l.outbox) == 0
}

// observe tells the machine which streams have ended and which stand anew. The sockets keep streams up by themselves, but what was
// under way when one broke is gone, and the authority knows a new stream only after a Hello.
func (c *Client) observe(at int, link *authorityLink) {
	for {
		change := link.dealer.PeersChanged()
		c.mu.Lock()
		c.look(at, link)
		c.flushOpen()
		c.mu.Unlock()
		select {
		case <-change:
		case <-c.life.Done():
			return
		}
	}
}

func (c *Client) look(at int, link *authorityLink) {
	stats := link.dealer.Stats()
	failures := stats.StreamErrors
	for _, count := range stats.ProtocolErrors {
		failures += count
	}
	peers := link.dealer.Peers()
	up := slices.ContainsFunc(peers, func(p socket.Peer) bool { return p.State == socket.PeerConnected })
	link.err = nil
	if !up && len(peers) > 0 {
		link.err = peers[0].Err
	}
	switch {
	case up && (!link.up || failures != link.failures):
		link.up, link.outbox = true, nil
		c.machine.Connected(at, time.Now())
	case !up && link.up:
		link.up, link.outbox = false, nil
		c.machine.Lost(at, time.Now())
	}
	link.failures = failures
}

// drainLinks tries sockets again that had no room.
func (c *Client) drainLinks(now time.Time) {
	c.drain = time.Time{}
	for _, link := range c.links {
		for len(link.outbox) > 0 && link.dealer.TrySend(socket.NewMessage(link.outbox[0])) == nil {
			link.outbox = link.outbox[1:]
		}
		if len(link.outbox) > 0 {
			c.drain = now.Add(drainEvery)
		}
	}
}

// follow subscribes where the machine says, and nowhere else. The caller holds mu.
func (c *Client) follow(to *node.Follow) {
	if old := c.feed; old != nil {
		c.feed = nil
		c.work.Go(func() { old.sub.Close() }) // nothing is sent on it
	}
	if to.Link < 0 || c.options.Observer || to.Changes == "" || c.closed {
		return
	}
	options := c.socketOptions()
	options.Linger, options.RecvHWM, options.HeartbeatInterval = socket.LingerNone, feedQueueMax, feedPingEvery
	sub, err := socket.NewSub(options)
	if err != nil {
		return // without marks the machine asks for changes instead
	}
	f := &feed{sub: sub}
	if err := f.open(changesEndpoint(c.links[to.Link].endpoint, to.Changes), c.options.Trees); err != nil {
		sub.Close()
		return
	}
	c.feed = f
	c.work.Go(func() { c.hear(f) })
}

// open subscribes to trees first and to marks last: where the first mark comes through, all of it stands.
func (f *feed) open(endpoint string, trees []string) error {
	if trees == nil {
		return errors.Join(f.sub.Subscribe(""), f.sub.Connect(endpoint))
	}
	for _, tree := range trees {
		if err := f.sub.Subscribe(wire.TreeTopic(tree)); err != nil {
			return err
		}
	}
	return errors.Join(f.sub.Subscribe(wire.MarkTopic), f.sub.Connect(endpoint))
}

// changesEndpoint is where an authority that was dialled at an endpoint publishes: one on all interfaces tells its port alone.
func changesEndpoint(dialled, changes string) string {
	if host := strings.LastIndexByte(dialled, ':'); strings.HasPrefix(changes, ":") && host >= 0 {
		return dialled[:host] + changes
	}
	return changes
}

// hear gives the machine what is published, until another feed takes over.
func (c *Client) hear(f *feed) {
	batch := make([]socket.Message, batchMin)
	var messages []node.Published
	for {
		count, err := f.sub.RecvBatch(c.life, batch)
		if err != nil {
			return
		}
		messages = decode(messages[:0], batch[:count], wire.DecodeLean)
		c.mu.Lock()
		if c.feed != f {
			c.mu.Unlock()
			return
		}
		c.machine.Published(messages, time.Now())
		c.flushOpen()
		c.mu.Unlock()
		batch = nextBatch(batch, messages)
		clear(messages)
	}
}

// nextBatch makes room for what comes next, in little of the memory that it had, and without what the machine has kept.
func nextBatch(batch []socket.Message, taken []node.Published) []socket.Message {
	bytes, reused := 0, 0
	for i, m := range taken {
		bytes += m.Bytes
		if reused += m.Bytes; m.Bytes > node.FrameReusedMax || reused > reusedMax {
			reused -= m.Bytes
			batch[i] = socket.Message{}
		}
	}
	switch {
	case bytes > turnBytesMax:
		return batch[:batchMin:batchMin]
	case len(taken) == len(batch) && len(batch) < batchMax:
		return append(batch, make([]socket.Message, len(batch))...)
	}
	return batch
}

// closeLinks closes the sockets: all begin at once, since each may linger.
func (c *Client) closeLinks(links []*authorityLink, f *feed) error {
	ends := make(chan error, len(links))
	for _, link := range links {
		go func() { ends <- link.dealer.Close() }()
	}
	var first error
	if f != nil {
		first = f.sub.Close()
	}
	for range links {
		var lost *socket.LostError
		if err := <-ends; first == nil && !errors.As(err, &lost) && !errors.Is(err, net.ErrClosed) {
			first = err // words that were lost belong to a session that ends anyway
		}
	}
	return first
}
