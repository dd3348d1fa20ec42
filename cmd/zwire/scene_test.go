// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

// What this binary is when a test starts it: the command itself, or an editor.
const (
	commandVariable   = "ZWIRE_TEST_COMMAND"
	editorVariable    = "ZWIRE_TEST_EDITOR"
	meanwhileVariable = "ZWIRE_TEST_MEANWHILE" // a command line that somebody else runs while the editor is open
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(editorVariable) != "":
		os.Exit(playEditor(os.Getenv(editorVariable), os.Args[len(os.Args)-1]))
	case os.Getenv(commandVariable) != "":
		main()
	}
	os.Exit(m.Run())
}

// scene is an authority, or a dispatcher, and a command line that looks at it.
type scene struct {
	t        *testing.T
	command  string
	flag     string // that names the endpoint
	folder   string
	endpoint string
	input    string // of the next commands
	asks     bool
	paints   bool
	live     bool
	mended   *atomic.Bool // workers fail no more
}

// newScene makes a folder whose name is short enough for addresses of sockets.
func newScene(t *testing.T) *scene {
	t.Helper()
	folder, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	s := &scene{t: t, command: "config", flag: "--authority", folder: folder, endpoint: "ipc://" + filepath.ToSlash(folder) + "/a", mended: new(atomic.Bool)}
	t.Setenv("NO_COLOR", "")
	t.Setenv("USER", "tester")
	return s
}

// authority starts one at the scene's endpoint; change completes its options.
func (s *scene) authority(change func(*config.AuthorityOptions)) *config.Authority {
	s.t.Helper()
	options := &config.AuthorityOptions{
		Endpoint: s.endpoint, Path: filepath.Join(s.folder, "store"), Interval: 20 * time.Millisecond,
		TakeoverAfter: config.TakeoverNever,
	}
	if change != nil {
		change(options)
	}
	authority, err := config.NewAuthority(options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { authority.Close() })
	return authority
}

// outcome is what a command line came to.
type outcome struct {
	t        *testing.T
	line     string
	code     int
	out, err string
}

func (s *scene) run(args ...string) outcome {
	s.t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"zwire", s.command, s.flag, s.endpoint}, args...)
	code := run(s.t.Context(), args, terminal.Streams{
		In: strings.NewReader(s.input), Out: &out, Err: &errs, Asks: s.asks, Paints: s.paints, Live: s.live,
	})
	return outcome{s.t, strings.Join(args, " "), code, out.String(), errs.String()}
}

// want checks the code, and that both outputs match regular expressions; an empty one matches nothing but an empty output.
func (o outcome) want(code int, out, errs string) outcome {
	o.t.Helper()
	match := func(pattern, text string) bool {
		return pattern == "" && text == "" || pattern != "" && regexp.MustCompile("(?m)"+pattern).MatchString(text)
	}
	if o.code != code || !match(out, o.out) || !match(errs, o.err) {
		o.t.Errorf("%s\ncode %d, want %d\nout: %s\nwant %q\nerr: %s\nwant %q", o.line, o.code, code, o.out, out, o.err, errs)
	}
	if strings.Count(o.err, "\n") > 1 {
		o.t.Errorf("%s: more than one line of error: %s", o.line, o.err)
	}
	return o
}

// json reads the output as one document.
func (o outcome) json() (document map[string]any) {
	o.t.Helper()
	if err := json.Unmarshal([]byte(o.out), &document); err != nil || o.code != 0 {
		o.t.Fatalf("%s: code %d, %v in %q, %s", o.line, o.code, err, o.out, o.err)
	}
	return document
}

// going is a command that goes on.
type going struct {
	s      *scene
	stop   context.CancelFunc
	lines  *bufio.Scanner
	code   chan int
	errors *bytes.Buffer // once code has come
}

func (s *scene) start(args ...string) *going {
	ctx, stop := context.WithCancel(s.t.Context())
	reader, writer := io.Pipe()
	g := &going{s, stop, bufio.NewScanner(reader), make(chan int, 1), &bytes.Buffer{}}
	args = append([]string{"zwire", s.command, s.flag, s.endpoint}, args...)
	streams := terminal.Streams{In: strings.NewReader(""), Out: writer, Err: g.errors, Paints: s.paints, Live: s.live}
	go func() {
		code := run(ctx, args, streams)
		writer.Close()
		g.code <- code
	}()
	s.t.Cleanup(func() { stop(); reader.Close() })
	return g
}

// line waits for the next line that the command prints.
func (g *going) line(pattern string) string {
	g.s.t.Helper()
	if !g.lines.Scan() {
		g.s.t.Fatalf("no line like %q: %v", pattern, g.lines.Err())
	}
	if !regexp.MustCompile(pattern).MatchString(g.lines.Text()) {
		g.s.t.Errorf("got %q, want %q", g.lines.Text(), pattern)
	}
	return g.lines.Text()
}

// until skips lines; it waits for one like the pattern.
func (g *going) until(pattern string) {
	g.s.t.Helper()
	for range 50 {
		if g.lines.Scan() && regexp.MustCompile(pattern).MatchString(g.lines.Text()) {
			return
		}
	}
	g.s.t.Fatalf("no line like %q: %v", pattern, g.lines.Err())
}

// end interrupts the command.
func (g *going) end() (code int, errs string) {
	g.s.t.Helper()
	g.stop()
	for g.lines.Scan() {
	}
	return <-g.code, g.errors.String()
}

// process starts this command as a process of its own.
func (s *scene) process(args ...string) (process *exec.Cmd, out *bufio.Scanner, errs *bytes.Buffer) {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	process, errs = exec.CommandContext(s.t.Context(), self, append([]string{"config"}, args...)...), &bytes.Buffer{}
	process.Env = append(os.Environ(), commandVariable+"=1")
	process.Stderr = errs
	stdout, err := process.StdoutPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return process, bufio.NewScanner(stdout), errs
}

// editor makes this binary the editor: it replaces what stands before an arrow by what stands behind it.
func (s *scene) editor(replacement string) {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Setenv("VISUAL", self)
	s.t.Setenv(editorVariable, replacement)
	s.t.Setenv("TMPDIR", s.folder)
}

func playEditor(replacement, name string) (code int) {
	text, err := os.ReadFile(name)
	before, after, found := strings.Cut(replacement, "→")
	if found && !bytes.Contains(text, []byte(before)) {
		err = errors.Join(err, errors.New("the file lacks "+before))
	}
	if line := strings.Fields(os.Getenv(meanwhileVariable)); len(line) > 0 {
		run(context.Background(), append([]string{"zwire", "config"}, line...), terminal.Streams{Out: io.Discard, Err: os.Stderr})
	}
	err = errors.Join(err, os.WriteFile(name, bytes.ReplaceAll(text, []byte(before), []byte(after)), 0o600))
	if err != nil || !found {
		return 1
	}
	return 0
}
