// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"testing"
	"time"
)

const ms = time.Millisecond

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// life plays a stream from epoch on: Tick whenever Next says so, and step at
// its times, until the end or an error. It returns when PINGs were sent.
func life(t *testing.T, h *Heartbeat, end time.Duration, steps map[time.Duration]func(now time.Time)) (pings []time.Duration, at time.Duration, err error) {
	t.Helper()
	h.Start(epoch)
	for at = 0; at <= end; at += ms {
		now := epoch.Add(at)
		if step := steps[at]; step != nil {
			step(now)
		}
		next := h.Next()
		if next.IsZero() || next.After(now) {
			early := *h
			if ping, err := early.Tick(now); ping || err != nil || early != *h {
				t.Fatalf("at %v, before Next: PING %v, %v", at, ping, err)
			}
			continue
		}
		ping, err := h.Tick(now)
		if ping {
			pings = append(pings, at)
		}
		if err != nil {
			return pings, at, err
		}
		if !ping {
			t.Fatalf("at %v: Next was due, but nothing happened", at)
		}
	}
	return pings, end, nil
}

func TestHeartbeatOff(t *testing.T) {
	h := NewHeartbeat(HeartbeatConfig{Timeout: time.Second, TTL: time.Second})
	pings, _, err := life(t, &h, time.Second, map[time.Duration]func(time.Time){5 * ms: h.Traffic})
	if len(pings) != 0 || err != nil || !h.Next().IsZero() {
		t.Errorf("%v, %v", pings, err)
	}
}

// CONFORMANCE D6: a PING at every interval, answered or not.
func TestHeartbeatInterval(t *testing.T) {
	h := NewHeartbeat(HeartbeatConfig{Interval: 150 * ms, TTL: 1990 * ms, Timeout: time.Second})
	if h.TTLTenths() != 19 {
		t.Errorf("ttl %d", h.TTLTenths())
	}
	pings, _, err := life(t, &h, 620*ms, map[time.Duration]func(time.Time){200 * ms: h.Traffic})
	if len(pings) != 4 || pings[0] != 150*ms || pings[3] != 600*ms || err != nil {
		t.Errorf("PINGs at %v, %v", pings, err)
	}
}

func TestTTLTenths(t *testing.T) {
	for ttl, want := range map[time.Duration]uint16{
		-time.Second: 0, 0: 0, 99 * ms: 0, 100 * ms: 1, 1990 * ms: 19, 65500 * ms: 655,
		65600 * ms: 655, time.Hour: 655, 1<<63 - 1: 655,
	} {
		h := NewHeartbeat(HeartbeatConfig{TTL: ttl})
		if got := h.TTLTenths(); got != want {
			t.Errorf("%v: %d tenths, want %d", ttl, got, want)
		}
	}
}

// TestH6 checks RFC 37, Connection Heartbeating: a peer is dead when no
// traffic answers our PING within the timeout. CONFORMANCE D7.
func TestH6(t *testing.T) {
	for _, c := range []struct {
		name              string
		interval, timeout time.Duration
		traffic           []time.Duration
		dead              time.Duration // 0: lives
		pings             int
	}{
		{"silence", 100 * ms, 250 * ms, nil, 350 * ms, 3},
		{"timeout is the interval", 100 * ms, 0, nil, 200 * ms, 1},
		{"timeout below the interval", 100 * ms, 30 * ms, nil, 130 * ms, 1},
		{"an answer, then silence", 100 * ms, 250 * ms, []time.Duration{320 * ms}, 650 * ms, 6},
		{"an answer in time each time", 100 * ms, 0, []time.Duration{150 * ms, 250 * ms, 350 * ms, 450 * ms}, 0, 4},
		{"traffic before the first PING counts for nothing", 100 * ms, 50 * ms, []time.Duration{99 * ms}, 150 * ms, 1},
		{"any traffic counts", 100 * ms, 250 * ms, []time.Duration{101 * ms, 349 * ms}, 0, 4},
	} {
		h := NewHeartbeat(HeartbeatConfig{Interval: c.interval, Timeout: c.timeout})
		steps := map[time.Duration]func(time.Time){}
		for _, at := range c.traffic {
			steps[at] = h.Traffic
		}
		end := time.Second
		if c.dead == 0 {
			end = 499 * ms
		}
		pings, at, err := life(t, &h, end, steps)
		if c.dead == 0 {
			if err != nil || len(pings) != c.pings {
				t.Errorf("%s: PINGs at %v, after %v %v", c.name, pings, at, err)
			}
			continue
		}
		if reasonOf(t, err) != HeartbeatTimeout || at != c.dead || len(pings) != c.pings || !err.(*Error).Timeout() {
			t.Errorf("%s: PINGs at %v, after %v %v", c.name, pings, at, err)
		}
	}
}

