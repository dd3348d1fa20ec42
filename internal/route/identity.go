// SPDX-License-Identifier: Apache-2.0

package route

import "github.com/zwire-mq/zwire/internal/pipe"

// ByIdentity finds pipes by the identity of their peers (RFC 28, ROUTER). The zero value is ready.
type ByIdentity struct {
	ends map[string]*pipe.End
}

// Find returns the end that holds identity, or nil. It does not allocate.
func (r *ByIdentity) Find(identity []byte) *pipe.End { return r.ends[string(identity)] }

// Put gives identity to e, whoever held it before.
func (r *ByIdentity) Put(identity []byte, e *pipe.End) {
	if r.ends == nil {
		r.ends = make(map[string]*pipe.End)
	}
	r.ends[string(identity)] = e
}

// Drop takes identity from e, if it holds it.
func (r *ByIdentity) Drop(identity []byte, e *pipe.End) {
	if r.ends[string(identity)] == e {
		delete(r.ends, string(identity))
	}
}
