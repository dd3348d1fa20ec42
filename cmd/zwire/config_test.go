// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

func TestReadAndChange(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	file := filepath.Join(s.folder, "value")
	if err := os.WriteFile(file, []byte("of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("set", "svc/a", "1").want(0, `^revision 1$`, "")
	s.run("get", "svc/a").want(0, `\A1\z`, "")
	s.run("set", "svc/a", "--", "-2").want(0, `^revision 2$`, "")
	s.run("get", "svc/a", "--at", "1").want(0, `\A1\z`, "")
	s.run("get", "svc/a").want(0, `\A-2\z`, "")
	s.run("set", "svc/file", "--file", file).want(0, `^revision 3$`, "")
	s.run("get", "svc/file").want(0, `\Aof a file\n\z`, "")
	s.input = "typed\x1b[31m"
	s.run("set", "svc/ab/typed", "-").want(0, `^revision 4$`, "")
	s.run("get", "svc/ab/typed").want(0, `\Atyped\x1b\[31m\z`, "")
	s.run("set", "other/key", "").want(0, `^revision 5$`, "")

	s.run("list").want(0, `\AKEY +REVISION +VALUE\nother/key +5 +""\nsvc/a +2 +-2\nsvc/ab/typed +4 +"typed\\x1b\[31m"\nsvc/file +3 +"of a file\\n"\n\z`, "")
	s.run("list", "svc/a").want(0, `\AKEY.*\nsvc/a .*\n\z`, "") // and not svc/ab
	s.run("list", "svc/ab/").want(0, `\AKEY.*\nsvc/ab/typed .*\n\z`, "")
	s.run("list", "svc", "--at", "1").want(0, `\AKEY.*\nsvc/a +1 +1\n\z`, "")

	s.run("set", "svc/a", "3", "--if-revision", "1").want(4, "", `"svc/a" is at 2, want 1: nothing was changed`)
	s.run("set", "svc/a", "3", "--if-revision", "0").want(4, "", `"svc/a" is at 2, want 0`)
	s.run("set", "svc/new", "3", "--if-revision", "0").want(0, `^revision 6$`, "")
	s.run("delete", "svc/a", "svc/none").want(3, "", `no such key: "svc/none"`)
	s.run("get", "svc/a").want(0, `\A-2\z`, "")
	s.run("delete", "svc/a", "svc/new").want(0, `^revision 7$`, "")
	s.run("get", "svc/a").want(3, "", `no such key: "svc/a" at revision 7`)

	s.run("get", "svc/a", "--at", "99").want(1, "", `no such revision yet`)
	s.run("get", "nokey").want(2, "", `bad key "nokey"`)
	s.run("set", "bad key/a", "1").want(2, "", `bad key`)
	s.run("set", "svc/a").want(2, "", `1 arguments, want: zwire config set KEY VALUE`)
	s.run("set", "svc/a", "--file", filepath.Join(s.folder, "none")).want(1, "", `none`)
	s.run("set", "svc/a", "1", "--ttl", "10ms").want(1, "", `a time to live of 10ms`)
	s.run("delete").want(2, "", `no arguments`)
	s.run("nonsense").want(2, "", `no command "nonsense"`)
	s.run("get", "--nonsense", "svc/a").want(2, "", `nonsense`)
	s.run("log", "-n", "0").want(2, "", `at least 1`)
	s.run("wait", "soon").want(2, "", `"soon" is no revision`)
	s.run("log").want(0, `\AREVISION +TIME +AUTHOR +CHANGES\n1 .* tester +svc/a = 1\n(.*\n){5}7 .*  svc/a deleted, svc/new deleted\n\z`, "")
	s.run("log", "--from", "2", "-n", "1", "--author", "x").want(0, `\AREVISION.*\n2 .*svc/a = -2\n\z`, "")
}

func TestHelpAndNoCommand(t *testing.T) {
	s := newScene(t)
	s.run().want(0, `(?s)serve.*status.*promote`, "")
	s.run("set", "--help").want(0, `--if-revision`, "")
}

func TestJSON(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	check := func(document map[string]any, path string, want any) {
		t.Helper()
		var at any = document
		for _, step := range strings.Split(path, ".") {
			if list, is := at.([]any); is && len(list) > 0 {
				at = list[0]
			}
			at = at.(map[string]any)[step]
		}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v in %v", path, at, want, document)
		}
	}
	check(s.run("--json", "set", "svc/a", "text").json(), "revision", 1)
	s.input = "\xff"
	check(s.run("set", "svc/b", "-", "--json").json(), "revision", 2)
	check(s.run("get", "svc/a", "--json").json(), "value", "text")
	check(s.run("get", "svc/b", "--json").json(), "valueBase64", "/w==")
	check(s.run("list", "--json", "svc").json(), "entries.key", "svc/a")
	check(s.run("list", "--json", "none").json(), "entries", []any{})
	check(s.run("log", "--json").json(), "records.ops.value", "text")
	check(s.run("log", "--json").json(), "records.author", "tester")
	check(s.run("status", "--json").json(), "authorities.role", "primary")
	check(s.run("status", "--json").json(), "revision", 2)
	check(s.run("wait", "2", "--json").json(), "applied", true)
	check(s.run("rollback", "1", "--json").json(), "revision", 3)
	check(s.run("promote", s.endpoint, "--json").json(), "promoted", s.endpoint)
	s.run("get", "svc/b", "--json").want(3, "", "no such key")
}

func TestWatchGoesOn(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	s.run("set", "svc/a", "1").want(0, "revision 1", "")
	s.run("set", "other/a", "1").want(0, "revision 2", "")
	text, lines := s.start("watch", "svc"), s.start("watch", "--json")
	text.line(`^2  svc/a  = 1$`)
	lines.line(`"key":"other/a"`)
	lines.line(`"key":"svc/a"`)
	s.run("set", "svc/a", "2").want(0, "revision 3", "")
	text.line(`^3  svc/a  1 → 2$`)
	var change struct {
		Revision uint64
		Key      string
		Old, New struct{ Value string }
	}
	err := json.Unmarshal([]byte(lines.line("{")), &change)
	if err != nil || change.Revision != 3 || change.Key != "svc/a" || change.Old.Value != "1" || change.New.Value != "2" {
		t.Errorf("%v in %+v", err, change)
	}
	s.run("delete", "svc/a").want(0, "revision 4", "")
	text.line(`^4  svc/a  deleted, was 2$`)
	lines.line(`"new":null,"more":false`)
	s.run("set", "svc/p/b", "1").want(0, "revision 5", "")
	s.run("set", "svc/pq", "1").want(0, "revision 6", "")
	part := s.start("watch", "svc/p", "--json")
	part.line(`"key":"svc/p/b".*"more":false`) // svc/pq follows, but is not below
	if code, errs := part.end(); code != 0 || errs != "" {
		t.Errorf("code %d, %s", code, errs)
	}
	for _, g := range []*going{text, lines} {
		if code, errs := g.end(); code != 0 || errs != "" {
			t.Errorf("code %d, %s", code, errs)
		}
	}
}

func TestRollbackShowsAndAsks(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	for i, key := range []string{"a/x", "a/y", "b/x", "b/y"} {
		s.run("set", key, "old").want(0, fmt.Sprint("revision ", i+1), "")
	}
	s.run("set", "a/x", "new").want(0, "revision 5", "")
	s.run("set", "b/z", "new").want(0, "revision 6", "")
	s.run("delete", "a/y").want(0, "revision 7", "")
	s.asks, s.input = true, "\n"
	const all = `\Aa/x  new → old\na/y  = old\nb/z  deleted, was new\n`
	s.run("rollback", "4").want(1, all+`\z`, `Change 3 keys\? \[y/N\] zwire: nothing was changed`)
	s.run("get", "a/x").want(0, "new", "")
	s.input = "y\n"
	s.run("rollback", "4", "--tree", "b").want(0, `\Ab/z  deleted, was new\nrevision 8\n\z`, `Change 1 keys\?`)
	s.run("get", "a/x").want(0, "new", "")
	s.run("rollback", "4", "--yes").want(0, `\Aa/x.*\na/y.*\nrevision 9\n\z`, "")
	s.run("get", "a/x").want(0, "old", "")
	s.run("rollback", "9").want(0, `nothing differs`, "")
	s.run("rollback", "99").want(1, "", "no such revision yet")
	s.run("rollback", "4", "--tree", "no/tree", "--yes").want(2, "nothing differs", "bad key")
	s.asks = false // nobody to ask
	s.run("rollback", "7").want(0, `revision 10`, "")

	owner := s.start("set", "c/eph", "here", "--ttl", "1s")
	owner.line("revision 11")
	owner.end() // which deletes it
	s.gone("c/eph")
	s.run("rollback", "11").want(0, `\Anothing differs\nrevision 12\n\z`, "")
}

// never is a terminal at which nobody types.
type never struct{ context.Context }

func (n never) Read([]byte) (int, error) {
	<-n.Done()
	return 0, n.Err()
}

func TestInterruptedQuestion(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	s.run("set", "a/x", "old").want(0, "revision 1", "")
	s.run("set", "a/x", "new").want(0, "revision 2", "")
	for line, shown := range map[string]string{"rollback 1": "a/x  new → old\n", "set a/x -": "", "set a/x --file -": ""} {
		ctx, stop := context.WithCancel(t.Context())
		shows := watched{told: make(chan struct{}, 9)}
		if shown != "" {
			go func() { <-shows.told; stop() }()
		} else {
			stop()
		}
		var errs strings.Builder
		args := append([]string{"zwire", "config", "--authority", s.endpoint}, strings.Fields(line)...)
		code := run(ctx, args, terminal.Streams{In: never{t.Context()}, Out: &shows, Err: &errs, Asks: true})
		if code != 1 || !strings.HasSuffix(errs.String(), "zwire: interrupted\n") || shows.text.String() != shown {
			t.Errorf("%s: code %d, %q, %q", line, code, shows.text.String(), errs.String())
		}
	}
	s.run("get", "a/x").want(0, "new", "")
}

// watched tells when something is written.
type watched struct {
	text strings.Builder
	told chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.told <- struct{}{}
	return w.text.Write(p)
}

func TestStatusAndWait(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	s.run("status").want(0, `(?s)`+s.endpoint+`  primary, epoch 1, revision 0 .*takes changes.*no nodes`, "")
	node, err := config.Dial(t.Context(), &config.Options{Authorities: []string{s.endpoint}, Name: "node\x1b", Trees: []string{"svc"}})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	s.run("set", "svc/a", "1").want(0, "revision 1", "")
	s.run("wait", "1", "--nodes", "1").want(0, "^revision 1 is applied$", "")
	s.run("wait", "1").want(0, "^revision 1 is applied$", "")
	s.run("status").want(0, `^NODE +REVISION +LAG +SEEN +PROVED +TREES\n"node\\x1b" +1 +- +\S+ ago +yes +svc\n\z`, "")
	s.run("wait", "1", "--nodes", "2", "--timeout", "200ms").want(1, "", `not applied within 200ms: .* of 1 nodes`)
	s.run("wait", "2").want(1, "", "no such revision yet")
	s.paints = true
	s.run("status").want(0, `\x1b\[32myes\x1b\[0m`, "")
	t.Setenv("NO_COLOR", "1")
	if o := s.run("status").want(0, `yes`, ""); strings.Contains(o.out, "\x1b") {
		t.Errorf("colours: %q", o.out)
	}
	watching := s.start("status", "--watch", "--json")
	watching.line(`"revision":1`)
	watching.line(`"revision":1`)
	if code, errs := watching.end(); code != 0 || errs != "" {
		t.Errorf("code %d, %s", code, errs)
	}
}

func TestPairAndPromote(t *testing.T) {
	s := newScene(t)
	other := s.endpoint + "2"
	s.authority(func(o *config.AuthorityOptions) { o.Other, o.Preferred = other, true })
	standby := s.authority(func(o *config.AuthorityOptions) {
		o.Endpoint, o.Other, o.Path = other, s.endpoint, filepath.Join(s.folder, "store2")
	})
	both := []string{"--authority", other}
	s.run(append(both, "set", "svc/a", "1")...).want(0, "revision 1", "")
	s.run(append(both, "status")...).want(0, s.endpoint+`  primary(.*\n)+`+other+`  standby`, "")
	reversed := *s
	reversed.endpoint = other
	if document := reversed.run("--authority", s.endpoint, "status", "--json").json(); document["role"] != "primary" {
		t.Errorf("nodes report to the primary, shown is what %v says", document)
	}
	if err := standby.Close(); err != nil {
		t.Error(err)
	}
	s.run("set", "svc/a", "2", "--timeout", "300ms").want(1, "", `(read-only|no change is accepted|may have been made).*`)
	s.run("get", "svc/a").want(0, "1", "")
	s.run(append(both, "status", "--timeout", "300ms")...).want(0, s.endpoint+`  primary.*read-only: the standby is away(.*\n)+`+other+`  .*does an authority run`, "")
	s.run("promote", s.endpoint).want(0, "acknowledges changes alone", "")
	s.run("set", "svc/a", "3").want(0, "revision", "")
	s.run("promote", other, "--timeout", "100ms").want(1, "", "does an authority run")
}

func TestPromoteTheStandby(t *testing.T) {
	s := newScene(t)
	other := s.endpoint + "2"
	gone := s.authority(func(o *config.AuthorityOptions) { o.Other, o.Preferred = other, true })
	s.authority(func(o *config.AuthorityOptions) {
		o.Endpoint, o.Other, o.Path = other, s.endpoint, filepath.Join(s.folder, "store2")
	})
	s.run("--authority", other, "set", "svc/a", "1").want(0, "revision 1", "")
	if err := gone.Close(); err != nil {
		t.Error(err)
	}
	s.run("--authority", other, "set", "svc/a", "2", "--timeout", "300ms").want(1, "", "deadline exceeded.*see zwire config status")
	s.run("promote", other).want(0, "acknowledges changes alone", "")
	s.run("--authority", other, "get", "svc/a").want(0, "1", "")
	s.run("--authority", other, "set", "svc/a", "3").want(0, "revision 2", "")
	s.run("--authority", other, "status", "--timeout", "300ms").want(0, s.endpoint+`  .*does an authority run(.*\n)+`+other+`  primary`, "")
}

func TestPromoteByForce(t *testing.T) {
	s := newScene(t)
	other := s.endpoint + "2"
	second := func(o *config.AuthorityOptions) {
		o.Endpoint, o.Other, o.Path = other, s.endpoint, filepath.Join(s.folder, "store2")
	}
	both := []*config.Authority{s.authority(func(o *config.AuthorityOptions) { o.Other, o.Preferred = other, true }), s.authority(second)}
	s.run("--authority", other, "set", "svc/a", "1").want(0, "revision 1", "")
	for _, authority := range both {
		if err := authority.Close(); err != nil {
			t.Error(err)
		}
	}
	s.authority(second) // which cannot know what the other one has acknowledged since
	s.run("promote", other).want(1, "", "not known to have all that was acknowledged.*nothing was changed")
	s.run("promote", other, "--force").want(0, "acknowledges changes alone", "")
	s.run("--authority", other, "set", "svc/a", "2").want(0, "revision 2", "")
}

// gone waits for a key to go whose owner has left: its last word is on its way to the disk.
func (s *scene) gone(key string) {
	s.t.Helper()
	got := s.run("get", key)
	for tries := 0; got.code == 0 && tries < 1000; tries++ {
		got = s.run("get", key)
	}
	got.want(3, "", "no such key")
}

func TestEphemeralKey(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	owner := s.start("set", "svc/me", "here", "--ttl", "1s")
	owner.line(`revision 1`)
	s.run("list").want(0, `svc/me +1 +here \(lives 1s longer than its owner\)`, "")
	if code, errs := owner.end(); code != 0 || errs != "" {
		t.Errorf("code %d, %s", code, errs)
	}
	s.gone("svc/me")
	owner = s.start("set", "svc/me", "again", "--ttl", "1s")
	owner.line(`revision 3`)
	s.run("set", "svc/me", "mine").want(0, "revision 4", "")
	if code := <-owner.code; code != 4 || !strings.Contains(owner.errors.String(), "somebody else") {
		t.Errorf("code %d, %s", code, owner.errors)
	}
	s.run("get", "svc/me").want(0, "mine", "")
}

func TestServeAsAProcess(t *testing.T) {
	s := newScene(t)
	for i, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		process, out, errs := s.process("serve", "--endpoint", s.endpoint, "--store", filepath.Join(s.folder, "store"))
		if !out.Scan() || out.Text() != "listening on "+s.endpoint {
			t.Fatalf("got %q, %v, %s", out.Text(), out.Err(), errs)
		}
		s.run("set", "svc/a", fmt.Sprint(i)).want(0, fmt.Sprint("revision ", i+1), "")
		if err := process.Process.Signal(signal); err != nil {
			t.Skip("no such signal here: ", err)
		}
		if err := process.Wait(); err != nil {
			t.Errorf("%v: %v, %s", signal, err, errs)
		}
		if !strings.Contains(errs.String(), "msg=primary") || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("want a line about the role, got %s", errs)
		}
	}
}

