// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

type base struct {
	Level string
}

type pool struct {
	Size  int
	Idle  time.Duration
	Ratio float64
}

type service struct {
	base
	MaxConns int
	HTTPPort uint16 `config:"port"`
	Debug    bool
	Raw      []byte
	Address  netip.Addr
	Hosts    []string
	Pool     pool
	Extra    *pool
	Absent   *int
	Limits   struct{ CPU int } `config:"limits,json"`
	Pools    map[string]pool
	Flags    map[string]bool
	Skipped  string `config:"-"`
	hidden   string
}

func stateOf(pairs ...string) *model.State {
	record := model.Record{Revision: 1}
	for i := 0; i < len(pairs); i += 2 {
		record.Ops = append(record.Ops, model.Op{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return (&model.State{}).Apply(&record, nil)
}

func TestDecode(t *testing.T) {
	state := stateOf(
		"a/s/level", "high", "a/s/max-conns", "7", "a/s/port", "0x1f90", "a/s/debug", "true", "a/s/raw", "\x00\x01",
		"a/s/address", "10.0.0.1", "a/s/hosts", `["x","y"]`, "a/s/pool/size", "-3", "a/s/pool/idle", "1m30s",
		"a/s/pool/ratio", "0.5", "a/s/extra/size", "9", "a/s/limits", `{"CPU":4}`, "a/s/pools/x/size", "1", "a/s/pools/x/idle", "1s",
		"a/s/pools/y-z/size", "2", "a/s/flags/on", "true", "a/s/flags/off", "false", "a/s/flags/deep/er", "ignored",
		"a/s/pools/single", "ignored", "a/s/skipped", "no", "a/s/hidden", "no", "a/s/unknown", "ignored", "a/other", "ignored",
	)
	var got service
	d := decoder{state: state}
	d.tree(reflect.ValueOf(&got).Elem(), "a/s/")
	want := service{
		base: base{"high"}, MaxConns: 7, HTTPPort: 8080, Debug: true, Raw: []byte{0, 1}, Address: netip.MustParseAddr("10.0.0.1"),
		Hosts: []string{"x", "y"}, Pool: pool{-3, 90 * time.Second, 0.5}, Extra: &pool{Size: 9},
		Pools: map[string]pool{"x": {1, time.Second, 0}, "y-z": {Size: 2}}, Flags: map[string]bool{"on": true, "off": false},
	}
	want.Limits.CPU = 4
	if d.err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v, want\n%+v", d.err, got, want)
	}
}

func TestDecodeErrors(t *testing.T) {
	for key, value := range map[string]string{
		"a/s/max-conns": "many", "a/s/port": "70000", "a/s/debug": "perhaps", "a/s/address": "here", "a/s/hosts": "[",
		"a/s/pool/idle": "90", "a/s/pools/x/size": "", "a/s/limits": "{", "a/s/flags/on": "2",
	} {
		var got service
		d := decoder{state: stateOf(key, value)}
		d.tree(reflect.ValueOf(&got).Elem(), "a/s/")
		if d.err == nil || !strings.Contains(d.err.Error(), key) {
			t.Errorf("%s = %q: %v", key, value, d.err)
		}
	}
}

func TestHyphened(t *testing.T) {
	for name, want := range map[string]string{"MaxConns": "max-conns", "HTTPPort": "http-port", "ID": "id", "UserID": "user-id", "A": "a"} {
		if got := hyphened(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestTrack(t *testing.T) {
	f := newFake(t, wire.RolePrimary)
	f.set("a/s/size", "1")
	c := dial(t, Options{Trees: []string{"a"}}, f)
	tracker, err := Track[pool](c, "a/s")
	if err != nil {
		t.Fatal(err)
	}
	first := tracker.Load()
	if first.Size != 1 || tracker.Revision() != 1 {
		t.Errorf("%+v at revision %d", first, tracker.Revision())
	}
	set := func(key, value string) {
		t.Helper()
		if _, err := c.Set(limit(t), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	set("a/other", "x")
	if tracker.Load() != first || tracker.Revision() != 2 {
		t.Errorf("what does not concern it: decoded again, or at revision %d", tracker.Revision())
	}
	set("a/s/size", "2")
	if got := tracker.Load(); got.Size != 2 || first.Size != 1 {
		t.Errorf("%+v, the old one %+v", got, first)
	}
	set("a/s/size", "two")
	if got := tracker.Load(); got.Size != 2 || tracker.Revision() != 3 || tracker.Err() == nil {
		t.Errorf("after a bad value: %+v of revision %d, %v", got, tracker.Revision(), tracker.Err())
	}
	set("a/other", "y")
	if tracker.Revision() != 3 || tracker.Err() == nil {
		t.Errorf("revision %d, %v", tracker.Revision(), tracker.Err())
	}
	set("a/s/size", "3")
	if got := tracker.Load(); got.Size != 3 || tracker.Err() != nil {
		t.Errorf("%+v, %v", got, tracker.Err())
	}
	single, err := Track[time.Duration](c, "a/wait")
	if err != nil || *single.Load() != 0 {
		t.Fatal(err)
	}
	set("a/wait", "3s")
	if *single.Load() != 3*time.Second {
		t.Errorf("%v", *single.Load())
	}
	if _, err := Track[pool](c, "b/s"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("a tree that is not held: %v", err)
	}
	if _, err := Track[struct{ C chan int }](c, "a/s"); err == nil {
		t.Error("a channel")
	}
	if _, err := Track[int](c, "a/other"); err == nil {
		t.Error("a first value that cannot be decoded")
	}
}
