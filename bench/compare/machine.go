// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/machine"
)

const packages = "gcc pkg-config libzmq3-dev libczmq-dev libsodium-dev"

// A place is where and of what the results were made.
type place struct {
	machine.Machine
	Libzmq string `json:"libzmq"`
}

func look(ctx context.Context, folder string, now time.Time) (place, error) {
	libzmq, err := needed(ctx)
	return place{machine.Look(ctx, folder, now), libzmq}, err
}

// needed checks that the C side can be built, and gives libzmq's version.
func needed(ctx context.Context) (string, error) {
	for _, program := range []string{"gcc", "pkg-config"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%w; on Debian: apt-get install %s", err, packages)
		}
	}
	version, err := exec.CommandContext(ctx, "pkg-config", "--modversion", "libzmq").Output()
	if err != nil {
		return "", fmt.Errorf("no libzmq to compare with: %w; on Debian: apt-get install %s", err, packages)
	}
	return strings.TrimSpace(string(version)), nil
}

// peersThatFit is at most wanted: on libzmq a peer takes two descriptors of its
// process. The programs raise their soft limits themselves.
func peersThatFit(wanted int) (int, error) {
	const others, step = 200, 100
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, err
	}
	most := wanted
	if files.Max < uint64(2*wanted+others) {
		most = (int(files.Max) - others) / 2 / step * step
	}
	if most < step {
		return 0, errors.New("the limit of open files is too low for peers")
	}
	return most, nil
}
