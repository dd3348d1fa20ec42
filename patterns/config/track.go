// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// Tracker is a part of the configuration as a Go value that follows it. All methods may be called from any goroutine.
type Tracker[T any] struct {
	client *Client
	path   string // without a slash at the end
	single bool   // T is the value of the key path

	latest atomic.Pointer[tracked[T]]
	mu     sync.Mutex // one decodes
}

// tracked is what was decoded from a state. It never changes.
type tracked[T any] struct {
	state    *model.State
	value    *T
	revision uint64 // of the state that value is from, or of a later one that has the same keys
	err      error
}

// Track decodes what is below a path, as in "shop/web", into a T, now and whenever Load finds that it has changed.
//
// A struct takes each exported field from the key of its name below the path: of the name in its tag, as in `config:"port"`, else of
// the field's name in lower case, else in lower case with hyphens: MaxConns from "maxconns" or "max-conns". The tag "-" leaves a field
// out. A field that is a struct takes what is below its name, an embedded one without a tag what is at the same level, and a map with
// keys of type string one element for each name that is there. T itself may also be such a map, or a single value: then the path is
// its key.
//
// Values: string and []byte as they are; what implements encoding.TextUnmarshaler by that; time.Duration by time.ParseDuration;
// booleans and numbers by package strconv; all else is JSON, a struct or map too if the tag says so, as in `config:"limits,json"`.
// What has no key keeps its zero value, and a pointer is nil. Other keys are ignored.
//
// An error is ErrNotHeld, or says which key or type cannot be decoded.
func Track[T any](c *Client, path string) (*Tracker[T], error) {
	path = strings.TrimSuffix(path, "/")
	if tree := model.TreeOf(path); !c.holds(tree) {
		return nil, fmt.Errorf("%w: %q", ErrNotHeld, tree)
	}
	goType := reflect.TypeFor[T]()
	if err := checkType(goType, nil); err != nil {
		return nil, err
	}
	t := &Tracker[T]{client: c, path: path, single: isSingle(goType)}
	first := t.decode(c.view.Load().state)
	if first.err != nil {
		return nil, first.err
	}
	t.latest.Store(first)
	return t, nil
}

// Load returns the value of the newest revision that could be decoded. What it points to never changes and must not be changed.
func (t *Tracker[T]) Load() *T { return t.refresh().value }

// Revision returns the revision that Load's value stands for.
func (t *Tracker[T]) Revision() uint64 { return t.refresh().revision }

// Err says why the newest revision could not be decoded; nil: it could.
func (t *Tracker[T]) Err() error { return t.refresh().err }

func (t *Tracker[T]) refresh() *tracked[T] {
	if last := t.latest.Load(); last.state == t.client.view.Load().state {
		return last
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	last, state := t.latest.Load(), t.client.view.Load().state
	if last.state == state {
		return last
	}
	next := &tracked[T]{state: state, value: last.value, revision: last.revision, err: last.err}
	switch {
	case t.changed(last.state, state):
		if got := t.decode(state); got.err == nil {
			next = got
		} else {
			next.err = got.err
		}
	case last.err == nil:
		next.revision = state.Revision()
	}
	t.latest.Store(next)
	return next
}

func (t *Tracker[T]) changed(old, new *model.State) bool {
	if !t.single {
		return model.Changed(old, new, t.path+"/")
	}
	for before, after := range model.Diff(old, new, t.path) {
		if before != nil && before.Key == t.path || after != nil && after.Key == t.path {
			return true
		}
	}
	return false
}

func (t *Tracker[T]) decode(state *model.State) *tracked[T] {
	value := new(T)
	d := decoder{state: state}
	if t.single {
		d.single(reflect.ValueOf(value).Elem(), t.path)
	} else {
		d.tree(reflect.ValueOf(value).Elem(), t.path+"/")
	}
	return &tracked[T]{state: state, value: value, revision: state.Revision(), err: d.err}
}
