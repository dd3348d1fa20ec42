// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience bounds every single wait for something that must come.
const patience = 20 * time.Second

// shortPatience bounds a wait for something that is asked for again and again.
const shortPatience = 20 * time.Millisecond

var (
	errLate       = errors.New("nothing came in time")
	errUnroutable = errors.New("no such peer")
)

// A kind is a socket type by its name on the wire.
type kind string

const (
	req    kind = "REQ"
	rep    kind = "REP"
	dealer kind = "DEALER"
	router kind = "ROUTER"
	pub    kind = "PUB"
	sub    kind = "SUB"
	xpub   kind = "XPUB"
	xsub   kind = "XSUB"
	push   kind = "PUSH"
	pull   kind = "PULL"
	pair   kind = "PAIR"
)

// A role is what a party is made for. A ROUTER reports unroutable messages.
type role struct {
	kind     kind
	identity string
	topic    string // of SUB and XSUB
}

// A party is one socket of any implementation. Its methods are called by one
// goroutine at a time.
type party interface {
	// bind returns the endpoint to connect to.
	bind(endpoint string) (string, error)
	connect(endpoint string) error
	send(frames [][]byte) error
	// receive returns errLate when nothing came in time.
	receive(within time.Duration) ([][]byte, error)
	// close lingers.
	close() error
}

// A maker makes parties of one implementation.
type maker func(t *testing.T, role role) (party, error)

// A place gives endpoints to bind.
type place struct {
	transport string
	folder    string
	given     int
}

func newPlace(t *testing.T, transport string) *place {
	t.Helper()
	folder, err := os.MkdirTemp("", "zwire") // t.TempDir would be too long for ipc
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return &place{transport: transport, folder: folder}
}

func (p *place) endpoint() string {
	if p.transport == "tcp" {
		return "tcp://127.0.0.1:*"
	}
	p.given++
	return "ipc://" + filepath.Join(p.folder, fmt.Sprint(p.given))
}

// join binds one party and connects the other one.
func join(place *place, binder, connecter party) error {
	endpoint, err := binder.bind(place.endpoint())
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := connecter.connect(endpoint); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// payload is different for every seed, and at every place of it, so that
// nothing torn or mixed looks right.
func payload(size int, seed uint64) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	data := make([]byte, size)
	rand.NewChaCha8(key).Read(data)
	return data
}

func checkFrames(got, want [][]byte) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %d frames %s, want %d %s", len(got), describe(got), len(want), describe(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			return fmt.Errorf("frame %d differs: got %s, want %s", i, describe(got), describe(want))
		}
	}
	return nil
}

func describe(frames [][]byte) string {
	var text []string
	for _, frame := range frames {
		text = append(text, fmt.Sprintf("%d bytes %.16q", len(frame), frame))
	}
	return "[" + strings.Join(text, ", ") + "]"
}

// checkNoGoroutine fails when a goroutine of zwire is left at the test's end.
func checkNoGoroutine(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		look := time.NewTicker(shortPatience)
		defer look.Stop()
		late := time.After(patience)
		for {
			left := zwireGoroutines()
			if len(left) == 0 {
				return
			}
			select {
			case <-look.C:
			case <-late:
				t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
				return
			}
		}
	})
}

func zwireGoroutines() (left []string) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		for _, folder := range []string{"socket", "internal", "transport"} {
			if strings.Contains(stack, "zwire-mq/zwire/"+folder) {
				left = append(left, stack)
				break
			}
		}
	}
	return left
}
