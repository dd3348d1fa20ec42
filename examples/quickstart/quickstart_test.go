// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// asCommand makes the test binary be the command, so that every process of
// the job is built as the test is: with the race detector, for one.
const asCommand = "ZWIRE_QUICKSTART_TEST"

// jobTime bounds every job of these tests.
const jobTime = 60 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// run is one finished job.
type run struct {
	status         int
	stdout, stderr string
}

// quickstart runs the command and checks what holds for every job: it ends in
// time, leaves no process behind (one would keep the output pipes open) and no
// file.
func quickstart(t *testing.T, watch func(*exec.Cmd, string), args ...string) run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), jobTime)
	defer cancel()
	temp, err := os.MkdirTemp("", "q") // short: a socket's path may have 100 characters
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	race := "GORACE=atexit_sleep_ms=10 " + os.Getenv("GORACE") // else every process sleeps a second at its end
	cmd.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+temp, "TMP="+temp, race)
	cmd.WaitDelay = 10 * time.Second
	var stdout bytes.Buffer
	stderr := &watchedOutput{}
	if watch != nil {
		stderr.watch = func(text string) { watch(cmd, text) }
	}
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	err = cmd.Run()
	r := run{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if exitErr := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exitErr) {
		t.Errorf("running %v: %v\n%s%s", args, err, r.stdout, r.stderr)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v took longer than %v\n%s%s", args, jobTime, r.stdout, r.stderr)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("%v left %v in the folder for temporary files", args, left)
	}
	return r
}

// watchedOutput calls watch with all output so far, once per write.
type watchedOutput struct {
	mu    sync.Mutex
	text  strings.Builder
	watch func(string)
}

func (w *watchedOutput) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if w.watch != nil {
		w.watch(w.text.String())
	}
	return len(p), nil
}

func (w *watchedOutput) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// makeTree fills a folder with files of all small sizes.
func makeTree(t *testing.T, files int) string {
	t.Helper()
	root := t.TempDir()
	for i := range files {
		folder := filepath.Join(root, fmt.Sprintf("folder %d", i%7))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		content := bytes.Repeat([]byte(strconv.Itoa(i)), i*i%5000)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("ä file %d", i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func (r run) expect(t *testing.T, status int, patterns ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("exit status %d, want %d", r.status, status)
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile(`(?m)` + pattern).MatchString(r.stdout) {
			t.Errorf("no %q in the report", pattern)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

func TestJobEndsRight(t *testing.T) {
	r := quickstart(t, nil, "-workers", "3", makeTree(t, 300))
	r.expect(t, 0, `^verdict: RIGHT. All 300 results`, `^files +300$`, `^w1 +Go`, `^w3 +Go`, `^tasks +ipc .* 300$`, `^results +tcp`)
}

func TestKilledWorkerLosesNothing(t *testing.T) {
	r := quickstart(t, nil, "-workers", "2", "-kill", makeTree(t, 300))
	r.expect(t, 0, `^verdict: RIGHT. All 300 results`, `^w1 .*died on the way$`, `^sent again +[1-9]`)
}

func TestEmptyFolder(t *testing.T) {
	r := quickstart(t, nil, "-workers", "2", "-kill", t.TempDir())
	r.expect(t, 0, `^verdict: RIGHT. All 0 results`, `^files +0$`)
}

func TestLargeFileTravelsAsPath(t *testing.T) {
	root := makeTree(t, 3)
	large := filepath.Join(root, "large")
	if err := os.WriteFile(large, []byte("begin"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, contentBytesMax+1); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "limit"), make([]byte, contentBytesMax), 0o600); err != nil {
		t.Fatal(err)
	}
	r := quickstart(t, nil, "-workers", "2", root)
	r.expect(t, 0, `^verdict: RIGHT. All 5 results`, `^bytes +16,777,`)
	if _, isLarge, err := readFile(root, "large"); err != nil || !isLarge {
		t.Errorf("readFile of a large file: large %v, error %v", isLarge, err)
	}
	if content, isLarge, err := readFile(root, "limit"); err != nil || isLarge || len(content) != contentBytesMax {
		t.Errorf("readFile at the limit: %d bytes, large %v, error %v", len(content), isLarge, err)
	}
}

// TestUnreadableFileIsListed uses a path that is longer than the system opens
// at once: not even the superuser can read that file by its path.
func TestUnreadableFileIsListed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows opens long paths")
	}
	root := makeTree(t, 20)
	folder, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 200)
	for range 4096/len(name) + 1 {
		if err := folder.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		below, err := folder.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		folder.Close()
		folder = below
	}
	folder.Close()
	if os.Getuid() != 0 {
		if err := os.WriteFile(filepath.Join(root, "secret"), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	r := quickstart(t, nil, "-workers", "2", root)
	r.expect(t, 0, `^verdict: RIGHT. All 2[12] results`, `^files +20$`, `^unreadable +[12]$`, `dddd.*: file name too long`)
}

func TestSlowWorkerDoesNotHoldUpOthers(t *testing.T) {
	r := quickstart(t, nil, "-workers", "2", "-slow", makeTree(t, 1000))
	r.expect(t, 0, `^verdict: RIGHT. All 1,000 results`)
	share := regexp.MustCompile(`(?m)^w2 +Go +\d+ +(\d+) `).FindStringSubmatch(r.stdout)
	if share == nil {
		t.Fatalf("no line for the slow worker:\n%s", r.stdout)
	}
	if n, _ := strconv.Atoi(share[1]); n == 0 || n > 400 {
		t.Errorf("the slow worker did %d of 1000 files", n)
	}
}

func TestPythonWorkerTakesPart(t *testing.T) {
	r := quickstart(t, nil, "-workers", "2", "-python", makeTree(t, 300))
	if _, _, err := findPython(t.Context()); err != nil {
		t.Skip(err)
	}
	r.expect(t, 0, `^verdict: RIGHT. All 300 results`, `^python +Python, libzmq \d.* +\d+ +[1-9]\d* `)
}

func TestWithoutPythonItGoesOn(t *testing.T) {
	t.Setenv("PYTHONHOME", t.TempDir()) // no Python starts with that
	r := quickstart(t, nil, "-workers", "2", "-python", makeTree(t, 30))
	r.expect(t, 0, `^verdict: RIGHT. All 30 results`, `^note: -python: no Python with zmq here`)
}

// endEarly sends a signal to the job once it is under way.
func endEarly(t *testing.T, sig os.Signal) run {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals between processes")
	}
	var once sync.Once
	return quickstart(t, func(cmd *exec.Cmd, text string) {
		if strings.Contains(text, "files below") {
			once.Do(func() { cmd.Process.Signal(sig) })
		}
	}, "-workers", "1", "-slow", makeTree(t, 2000))
}

func TestInterruptEndsEveryProcess(t *testing.T) {
	endEarly(t, os.Interrupt).expect(t, exitInterrupted)
}

func TestChildrenEndWithTheCoordinator(t *testing.T) {
	endEarly(t, os.Kill).expect(t, -1)
}

func TestBadCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-workers", "0"}, {"-workers", "1", "-kill"}, {"a", "b"}, {"-nonsense"}, {file}, {file + "-missing"},
	} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("parseOptions(%q) gives no error", args)
		}
	}
}

