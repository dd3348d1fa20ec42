// SPDX-License-Identifier: Apache-2.0

// Package machine says where and of what results were made.
package machine

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// A Machine is where results were made.
type Machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Date      string `json:"date"`
	Commit    string `json:"commit"`
	Load      string `json:"load"`
}

// Look looks at the machine, and at the commit of the folder of bench.
func Look(ctx context.Context, folder string, now time.Time) Machine {
	m := Machine{
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
	return m
}

// Write writes lines of a list; beside is what was measured beside the library, with versions, or empty.
func (m Machine) Write(w io.Writer, beside string) {
	fmt.Fprintf(w, "- %s, %d cores, %s\n", m.Processor, m.Cores, m.Kernel)
	versions := m.Go
	if beside != "" {
		versions += ", " + beside
	}
	fmt.Fprintf(w, "- %s\n", versions)
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
	changed, err := git("status", "--porcelain", "--", ":/", ":(exclude)RESULTS.*", ":(exclude)CONFIG.*", ":(exclude)POOL.*", ":(exclude)plots")
	if err != nil || changed != "" {
		return head + " with changes"
	}
	return head
}

// ModuleVersion is the one of a module that this program was built with.
func ModuleVersion(path string) string {
	info, built := debug.ReadBuildInfo()
	if !built {
		return "unknown"
	}
	for _, dependency := range info.Deps {
		if dependency.Path == path {
			return dependency.Version
		}
	}
	return "unknown"
}
