// SPDX-License-Identifier: Apache-2.0

// Package config is a configuration-distribution centre: one authority, with a standby where wanted, and clients that each have the
// whole configuration, or some trees of it, in memory.
//
// # Clients
//
// Dial finds the authority among the endpoints that it is given and returns with a good copy. From then on reading takes no network:
//
//	c, err := config.Dial(ctx, &config.Options{Authorities: []string{"tcp://10.0.0.5:7400"}, Trees: []string{"shop"}})
//	entry, err := c.Get("shop/web/port")
//
//	for change, err := range c.Watch(ctx, "shop/web/") { … } // what is there, then what changes
//
//	web, err := config.Track[Web](c, "shop/web") // a struct that follows
//	port := web.Load().Port
//
//	revision, err := c.Set(ctx, "shop/web/port", []byte("8080")) // acknowledged, on disk, and in this copy
//	err = c.WaitApplied(ctx, revision, config.AllNodes)
//
// A copy always is what the authority had acknowledged at one revision, in all trees at once. It is proved by digests; whatever is
// missed, damaged or of another epoch is repaired by asking the authority, and nothing becomes visible before that. Within an epoch
// revisions only rise; with another epoch the copy may go back if an operator promoted an authority that did not have everything,
// and Watch then yields what differs.
//
// While no authority is there, the last good copy serves on: Freshness says since when. With Options.CacheFile it also serves a
// client that starts meanwhile. A change waits for an authority that accepts it until its context ends. A change that was sent and
// got no answer in time is ErrUncertain: it may have been made, so look, or make it with CompareAndSet, which cannot be made twice.
package config
