// SPDX-License-Identifier: Apache-2.0

package socket

import "fmt"

// Sub receives the messages that begin with a topic it has subscribed to, one from each peer in turn (RFC 29). Peers: PUB,
// XPUB. Without a subscription it receives nothing. While more than RecvHWM wait to be received its peers are not read,
// which makes them, not this socket, drop what is too much.
type Sub struct {
	*base
	bulkReceiver
	subscription
}

// NewSub returns a SUB socket; nil options are the defaults.
func NewSub(opts *Options) (*Sub, error) {
	b := new(base)
	p := &filtering{subscribing{base: b}}
	b.wanted = &p.topics
	if err := b.open(traits{name: "SUB", peers: []string{"PUB", "XPUB"}, mute: true}, p, opts); err != nil {
		return nil, err
	}
	return &Sub{b, bulkReceiver{receiver{b}}, subscription{&p.subscribing}}, nil
}

// XSub receives what its subscriptions bring, without filtering it again, and sends messages upstream to all peers: a
// single frame that begins with 1 or 0 subscribes to the rest of it, or cancels; anything else goes to the applications of
// XPUBs (RFC 29). Peers: PUB, XPUB. Send never waits; a peer whose queue is full does not get the message, which is
// counted.
type XSub struct {
	*base
	bulkSender
	bulkReceiver
	subscription
}

// NewXSub returns an XSUB socket; nil options are the defaults.
func NewXSub(opts *Options) (*XSub, error) {
	b := new(base)
	p := &subscribing{base: b}
	if err := b.open(traits{name: "XSUB", peers: []string{"PUB", "XPUB"}}, p, opts); err != nil {
		return nil, err
	}
	return &XSub{b, bulkSender{sender{b}}, bulkReceiver{receiver{b}}, subscription{p}}, nil
}

// subscription is what SUB and XSUB have in common for users.
type subscription struct{ pattern *subscribing }

// Subscribe asks for messages whose first frame begins with topic, which is any bytes; the empty topic is everything. It
// does not wait; all present and later peers are told. Subscriptions are counted: two need two Unsubscribe.
func (s subscription) Subscribe(topic string) error { return s.pattern.change(true, topic) }

// Unsubscribe takes back one Subscribe. ErrState if there was none.
func (s subscription) Unsubscribe(topic string) error {
	err := s.pattern.change(false, topic)
	if err == ErrState {
		return fmt.Errorf("socket: there is no subscription to %.100q: %w", topic, err)
	}
	return err
}
