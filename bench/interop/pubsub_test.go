// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"errors"
	"fmt"
	"testing"
)

// TestTopics has every publisher filter for every subscriber, with prefixes at
// the limits of a short frame and of a command's name.
func TestTopics(t *testing.T) {
	checkNoGoroutine(t)
	makers := map[string]maker{"zwire": newOurs, "libzmq": newLibzmq}
	// libzmq encodes topics of 246 to 255 bytes wrongly, so they are not here.
	topics := []string{"a", "a\x00b", string(payload(245, 1)), string(payload(300, 2))}
	for _, names := range [][2]string{{"zwire", "libzmq"}, {"libzmq", "zwire"}} {
		for _, transport := range []string{"tcp", "ipc"} {
			for _, couple := range couples() {
				if !couple.publishes() {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v/%s-publishes", transport, couple, names[0]), func(t *testing.T) {
					for _, topic := range topics {
						if err := checkTopic(t, couple, [2]maker{makers[names[0]], makers[names[1]]}, transport, topic); err != nil {
							t.Errorf("topic of %d bytes: %v", len(topic), err)
						}
					}
				})
			}
		}
	}
}

// checkTopic publishes what matches, and between what does not.
func checkTopic(t *testing.T, couple couple, makers [2]maker, transport, topic string) (err error) {
	publisher, err := makers[0](t, role{kind: couple.first})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, publisher.close()) }()
	subscriber, err := makers[1](t, role{kind: couple.second, topic: topic})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, subscriber.close()) }()
	if err := join(newPlace(t, transport), publisher, subscriber); err != nil {
		return err
	}
	if err := subscribed(publisher, subscriber, topic); err != nil {
		return err
	}
	for i := range 10 {
		missing := [][]byte{[]byte(topic[:len(topic)-1]), []byte(topic)}
		matching := [][]byte{[]byte(topic + fmt.Sprint(i)), []byte("body")}
		if err := errors.Join(publisher.send(missing), publisher.send(matching)); err != nil {
			return err
		}
		frames, err := subscriber.receive(patience)
		for err == nil && string(frames[0]) == topic+greeting {
			frames, err = subscriber.receive(patience)
		}
		if err != nil {
			return err
		}
		if err := checkFrames(frames, matching); err != nil {
			return err
		}
	}
	return nil
}

// subscribed publishes until a message arrives.
func subscribed(publisher, subscriber party, topic string) error {
	for range int(patience / shortPatience) {
		if err := publisher.send([][]byte{[]byte(topic + greeting)}); err != nil {
			return err
		}
		_, err := subscriber.receive(shortPatience)
		if !errors.Is(err, errLate) {
			return err
		}
	}
	return errors.New("no greeting got through")
}

// TestXPubSeesSubscriptions checks both ends of a subscription, and that a
// message of the subscriber's own travels up.
func TestXPubSeesSubscriptions(t *testing.T) {
	checkNoGoroutine(t)
	others := map[string]maker{"libzmq": newLibzmq, "Python": newPython}
	for name, other := range others {
		t.Run("zwire-publishes-to-"+name, func(t *testing.T) { checkSubscriptionSeen(t, newOurs, other) })
		t.Run(name+"-publishes-to-zwire", func(t *testing.T) { checkSubscriptionSeen(t, other, newOurs) })
	}
}

func checkSubscriptionSeen(t *testing.T, publishing, subscribing maker) {
	publisher, err := publishing(t, role{kind: xpub})
	if err != nil {
		t.Fatal(err)
	}
	subscriber, err := subscribing(t, role{kind: xsub, topic: "topic"})
	if err != nil {
		t.Fatal(err)
	}
	if err := join(newPlace(t, "tcp"), publisher, subscriber); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		sent string // by the subscriber; nothing: it has subscribed already
		want string
	}{
		{"", "\x01topic"},
		{"\x01other", "\x01other"},
		{"user message", "user message"},
		{"\x00topic", "\x00topic"},
	} {
		if step.sent != "" {
			if err := subscriber.send([][]byte{[]byte(step.sent)}); err != nil {
				t.Fatalf("send %q: %v", step.sent, err)
			}
		}
		frames, err := publisher.receive(patience)
		if err != nil {
			t.Fatalf("want %q: %v", step.want, err)
		}
		if err := checkFrames(frames, [][]byte{[]byte(step.want)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := subscriber.close(); err != nil {
		t.Error(err)
	}
	frames, err := publisher.receive(patience)
	if err != nil {
		t.Errorf("the subscriber has gone, but the publisher gets %v", err)
	} else if err := checkFrames(frames, [][]byte{[]byte("\x00other")}); err != nil {
		t.Error(err)
	}
	if err := publisher.close(); err != nil {
		t.Error(err)
	}
}
