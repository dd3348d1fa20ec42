// SPDX-License-Identifier: Apache-2.0

package socket

// Dealer sends each message to one of its peers, in turn among those that have room, and receives from all, one message
// from each in turn; it changes no message (RFC 28). Peers: REP, DEALER, ROUTER. To talk to a REP, put an empty frame in
// front.
type Dealer struct {
	*base
	bulkSender
	bulkReceiver
}

// NewDealer returns a DEALER socket; nil options are the defaults.
func NewDealer(opts *Options) (*Dealer, error) {
	b, p := new(base), new(balanced)
	if err := b.open(traits{name: "DEALER", balanced: true, peers: []string{"REP", "DEALER", "ROUTER"}, sendsIdentity: true}, p, opts); err != nil {
		return nil, err
	}
	p.immediate = b.options.Immediate
	return &Dealer{b, bulkSender{sender{b}}, bulkReceiver{receiver{b}}}, nil
}
