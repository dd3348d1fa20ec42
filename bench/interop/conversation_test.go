// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// A couple is a legal pair of socket types. The first one speaks first; the
// second one answers, unless the pattern goes one way.
type couple struct {
	first, second kind
	oneWay        bool
}

func couples() []couple {
	return []couple{
		{req, rep, false},
		{req, router, false},
		{dealer, rep, false},
		{dealer, router, false},
		{dealer, dealer, false},
		{router, router, false},
		{pub, sub, true},
		{pub, xsub, true},
		{xpub, sub, true},
		{xpub, xsub, true},
		{push, pull, true},
		{pair, pair, false},
	}
}

func (c couple) String() string { return string(c.first) + "-" + string(c.second) }

func (c couple) publishes() bool { return c.first == pub || c.first == xpub }

// lockStep says that neither side may speak twice in a row.
func (c couple) lockStep() bool { return c.first == req || c.second == rep }

// roles gives a ROUTER's peer a name, where the ROUTER has to speak first.
func (c couple) roles() (first, second role) {
	first, second = role{kind: c.first}, role{kind: c.second}
	if c.first == router {
		first.identity, second.identity = "the first", "the second"
	}
	return first, second
}

// A conversation is two parties that talk as their couple does.
type conversation struct {
	couple
	speaker, listener party
	toListener        []byte // identity, if the speaker is a ROUTER
	toSpeaker         []byte // identity, if the listener is a ROUTER
	patience          time.Duration
}

// greeting is the first frame of what is sent before the conversation begins.
const greeting = "greeting"

// begin waits until messages get through: a publisher drops until it knows the
// subscription, and a ROUTER until it knows the peer.
func (c *conversation) begin() error {
	if !c.publishes() && c.first != router {
		return nil
	}
	if c.first == router {
		c.toListener = []byte("the second")
	}
	for late := time.Now().Add(c.patience); time.Now().Before(late); {
		err := c.speaker.send(wrap(c.first, c.second, c.toListener, [][]byte{[]byte(greeting)}))
		if errors.Is(err, errUnroutable) {
			_, err = c.speaker.receive(shortPatience) // nothing comes; it is a pause
			if !errors.Is(err, errLate) {
				return fmt.Errorf("unroutable, and then %w", err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		frames, err := c.listener.receive(shortPatience)
		if err == nil {
			return c.checkGreeting(frames)
		}
		if !errors.Is(err, errLate) {
			return fmt.Errorf("greeting: %w", err)
		}
	}
	return errors.New("no greeting got through")
}

func (c *conversation) checkGreeting(frames [][]byte) error {
	identity, frames, err := unwrap(c.second, c.first, frames)
	c.toSpeaker = identity
	return errors.Join(err, checkFrames(frames, [][]byte{[]byte(greeting)}))
}

// exchange sends a message there and, unless the pattern goes one way, back.
func (c *conversation) exchange(message [][]byte) error {
	if err := c.say(message); err != nil {
		return err
	}
	if err := c.hear(message); err != nil {
		return err
	}
	if c.oneWay {
		return nil
	}
	return c.answer(message)
}

func (c *conversation) say(message [][]byte) error {
	if err := c.speaker.send(wrap(c.first, c.second, c.toListener, message)); err != nil {
		return fmt.Errorf("%s sends: %w", c.first, err)
	}
	return nil
}

func (c *conversation) hear(want [][]byte) error {
	for {
		frames, err := c.listener.receive(c.patience)
		if err != nil {
			return fmt.Errorf("%s receives: %w", c.second, err)
		}
		identity, frames, err := unwrap(c.second, c.first, frames)
		if err != nil {
			return fmt.Errorf("%s receives: %w", c.second, err)
		}
		if len(frames) > 0 && string(frames[0]) == greeting {
			continue // sent before one was seen to arrive
		}
		c.toSpeaker = identity
		if err := checkFrames(frames, want); err != nil {
			return fmt.Errorf("%s receives: %w", c.second, err)
		}
		return nil
	}
}

func (c *conversation) answer(message [][]byte) error {
	if err := c.listener.send(wrap(c.second, c.first, c.toSpeaker, message)); err != nil {
		return fmt.Errorf("%s answers: %w", c.second, err)
	}
	frames, err := c.speaker.receive(c.patience)
	if err != nil {
		return fmt.Errorf("%s receives: %w", c.first, err)
	}
	identity, frames, err := unwrap(c.first, c.second, frames)
	if err != nil {
		return fmt.Errorf("%s receives: %w", c.first, err)
	}
	if !bytes.Equal(identity, c.toListener) && c.toListener != nil {
		return fmt.Errorf("%s receives from %q, want %q", c.first, identity, c.toListener)
	}
	if err := checkFrames(frames, message); err != nil {
		return fmt.Errorf("%s receives: %w", c.first, err)
	}
	return nil
}

// wrap adds what me sends in front of a body to a peer: a ROUTER the identity,
// and to a REQ or from a DEALER to a REP the empty delimiter.
func wrap(me, peer kind, identity []byte, body [][]byte) [][]byte {
	var frames [][]byte
	if me == router {
		frames = append(frames, identity)
	}
	if delimited(me, peer) {
		frames = append(frames, []byte{})
	}
	return append(frames, body...)
}

func unwrap(me, peer kind, frames [][]byte) (identity []byte, body [][]byte, err error) {
	whole := frames
	if me == router {
		if len(frames) < 2 || len(frames[0]) == 0 {
			return nil, nil, fmt.Errorf("no identity in front of %s", describe(whole))
		}
		identity, frames = frames[0], frames[1:]
	}
	if delimited(me, peer) {
		if len(frames) < 2 || len(frames[0]) != 0 {
			return nil, nil, fmt.Errorf("no delimiter in front of the body of %s", describe(whole))
		}
		frames = frames[1:]
	}
	return identity, frames, nil
}

func delimited(me, peer kind) bool {
	return me == router && peer == req || me == dealer && peer == rep
}

// A meeting is a couple with who makes the parties and who binds.
type meeting struct {
	couple
	speaker, listener maker
	speakerBinds      bool
	speakerLeaves     bool // before the listener does
	patience          time.Duration
}

// hold lets the parties meet and hands the conversation to talk. Both parties
// are closed, and their closing must hand over everything.
func (m meeting) hold(t *testing.T, place *place, talk func(*conversation) error) (err error) {
	first, second := m.roles()
	speaker, err := m.speaker(t, first)
	if err != nil {
		return err
	}
	listener, err := m.listener(t, second)
	if err != nil {
		return errors.Join(err, speaker.close())
	}
	defer func() {
		early, late := listener, speaker
		if m.speakerLeaves {
			early, late = speaker, listener
		}
		err = errors.Join(err, closing("first", early), closing("last", late))
	}()
	binder, connecter := listener, speaker
	if m.speakerBinds {
		binder, connecter = speaker, listener
	}
	if err := join(place, binder, connecter); err != nil {
		return err
	}
	conversation := &conversation{couple: m.couple, speaker: speaker, listener: listener, patience: m.patience}
	if err := conversation.begin(); err != nil {
		return err
	}
	return talk(conversation)
}

func closing(when string, party party) error {
	if err := party.close(); err != nil {
		return fmt.Errorf("who leaves %s: %w", when, err)
	}
	return nil
}
