// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zwire-mq/zwire/internal/ioloop"
	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/route"
	"github.com/zwire-mq/zwire/internal/session"
	"github.com/zwire-mq/zwire/internal/subtrie"
	"github.com/zwire-mq/zwire/internal/zmtp"
)

// traits are the fixed answers of a socket type.
type traits struct {
	name          string
	peers         []string // legal types
	sendsIdentity bool
	deaf          bool // never receives: what peers send is dropped
	mute          bool // never sends
	balanced      bool // any message can go to any peer
	addressed     bool // a message's frame 0 says where it goes, and stays behind
	subscribable  bool // peers subscribe; what they send goes to the sending side
}

// pattern is the rest of a socket type: its strategy for sending and its own state. All methods are called with the turn of
// the sending side held, and do not wait.
type pattern interface {
	// attach takes in a peer whose handshake has ended; an error refuses it.
	attach(m *member) error
	// opened takes in a connecting peer before its handshake.
	opened(m *member)
	// detach says that the stream of an attached peer is gone, ended that its pipe is.
	detach(m *member)
	ended(m *member)
	// revive says that m has room again.
	revive(m *member)
	// choose fills p with where a message goes, of n bytes on the wire and beginning with first. errFull: nowhere now,
	// but p names pipes that were full.
	choose(p *plan, first []byte, n int) error
}

// plan is where a message goes and how it changes on the way.
type plan struct {
	how     manner      // the sender wants it
	only    bool        // while nobody comes or goes, the next message goes there as well
	frames  int         // of the message
	again   bool        // to the same pipes as the last message, and all of them have room
	whole   bool        // no pipe was left out because it is full
	swift   bool        // pipes were asked with Room: messages without head may take the short way
	marked  int         // lower bound on bytes that the pipes were asked with
	targets []*pipe.End // none: it is dropped
	single  [1]*pipe.End
	head    []byte // whole frames in front, in wire form
	skip    int    // frames left out at the front
}

func (p *plan) to(e *pipe.End) {
	p.single[0] = e
	p.targets = p.single[:]
}

// byteMark is where this sender stops although there is room.
func (p *plan) byteMark() int {
	if p.how&toWait != 0 {
		return pipe.ByteMark
	}
	return 0
}

// filter is what some socket types do with a received message. Its methods are called with the turn of the receiving side
// held, and do not wait.
type filter interface {
	// mayReceive says whether it is the application's turn.
	mayReceive() error
	// accept looks at a message as on the wire. skip is how much of it to leave out at the front.
	accept(m *member, encoded []byte) (skip int, verdict verdict)
}

type verdict uint8

const (
	deliver       verdict = iota
	deliverSigned         // with the peer's identity in front
	discard
)

// member is one peer of a socket, or one endpoint that waits for it.
type member struct {
	socket   *base
	end      *pipe.End
	session  *session.Session // nil: inproc
	endpoint string
	accepted bool
	name     string // inproc: what to leave

	// Sending side.
	attached bool
	told     zmtp.Peer // what it said in its handshake
	topics   int       // bytes of its subscriptions
	leaving  bool      // from Disconnect or Close on: nothing new goes there
	gone     bool
	left     bool // inproc: the other socket has ended the pipe
	again    bool // it ends so that a successor begins; see renew

	departed         bool // receiving side: among the leavers, until its queue has drained so much:
	until, untilSize int

	alone    atomic.Int32           // inproc: messages in a row that the peer had heard by itself; see publishing.call
	identity atomic.Pointer[[]byte] // as a ROUTER knows it; the sending side sets it before messages flow

	greeting *list.Element // accepted: in greetings, until it is listened to
	begun    time.Time     // greetings: when it was accepted

	// table.
	peer    zmtp.Peer // what it said in its last handshake
	closing bool
	state   PeerState
	err     error
	lost    int
	done    chan struct{} // closed when nothing of it is left
	ended   bool
}

// base is what all socket types share. Its methods are those of every socket.
type base struct {
	traits  traits
	options Options
	context *Context
	pattern pattern
	filter  filter      // nil: messages pass as they are
	brief   *publishing // pattern, if it is one: a small message needs no plan; else nil
	config  session.Config

	smallMost int // the largest body, or message of several frames on the wire, that may take the short way

	// Each direction stands on cache lines of its own: a goroutine that sends and one that receives do not meet.
	_           [128]byte
	out         turn
	sendWaiters []*ioloop.Waiter // out
	sendSpares  ioloop.Waiters   // out
	plan        plan             // out
	shared      pipe.Encoder     // out: messages that go to several pipes
	wide        broadcast        // out: the last of them
	untold      *pipe.Queue      // out: its drainer sleeps and is told as soon as the turn is given up
	express     *pipe.Queue      // out: where the last message went and, until further notice, the next one goes
	sent        uint64           // out
	wokenAt     uint64           // out: sent, when the sender that had waited longest was woken last
	crowd       int              // out: above 0 while several senders have met lately
	postponed   []*member        // out: to be admitted when crowded ends

	_           [128]byte
	in          turn
	recvWaiters []*ioloop.Waiter // in
	recvSpares  ioloop.Waiters   // in
	readable    chan struct{}    // in: nil while nobody has asked
	received    uint64           // in
	plain       bool             // in: messages pass as they are, whoever sent them
	wanted      *subtrie.Counts  // in: of SUB, which takes those that begin with one of these topics; else nil

	fair    route.FairQueue // in
	left    leavers         // in
	_       [128]byte
	crowded atomic.Bool // in: leavers hold too much for new peers
	closed  atomic.Bool
	gone    chan struct{} // closed when Close has done all
	home    atomic.Pointer[ioloop.Home]
	news    news
	counts  counters

	greetings greetings

	table     sync.Mutex
	members   map[*member]struct{} // table
	listeners map[string]bound     // table: by LastEndpoint
	connected map[string][]*member // table: by endpoint as given
	endpoint  string               // table: LastEndpoint
}
