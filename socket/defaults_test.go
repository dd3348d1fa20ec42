// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"math/bits"
	"reflect"
	"testing"
	"time"
)

// What nil and zero options stand for, field by field: those that are not named here stay zero.
func TestDefaultsAreThese(t *testing.T) {
	want := Options{
		SendHWM:              1000,
		RecvHWM:              1000,
		QueueBytes:           64 << 20,
		MessageBytes:         64 << 20,
		MessageFrames:        4096,
		Linger:               5 * time.Second,
		HandshakeTimeout:     10 * time.Second,
		ReconnectMin:         100 * time.Millisecond,
		ReconnectMax:         10 * time.Second,
		SubscriptionsPerPeer: 1 << 20,
		TopicBytesPerPeer:    64 << 20,
	}
	for _, options := range []*Options{nil, {}} {
		got, err := options.resolve()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the defaults are\n%+v, want\n%+v", got, want)
		}
	}
}

func TestMemoryFillsLines(t *testing.T) {
	var m Message
	m.room(100)
	for what, size := range map[string]int{"a message's memory": int(reflect.TypeFor[memory]().Size()), "100 B": len(m.received.bytes)} {
		if size%lineBytes != 0 && bits.UintSize == 64 {
			t.Errorf("%s: %d B, want whole lines of %d", what, size, lineBytes)
		}
	}
}
