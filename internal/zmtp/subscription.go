// SPDX-License-Identifier: Apache-2.0

package zmtp

// A subscription in message form is a message of one frame: 1 subscribes, 0
// cancels, the topic follows (RFC 23, The Publish-Subscribe Pattern). Peers of
// ZMTP 3.0 know no other form, and libzmq's XSUB uses it at 3.1 too.
const (
	subscriptionCancel    = 0
	subscriptionSubscribe = 1
)

// AppendSubscription appends a subscription in message form, a whole frame.
func AppendSubscription(dst []byte, subscribe bool, topic []byte) []byte {
	var first byte = subscriptionCancel
	if subscribe {
		first = subscriptionSubscribe
	}
	dst = appendHeader(dst, 0, 1+len(topic))
	dst = append(dst, first)
	return append(dst, topic...)
}

// IsSubscription reads frame, the body of a message's only frame, as a
// subscription in message form; topic points into it. ok is false for any
// other message.
func IsSubscription(frame []byte) (subscribe bool, topic []byte, ok bool) {
	if len(frame) == 0 || frame[0] > subscriptionSubscribe {
		return false, nil, false
	}
	return frame[0] == subscriptionSubscribe, frame[1:], true
}
