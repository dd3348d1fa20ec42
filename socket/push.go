// SPDX-License-Identifier: Apache-2.0

package socket

// Push sends each message to one of its peers, in turn among those that have room (RFC 30). Peers: PULL. It waits while
// there is none and never drops.
type Push struct {
	*base
	bulkSender
}

// NewPush returns a PUSH socket; nil options are the defaults.
func NewPush(opts *Options) (*Push, error) {
	b, p := new(base), new(balanced)
	if err := b.open(traits{name: "PUSH", balanced: true, peers: []string{"PULL"}, deaf: true}, p, opts); err != nil {
		return nil, err
	}
	p.immediate = b.options.Immediate
	return &Push{b, bulkSender{sender{b}}}, nil
}
