// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// attacker speaks to an authority without a client.
type attacker struct {
	t      *testing.T
	dealer *socket.Dealer
}

func newAttacker(t *testing.T, endpoint, identity string) *attacker {
	t.Helper()
	dealer, err := socket.NewDealer(&socket.Options{Identity: []byte(identity), SendHWM: 1 << 16, RecvHWM: 16, Linger: socket.LingerNone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dealer.Close() })
	if err := dealer.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
	return &attacker{t, dealer}
}

// patience is for megabytes under the race detector on a busy machine.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (a *attacker) say(frames ...[]byte) {
	a.t.Helper()
	if err := a.dealer.Send(patience(a.t), socket.NewMessage(frames...)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *attacker) hello(session string) {
	a.say(wire.Encode(&wire.Hello{Version: wire.Version, Session: session, Name: "attacker"}))
}

// works proves that an authority still does what it is for.
func works(t *testing.T, c *Client, round int) {
	t.Helper()
	value := fmt.Sprint("round ", round)
	if _, err := c.Set(patience(t), "web/works", []byte(value)); err != nil {
		t.Fatal(err)
	}
	if entry, err := c.Get("web/works"); err != nil || string(entry.Value) != value {
		t.Fatalf("wrote %q, read %q, %v", value, entry.Value, err)
	}
}

// TestHostileFrames: whatever comes in on either socket of an authority, those who keep to the protocol are served.
func TestHostileFrames(t *testing.T) {
	a, endpoint := newCentre(t, nil)
	c := mustDial(t, &Options{Authorities: []string{endpoint}})
	defer c.Close()
	random := rand.New(rand.NewPCG(1, 1))
	epoch := model.Epoch{Number: 1 << 60, Authority: model.AuthorityID{9}}
	valid := []wire.Message{
		&wire.Hello{Version: wire.Version, Session: "x", Epoch: epoch}, &wire.Sync{ID: 1, Epoch: epoch, Revision: 1 << 60},
		&wire.Report{Epoch: epoch, Revision: 1<<64 - 1}, &wire.Read{ID: 2, Revision: 1<<64 - 1}, &wire.More{ID: 1, Chunks: 1<<64 - 1},
		&wire.Log{Request: 3, From: 1<<64 - 1, Max: 1<<64 - 1}, &wire.Wait{ID: 4, Revision: 1<<64 - 1, Nodes: 1<<64 - 1},
		&wire.Rollback{Request: 5, Revision: 1<<64 - 1, Seen: 1<<64 - 1}, &wire.Status{Request: 6}, &wire.Cancel{ID: 1},
		&wire.Propose{Request: 7, Transaction: Transaction{Ops: []Op{{Key: "no key"}, {Key: "a/../b"}, {Key: "\xff/\x00"}}}},
		&wire.Peer{Version: wire.Version, Role: wire.RolePrimary, Epoch: epoch}, &wire.Append{Epoch: epoch, After: 1 << 60},
		&wire.Install{Epoch: epoch, Revision: 1 << 60, Last: true}, &wire.Granted{Epoch: epoch}, &wire.Taken{}, &wire.Stored{Epoch: epoch},
		&wire.Attach{Epoch: epoch, Revision: 1 << 60}, &wire.Welcome{Version: wire.Version}, &wire.Mark{Epoch: epoch}, &wire.Body{Epoch: epoch},
	}
	sub, err := socket.NewSub(&socket.Options{Linger: socket.LingerNone})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if err := sub.Connect(a.pub.LastEndpoint()); err != nil {
		t.Fatal(err)
	}
	attackers := []*attacker{newAttacker(t, endpoint, "x"), newAttacker(t, endpoint, ""), newAttacker(t, endpoint, c.session+"'")}
	for round := range sockettest.Soaked(t, 20, 1000) {
		for range 100 {
			frame := wire.Encode(valid[random.IntN(len(valid))])
			switch random.IntN(4) {
			case 0:
				frame[random.IntN(len(frame))] ^= 1 << random.IntN(8)
			case 1:
				frame = frame[:random.IntN(len(frame))]
			}
			frames := [][]byte{frame}
			if random.IntN(8) == 0 {
				frames = append(frames, nil, frame)
			}
			attackers[random.IntN(len(attackers))].say(frames...)
		}
		for range 50 {
			topic := make([]byte, random.IntN(40))
			for i := range topic {
				topic[i] = byte(random.Uint32())
			}
			if err := sub.Subscribe(string(topic)); err != nil {
				t.Fatal(err)
			}
		}
		works(t, c, round)
	}
	if got := c.Freshness(); got.Epoch.Number != 1 || got.Err != nil {
		t.Errorf("%+v", got)
	}
}