// TestH3 checks RFC 37, Connection Heartbeating: when no traffic follows
// within a PING's time-to-live, the peer is dead; 0 is none. CONFORMANCE D3,
// D4, D5; unlike libzmq, each later frame starts the time anew.
func TestH3(t *testing.T) {
	type event struct {
		at  time.Duration
		ttl int // -1: traffic
	}
	for _, c := range []struct {
		name   string
		events []event
		end    time.Duration
		dead   time.Duration
	}{
		{"silence", []event{{0, 3}}, time.Second, 300 * ms},
		{"none", []event{{0, 0}}, time.Second, 0},
		{"65.6 s are not 64 ms", []event{{0, 656}}, 2 * time.Second, 0},
		{"the longest", []event{{0, 65535}}, 2 * time.Second, 0},
		{"traffic starts it anew", []event{{0, 3}, {150 * ms, -1}}, time.Second, 450 * ms},
		{"traffic just in time", []event{{0, 3}, {300 * ms, -1}}, time.Second, 600 * ms},
		{"traffic keeps it alive", []event{{0, 3}, {250 * ms, -1}, {500 * ms, -1}, {750 * ms, -1}}, time.Second, 0},
		{"a PING sets another", []event{{0, 3}, {200 * ms, 5}}, time.Second, 700 * ms},
		{"a PING ends it", []event{{0, 3}, {200 * ms, 0}, {300 * ms, -1}}, time.Second, 0},
	} {
		h := NewHeartbeat(HeartbeatConfig{})
		steps := map[time.Duration]func(time.Time){}
		for _, e := range c.events {
			steps[e.at] = h.Traffic
			if e.ttl >= 0 {
				steps[e.at] = func(now time.Time) { h.Ping(uint16(e.ttl), now) }
			}
		}
		_, at, err := life(t, &h, c.end, steps)
		want := PeerTTLExpired
		if c.dead == 0 {
			want = 0
		}
		if reasonOf(t, err) != want || c.dead != 0 && at != c.dead {
			t.Errorf("%s: after %v %v", c.name, at, err)
		}
	}
	h := NewHeartbeat(HeartbeatConfig{})
	h.Ping(65535, epoch)
	if got := h.Next().Sub(epoch); got != 6553500*ms {
		t.Errorf("the longest time-to-live lasts %v", got)
	}
}

// TestH4 checks RFC 37, Connection Heartbeating: a PING of the peer is as good
// an answer as its PONG.
func TestH4(t *testing.T) {
	h := NewHeartbeat(HeartbeatConfig{Interval: 100 * ms})
	pings, _, err := life(t, &h, 250*ms, map[time.Duration]func(time.Time){
		150 * ms: func(now time.Time) { h.Ping(0, now) },
	})
	if err != nil || len(pings) != 2 {
		t.Errorf("PINGs at %v, %v", pings, err)
	}
}

// Who was deaf listens for a while before a peer is dead, and once in each silence.
func TestHeartbeatDeaf(t *testing.T) {
	h := NewHeartbeat(HeartbeatConfig{Interval: 100 * ms})
	deaf := func(now time.Time) { h.Deaf(now.Add(300 * ms)) }
	_, at, err := life(t, &h, time.Second, map[time.Duration]func(time.Time){150 * ms: deaf, 200 * ms: deaf})
	if reasonOf(t, err) != HeartbeatTimeout || at != 450*ms {
		t.Errorf("after %v %v", at, err)
	}
	h = NewHeartbeat(HeartbeatConfig{})
	_, at, err = life(t, &h, 2*time.Second, map[time.Duration]func(time.Time){
		0: func(now time.Time) { h.Ping(2, now) }, 100 * ms: deaf, 350 * ms: h.Traffic, 500 * ms: deaf,
	})
	if reasonOf(t, err) != PeerTTLExpired || at != 800*ms {
		t.Errorf("after %v %v", at, err)
	}
	h = NewHeartbeat(HeartbeatConfig{})
	if deaf(epoch); !h.Next().IsZero() {
		t.Error("there was nothing to put off")
	}
}

// A loop that comes late sends one PING, not all that were missed (H5).
func TestHeartbeatLateLoop(t *testing.T) {
	h := NewHeartbeat(HeartbeatConfig{Interval: 100 * ms, Timeout: time.Hour})
	h.Start(epoch)
	if ping, err := h.Tick(epoch.Add(1050 * ms)); !ping || err != nil {
		t.Fatal(ping, err)
	}
	if ping, _ := h.Tick(epoch.Add(1050 * ms)); ping {
		t.Error("a second PING at once")
	}
	if got := h.Next().Sub(epoch); got != 1150*ms {
		t.Errorf("the next PING at %v", got)
	}
	h = NewHeartbeat(HeartbeatConfig{Interval: 100 * ms})
	h.Start(epoch)
	h.Tick(epoch.Add(110 * ms)) // a little late does not shift the rhythm
	h.Traffic(epoch.Add(120 * ms))
	if got := h.Next().Sub(epoch); got != 200*ms {
		t.Errorf("the next PING at %v", got)
	}
}