func TestServeIsForThisMachine(t *testing.T) {
	s := newScene(t)
	store := filepath.Join(s.folder, "no folder", "store") // whatever gets there fails
	for _, endpoint := range []string{"tcp://0.0.0.0:7400", "tcp://*:7400", "tcp://192.0.2.1:7400", "tcp://[::]:7400", "tcp://eth0:7400"} {
		s.run("serve", "--store", store, "--endpoint", endpoint).want(2, "", "may be reached by other machines.*--expose")
		s.run("serve", "--store", store, "--endpoint", "tcp://127.0.0.1:*", "--changes", endpoint).want(2, "", "may be reached")
		if o := s.run("serve", "--store", store, "--expose", "--endpoint", endpoint); o.code != 1 || !strings.Contains(o.err, "level=WARN") {
			t.Errorf("code %d, %s", o.code, o.err)
		}
	}
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://localhost:*", s.endpoint, "inproc://a"} {
		s.run("serve", "--store", store, "--endpoint", endpoint).want(1, "", "no folder")
	}
	s.run("serve", "--store", store, "--endpoint", s.endpoint, "--interval", "30s").want(1, "", "no folder") // and not TakeoverAfter
	s.run("serve", "--store", store, "--endpoint", "nonsense").want(2, "", "no scheme")
	s.run("serve", "--store", store, "--interval", "1ns").want(2, "", "Interval")
	s.run("serve", "--store", store, "--takeover-after", "soon").want(2, "", "want a time such as 10s, or never")
	s.run("serve").want(2, "", `"store" not set`)
}

