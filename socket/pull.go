// SPDX-License-Identifier: Apache-2.0

package socket

// Pull receives from its peers, one message from each in turn (RFC 30). Peers: PUSH.
type Pull struct {
	*base
	bulkReceiver
}

// NewPull returns a PULL socket; nil options are the defaults.
func NewPull(opts *Options) (*Pull, error) {
	b := new(base)
	if err := b.open(traits{name: "PULL", peers: []string{"PUSH"}, mute: true}, mute{}, opts); err != nil {
		return nil, err
	}
	return &Pull{b, bulkReceiver{receiver{b}}}, nil
}
