// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// sample is a message and its octets in hexadecimal, a group for each field.
type sample struct {
	m      Message
	octets string
}

const (
	goldenEpoch  = " 05 6175746830303031"
	goldenDigest = " 0000000000000001 0000000000000002 0000000000000003 0000000000000004"
	goldenHeads  = " 01 0161 8002" + goldenDigest
	goldenEntry  = " 03612f62 027631 8002 80a8d6b907 0173"
	goldenRecord = " 8002 05 6175746830303031 03 02 6d65 0173 09" +
		" 02 03612f62 027631 80a8d6b907 00 03612f63 00 00 01"
)

func goldenClient() []sample {
	epoch := model.Epoch{Number: 5, Authority: model.AuthorityID([]byte("auth0001"))}
	digest := model.Digest{1, 2, 3, 4}
	transaction := model.Transaction{
		Conditions: []model.Condition{{Key: "a/b", Revision: 255}, {Key: "a/c"}},
		Ops:        goldenParts().Ops,
	}
	return []sample{
		{&Hello{Version: 1, Session: "s", Name: "node", Trees: []string{"a", "bc"}, Epoch: epoch, Observer: true},
			"01 01 0173 04 6e6f6465 02 0161 026263" + goldenEpoch + " 01"},
		{&Sync{ID: 3, Epoch: epoch, Revision: 256, Digest: digest}, "02 03" + goldenEpoch + " 8002" + goldenDigest},
		{&Read{ID: 4, Revision: 256, Prefix: "a/"}, "03 04 8002 02 612f"},
		{&More{ID: 4, Chunks: 8}, "04 04 08"},
		{&Cancel{ID: 4}, "05 04"},
		{&Report{Epoch: epoch, Revision: 256, Digest: digest}, "06" + goldenEpoch + " 8002" + goldenDigest},
		{&Propose{Request: 9, Author: "me", Transaction: transaction},
			"07 09 026d65 02 03612f62 ff01 03612f63 00 02 03612f62 027631 80a8d6b907 00 03612f63 00 00 01"},
		{&Rollback{Request: 9, Author: "me", Revision: 256, Seen: 3, Trees: []string{"a"}}, "08 09 026d65 8002 03 01 0161"},
		{&Log{Request: 9, From: 256, Max: 10}, "09 09 8002 0a"},
		{&Status{Request: 9}, "0a 09"},
		{&Wait{ID: 9, Revision: 256, Nodes: 1000}, "0b 09 8002 e807"},
		{&Promote{Request: 9, Author: "me", Force: true}, "0c 09 026d65 01"},
		{&Bye{}, "0d"},
	}
}

func goldenParts() model.Record {
	return model.Record{
		Revision: 256,
		Epoch:    model.Epoch{Number: 5, Authority: model.AuthorityID([]byte("auth0001"))},
		Time:     time.Unix(0, -2).UTC(),
		Author:   "me",
		Session:  "s",
		Request:  9,
		Ops:      []model.Op{{Key: "a/b", Value: []byte("v1"), TTL: 2 * time.Second}, {Key: "a/c", Delete: true}},
	}
}

