// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// image is a store's file, the same some commits ago, and what is in it.
type image struct {
	now, earlier []byte
	pageBytes    int
	branches     []int // where pages begin that lead to others
	want         Contents
}

// newImage has a store of many commits, so that it has free pages with old content too.
func newImage(t testing.TB, commits, records int) *image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	o := newOwner(t, rand.New(rand.NewPCG(7, 7)), openBolt(t, path))
	o.build(records, records)
	made := &image{pageBytes: os.Getpagesize()}
	for i := range commits {
		if i == commits-commits/4 {
			made.earlier = readFile(t, path)
		}
		err := o.append(o.want.Last()-o.random.Uint64N(3), 1+o.random.IntN(5), 3)
		if err == nil && i%5 == 0 {
			err = o.trim(o.want.Base.Revision() + 7)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, o.store)
	made.now, made.want = readFile(t, path), o.want
	for at := 0; at < len(made.now); at += made.pageBytes {
		if binary.NativeEndian.Uint16(made.now[at+8:]) == branchPage {
			made.branches = append(made.branches, at)
		}
	}
	return made
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// harm is a way to damage a file at a place.
type harm struct {
	name string
	do   func(random *rand.Rand, i *image, b []byte, at int) []byte
}

func harms() []harm {
	page := func(i *image, b []byte, at int) []byte {
		at -= at % i.pageBytes
		return b[at : at+i.pageBytes]
	}
	return []harm{
		{"flip a bit", func(random *rand.Rand, _ *image, b []byte, at int) []byte {
			b[at] ^= 1 << random.IntN(8)
			return b
		}},
		{"zero 512 octets", func(_ *rand.Rand, _ *image, b []byte, at int) []byte {
			clear(b[at : at+min(512, len(b)-at)])
			return b
		}},
		{"random octets", func(random *rand.Rand, _ *image, b []byte, at int) []byte {
			for j := range b[at : at+min(1+random.IntN(64), len(b)-at)] {
				b[at+j] = byte(random.Uint32())
			}
			return b
		}},
		{"a small number", func(random *rand.Rand, _ *image, b []byte, at int) []byte {
			at -= at % 8
			binary.NativeEndian.PutUint64(b[at:], random.Uint64N(64))
			return b
		}},
		{"truncate", func(_ *rand.Rand, _ *image, b []byte, at int) []byte { return b[:at] }},
		{"swap two pages", func(random *rand.Rand, i *image, b []byte, at int) []byte {
			one, other := page(i, b, at), page(i, b, random.IntN(len(b)))
			kept := bytes.Clone(one)
			copy(one, other)
			copy(other, kept)
			return b
		}},
		{"copy a page over another, with its number", func(random *rand.Rand, i *image, b []byte, at int) []byte {
			copy(page(i, b, at)[8:], page(i, b, random.IntN(len(b)))[8:])
			return b
		}},
		{"lose a write", func(_ *rand.Rand, i *image, b []byte, at int) []byte {
			if at >= 2*i.pageBytes && at < len(i.earlier) { // of a meta page it cannot be told from a commit that never was
				copy(page(i, b, at), page(i, i.earlier, at))
			}
			return b
		}},
		{"forge a meta page", func(random *rand.Rand, i *image, b []byte, at int) []byte {
			meta := b[at%2*i.pageBytes:]
			field := pageHeadBytes + 8*random.IntN(metaBytes/8-1)
			binary.NativeEndian.PutUint64(meta[field:], random.Uint64()>>random.IntN(64))
			forge(meta)
			return b
		}},
	}
}

// forge makes the checksum of a meta page right.
func forge(page []byte) {
	meta := page[pageHeadBytes:][:metaBytes]
	hash := fnv.New64a()
	hash.Write(meta[:metaBytes-8])
	binary.NativeEndian.PutUint64(meta[metaBytes-8:], hash.Sum64())
}

// somewhere is any place in the file, more often where what holds it together is.
func (i *image) somewhere(random *rand.Rand) int {
	at := random.IntN(len(i.now))
	const headBytes = 200
	switch random.IntN(8) {
	case 0, 1, 2: // the beginning of a page
		at -= at%i.pageBytes - random.IntN(headBytes)
	case 3:
		at = i.branches[random.IntN(len(i.branches))] + random.IntN(headBytes)
	case 4: // a meta page
		at %= 2 * i.pageBytes
	}
	return at
}

// TestSoakDamage damages a file at many places. What opens has exactly what was acknowledged, and goes on; what does not says why.
func TestSoakDamage(t *testing.T) {
	i := newImage(t, 60, 120)
	folder, kinds := t.TempDir(), harms()
	var intact, refused atomic.Int64
	sockettest.Seeds(t, sockettest.Soaked(t, 20*len(kinds), 2000), func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		kind, at := kinds[seed%uint64(len(kinds))], i.somewhere(random)
		path := filepath.Join(folder, fmt.Sprint(seed))
		writeFile(t, path, kind.do(random, i, bytes.Clone(i.now), at))
		if opens(t, path, &i.want) {
			intact.Add(1)
		} else {
			refused.Add(1)
		}
		if t.Failed() {
			t.Fatalf("case %d: %s at %d", seed, kind.name, at)
		}
		os.Remove(path) // there are thousands
	})
	t.Logf("a file of %d octets: %d intact, %d refused", len(i.now), intact.Load(), refused.Load())
	if intact.Load() == 0 || refused.Load() == 0 {
		t.Error("the damage is always or never where it matters")
	}
}

