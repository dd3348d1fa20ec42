// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestSmokePushPull(t *testing.T) {
	for _, ep := range []string{"tcp://127.0.0.1:*", "ipc://*", "inproc://x"} {
		t.Run(ep[:3], func(t *testing.T) {
			ctx := within(t)
			pull, err := NewPull(nil)
			if err != nil {
				t.Fatal(err)
			}
			push, _ := NewPush(nil)
			if err := pull.Bind(ep); err != nil {
				t.Fatal(err)
			}
			if err := push.Connect(pull.LastEndpoint()); err != nil {
				t.Fatal(err)
			}
			const n = 200000
			done := make(chan error, 1)
			go func() {
				var msg Message
				for i := range n {
					if err := pull.RecvInto(ctx, &msg); err != nil {
						done <- fmt.Errorf("recv %d: %w", i, err)
						return
					}
					if want := fmt.Sprint("m", i); string(msg.Body()) != want {
						done <- fmt.Errorf("got %q want %q", msg.Body(), want)
						return
					}
				}
				done <- nil
			}()
			for i := range n {
				if err := push.Send(ctx, NewMessage(fmt.Appendf(nil, "m%d", i))); err != nil {
					t.Fatal(i, err)
				}
			}
			if err := push.Close(); err != nil {
				t.Error("close", err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := pull.Close(); err != nil {
				t.Error("close", err)
			}
		})
	}
}

func TestSmokeReqRep(t *testing.T) {
	for _, ep := range []string{"tcp://127.0.0.1:*", "ipc://*", "inproc://y"} {
		t.Run(ep[:3], func(t *testing.T) {
			ctx := within(t)
			rep, _ := NewRep(nil)
			req, _ := NewReq(nil)
			if err := rep.Bind(ep); err != nil {
				t.Fatal(err)
			}
			req.Connect(rep.LastEndpoint())
			go func() {
				for m, err := range rep.Messages(ctx) {
					if err != nil {
						t.Error(err)
						return
					}
					if err := rep.Send(ctx, m); err != nil {
						t.Error(err)
					}
				}
			}()
			for i := range 2000 {
				m, err := req.Do(ctx, NewMessage([]byte(fmt.Sprint(i)), nil))
				if err != nil {
					t.Fatal(i, err)
				}
				if string(m.Frame(0)) != fmt.Sprint(i) || m.Len() != 2 {
					t.Fatal(i, m)
				}
			}
			req.Close()
			rep.Close()
		})
	}
}

func TestSmokePubSub(t *testing.T) {
	for _, ep := range []string{"tcp://127.0.0.1:*", "ipc://*", "inproc://z"} {
		t.Run(ep[:3], func(t *testing.T) {
			ctx := within(t)
			pub, _ := NewPub(nil)
			pub.Bind(ep)
			var subs []*Sub
			for range 3 {
				sub, _ := NewSub(nil)
				sub.Subscribe("a")
				sub.Connect(pub.LastEndpoint())
				subs = append(subs, sub)
			}
			if err := pub.WaitSubscribers(ctx, "abc", 3); err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				pub.Send(ctx, NewMessage(fmt.Appendf(nil, "a%d", i)))
				pub.Send(ctx, NewMessage(fmt.Appendf(nil, "b%d", i)))
			}
			for _, sub := range subs {
				for i := range 100 {
					m, err := sub.Recv(ctx)
					if err != nil || string(m.Body()) != fmt.Sprint("a", i) {
						t.Fatal(i, err, m)
					}
				}
				sub.Close()
			}
			pub.Close()
		})
	}
}