func goldenAuthority() []sample {
	record := goldenParts()
	epoch, digest := record.Epoch, model.Digest{1, 2, 3, 4}
	heads := []model.Head{{Tree: "a", Revision: 256, Digest: digest}}
	entry := &model.Entry{Key: "a/b", Value: []byte("v1"), Revision: 256, TTL: 2 * time.Second, Owner: "s"}
	const id = " 6175746830303031"
	return []sample{
		{&Welcome{Version: 1, Authority: epoch.Authority, Role: RolePrimary, Epoch: epoch, Revision: 256, ReadOnly: "no",
			Changes: ":70", Interval: time.Second, ValueBytesMax: 1 << 20},
			"20 01" + id + " 02" + goldenEpoch + " 8002 026e6f 033a3730 8094ebdc03 808040"},
		{&Result{Request: 9, Code: CodeConflict, Revision: 256, Text: "no"}, "21 09 04 8002 026e6f"},
		{&Chunk{ID: 3, Number: 1, Last: true, Epoch: epoch, Revision: 256, Heads: heads, Entries: []*model.Entry{entry}},
			"22 03 01 01" + goldenEpoch + " 00 8002" + goldenHeads + " 01" + goldenEntry + " 00"},
		{&Chunk{ID: 3, Epoch: epoch, From: 255, Revision: 256, Records: []model.Record{record}},
			"22 03 00 00" + goldenEpoch + " ff01 8002 00 00 01" + goldenRecord},
		{&Records{Request: 9, Oldest: 7, Records: []model.Record{record}}, "23 09 07 01" + goldenRecord},
		{&Nodes{Request: 9, Authority: epoch.Authority, Role: RoleStandby, Epoch: epoch, Revision: 256, Oldest: 7, ReadOnly: "no",
			Standby: "up", Trees: 1, Keys: 2, Bytes: 300,
			Nodes: []Node{{Session: "s", Name: "n", Trees: []string{"a"}, Revision: 255, Lag: 1, Seen: 127, Proved: true}}},
			"24 09" + id + " 03" + goldenEpoch + " 8002 07 026e6f 027570 01 02 ac02 01 0173 016e 01 0161 ff01 01 7f 01"},
		{&Body{Epoch: epoch, Previous: 255, Head: heads[0], Records: []model.Record{record}},
			"40" + goldenEpoch + " ff01 0161 8002" + goldenDigest + " 01" + goldenRecord},
		{&Mark{Epoch: epoch, Previous: 255, Revision: 256, Heads: heads, Report: true}, "41" + goldenEpoch + " ff01 8002" + goldenHeads + " 01"},
	}
}

func goldenPeers() []sample {
	record := goldenParts()
	epoch, digest := record.Epoch, model.Digest{1, 2, 3, 4}
	heads := []model.Head{{Tree: "a", Revision: 256, Digest: digest}}
	entry := &model.Entry{Key: "a/b", Value: []byte("v1"), Revision: 256, TTL: 2 * time.Second, Owner: "s"}
	return []sample{
		{&Peer{Version: 1, Authority: epoch.Authority, Cluster: 3, Life: 6, Role: RoleLooking, Epoch: epoch, Lineage: epoch, Revision: 256,
			Committed: 255, Ready: true, Preferred: true, Intends: epoch, Attachment: 11},
			"60 01 6175746830303031 03 06 01" + goldenEpoch + goldenEpoch + " 8002 ff01 01 01" + goldenEpoch + " 0b"},
		{&Attach{Attachment: 11, Epoch: epoch, Revision: 256, Last: epoch, Digest: digest},
			"61 0b" + goldenEpoch + " 8002" + goldenEpoch + goldenDigest},
		{&Append{Attachment: 11, Epoch: epoch, After: 255, Committed: 254, Records: []model.Record{record}},
			"62 0b" + goldenEpoch + " ff01 fe01 01" + goldenRecord},
		{&Install{Attachment: 11, Epoch: epoch, Number: 2, Last: true, Revision: 256, LastEpoch: epoch, Heads: heads,
			Entries: []*model.Entry{entry}},
			"63 0b" + goldenEpoch + " 02 01 8002" + goldenEpoch + goldenHeads + " 01" + goldenEntry},
		{&Taken{Attachment: 11, Number: 2}, "64 0b 02"},
		{&Stored{Attachment: 11, Epoch: epoch, Revision: 256, Error: "no"}, "65 0b" + goldenEpoch + " 8002 026e6f"},
		{&Granted{Attachment: 11, Epoch: epoch, Revision: 256}, "66 0b" + goldenEpoch + " 8002"},
	}
}

func TestGolden(t *testing.T) {
	seen := map[kind]bool{}
	for _, s := range append(append(goldenClient(), goldenAuthority()...), goldenPeers()...) {
		want, err := hex.DecodeString(strings.ReplaceAll(s.octets, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := Encode(s.m); string(got) != string(want) {
			t.Errorf("%T: got\n%x, want\n%x", s.m, got, want)
		}
		if got, err := Decode(want); err != nil || !reflect.DeepEqual(got, s.m) {
			t.Errorf("%T: decodes as %+v, %v", s.m, got, err)
		}
		seen[s.m.kind()] = true
	}
	for _, m := range randomMessages(0) {
		if !seen[m.kind()] {
			t.Errorf("no octets of %T", m)
		}
	}
}
