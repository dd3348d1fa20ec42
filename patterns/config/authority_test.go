// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/transport"
)

// newCentre starts an authority over ipc, and returns it with its endpoint.
func newCentre(t *testing.T, change func(*AuthorityOptions)) (*Authority, string) {
	t.Helper()
	dir := t.TempDir()
	opts := &AuthorityOptions{Endpoint: "ipc://" + filepath.Join(dir, "a"), Path: filepath.Join(dir, "store"), Interval: 50 * time.Millisecond}
	if change != nil {
		change(opts)
	}
	a, err := NewAuthority(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return a, a.Endpoint()
}

func mustDial(t *testing.T, opts *Options) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := Dial(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestCloseTellsNodes: what was acknowledged and still gathers is published before the authority goes.
func TestCloseTellsNodes(t *testing.T) {
	a, endpoint := newCentre(t, func(o *AuthorityOptions) {
		o.Interval, o.TakeoverAfter, o.gatherEach = time.Minute, TakeoverNever, time.Minute
	})
	node := mustDial(t, &Options{Authorities: []string{endpoint}})
	defer node.Close()
	writer := mustDial(t, &Options{Authorities: []string{endpoint}, Observer: true})
	defer writer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := a.pub.WaitSubscribers(ctx, "", 1); err != nil { // its copy comes another way, and may be there before it hears
		t.Fatal(err)
	}
	const changes = 100
	var writing sync.WaitGroup
	for i := range changes {
		writing.Go(func() {
			if _, err := writer.Set(t.Context(), fmt.Sprintf("a/%d", i), nil); err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := node.reach(ctx, changes); err != nil {
		t.Errorf("the node is at revision %d: %v", node.Snapshot().Revision(), err)
	}
}

func TestAuthorityOptions(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	if _, err := NewAuthority(nil); err == nil || !strings.Contains(err.Error(), "Path") {
		t.Errorf("no options: %v", err)
	}
	const valueBytesMost = 16<<20 - 64<<10
	for name, opts := range map[string]*AuthorityOptions{
		"an interval alone": {Interval: 30 * time.Second},
		"the least":         {Interval: 10 * time.Millisecond, TakeoverAfter: 50 * time.Millisecond, ValueBytes: 1, HistoryRevisions: 4096, HistoryBytes: 1},
		"the most":          {Interval: time.Minute, TakeoverAfter: 5 * time.Minute, ValueBytes: valueBytesMost},
		"never":             {TakeoverAfter: TakeoverNever},
	} {
		opts.Path, opts.Endpoint = path, "ipc://"+filepath.Join(dir, "a")
		if a, err := NewAuthority(opts); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			a.Close()
		}
	}
	for want, wrong := range map[string][]*AuthorityOptions{
		"Path": {{}, {Path: path, Store: store.NewMemory(model.AuthorityID{1})}},
		"Other": {
			{Path: path, Endpoint: "ipc:///tmp/a", Other: "ipc:///tmp/a"}, {Path: path, Endpoint: "ipc:///tmp/a", Other: "ipc:///tmp/a-changes"},
			{Path: path, Endpoint: "ipc:///tmp/a", Changes: "ipc:///tmp/b", Other: "ipc:///tmp/b"},
		},
		"Interval":         {{Path: path, Interval: 10*time.Millisecond - 1}, {Path: path, Interval: time.Minute + 1}, {Path: path, Interval: -time.Second}},
		"TakeoverAfter":    {{Path: path, TakeoverAfter: 5*time.Second - 1}, {Path: path, TakeoverAfter: TakeoverNever - 1}},
		"ValueBytes":       {{Path: path, ValueBytes: valueBytesMost + 1}, {Path: path, ValueBytes: -1}},
		"HistoryRevisions": {{Path: path, HistoryRevisions: 4095}, {Path: path, HistoryRevisions: -1}},
		"HistoryBytes":     {{Path: path, HistoryBytes: -1}},
	} {
		for _, opts := range wrong {
			var option *OptionError
			if a, err := NewAuthority(opts); !errors.As(err, &option) || option.Option != want {
				t.Errorf("%s: %v, %v", want, a, err)
			}
		}
	}
	var endpoint *transport.EndpointError
	if _, err := NewAuthority(&AuthorityOptions{Path: path, Endpoint: "tcp://nowhere"}); !errors.As(err, &endpoint) {
		t.Errorf("a bad endpoint: %v", err)
	}
}

// TestAuthorityRefused: what cannot be opened is said, and leaves nothing behind that keeps the next attempt from it.
func TestAuthorityRefused(t *testing.T) {
	var path string
	a, endpoint := newCentre(t, func(o *AuthorityOptions) { path = o.Path })
	if _, err := NewAuthority(&AuthorityOptions{Endpoint: "ipc://" + filepath.Join(t.TempDir(), "b"), Path: path}); !errors.Is(err, ErrInUse) {
		t.Errorf("a store in use: %v", err)
	}
	other := filepath.Join(t.TempDir(), "other")
	for range 2 {
		if _, err := NewAuthority(&AuthorityOptions{Endpoint: endpoint, Path: other}); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("an endpoint in use: %v", err)
		}
	}
	if err := a.Close(); err != nil || a.Err() != nil {
		t.Errorf("Close: %v, Err: %v", err, a.Err())
	}
	<-a.Done()
	if err := a.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close again: %v", err)
	}
}

// TestExpose: what other machines can reach has to be asked for, and is warned of.
func TestExpose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no folder", "store") // whatever gets there fails
	for _, endpoint := range []string{"tcp://0.0.0.0:7400", "tcp://*:7400", "tcp://192.0.2.1:7400", "tcp://[::]:7400", "tcp://eth0:7400"} {
		for _, opts := range []AuthorityOptions{{Endpoint: endpoint}, {Endpoint: "tcp://127.0.0.1:*", Changes: endpoint}} {
			var log strings.Builder
			opts.Path, opts.Log = path, slog.New(slog.NewTextHandler(&log, nil))
			var option *OptionError
			if _, err := NewAuthority(&opts); !errors.As(err, &option) || option.Option != "Expose" || log.Len() > 0 {
				t.Errorf("%s: %v, logged %s", endpoint, err, &log)
			}
			opts.Expose = true
			if _, err := NewAuthority(&opts); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(log.String(), "level=WARN") {
				t.Errorf("%s, exposed: %v, logged %s", endpoint, err, &log)
			}
		}
	}
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://localhost:*", "ipc://*", "inproc://a"} {
		if _, err := NewAuthority(&AuthorityOptions{Endpoint: endpoint, Path: path}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestChangesOf(t *testing.T) {
	for endpoint, want := range map[string]string{
		"tcp://127.0.0.1:7400": "tcp://127.0.0.1:7401", "tcp://[::1]:0": "tcp://[::1]:*", "tcp://*:*": "tcp://*:*",
		"ipc:///run/a": "ipc:///run/a-changes", "ipc://*": "ipc://*", "inproc://x": "inproc://x-changes",
	} {
		if got, err := changesOf(endpoint); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", endpoint, got, err, want)
		}
	}
}

// TestUnlisted: a client may have a copy, over tcp and with ports that were chosen, and be no node.
func TestUnlisted(t *testing.T) {
	_, endpoint := newCentre(t, func(o *AuthorityOptions) { o.Endpoint = "tcp://127.0.0.1:*" })
	node := mustDial(t, &Options{Authorities: []string{endpoint}, Name: "node"})
	defer node.Close()
	watcher := mustDial(t, &Options{Authorities: []string{endpoint}, Name: "watcher", Unlisted: true})
	defer watcher.Close()
	revision, err := node.Set(t.Context(), "a/b", []byte("c"))
	if err != nil {
		t.Fatal(err)
	}
	if err := node.WaitApplied(t.Context(), revision, AllNodes); err != nil {
		t.Fatal(err)
	}
	status, err := watcher.Status(t.Context())
	if err != nil || len(status.Nodes) != 1 || status.Nodes[0].Name != "node" {
		t.Errorf("%+v, %v", status, err)
	}
	for change, err := range watcher.Watch(t.Context(), "a/") {
		if err != nil || change.Key != "a/b" || string(change.New.Value) != "c" {
			t.Errorf("%+v, %v", change, err)
		}
		break
	}
	if _, err := watcher.SetTTL(t.Context(), "a/mine", nil, time.Second); err != nil {
		t.Errorf("an ephemeral key of one that is not listed: %v", err)
	}
}

// TestNoPrimary: a change that only a standby could take says so, and was not made.
func TestNoPrimary(t *testing.T) {
	dir := t.TempDir()
	_, endpoint := newCentre(t, func(o *AuthorityOptions) { o.Other = "ipc://" + filepath.Join(dir, "nobody") })
	client := mustDial(t, &Options{Authorities: []string{endpoint}, Observer: true})
	defer client.Close()
	err := ErrUncertain
	for errors.Is(err, ErrUncertain) { // it had just been sent again
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err = client.Set(ctx, "a/b", nil)
		cancel()
	}
	if !errors.Is(err, ErrReadOnly) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Set: %v", err)
	}
	if err := client.Promote(t.Context(), endpoint, false); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Set(t.Context(), "a/b", nil); err != nil {
		t.Errorf("after it was promoted: %v", err)
	}
	status, err := client.Status(t.Context())
	if err != nil || !strings.Contains(status.Standby, "never met") {
		t.Errorf("%+v, %v", status, err)
	}
}