func TestCheckFindsDifferences(t *testing.T) {
	root := makeTree(t, 3)
	files, _, err := listFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := func() map[int]outcome {
		list := map[int]outcome{}
		for id, f := range files {
			hash, size, err := hashFile(root, f.path)
			if err != nil {
				t.Fatal(err)
			}
			list[id] = outcome{ID: id, Path: []byte(f.path), Hash: hash, Size: size}
		}
		return list
	}
	if v := check(t.Context(), root, outcomes()); !v.right() {
		t.Fatalf("the right outcomes are found wrong: %v", v.differences)
	}
	spoil := map[string]func(map[int]outcome){
		"missing":    func(m map[int]outcome) { delete(m, 1) },
		"extra":      func(m map[int]outcome) { m[3] = outcome{ID: 3} },
		"hash":       func(m map[int]outcome) { m[1] = outcome{ID: 1, Path: m[1].Path, Size: m[1].Size, Hash: m[0].Hash} },
		"path":       func(m map[int]outcome) { m[1] = m[0] },
		"unreadable": func(m map[int]outcome) { m[2] = outcome{ID: 2, Path: m[2].Path, Error: "gone"} },
	}
	for name, change := range spoil {
		list := outcomes()
		change(list)
		if v := check(t.Context(), root, list); v.right() {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestLedger(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLedger(3)
	next := func(want int) {
		t.Helper()
		if id, _, ok := l.next(now); !ok || id != want {
			t.Fatalf("next is %d, %v, want %d", id, ok, want)
		}
	}
	next(0)
	next(1)
	l.finish(0)
	l.finish(0)
	l.finish(77)
	l.workerGone()
	next(1) // what is open comes before what is new
	next(2)
	if _, wait, ok := l.next(now); ok || wait != retryAfter {
		t.Fatalf("with all sent: %v, %v, want to wait %v", wait, ok, retryAfter)
	}
	now = now.Add(retryAfter)
	next(2)
	if _, wait, ok := l.next(now); ok || wait != retryAfter {
		t.Fatalf("the second repetition is due in %v, %v", wait, ok)
	}
	l.finish(1)
	l.finish(2)
	if _, wait, ok := l.next(now.Add(time.Hour)); ok || wait != 0 || l.open != 0 || l.repeats != 2 {
		t.Fatalf("at the end: %v, %v, %d open, %d repeats", wait, ok, l.open, l.repeats)
	}
}
