// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/zwire-mq/zwire/internal/pipe"
	"github.com/zwire-mq/zwire/internal/zmtp"
	"github.com/zwire-mq/zwire/transport"
)

const (
	// Unlimited in a limit of [Options] means that there is none.
	Unlimited = -1
	// LingerForever makes Close wait for as long as it takes. It is -1 as for libzmq.
	LingerForever time.Duration = -1
	// LingerNone makes Close drop what is queued.
	LingerNone time.Duration = -2
	// BusyPollNone makes calls that have to wait sleep at once.
	BusyPollNone time.Duration = -1
)

// Options configure a socket. The zero value, and nil, mean the defaults; in every field 0 is the default. A negative
// value other than the named ones is an error from New that names the field. Options are copied; a socket never changes
// them.
type Options struct {
	// Context holds inproc names, transports and I/O loops. Default: one for the process.
	Context *Context

	// Identity is the name that a ROUTER at the other end knows this socket by: 1 to 255 bytes, not beginning with zero
	// (RFC 37, The Identity Property). Sent by REQ, DEALER and ROUTER. Default: none, the ROUTER makes one up.
	Identity []byte

	// SendHWM and RecvHWM bound the messages queued per peer, for sending and for receiving. Exact for sending; receiving
	// may go over by what one read brings. On inproc a direction has both bounds together. Accepted peers that have left
	// and whose messages have not all been received hold about as much together: beyond RecvHWM or QueueBytes new peers
	// are sent to, but not listened to until there is room. Default 1000; Unlimited.
	SendHWM, RecvHWM int
	// QueueBytes bounds the bytes queued per peer and direction, counted as messages; the memory that holds them may be
	// twice that. One message always fits. A Send that can wait waits at 512 KiB already. Default 64 MiB; Unlimited.
	QueueBytes int
	// MessageBytes bounds the frames of one message together. Sending more is ErrTooLarge; a peer that sends more is
	// dropped. Default 64 MiB; Unlimited. A command of the protocol, other than a subscription, may have 4 KiB.
	MessageBytes int
	// MessageFrames bounds the frames of one message, in the same way. Default 4096; Unlimited.
	MessageFrames int

	// Linger is how long Close and Disconnect wait for queued messages to be handed over. Default 5 s; LingerNone,
	// LingerForever.
	Linger time.Duration
	// HandshakeTimeout bounds the time from a stream's first byte to its last handshake byte, and that of a dial.
	// Default 10 s; Unlimited. It is 100 ms for an accepted stream while descriptors have run out, 2 s while 4096 shake hands;
	// those that are not listened to, see RecvHWM, count among them.
	HandshakeTimeout time.Duration
	// ReconnectMin and ReconnectMax bound the wait before an endpoint is dialed again: it doubles from the one to the
	// other, and up to a quarter is added at random. It begins anew after a stream that has stood for ReconnectMax. Defaults
	// 100 ms, and 10 s or ReconnectMin if that is more. A bound receiver that lags when a peer comes back takes the peer's old
	// messages and its new ones in turn.
	ReconnectMin, ReconnectMax time.Duration

	// HeartbeatInterval is how often a peer is pinged. Default: never. A PING goes before what is queued here, but behind what
	// the systems on both sides hold, which a peer with a full queue does not read: one that takes longer for that than
	// HeartbeatTimeout, and does not ping in turn, looks dead. Give both sides an interval.
	HeartbeatInterval time.Duration
	// HeartbeatTimeout is how long after an unanswered PING a silent peer is given up. Default: HeartbeatInterval.
	HeartbeatTimeout time.Duration
	// HeartbeatTTL is after how much silence the peer shall give us up; up to 65.5 s, in steps of 0.1 s. Default: none. It
	// goes along with a PING: without HeartbeatInterval neither it nor HeartbeatTimeout has an effect.
	HeartbeatTTL time.Duration

	// SubscriptionsPerPeer bounds the topics that one peer may subscribe to at a PUB or XPUB. Default 2^20; Unlimited.
	SubscriptionsPerPeer int
	// TopicBytesPerPeer bounds the bytes of these topics together. Default 64 MiB; Unlimited.
	TopicBytesPerPeer int

	// Immediate makes REQ, DEALER, PUSH and PAIR queue only for peers whose handshake stands. Default: an endpoint given
	// to Connect counts from then on, and its queue fills.
	Immediate bool
	// RouterMandatory makes Send on a ROUTER fail with ErrUnroutable for an unknown peer, and wait for a full one,
	// instead of dropping the message.
	RouterMandatory bool
	// RouterHandover gives an identity to the latest peer that claims it. Default: the first keeps it.
	RouterHandover bool
	// PubNoDrop makes Send on PUB and XPUB wait while a subscriber's queue is full. Default: its copy is dropped.
	PubNoDrop bool
	// XPubVerbose makes an XPUB receive every subscription. Default: only the first of equal ones. Of their cancellations it
	// receives only the last, in any case.
	XPubVerbose bool

	// BusyPoll is how long a call that has to wait on tcp or ipc looks again and again for what comes before it sleeps,
	// unless another goroutine needs its processor; other threads go first. It saves the time to wake up and costs up to a
	// core. Linux only. Default: up to 50 µs, on inproc too, as long as that pays: after each time in vain it lets twice as
	// many waits pass, up to 127. BusyPollNone.
	BusyPoll time.Duration
	// KeepAlive is the pause between TCP keep-alive probes. Default: the system's; Unlimited turns them off.
	KeepAlive time.Duration
	// SendBuffer and RecvBuffer are the kernel's buffers per stream in bytes. Default: the system's.
	SendBuffer, RecvBuffer int
	// Backlog is how many streams may wait to be accepted. Default: the system's largest.
	Backlog int
}

