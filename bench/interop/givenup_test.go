// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// TestGivenUp has a REQ give requests up that a libzmq ROUTER or REP answers late: each reply is that of its request, and the
// application behind the ROUTER never finds anything but an empty frame in front.
func TestGivenUp(t *testing.T) {
	for _, kind := range []kind{router, rep} {
		for _, transport := range []string{"tcp", "ipc"} {
			t.Run(fmt.Sprint(kind, "/", transport), func(t *testing.T) { giveUp(t, kind, newPlace(t, transport).endpoint()) })
		}
	}
}

func giveUp(t *testing.T, kind kind, endpoint string) {
	checkNoGoroutine(t)
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	server, err := newLibzmq(t, role{kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	if endpoint, err = server.bind(endpoint); err != nil {
		t.Fatal(err)
	}
	req, err := socket.NewReq(&socket.Options{ReconnectMin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer req.Close()
	if err := errors.Join(req.Connect(endpoint), req.WaitConnected(ctx)); err != nil {
		t.Fatal(err)
	}
	front := 0 // frames that the application finds before the request
	if kind == router {
		front = 2
	}
	received := func(request string) [][]byte {
		t.Helper()
		frames, err := server.receive(patience)
		if err != nil {
			t.Fatal(err)
		}
		if len(frames) != front+1 || front > 0 && len(frames[1]) > 0 || string(frames[front]) != request {
			t.Fatalf("%s received %q for %q", kind, frames, request)
		}
		return frames[:front:front]
	}
	reply := func(to [][]byte, text string) {
		t.Helper()
		if err := server.send(append(to, []byte(text))); err != nil && !errors.Is(err, errUnroutable) {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		late, now := fmt.Sprint("late ", i), fmt.Sprint("now ", i)
		short, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { _, err := req.Do(short, socket.NewMessage([]byte(late))); ended <- err }()
		first := received(late)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		reply(first, "reply to "+late)
		go func() {
			msg, err := req.Do(ctx, socket.NewMessage([]byte(now)))
			if err == nil && !bytes.Equal(msg.Body(), []byte("reply to "+now)) {
				err = fmt.Errorf("replied %q", msg.Body())
			}
			ended <- err
		}()
		reply(received(now), "reply to "+now)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	if err := server.close(); err != nil {
		t.Error(err)
	}
}