// opens says whether the store at path opens, and fails the test if it has anything but what is wanted.
func opens(t testing.TB, path string, want *Contents) bool {
	t.Helper()
	b, err := Open(path, OpenOptions{})
	if err != nil {
		if !errors.As(err, new(*DamagedError)) {
			t.Error("open:", err)
		}
		return false
	}
	defer b.Close() // an error would stem from the damage
	contents, err := b.Load()
	if err != nil {
		if !errors.As(err, new(*DamagedError)) {
			t.Error("load:", err)
		}
		if again := b.Append(0, nil, want.Meta); again == nil {
			t.Error("a damaged store took a write")
		}
		return false
	}
	if text := difference(contents, want); text != "" {
		t.Error("a wrong value:", text)
		return true
	}
	o := &owner{t: t, random: rand.New(rand.NewPCG(1, 1)), store: b, want: *contents}
	o.states = []*model.State{contents.Base}
	for j := range contents.Records {
		o.states = append(o.states, o.state().Apply(&contents.Records[j], nil))
	}
	for range 3 {
		if err := errors.Join(o.append(o.want.Last(), 5, 5), o.trim(o.want.Base.Revision()+3)); err != nil {
			t.Error("it does not go on:", err)
		}
	}
	closeStore(t, b)
	b = openBolt(t, path)
	if text := difference(mustLoad(t, b), &o.want); text != "" {
		t.Error("after going on:", text)
	}
	closeStore(t, b)
	return true
}

// TestNotAStore opens what is none.
func TestNotAStore(t *testing.T) {
	directory := t.TempDir()
	files := map[string][]byte{
		"empty":   nil,
		"zeros":   make([]byte, 1<<16),
		"short":   []byte("x"),
		"text":    []byte(strings.Repeat("This is a file of another program.\n", 1000)),
		"page":    make([]byte, 4096),
		"erased":  bytes.Repeat([]byte{0xFF}, 1<<15),
		"foreign": foreign(t, filepath.Join(directory, "bolt")),
	}
	for name, content := range files {
		path := filepath.Join(directory, name)
		writeFile(t, path, content)
		b, err := Open(path, OpenOptions{})
		if err == nil {
			_, err = b.Load()
			closeStore(t, b)
		}
		var damaged *DamagedError
		if !errors.As(err, &damaged) || damaged.Path != path {
			t.Errorf("%s: %v", name, err)
		}
		if left := readFile(t, path); !bytes.Equal(left, content) {
			t.Errorf("%s: opening changed it", name)
		}
	}
	if _, err := Open(directory, OpenOptions{}); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := Open(filepath.Join(directory, "none", "store"), OpenOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a directory that does not exist: %v", err)
	}
}

// foreign is a file of bbolt that another program uses as a store of this package would be.
func foreign(t *testing.T, path string) []byte {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, boltOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("log"))
		return errors.Join(err, b.Put([]byte("key"), []byte("value")))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return readFile(t, path)
}

// TestFormat refuses a store of a later version without calling it damaged.
func TestFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	b := openBolt(t, path)
	mustLoad(t, b)
	err := b.db.Update(func(tx *bbolt.Tx) error {
		later := b.header
		later.format, later.transaction = formatNumber+1, uint64(tx.ID())
		return putHeader(tx, &later)
	})
	closeStore(t, b)
	if err != nil {
		t.Fatal(err)
	}
	b = openBolt(t, path)
	if _, err := b.Load(); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) || errors.As(err, new(*DamagedError)) {
		t.Error(err)
	}
}

// TestAcceptOlder damages either meta page.
func TestAcceptOlder(t *testing.T) {
	for page := range 2 {
		path := filepath.Join(t.TempDir(), "store")
		o := newOwner(t, rand.New(rand.NewPCG(8, 8)), openBolt(t, path))
		o.build(5, 5)
		before := o.want
		if err := o.append(o.want.Last(), 3, 3); err != nil {
			t.Fatal(err)
		}
		newest := int(o.store.(*Bolt).header.transaction % 2)
		closeStore(t, o.store)
		content := readFile(t, path)
		content[page*os.Getpagesize()+pageHeadBytes+metaBytes-1] ^= 1
		writeFile(t, path, content)
		if _, err := Open(path, OpenOptions{}); err == nil || !strings.Contains(err.Error(), "AcceptOlder") {
			t.Fatalf("page %d: %v", page, err)
		}
		b, err := Open(path, OpenOptions{AcceptOlder: true})
		if err != nil {
			t.Fatal(err)
		}
		want := &o.want
		if page == newest {
			want = &before
		}
		if text := difference(mustLoad(t, b), want); text != "" {
			t.Errorf("page %d: %s", page, text)
		}
		if err := b.Append(want.Last(), nil, want.Meta); err != nil {
			t.Fatal(err)
		}
		closeStore(t, b)
		if text := difference(mustLoad(t, openBolt(t, path)), want); text != "" {
			t.Errorf("page %d, mended: %s", page, text)
		}
	}
}

// FuzzFile changes octets of a small store: nothing but what was stored comes back. Each four octets of edits are one: the page, the
// offset in it, and the new octet. With forged, the checksums of the meta pages are made right.
func FuzzFile(f *testing.F) {
	i := newImage(f, 8, 10)
	f.Add([]byte{2, 0, 8, 1, 3, 0, 10, 0xFF}, false)
	f.Add([]byte{0, 0, 32, 2, 1, 0, 32, 2}, true)
	f.Fuzz(func(t *testing.T, edits []byte, forged bool) {
		content := bytes.Clone(i.now)
		pages := len(content) / i.pageBytes
		for ; len(edits) >= 4; edits = edits[4:] {
			at := int(edits[0])%pages*i.pageBytes + int(binary.BigEndian.Uint16(edits[1:]))%i.pageBytes
			content[at] = edits[3]
		}
		if forged {
			forge(content)
			forge(content[i.pageBytes:])
		}
		path := filepath.Join(t.TempDir(), "store")
		writeFile(t, path, content)
		opens(t, path, &i.want)
	})
}
