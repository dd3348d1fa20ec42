// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/figures"
	"github.com/zwire-mq/zwire/socket"
)

const (
	peersSilence = 20 * time.Second // then the router reports what it has
	peersSettle  = time.Second      // idle before the router measures
	peersLook    = 100 * time.Millisecond
	peersText    = "hi"
)

type peersReport struct {
	Operation    string  `json:"op"`
	Count        int     `json:"count"`
	RSSPerPeer   float64 `json:"rss_bytes_per_conn"`
	HeapPerPeer  float64 `json:"heap_bytes_per_conn"`
	GoroutineSum int     `json:"goroutines"`
	figures.CPU
}

// memory is what a process holds.
type memory struct {
	resident, heap int64
}

// peersRouter does not Close: the dealers wait for its end, and with many of
// them a clean end takes long.
func peersRouter(ctx context.Context, p *probe) (figures.Report, error) {
	router, err := socket.NewRouter(p.options(socket.LingerNone))
	if err != nil {
		return nil, err
	}
	before, err := readMemory()
	if err != nil {
		return nil, err
	}
	if err := p.bind(router); err != nil {
		return nil, err
	}
	taken, err := p.takeHellos(ctx, router)
	if err != nil {
		return nil, err
	}
	runtime.GC()
	select {
	case <-time.After(peersSettle):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := readMemory()
	if err != nil {
		return nil, err
	}
	report := &peersReport{Operation: "conns-router", Count: taken, GoroutineSum: runtime.NumGoroutine()}
	if taken > 0 {
		report.RSSPerPeer = float64(after.resident-before.resident) / float64(taken)
		report.HeapPerPeer = float64(after.heap-before.heap) / float64(taken)
	}
	runtime.KeepAlive(router)
	if taken < p.count {
		return report, fmt.Errorf("%d of %d peers came", taken, p.count)
	}
	return report, nil
}

// takeHellos returns how many messages came before the others were late.
func (p *probe) takeHellos(ctx context.Context, router *socket.Router) (taken int, err error) {
	for taken < p.count && err == nil {
		err = p.takeHello(ctx, router)
		if err == nil {
			taken++
		}
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return taken, nil
	}
	return taken, err
}

func (p *probe) takeHello(ctx context.Context, router *socket.Router) error {
	patient, cancel := context.WithTimeout(ctx, peersSilence)
	defer cancel()
	return p.receive(patient, router, 1, func(message socket.Message) error {
		if message.Len() != 2 || !bytes.Equal(message.Frame(1), []byte(peersText)) {
			return fmt.Errorf("got a message of %d frames, want an identity and %q", message.Len(), peersText)
		}
		return nil
	})
}

func peersDealer(ctx context.Context, p *probe) (figures.Report, error) {
	dealers := make([]*socket.Dealer, p.count)
	for i := range dealers {
		var err error
		if dealers[i], err = socket.NewDealer(p.options(socket.LingerNone)); err != nil {
			return nil, err
		}
		if err := dealers[i].Connect(p.endpoint); err != nil {
			return nil, err
		}
	}
	for _, dealer := range dealers {
		if err := dealer.Send(ctx, socket.NewMessage([]byte(peersText))); err != nil {
			return nil, err
		}
	}
	for _, dealer := range dealers {
		if err := dealer.WaitConnected(ctx); err != nil {
			return nil, err
		}
	}
	for _, dealer := range dealers {
		if err := waitGone(ctx, dealer); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// waitGone looks from time to time: a lost peer is no event for a DEALER.
func waitGone(ctx context.Context, dealer *socket.Dealer) error {
	look := time.NewTicker(peersLook)
	defer look.Stop()
	for isConnected(dealer) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func isConnected(dealer *socket.Dealer) bool {
	for _, peer := range dealer.Peers() {
		if peer.State == socket.PeerConnected {
			return true
		}
	}
	return false
}

// readMemory takes the resident set from Linux's /proc.
func readMemory() (memory, error) {
	var pages, total int64
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return memory{}, err
	}
	if _, err := fmt.Sscan(string(statm), &total, &pages); err != nil {
		return memory{}, fmt.Errorf("/proc/self/statm: %w", err)
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return memory{pages * int64(os.Getpagesize()), int64(stats.HeapAlloc)}, nil
}
