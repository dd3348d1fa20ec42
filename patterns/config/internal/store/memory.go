// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// ErrCrashed says that the process that used a [Memory] has crashed, in the simulation.
var ErrCrashed = errors.New("config: the process has crashed")

// Memory is a [Store] for simulations. It stands for one process that uses a disk; the next process, after Close or Crash, gets at
// the same disk by Reopen.
type Memory struct {
	disk *disk

	mutex  sync.Mutex // of what follows; comes before that of disk
	loaded bool
	ended  error // why nothing goes any more; nil: it goes
	next   fate  // of the next write
	fail   error // of all writes; nil: they succeed
}

// disk is what outlives a process.
type disk struct {
	mutex    sync.Mutex
	contents Contents // the slice of records is never written to once it is here
	owner    *Memory  // the only one that may use it
}

type fate uint8

const (
	fateLive        fate = iota
	fateCrashBefore      // the write does not reach the disk, and the process ends
	fateCrashAfter       // it does, and the process ends before it hears of that
)

// NewMemory returns a store that is new, of an authority that the caller makes up, so that a simulation can be repeated.
func NewMemory(authority model.AuthorityID) *Memory {
	m := &Memory{disk: &disk{contents: Contents{Meta: Meta{Authority: authority}, Base: &model.State{}}}}
	m.disk.owner = m
	return m
}

// Fail lets each write fail with err, without effect, until Fail(nil): a full disk.
func (m *Memory) Fail(err error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.fail = err
}

// Crash ends the process: calls fail with ErrCrashed from now on.
func (m *Memory) Crash() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.end(ErrCrashed)
}

// CrashInWrite ends the process in the next write that makes sense, which fails with ErrCrashed like all calls after it. Stored
// says whether what was written is on the disk all the same.
func (m *Memory) CrashInWrite(stored bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.next = fateCrashBefore
	if stored {
		m.next = fateCrashAfter
	}
}

// Reopen returns what the next process sees: all writes that succeeded. If m is still in use, it is as after Crash.
func (m *Memory) Reopen() *Memory {
	next := &Memory{disk: m.disk}
	m.Crash()
	m.disk.mutex.Lock()
	defer m.disk.mutex.Unlock()
	m.disk.owner = next
	return next
}

// Load implements Store.
func (m *Memory) Load() (*Contents, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.disk.mutex.Lock()
	defer m.disk.mutex.Unlock()
	if err := m.ready(); err != nil {
		return nil, err
	}
	m.loaded = true
	contents := m.disk.contents
	contents.Records = slices.Clone(contents.Records)
	return &contents, nil
}

// Contents shows what is on the disk, whoever uses it.
func (m *Memory) Contents() Contents {
	m.disk.mutex.Lock()
	defer m.disk.mutex.Unlock()
	return m.disk.contents
}

// Append implements Store.
func (m *Memory) Append(after uint64, records []model.Record, meta Meta) error {
	return m.update(func(next *Contents) error {
		base := next.Base.Revision()
		if err := checkAppend(base, next.Last(), after, records); err != nil {
			return err
		}
		if err := checkAuthority(next.Meta.Authority, meta.Authority); err != nil {
			return err
		}
		meta.Last = next.Meta.Last
		next.Meta = meta
		if after == next.Last() {
			next.Records = append(next.Records, records...) // beyond what anybody else sees
		} else {
			next.Records = slices.Concat(next.Records[:after-base], records)
		}
		return nil
	})
}

// Install implements Store.
func (m *Memory) Install(state *model.State, meta Meta) error {
	return m.update(func(next *Contents) error {
		if err := checkAuthority(next.Meta.Authority, meta.Authority); err != nil {
			return err
		}
		*next = Contents{Meta: meta, Base: state}
		return nil
	})
}

// Trim implements Store.
func (m *Memory) Trim(base *model.State, last model.Epoch) error {
	return m.update(func(next *Contents) error {
		old := next.Base.Revision()
		if err := checkTrim(old, next.Last(), base.Revision()); err != nil {
			return err
		}
		next.Records = slices.Clone(next.Records[base.Revision()-old:])
		next.Base, next.Meta.Last = base, last
		return nil
	})
}

// Close implements Store.
func (m *Memory) Close() error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.end(fmt.Errorf("config: the store in memory: %w", net.ErrClosed))
	return nil
}

func (m *Memory) end(why error) {
	if m.ended == nil {
		m.ended = why
	}
}

// ready needs both mutexes.
func (m *Memory) ready() error {
	if m.ended == nil && m.disk.owner != m {
		return ErrInUse
	}
	return m.ended
}

func (m *Memory) update(change func(next *Contents) error) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.disk.mutex.Lock()
	defer m.disk.mutex.Unlock()
	if err := m.ready(); err != nil {
		return err
	}
	if !m.loaded {
		return fmt.Errorf("%w: Load comes first", ErrOrder)
	}
	next := m.disk.contents
	if err := change(&next); err != nil {
		return err
	}
	if m.fail != nil {
		return fmt.Errorf("config: write the store in memory: %w", m.fail)
	}
	if m.next != fateCrashBefore {
		m.disk.contents = next
	}
	if m.next != fateLive {
		m.end(ErrCrashed)
		return ErrCrashed
	}
	return nil
}
