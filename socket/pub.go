// SPDX-License-Identifier: Apache-2.0

package socket

import "context"

// Pub sends each message to all peers that have subscribed to a prefix of its first frame (RFC 29). Peers: SUB, XSUB. Send
// never waits: a peer whose queue is full does not get the message, which is counted, unless PubNoDrop is set. What
// nobody has subscribed to is gone.
type Pub struct {
	*base
	bulkSender
	publication
}

// NewPub returns a PUB socket; nil options are the defaults.
func NewPub(opts *Options) (*Pub, error) {
	b := new(base)
	p := &publishing{base: b}
	if err := b.open(traits{name: "PUB", peers: []string{"SUB", "XSUB"}, subscribable: true}, p, opts); err != nil {
		return nil, err
	}
	return &Pub{b, bulkSender{sender{b}}, publication{p}}, nil
}

// XPub is a Pub that also receives: subscriptions, as messages of one frame that begins with 1, cancellations, with 0, and
// messages that an XSUB sends (RFC 29). Of equal subscriptions only the first and the last cancellation are received,
// unless XPubVerbose is set. While more than RecvHWM wait to be received, peers are not listened to.
type XPub struct {
	*base
	bulkSender
	bulkReceiver
	publication
}

// NewXPub returns an XPUB socket; nil options are the defaults.
func NewXPub(opts *Options) (*XPub, error) {
	b := new(base)
	p := &publishing{base: b}
	if err := b.open(traits{name: "XPUB", peers: []string{"SUB", "XSUB"}, subscribable: true}, p, opts); err != nil {
		return nil, err
	}
	p.report(b)
	return &XPub{b, bulkSender{sender{b}}, bulkReceiver{receiver{b}}, publication{p}}, nil
}

// publication is what PUB and XPUB have in common for users.
type publication struct{ pattern *publishing }

// WaitSubscribers waits until at least n peers would get a message that begins with topic.
func (p publication) WaitSubscribers(ctx context.Context, topic string, n int) error {
	b := p.pattern.base
	return b.await(ctx, func() (bool, error) {
		b.out.lock()
		defer b.out.unlock()
		return p.pattern.fanout.Topics.Count([]byte(topic)) >= n, nil
	})
}