// TestHostileLoop: a client that asks for everything again and again, and reads nothing, costs a bounded queue and no other client.
func TestHostileLoop(t *testing.T) {
	a, endpoint := newCentre(t, func(o *AuthorityOptions) { o.ValueBytes = 8 << 20 })
	c := mustDial(t, &Options{Authorities: []string{endpoint}, Trees: []string{"web"}})
	defer c.Close()
	const large = 2 << 20
	for i := range 6 {
		if _, err := c.Set(patience(t), fmt.Sprint("large/", i), bytes.Repeat([]byte("v"), large)); err != nil {
			t.Fatal(err)
		}
	}
	greedy := newAttacker(t, endpoint, "greedy")
	greedy.hello("greedy")
	const rounds = 100
	for id := range uint64(rounds) {
		greedy.say(wire.Encode(&wire.Sync{ID: 2*id + 1}))
		greedy.say(wire.Encode(&wire.Read{ID: 2*id + 2}))
		greedy.say(wire.Encode(&wire.More{ID: 2*id + 2, Chunks: 1 << 60}))
		if id%20 == 0 {
			works(t, c, int(id))
		}
	}
	works(t, c, 1000)
	for _, peer := range a.router.Peers() {
		most := authorityQueueBytes/large + 2*rounds // what is refused has a short answer
		if string(peer.Identity) == "greedy" && peer.SendQueue > most {
			t.Errorf("%d messages wait for a client that reads nothing, want %d", peer.SendQueue, most)
		}
	}
}

// TestLargeValues: a configuration of values near the limit reaches those who are there and those who join, and so does a
// transaction of as much as one may have.
func TestLargeValues(t *testing.T) {
	const large = 12 << 20
	_, endpoint := newCentre(t, func(o *AuthorityOptions) { o.ValueBytes = large })
	c := mustDial(t, &Options{Authorities: []string{endpoint}})
	defer c.Close()
	for i := range 4 {
		if _, err := c.Set(patience(t), fmt.Sprint("large/", i), bytes.Repeat([]byte{byte(i)}, large)); err != nil {
			t.Fatal(err)
		}
	}
	many := &Transaction{}
	for i := range 15 {
		many.Ops = append(many.Ops, Op{Key: fmt.Sprint("many/", i), Value: bytes.Repeat([]byte{byte(i)}, 1<<20)})
	}
	if _, err := c.Commit(patience(t), many); err != nil {
		t.Fatal(err)
	}
	many.Ops = append(many.Ops, many.Ops[0])
	many.Ops[15].Key = "many/more"
	if _, err := c.Commit(patience(t), many); !errors.Is(err, ErrTooLarge) {
		t.Errorf("16 MiB and the keys: %v", err)
	}
	late := mustDial(t, &Options{Authorities: []string{endpoint}})
	defer late.Close()
	if got := late.Snapshot(); got.Len() != 19 || got.Digest() != c.Snapshot().Digest() {
		t.Errorf("%d keys", got.Len())
	}
	if then, err := late.At(patience(t), 4, ""); err != nil || then.Len() != 4 {
		t.Errorf("at revision 4: %v", err)
	}
}

// TestNewStore: clients refuse an authority whose store was lost, since its epochs are over, until an operator promotes it; a copy
// in a cache file likewise.
func TestNewStore(t *testing.T) {
	folder := t.TempDir()
	endpoint := "ipc://" + filepath.Join(folder, "a")
	begin := func(path string) *Authority {
		a, err := NewAuthority(&AuthorityOptions{Endpoint: endpoint, Path: filepath.Join(folder, path), Interval: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for range 2 { // epochs 1 and 2
		a := begin("lost")
		c := mustDial(t, &Options{Authorities: []string{endpoint}, CacheFile: filepath.Join(folder, "cache")})
		if _, err := c.Set(patience(t), "web/a", []byte("old")); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Close(), a.Close()); err != nil {
			t.Fatal(err)
		}
	}
	a := begin("new")
	defer a.Close()
	c := mustDial(t, &Options{Authorities: []string{endpoint}, CacheFile: filepath.Join(folder, "cache")})
	defer c.Close()
	old := c.Freshness()
	if entry, err := c.Get("web/a"); err != nil || string(entry.Value) != "old" || !old.FromCache || old.Connected ||
		old.Err == nil || !strings.Contains(old.Err.Error(), "epoch") {
		t.Errorf("%+v, %v, %v", old, entry, err)
	}
	if err := c.Promote(patience(t), endpoint, false); err != nil {
		t.Fatal(err)
	}
	c.until(t, func(s *Snapshot) bool { return s.Len() == 0 && s.Epoch().Number == 3 })
	works(t, c, 0)
}
