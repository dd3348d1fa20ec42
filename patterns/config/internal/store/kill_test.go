// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// killPath names the store that TestWriteUntilKilled writes to; without it that test does nothing.
const killPath = "ZWIRE_TEST_KILL_STORE"

// killHistory is how many records that test leaves before it trims.
const killHistory = 40

// killRecord is the record of a revision: anybody can tell what has to be in it.
func killRecord(revision uint64) model.Record {
	value := sha256.Sum256(strconv.AppendUint(nil, revision, 10))
	op := model.Op{Key: fmt.Sprintf("tree/k%d", revision%17), Value: bytes.Repeat(value[:], int(1+revision%100))}
	return model.Record{Revision: revision, Author: "writer", Ops: []model.Op{op}}
}

// TestWriteUntilKilled is the process that TestSoakKill kills. It prints each revision once it is acknowledged.
func TestWriteUntilKilled(t *testing.T) {
	path := os.Getenv(killPath)
	if path == "" {
		t.Skip("it runs in a process of its own, for TestSoakKill")
	}
	b := openBolt(t, path)
	contents := mustLoad(t, b)
	state, meta := contents.Base, contents.Meta
	for i := range contents.Records {
		state = state.Apply(&contents.Records[i], nil)
	}
	base := contents.Base.Revision()
	for {
		records := make([]model.Record, 1+state.Revision()%5)
		after := state.Revision()
		for i := range records {
			records[i] = killRecord(after + 1 + uint64(i))
			state = state.Apply(&records[i], nil)
		}
		if err := b.Append(after, records, meta); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Println(state.Revision()); err != nil {
			t.Fatal(err)
		}
		if state.Revision()-base > killHistory {
			base = state.Revision()
			if err := b.Trim(state, model.Epoch{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSoakKill kills a writing process again and again. What it had acknowledged is there each time, and nothing else than what it
// wrote.
func TestSoakKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	random := rand.New(rand.NewPCG(15, 15))
	last := uint64(0)
	for range soaked(t, 5) {
		last = max(last, writeAndKill(t, path, random.IntN(60)))
		b := openBolt(t, path)
		contents := mustLoad(t, b)
		if contents.Last() < last {
			t.Fatalf("revision %d was acknowledged, the last is %d", last, contents.Last())
		}
		last = contents.Last()
		want := Contents{Meta: contents.Meta, Base: &model.State{}}
		for revision := uint64(1); revision <= last; revision++ {
			record := killRecord(revision)
			if revision <= contents.Base.Revision() {
				want.Base = want.Base.Apply(&record, nil)
			} else {
				want.Records = append(want.Records, record)
			}
		}
		if text := difference(contents, &want); text != "" {
			t.Fatal(text)
		}
		closeStore(t, b)
	}
}

// writeAndKill lets a process write, kills it after some acknowledgements, and returns the last that it had printed.
func writeAndKill(t *testing.T, path string, acknowledgements int) (last uint64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestWriteUntilKilled$")
	child.Env = append(os.Environ(), killPath+"="+path)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for n := 0; lines.Scan(); n++ {
		revision, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			t.Errorf("the writer says %q", lines.Text())
		}
		last = max(last, revision)
		if n == acknowledgements {
			child.Process.Kill() // it has not ended by itself: it writes for ever
		}
	}
	if err := child.Wait(); err == nil {
		t.Error("the writer ended by itself")
	}
	return last
}
