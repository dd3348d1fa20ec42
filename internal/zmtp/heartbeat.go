// SPDX-License-Identifier: Apache-2.0

package zmtp

import "time"

// HeartbeatConfig says how a stream is kept alive.
type HeartbeatConfig struct {
	Interval time.Duration // between our PINGs; 0 and below: we send none
	Timeout  time.Duration // from an unanswered PING to its error; 0 and below: Interval
	TTL      time.Duration // what our PINGs tell the peer; below 0.1 s: nothing
}

// Heartbeat decides when to send PING and when a peer counts as dead (RFC 37,
// Connection Heartbeating). Both deadlines fall with any traffic of the peer;
// the one that the peer set itself starts anew then. Feed it what has arrived
// before asking Tick, or a late loop takes a living peer for dead.
type Heartbeat struct {
	interval, timeout time.Duration
	ttlTenths         uint16

	pingAt    time.Time // when the next PING is due; zero: never
	timeoutAt time.Time // when the oldest unanswered PING is too old; zero: none is
	peerTTL   time.Duration
	peerTTLAt time.Time // when the peer's own time-to-live ends; zero: it set none
	deaf      bool      // we have been, in the present silence
}

const tenth = 100 * time.Millisecond

// NewHeartbeat returns a heartbeat that waits for Start.
func NewHeartbeat(config HeartbeatConfig) Heartbeat {
	h := Heartbeat{interval: max(config.Interval, 0), timeout: config.Timeout}
	if h.timeout <= 0 {
		h.timeout = h.interval
	}
	h.ttlTenths = uint16(min(max(config.TTL, 0)/tenth, TTLTenthsMax))
	return h
}

// TTLTenths is the time-to-live that our PINGs carry.
func (h *Heartbeat) TTLTenths() uint16 { return h.ttlTenths }

// Start begins the rhythm when the handshake has ended.
func (h *Heartbeat) Start(now time.Time) {
	if h.interval > 0 {
		h.pingAt = now.Add(h.interval)
	}
}

// Traffic tells that a whole frame arrived, of whatever kind.
func (h *Heartbeat) Traffic(now time.Time) {
	h.timeoutAt, h.deaf = time.Time{}, false
	if h.peerTTL > 0 {
		h.peerTTLAt = now.Add(h.peerTTL)
	}
}

// Ping tells that a PING arrived. Its time-to-live holds until the next PING
// says otherwise; 0 ends it.
func (h *Heartbeat) Ping(ttlTenths uint16, now time.Time) {
	h.peerTTL = time.Duration(ttlTenths) * tenth
	h.peerTTLAt = time.Time{}
	h.Traffic(now)
}

// Deaf tells that we could not hear until now, and will have heard what has
// arrived at a later time: the peer is not dead before. A silence is lengthened
// once.
func (h *Heartbeat) Deaf(until time.Time) {
	if h.deaf {
		return
	}
	h.deaf = true
	for _, at := range [...]*time.Time{&h.timeoutAt, &h.peerTTLAt} {
		if !at.IsZero() && at.Before(until) {
			*at = until
		}
	}
}

// Tick asks what is due: a PING to send, or an error of type *Error because
// the peer is dead.
func (h *Heartbeat) Tick(now time.Time) (sendPing bool, err error) {
	if due(h.timeoutAt, now) {
		return false, &Error{HeartbeatTimeout, "nothing for " + h.timeout.String() + " after a PING"}
	}
	if due(h.peerTTLAt, now) {
		return false, &Error{PeerTTLExpired, "nothing for " + h.peerTTL.String()}
	}
	if !due(h.pingAt, now) {
		return false, nil
	}
	h.pingAt = h.pingAt.Add(h.interval)
	if due(h.pingAt, now) { // the loop was late: no burst to catch up
		h.pingAt = now.Add(h.interval)
	}
	if h.timeoutAt.IsZero() {
		h.timeoutAt = now.Add(h.timeout)
	}
	return true, nil
}

// Next is when to call Tick; zero: there is nothing to wait for.
func (h *Heartbeat) Next() time.Time {
	next := h.pingAt
	for _, at := range [...]time.Time{h.timeoutAt, h.peerTTLAt} {
		if next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }
