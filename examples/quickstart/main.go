// SPDX-License-Identifier: Apache-2.0

// Command quickstart hashes every file of a source tree with a handful of
// processes that know each other only through zwire sockets:
//
//	go run ./examples/quickstart [flags] [folder]
//
// One binary plays every part. The coordinator, which is the command itself,
// starts the others as separate operating system processes:
//
//	ventilator   PUSH  tasks (ipc)          one message per file: id, path, content
//	worker × N   PULL  tasks, PUSH results (tcp): id, worker, path, size, hash, error
//	sink         PULL  results; tells on the control sockets which ids are finished
//	coordinator  REP   registration (tcp): every process says hello and gets its settings
//
// Control is PUB/SUB over ipc with two publishers: the coordinator (start, gone,
// stop) and the sink (done). The ventilator reads both, so when a worker dies it
// knows which files are still open and sends these again; the sink ignores what
// comes twice. At the end the same files are hashed once more, serially, and
// the verdict says whether both agree.
//
// Files: main.go the parts and flags; coordinator.go, children.go, registration.go
// the process in charge; part.go, ventilator.go, ledger.go, worker.go, sink.go the others;
// files.go what reads the disk; progress.go, table.go what a person sees.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Exit statuses besides 0, the right verdict.
const (
	exitWrong       = 1 // wrong verdict or no verdict
	exitUsage       = 2
	exitInterrupted = 130
)

// options are what the command line says.
type options struct {
	root    string // the folder to hash
	workers int    // written in Go
	kill    bool
	slow    bool
	python  bool
	part    part // set in child processes only
}

// part is the place of a child process in the job.
type part struct {
	role, name   string
	registration string // endpoint of the coordinator
	folder       string // where the ipc sockets are
}

func main() {
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(exitUsage)
	case opts.part.role != "":
		os.Exit(playPart(opts.part))
	}
	os.Exit(runJob(opts))
}

// runJob is the command as a person starts it.
func runJob(opts options) int {
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends this process at once
	job, err := coordinate(ctx, opts)
	var result verdict
	if err == nil {
		result = check(ctx, opts.root, job.outcomes)
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "quickstart: interrupted; every process has ended")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		return exitWrong
	}
	printReport(os.Stdout, job, result)
	if !result.right() {
		return exitWrong
	}
	return 0
}

// endSignals leaves a hang-up alone that the caller ignores, as nohup does.
func endSignals() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}

// parseOptions reads the command line and settles every default.
func parseOptions(args []string, usage io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.IntVar(&opts.workers, "workers", max(2, runtime.NumCPU()), "worker processes written in Go")
	flags.BoolVar(&opts.kill, "kill", false, "kill one worker on the way; the job still ends right")
	flags.BoolVar(&opts.slow, "slow", false, "make one worker slow; it does not hold up the others")
	flags.BoolVar(&opts.python, "python", false, "let a worker in Python on libzmq take part")
	flags.StringVar(&opts.part.role, "role", "", "internal: the part this process plays")
	flags.StringVar(&opts.part.name, "name", "", "internal: the name of this process")
	flags.StringVar(&opts.part.registration, "registration", "", "internal: where to register")
	flags.StringVar(&opts.part.folder, "folder", "", "internal: folder of the ipc sockets")
	flags.Usage = func() {
		fmt.Fprintln(usage, "usage: quickstart [flags] [folder]    (default folder: $(go env GOROOT)/src)")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if opts.part.role != "" {
		return opts, nil
	}
	switch {
	case flags.NArg() > 1:
		return opts, fmt.Errorf("one folder at most, not %d (flags go before the folder)", flags.NArg())
	case opts.workers < 1 || opts.workers > 1000:
		return opts, fmt.Errorf("-workers is %d, must be 1 to 1000", opts.workers)
	case opts.kill && opts.workers < 2:
		return opts, errors.New("-kill needs at least two workers")
	}
	var err error
	opts.root, err = chooseRoot(flags.Arg(0))
	return opts, err
}

// chooseRoot gives the absolute folder behind every symbolic link.
func chooseRoot(folder string) (string, error) {
	if folder == "" {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("cannot find Go's own source (%w): name a folder", err)
		}
		folder = filepath.Join(strings.TrimSpace(string(out)), "src")
	}
	root, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return "", err
	}
	info, err := os.Stat(root)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", folder)
	}
	return root, nil
}
