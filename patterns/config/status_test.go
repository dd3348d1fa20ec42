// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

func TestObserver(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/k", "one")
	f.set("a/k", "two")
	f.set("b/k", "three")
	c := dial(t, Options{Observer: true}, f)
	if _, err := c.Get("a/k"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("Get: %v", err)
	}
	if revision, err := c.Set(limit(t), "a/k", []byte("four")); err != nil || revision != 4 {
		t.Errorf("Set: %d, %v", revision, err)
	}
	s, err := c.At(limit(t), 1, "a/")
	if err != nil || s.Len() != 1 || s.Revision() != 1 {
		t.Fatalf("At: %v", err)
	}
	if entry, err := s.Get("a/k"); err != nil || string(entry.Value) != "one" || entry.Revision != 1 {
		t.Errorf("%+v, %v", entry, err)
	}
	if _, err := s.Get("b/k"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("outside of the prefix: %v", err)
	}
	if now, err := c.At(limit(t), 0, ""); err != nil || now.Len() != 2 || now.Revision() != 4 {
		t.Errorf("now: %v", err)
	}
	if _, err := c.At(limit(t), 99, ""); !errors.Is(err, ErrFuture) {
		t.Errorf("the future: %v", err)
	}
}

func TestOperator(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/k", "one")
	f.set("a/k", "two")
	c := dial(t, Options{Observer: true, Name: "operator"}, f)
	status, err := c.Status(limit(t))
	if err != nil || status.Role != "primary" || status.Revision != 2 || len(status.Nodes) != 1 || status.Nodes[0].Name != "operator" {
		t.Errorf("%+v, %v", status, err)
	}
	if text, err := json.Marshal(status); err != nil || !strings.Contains(string(text), `"lag":1000000000`) {
		t.Errorf("%s, %v", text, err)
	}
	if err := c.WaitApplied(limit(t), 2, AllNodes); err != nil {
		t.Error(err)
	}
	if err := c.WaitApplied(limit(t), 2, -1); !errors.Is(err, ErrInvalid) {
		t.Errorf("-1 nodes: %v", err)
	}
	records, err := c.Log(limit(t), 2, 10)
	if err != nil || len(records) != 1 || records[0].Revision != 2 || string(records[0].Ops[0].Value) != "two" {
		t.Errorf("%+v, %v", records, err)
	}
	if _, err := c.Log(limit(t), 2, 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("no records: %v", err)
	}
	if err := c.Promote(limit(t), "ipc://elsewhere", false); err == nil {
		t.Error("Promote of a stranger")
	}
	if err := c.Promote(limit(t), f.endpoint, false); err != nil {
		t.Error(err)
	}
}

// TestPromoteStandby: an operator promotes an authority that nobody follows.
func TestPromoteStandby(t *testing.T) {
	primary, standby := newFake(t, wire.RolePrimary), newFake(t, wire.RoleStandby)
	c := dial(t, Options{}, primary, standby)
	primary.stop()
	standby.mu.Lock()
	standby.epoch.Number = 2
	standby.mu.Unlock()
	if err := c.Promote(limit(t), standby.endpoint, false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Set(limit(t), "a/k", nil); err != nil {
		t.Error(err)
	}
}

// TestFreshnessAlone: the only authority goes, and the client says so after three of its intervals.
func TestFreshnessAlone(t *testing.T) {
	a, endpoint := newCentre(t, func(o *AuthorityOptions) { o.Interval = intervalMin })
	c := mustDial(t, &Options{Authorities: []string{endpoint}})
	defer c.Close()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	sockettest.Until(t, "the authority is away", func() bool { return !c.Freshness().Connected })
}

func TestFreshness(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	begin := time.Now()
	c := dial(t, Options{}, f)
	fresh := c.Freshness()
	if !fresh.Connected || fresh.Authority != f.endpoint || fresh.Role != "primary" || fresh.Proved.Before(begin) || fresh.FromCache || fresh.Err != nil {
		t.Errorf("%+v", fresh)
	}
	for again := fresh.Proved; !again.After(fresh.Proved); again = c.Freshness().Proved {
		f.rest() // a mark at rest proves the copy anew
	}
}
