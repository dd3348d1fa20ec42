// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/zwire-mq/zwire/socket"
)

// BenchmarkSendRecv sends 500 messages, then receives them, in one goroutine over inproc: what both calls cost when
// nobody waits and no cache line moves.
func BenchmarkSendRecv(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(size, "B"), func(b *testing.B) {
			c, _ := socket.NewContext(nil)
			defer c.Close()
			pull, _ := socket.NewPull(&socket.Options{Context: c})
			push, _ := socket.NewPush(&socket.Options{Context: c})
			pull.Bind("inproc://x")
			push.Connect("inproc://x")
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			msg := socket.NewMessage(make([]byte, size))
			var got socket.Message
			b.ReportAllocs()
			for done := 0; done < b.N; done += 500 {
				for range 500 {
					push.Send(ctx, msg)
				}
				for range 500 {
					pull.RecvInto(ctx, &got)
				}
			}
		})
	}
}
