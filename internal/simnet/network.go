// SPDX-License-Identifier: Apache-2.0

// Package simnet is a network in memory, for tests in virtual time.
//
// A [Network] has a transport.Transport whose streams are buffers: they wait on conditions alone, so that
// testing/synctest sees them as blocked, and a latency is a timer. A network belongs to the bubble it is used in.
//
// Faults come from outside the streams. What happens to the network is told it by the test: [Network.Refuse],
// [Network.Partition], [Network.Cut], and [Link.Cut], [Link.Stall] for a single stream. What happens on the way is a
// device: [Inject] wraps a transport, any transport, and its streams read in odd pieces and break after so many
// octets; Config.Plan puts one in front of the network. The seed fixes each stream's pieces, in the order of dialling.
package simnet

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/transport"
)

// Config is what a network is like. The zero value is a perfect one.
type Config struct {
	// Scheme is the transport's; empty: "sim".
	Scheme string
	// Buffer is how many octets a direction holds before Write waits; 0: 64 KiB.
	Buffer int
	// Latency is what every octet takes, one way; a dial takes two.
	Latency time.Duration
	// Plan gives each stream its faults; nil: none.
	Plan Plan
}

// Network is listeners by address, and the links between them and those who dialled.
type Network struct {
	cfg  Config
	seed int64

	// mu guards all that follows, and all of every listener, link, flow and stream.
	mu        sync.Mutex
	changed   *sync.Cond // of mu: whatever Dial or Accept may wait for
	listeners map[string]*listener
	refused   map[string]bool
	links     []*Link // that neither were cut nor closed at both ends
	linksMade int
	namesMade int
	apart     func(from, to string) bool // nil: nobody is kept from anybody
}

// New makes a network without anybody in it.
func New(seed int64, cfg Config) *Network {
	if cfg.Scheme == "" {
		cfg.Scheme = "sim"
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = bufferDefault
	}
	n := &Network{cfg: cfg, seed: seed, listeners: map[string]*listener{}, refused: map[string]bool{}}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// Transport is the way into the network, through the devices of Config.Plan.
func (n *Network) Transport() transport.Transport { return n.From("") }

// From is Transport for a host with a name, which [Network.Separate] knows it by.
func (n *Network) From(host string) transport.Transport {
	var direct transport.Transport = simTransport{n, host}
	if n.cfg.Plan != nil {
		return Inject(direct, n.seed, n.cfg.Plan)
	}
	return direct
}

// Refuse makes dials of an address fail though somebody listens, or ends that.
func (n *Network) Refuse(address string, refuse bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refused[address] = refuse
	n.changed.Broadcast()
}

// Partition keeps all octets from arriving and all dials from coming to an end, or lets both go on.
func (n *Network) Partition(partitioned bool) {
	if !partitioned {
		n.Separate(nil)
		return
	}
	n.Separate(func(string, string) bool { return true })
}

// Separate is Partition between some only: apart tells of a host that dials and an address that it dials whether they are, and
// must not call the network. Nil ends all separation.
func (n *Network) Separate(apart func(from, to string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.apart = apart
	n.changed.Broadcast()
	for _, link := range n.links {
		link.wake()
	}
}

// separated is for callers that hold mu.
func (n *Network) separated(from, to string) bool { return n.apart != nil && n.apart(from, to) }

// Links gives the links that neither were cut nor closed at both ends, oldest first.
func (n *Network) Links() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.links)
}

// Cut cuts every link and says how many there were.
func (n *Network) Cut() int {
	links := n.Links()
	for _, link := range links {
		link.Cut()
	}
	return len(links)
}

// after runs what changes the network's state one latency from now; mu is held, now and then.
func (n *Network) after(change func()) {
	if n.cfg.Latency == 0 {
		change()
		return
	}
	time.AfterFunc(n.cfg.Latency, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		change()
	})
}

// connect puts a new link into the listener's queue and gives the dialling end; mu is held.
func (n *Network) connect(l *listener, from string) *stream {
	n.linksMade++
	link := &Link{network: n, from: from, address: l.address, number: n.linksMade}
	to, back := newFlow(link), newFlow(link)
	dialled := &stream{link: link, in: back, out: to, remote: l.address}
	accepted := &stream{link: link, in: to, out: back, remote: fmt.Sprintf("dialler-%d", link.number)}
	link.ends = [2]*stream{dialled, accepted}
	n.links = append(n.links, link)
	l.queue = append(l.queue, accepted)
	n.changed.Broadcast()
	return dialled
}