const (
	defaultHWM           = 1000
	defaultQueueBytes    = 64 << 20
	defaultMessageBytes  = 64 << 20
	defaultMessageFrames = 4096
	defaultSubscriptions = 1 << 20
	defaultTopicBytes    = 64 << 20

	defaultLinger       = 5 * time.Second
	defaultHandshake    = 10 * time.Second
	defaultReconnectMin = 100 * time.Millisecond
	defaultReconnectMax = 10 * time.Second

	// commandBytes bounds commands other than subscriptions. Those that there are take a few dozen.
	commandBytes = 4 << 10

	heartbeatTTLMax = 65500 * time.Millisecond
)

// resolve returns a copy of o with defaults filled in and limits checked. In the copy 0 means no limit.
func (o *Options) resolve() (Options, error) {
	if o == nil {
		o = &Options{}
	}
	r := *o
	r.Identity = bytes.Clone(o.Identity)
	if len(r.Identity) > zmtp.IdentityBytesMax || len(r.Identity) > 0 && r.Identity[0] == 0 {
		return r, fmt.Errorf("socket: Options.Identity must have 1 to %d bytes and not begin with zero", zmtp.IdentityBytesMax)
	}
	for _, f := range []struct {
		name     string
		value    *int
		standard int
		bounded  bool // Unlimited makes no sense
	}{
		{"SendHWM", &r.SendHWM, defaultHWM, false},
		{"RecvHWM", &r.RecvHWM, defaultHWM, false},
		{"QueueBytes", &r.QueueBytes, defaultQueueBytes, false},
		{"MessageBytes", &r.MessageBytes, defaultMessageBytes, false},
		{"MessageFrames", &r.MessageFrames, defaultMessageFrames, false},
		{"SubscriptionsPerPeer", &r.SubscriptionsPerPeer, defaultSubscriptions, false},
		{"TopicBytesPerPeer", &r.TopicBytesPerPeer, defaultTopicBytes, false},
		{"SendBuffer", &r.SendBuffer, 0, true},
		{"RecvBuffer", &r.RecvBuffer, 0, true},
		{"Backlog", &r.Backlog, 0, true},
	} {
		switch {
		case *f.value == 0:
			*f.value = f.standard
		case *f.value == Unlimited && !f.bounded:
			*f.value = 0
		case *f.value < 0:
			return r, fmt.Errorf("socket: Options.%s must not be %d", f.name, *f.value)
		}
	}
	return r, r.resolveTimes()
}

func (o *Options) resolveTimes() error {
	for _, f := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
		named    time.Duration // lowest value with a name
	}{
		{"Linger", &o.Linger, defaultLinger, LingerNone},
		{"HandshakeTimeout", &o.HandshakeTimeout, defaultHandshake, Unlimited},
		{"ReconnectMin", &o.ReconnectMin, defaultReconnectMin, 0},
		{"ReconnectMax", &o.ReconnectMax, max(defaultReconnectMax, o.ReconnectMin), 0},
		{"HeartbeatInterval", &o.HeartbeatInterval, 0, 0},
		{"HeartbeatTimeout", &o.HeartbeatTimeout, 0, 0},
		{"HeartbeatTTL", &o.HeartbeatTTL, 0, 0},
		{"BusyPoll", &o.BusyPoll, 0, BusyPollNone},
		{"KeepAlive", &o.KeepAlive, 0, Unlimited},
	} {
		if *f.value < f.named {
			return fmt.Errorf("socket: Options.%s must not be %d", f.name, int64(*f.value))
		}
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	if o.HandshakeTimeout == Unlimited {
		o.HandshakeTimeout = 0
	}
	if o.ReconnectMax < o.ReconnectMin {
		return fmt.Errorf("socket: Options.ReconnectMax %v is less than ReconnectMin %v", o.ReconnectMax, o.ReconnectMin)
	}
	if o.HeartbeatTTL > heartbeatTTLMax {
		return fmt.Errorf("socket: Options.HeartbeatTTL %v is more than %v", o.HeartbeatTTL, heartbeatTTLMax)
	}
	return nil
}

// What each lower layer gets of them.

func (o *Options) sendLimits() pipe.Limits {
	return pipe.Limits{Messages: o.SendHWM, Bytes: o.QueueBytes}
}

func (o *Options) recvLimits() pipe.Limits {
	return pipe.Limits{Messages: o.RecvHWM, Bytes: o.QueueBytes}
}

func (o *Options) transport() transport.Config {
	return transport.Config{SendBuffer: o.SendBuffer, RecvBuffer: o.RecvBuffer, Backlog: o.Backlog, KeepAlive: o.KeepAlive}
}

func (o *Options) scanner(subscribable bool) zmtp.ScannerLimits {
	l := zmtp.ScannerLimits{MessageBytes: int64(o.MessageBytes), MessageFrames: int64(o.MessageFrames)}
	switch {
	case !subscribable:
		l.CommandBytes = commandBytes
	case o.TopicBytesPerPeer > 0:
		l.CommandBytes = min(int64(o.TopicBytesPerPeer)+commandBytes, zmtp.CommandBytesMax)
	}
	return l
}

// messageBytes returns the largest message to be sent.
func (o *Options) messageBytes() int {
	if o.MessageBytes == 0 {
		return math.MaxInt
	}
	return o.MessageBytes
}
