// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const packages = "gcc pkg-config libzmq3-dev libczmq-dev libsodium-dev"

// A machine is where and of what the results were made.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Libzmq    string `json:"libzmq"`
	Date      string `json:"date"`
	Commit    string `json:"commit"`
	Load      string `json:"load"`
}

func look(ctx context.Context, folder string, now time.Time) (machine, error) {
	m := machine{
		Processor: processor(),
		Cores:     runtime.NumCPU(),
		Kernel:    firstLine("/proc/sys/kernel/ostype") + " " + firstLine("/proc/sys/kernel/osrelease") + " " + runtime.GOARCH,
		Go:        runtime.Version(),
		Date:      now.UTC().Format("2006-01-02 15:04 MST"),
		Commit:    commit(ctx, folder),
		Load:      firstLine("/proc/loadavg"),
	}
	if load := strings.Fields(m.Load); len(load) > 3 {
		m.Load = strings.Join(load[:3], " ")
	}
	var err error
	m.Libzmq, err = needed(ctx)
	return m, err
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

func (m machine) write(w io.Writer) {
	fmt.Fprintf(w, "- %s, %d cores, %s\n", m.Processor, m.Cores, m.Kernel)
	fmt.Fprintf(w, "- %s, libzmq %s\n", m.Go, m.Libzmq)
	fmt.Fprintf(w, "- %s, commit %s\n", m.Date, m.Commit)
	fmt.Fprintf(w, "- load average at the start: %s\n", m.Load)
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// commit tells when something else than results has been changed since.
func commit(ctx context.Context, folder string) string {
	git := func(arguments ...string) (string, error) {
		output, err := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, arguments...)...).Output()
		return strings.TrimSpace(string(output)), err
	}
	head, err := git("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "unknown"
	}
	changed, err := git("status", "--porcelain", "--", ":/", ":(exclude)RESULTS.*", ":(exclude)plots")
	if err != nil || changed != "" {
		return head + " with changes"
	}
	return head
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
