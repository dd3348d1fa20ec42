// SPDX-License-Identifier: Apache-2.0

// Package sockettest helps to test sockets from outside: over every transport ([Wire], [All]), for what they leave behind
// ([Leak]), and against a scripted peer that speaks ZMTP octet by octet ([Dial], [Listen]). It shares no code with what it
// tests. Everything fails the test itself, so it must be called from the test's own goroutine, and nothing takes more than
// ten seconds in which nothing happens.
package sockettest

import (
	"crypto/rand"
	"math"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

const (
	// patience bounds every wait for something that must happen.
	patience = 10 * time.Second
	// glance is the pause between two looks at a condition that nobody announces.
	glance = time.Millisecond
)

// Wire runs a subtest for each transport that speaks ZMTP, with an endpoint to bind to, and checks that it leaves nothing
// behind. To connect, take the socket's LastEndpoint, or that of a [RawListener].
func Wire(t *testing.T, run func(t *testing.T, endpoint string)) {
	t.Helper()
	for _, scheme := range []string{"tcp", "ipc"} {
		subtest(t, scheme, run)
	}
}

// All is Wire with one subtest more, over inproc, whose endpoint is a name that was never used.
func All(t *testing.T, run func(t *testing.T, endpoint string)) {
	t.Helper()
	Wire(t, run)
	subtest(t, "inproc", run)
}

func subtest(t *testing.T, scheme string, run func(t *testing.T, endpoint string)) {
	t.Helper()
	t.Run(scheme, func(t *testing.T) {
		Leak(t)
		run(t, Endpoint(scheme))
	})
}

// Endpoint is a fresh endpoint to bind to. LastEndpoint tells what it became.
func Endpoint(scheme string) string {
	switch scheme {
	case "tcp":
		return "tcp://127.0.0.1:*"
	case "inproc":
		return "inproc://" + rand.Text()
	}
	return scheme + "://*"
}

// Leak makes the test fail if, when it and its later clean-ups are over, there are more goroutines or descriptors than
// now. Call it first; tests that run at the same time would disturb it. Wire and All do it for their subtests.
func Leak(t testing.TB) {
	t.Helper()
	// What the runtime makes once for good, for its own poller, must not count.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	t.Cleanup(func() {
		if t.Failed() {
			return // what failed half-way had no chance to tidy up
		}
		if _, ok := falls(goroutines, runtime.NumGoroutine); !ok {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines at the start, %d at the end:\n%s", goroutines, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
		if open, ok := falls(descriptors, openDescriptors); !ok {
			t.Errorf("%d descriptors at the start, %d at the end", descriptors, open)
		}
	})
}

// openDescriptors counts the one it looks with, always. It is zero where the system does not tell.
func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd") // none elsewhere
	return len(entries)
}

// Until waits for a condition that nobody announces, and fails the test if it does not come true in time.
func Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	_, ok := falls(0, func() int {
		if condition() {
			return 0
		}
		return 1
	})
	if !ok {
		t.Fatalf("%s: still not so after %v", what, patience)
	}
}

// UntilDown waits until a number that nobody announces is at most this, for as long as it goes down, however slow the machine
// and however large the number; it fails the test if that stops for too long.
func UntilDown(t testing.TB, what string, most int, number func() int) {
	t.Helper()
	if left, ok := falls(most, number); !ok {
		t.Fatalf("%s: it is %d, and not less for %v", what, left, patience)
	}
}

// falls returns the last look at a number, and whether it came down to most.
func falls(most int, number func() int) (last int, ok bool) {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	lowest, end := math.MaxInt, time.Time{}
	for ; ; <-ticker.C {
		if last = number(); last <= most {
			return last, true
		}
		if now := time.Now(); last < lowest {
			lowest, end = last, now.Add(patience)
		} else if now.After(end) {
			return last, false
		}
	}
}
