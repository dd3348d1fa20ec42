// SPDX-License-Identifier: Apache-2.0

// Command livesettings shows a service whose settings follow a configuration centre while it runs: one that is decoded into a
// struct and read without a network, of one revision at a time, and that stays as it was when somebody sets nonsense.
//
//	go run ./examples/livesettings
//
// It brings its own authority, unless it is given one: -authority tcp://127.0.0.1:7400.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/zwire-mq/zwire/patterns/config"
)

// settings are the keys below livesettings/; rate and burst belong together.
type settings struct {
	Rate    int
	Burst   int // twice the rate
	Timeout time.Duration
}

func main() {
	endpoint := flag.String("authority", "", "endpoint of an authority that runs already")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if *endpoint == "" {
		*endpoint = "inproc://livesettings"
		defer startAuthority(*endpoint)()
	}
	operator := dial(ctx, &config.Options{Authorities: []string{*endpoint}, Name: "operator", Observer: true})
	defer operator.Close()
	good, err := operator.Commit(ctx, change("100", "200", "2s"))
	check(err)

	service := dial(ctx, &config.Options{Authorities: []string{*endpoint}, Name: "service", Trees: []string{"livesettings"}})
	defer service.Close()
	tracker, err := config.Track[settings](service, "livesettings")
	check(err)
	ended := make(chan int)
	serving, stop := context.WithCancel(ctx)
	go func() { ended <- serve(serving, tracker) }()

	tell(ctx, operator, good, tracker, "at the start")
	revision, err := operator.Commit(ctx, change("500", "1000", "500ms")) // three keys, one revision
	check(err)
	tell(ctx, operator, revision, tracker, "after a change")
	revision, err = operator.Set(ctx, "livesettings/rate", []byte("fast"))
	check(err)
	tell(ctx, operator, revision, tracker, "after nonsense")
	revision, err = operator.Rollback(ctx, good, "livesettings")
	check(err)
	tell(ctx, operator, revision, tracker, "after the rollback")
	stop()
	fmt.Printf("the service read its settings while they changed; mixtures of two revisions: %d\n", <-ended)
}

func change(rate, burst, timeout string) *config.Transaction {
	return &config.Transaction{Ops: []config.Op{
		{Key: "livesettings/rate", Value: []byte(rate)},
		{Key: "livesettings/burst", Value: []byte(burst)},
		{Key: "livesettings/timeout", Value: []byte(timeout)},
	}}
}

// serve does what a service does: it looks at its settings all the time. It counts the times they did not belong together.
func serve(ctx context.Context, tracker *config.Tracker[settings]) (mixtures int) {
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	for {
		if now := tracker.Load(); now.Burst != 2*now.Rate {
			mixtures++
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return mixtures
		}
	}
}

// tell waits until all nodes have a revision, and then says what the service works with.
func tell(ctx context.Context, operator *config.Client, revision uint64, tracker *config.Tracker[settings], when string) {
	check(operator.WaitApplied(ctx, revision, config.AllNodes))
	now := tracker.Load()
	fmt.Printf("%-18s  rate %d, burst %d, timeout %v\n", when, now.Rate, now.Burst, now.Timeout)
	if err := tracker.Err(); err != nil {
		fmt.Printf("%-18s  %v\n", "", err)
	}
}

func startAuthority(endpoint string) (stop func()) {
	folder, err := os.MkdirTemp("", "livesettings")
	check(err)
	authority, err := config.NewAuthority(&config.AuthorityOptions{Endpoint: endpoint, Path: filepath.Join(folder, "store")})
	check(err)
	return func() {
		check(authority.Close())
		check(os.RemoveAll(folder))
	}
}

func dial(ctx context.Context, options *config.Options) *config.Client {
	client, err := config.Dial(ctx, options)
	check(err)
	return client
}

func check(err error) {
	if err != nil {
		log.Fatal("livesettings: ", err)
	}
}