func TestNoAuthority(t *testing.T) {
	s := newScene(t)
	for _, line := range []string{"get a/b", "list", "set a/b c", "set a/b c --ttl 5s", "delete a/b", "edit a", "watch", "log", "status", "rollback 1", "wait 1"} {
		args := append(strings.Fields(line), "--timeout", "50ms")
		s.run(args...).want(1, "", `waited 50ms.*does an authority run at ipc://.*zwire config serve`)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var errs strings.Builder
	line := []string{"zwire", "config", "--authority", s.endpoint, "get", "a/b"}
	if code := run(ctx, line, terminal.Streams{Out: &errs, Err: &errs}); code != 1 || errs.String() != "zwire: interrupted\n" {
		t.Errorf("code %d, %q", code, errs.String())
	}
	t.Setenv("ZWIRE_CONFIG_AUTHORITY", s.endpoint+","+s.endpoint+"2")
	errs.Reset()
	line = []string{"zwire", "config", "--timeout", "50ms", "get", "a/b"}
	if code := run(t.Context(), line, terminal.Streams{Out: &errs, Err: &errs}); code != 1 || !strings.Contains(errs.String(), " or ipc://") {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

func TestEdit(t *testing.T) {
	s := newScene(t)
	s.authority(nil)
	s.run("set", "svc/a", "1").want(0, "revision 1", "")
	s.run("set", "svc/text", "two\nlines\n").want(0, "revision 2", "")
	s.run("set", "svc2/a", "1").want(0, "revision 3", "")
	s.editor("svc/a = 1→svc/b = 2\n#")
	s.run("edit", "svc").want(0, "^revision 4$", "")
	s.run("list").want(0, `\AKEY.*\nsvc/b +4 +2\nsvc/text +2 .*\nsvc2/a .*\n\z`, "")
	s.editor("lines→words")
	s.run("edit", "svc/text").want(0, "^revision 5$", "")
	s.run("get", "svc/text").want(0, `\Atwo\nwords\n\z`, "")
	s.editor("words→words")
	s.run("edit", "svc/text").want(0, "^nothing was changed$", "")
	if kept, _ := filepath.Glob(filepath.Join(s.folder, "*.txt")); len(kept) != 0 {
		t.Errorf("left behind: %v", kept)
	}
	s.editor("svc/b =→svc/b") // a line that means nothing
	s.run("edit", "svc").want(1, "", `what you wrote is kept in .*: line 4: want key = value`)
	s.editor("svc/b = 2→other/b = 2")
	s.run("edit", "svc").want(2, "", `other/b is not below svc`)
	s.editor("no such text→")
	s.run("edit", "svc").want(1, "", `what you wrote is kept in .*: editor .* exit status 1`)
	s.run("get", "svc/b").want(0, "2", "")

	s.editor("svc/b = 2→svc/b = 3")
	t.Setenv(meanwhileVariable, "--authority "+s.endpoint+" set svc/text else")
	o := s.run("edit", "svc").want(4, "", `kept in .*: config: .*"svc/text" is at 6, want 5: nothing was changed`)
	s.run("get", "svc/b").want(0, "2", "")
	_, name, _ := strings.Cut(o.err, "kept in ")
	name, _, _ = strings.Cut(name, ": ")
	if kept, err := os.ReadFile(name); err != nil || !strings.Contains(string(kept), "svc/b = 3") {
		t.Errorf("kept %q, %v", kept, err)
	}
}
