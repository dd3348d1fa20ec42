// SPDX-License-Identifier: Apache-2.0

package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// This file reads bbolt's file format, version 2, before bbolt does, which trusts what it reads: it would panic, follow a circle
// for ever, read beyond the end of the file, or go back to the meta page before the last without a word. Only what holds the tree
// of pages together is checked here; what the values are worth is checked by their sums when they are loaded.
//
// The file is an array of pages. Pages 0 and 1 are meta pages. Transaction n writes its changes to pages that neither it nor
// transaction n-1 needs, syncs, writes meta page n mod 2, syncs again, and has been acknowledged when that returned. A crash may
// come at any point of this:
//
//   - Before the meta page is written: both meta pages are as n-1 left them. What was written so far, or got lost of it, is in
//     pages that do not count, at most the file is longer.
//   - While the meta page is written: it is one page, and its content is in the first 80 octets, within one sector. Killing a
//     process does not cut a write within a page, and disks do not tear a sector. So it is there, or that of n-2 is.
//   - Later: both meta pages are there, n and n-1.
//
// So after a crash both meta pages are valid and one transaction apart, always, and what is found otherwise is damage. If only one
// is valid, the other may have been the newer one, whose transaction was acknowledged: going on without it may lose that.
//
// One thing cannot be seen in the file: a disk that says that it has synced a meta page and has not written it.

const (
	boltMagic     = 0xED0CDAED
	boltVersion   = 2
	pageBytesMin  = 1 << 12
	pageBytesMax  = 1 << 24
	pageHeadBytes = 16
	elementBytes  = 16
	metaBytes     = 64
	bucketBytes   = 16 // before an inline page
	branchPage    = 1
	leafPage      = 2
	metaPage      = 4
	bucketElement = 1
	noFreelist    = 1<<64 - 1
	// depthMax is far more than pages with two keys each reach in the largest file.
	depthMax = 64
)

// Damage is an error that says what is wrong with a file.
type Damage string

// Error says it.
func (d Damage) Error() string { return string(d) }

func damagef(format string, values ...any) error { return Damage(fmt.Sprintf(format, values...)) }

// boltMeta is what a meta page says.
type boltMeta struct {
	pageBytes   uint64
	root        uint64 // page of the bucket of buckets
	freelist    uint64
	pages       uint64 // the first page that was never used
	transaction uint64
}

// fileReader checks one file.
type fileReader struct {
	from    io.ReaderAt
	bytes   uint64
	meta    boltMeta
	reached []uint64 // a bit for each page
}

// Check reads a file, which nobody else writes to, and says whether bbolt can be trusted with it: an error is a Damage, or of the
// operating system. acceptOlder lets one bad meta page pass.
func Check(file *os.File, acceptOlder bool) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f := fileReader{from: file, bytes: uint64(max(info.Size(), 0))}
	if f.bytes == 0 {
		return Damage("the file is empty")
	}
	if f.meta, err = f.newest(acceptOlder); err != nil {
		return err
	}
	return f.check()
}

// LastTransaction returns that of the newer meta page, if both are intact.
func LastTransaction(file *os.File) (uint64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	f := fileReader{from: file, bytes: uint64(info.Size())}
	meta, err := f.newest(false)
	return meta.transaction, err
}

// read fills b from an offset. That the file is too short is damage.
func (f *fileReader) read(b []byte, offset uint64) error {
	if offset > f.bytes || uint64(len(b)) > f.bytes-offset {
		return damagef("it ends at octet %d, before what should be at %d", f.bytes, offset)
	}
	_, err := f.from.ReadAt(b, int64(offset))
	if errors.Is(err, io.EOF) {
		return damagef("it ended while it was read, before octet %d", offset+uint64(len(b)))
	}
	return err
}

// newest finds the meta page that counts.
func (f *fileReader) newest(acceptOlder bool) (boltMeta, error) {
	first, firstError := f.readMeta(0, 0)
	var second boltMeta
	var secondError error
	if firstError == nil {
		second, secondError = f.readMeta(1, first.pageBytes)
	} else {
		second, secondError = f.findSecond()
	}
	for _, err := range []error{firstError, secondError} {
		if err != nil && !errors.As(err, new(Damage)) {
			return boltMeta{}, err
		}
	}
	one := first
	switch {
	case firstError != nil && secondError != nil:
		return one, damagef("neither meta page is one (%v; %v): not a store, or its beginning is damaged", firstError, secondError)
	case firstError != nil:
		one = second
		fallthrough
	case secondError != nil:
		if acceptOlder {
			return one, nil
		}
		return one, damagef("a meta page is bad (%v): what was written last may be lost; AcceptOlder opens it all the same",
			errors.Join(firstError, secondError))
	case first.transaction+1 == second.transaction:
		return second, nil
	case second.transaction+1 == first.transaction:
		return first, nil
	}
	return one, damagef("the meta pages are of transactions %d and %d", first.transaction, second.transaction)
}

// findSecond looks for meta page 1 where it may be, when page 0 cannot say how long pages are.
func (f *fileReader) findSecond() (meta boltMeta, err error) {
	for bytes := uint64(pageBytesMin); bytes <= pageBytesMax; bytes *= 2 {
		if meta, err = f.readMeta(1, bytes); err == nil || !errors.As(err, new(Damage)) {
			return meta, err
		}
	}
	return meta, err
}

// readMeta reads meta page 0 or 1. Page 0 is the same however long pages are.
func (f *fileReader) readMeta(page, pageBytes uint64) (meta boltMeta, err error) {
	var b [pageHeadBytes + metaBytes]byte
	if err := f.read(b[:], page*pageBytes); err != nil {
		return meta, err
	}
	order := binary.NativeEndian
	if id, flags := order.Uint64(b[:]), order.Uint16(b[8:]); id != page || flags != metaPage {
		return meta, damagef("page %d says that it is %d of kind %#x", page, id, flags)
	}
	content := b[pageHeadBytes:]
	if magic, version := order.Uint32(content), order.Uint32(content[4:]); magic != boltMagic || version != boltVersion {
		return meta, damagef("meta page %d begins with %#x, %d", page, magic, version)
	}
	hash := fnv.New64a()
	hash.Write(content[:metaBytes-8])
	if hash.Sum64() != order.Uint64(content[metaBytes-8:]) {
		return meta, damagef("the checksum of meta page %d is wrong", page)
	}
	meta = boltMeta{
		pageBytes: uint64(order.Uint32(content[8:])), root: order.Uint64(content[16:]), freelist: order.Uint64(content[32:]),
		pages: order.Uint64(content[40:]), transaction: order.Uint64(content[48:]),
	}
	if p := meta.pageBytes; p < pageBytesMin || p > pageBytesMax || p&(p-1) != 0 || page == 1 && p != pageBytes {
		return meta, damagef("meta page %d says that pages have %d octets", page, p)
	}
	if meta.transaction%2 != page {
		return meta, damagef("meta page %d is of transaction %d", page, meta.transaction)
	}
	return meta, nil
}

// check follows all pages that count.
func (f *fileReader) check() error {
	if there := f.bytes / f.meta.pageBytes; f.meta.pages > there {
		return damagef("it has been cut off: %d pages of %d are there", there, f.meta.pages)
	}
	if f.meta.freelist != noFreelist {
		return Damage("it has a list of free pages: not a store of this package")
	}
	f.reached = make([]uint64, f.meta.pages/64+1)
	return f.checkPage(place{page: f.meta.root, top: true})
}

// place is where a page hangs in the tree.
type place struct {
	page      uint64
	low, high []byte // the first key is low, all are below high; nil: any
	depth     int
	top       bool // in the bucket of buckets
}

// reach marks pages, each of which may be reached once.
func (f *fileReader) reach(first, count uint64) error {
	if first < 2 || first >= f.meta.pages || count > f.meta.pages-first {
		return damagef("it refers to pages %d to %d, it has %d", first, first+count-1, f.meta.pages)
	}
	for page := first; page < first+count; page++ {
		if f.reached[page/64]&(1<<(page%64)) != 0 {
			return damagef("page %d is used twice", page)
		}
		f.reached[page/64] |= 1 << (page % 64)
	}
	return nil
}

func (f *fileReader) checkPage(at place) error {
	if at.depth > depthMax {
		return damagef("page %d is %d pages deep", at.page, at.depth)
	}
	if err := f.reach(at.page, 1); err != nil {
		return err
	}
	var head [pageHeadBytes]byte
	if err := f.read(head[:], at.page*f.meta.pageBytes); err != nil {
		return err
	}
	order := binary.NativeEndian
	if id := order.Uint64(head[:]); id != at.page {
		return damagef("page %d says that it is %d", at.page, id)
	}
	overflow := uint64(order.Uint32(head[12:]))
	if overflow > 0 {
		if err := f.reach(at.page+1, overflow); err != nil {
			return err
		}
	}
	// The pages have been marked, so all that is held at any time is not more than the file.
	content := make([]byte, (overflow+1)*f.meta.pageBytes)
	if err := f.read(content, at.page*f.meta.pageBytes); err != nil {
		return err
	}
	return f.checkElements(content, at)
}

// checkElements checks a page with all that follows from it. An inline page has the number 0.
func (f *fileReader) checkElements(content []byte, at place) error {
	order := binary.NativeEndian
	kind, count := order.Uint16(content[8:]), int(order.Uint16(content[10:]))
	branch := kind == branchPage
	switch {
	case !branch && kind != leafPage || branch && at.page == 0:
		return damagef("page %d is of kind %#x", at.page, kind)
	case branch && count == 0:
		return damagef("page %d leads nowhere", at.page)
	case pageHeadBytes+count*elementBytes > len(content) || count == 0 && at.low != nil:
		return damagef("page %d has %d elements", at.page, count)
	}
	var before []byte
	for i := range count {
		e, err := elementAt(content, i, count, branch)
		if err != nil {
			return damagef("page %d, element %d: %v", at.page, i, err)
		}
		// The key in a branch page has no checksum of its own, but is always the first of the page that it leads to. bbolt relies
		// on that when it changes a page: with another key it would add the page again.
		wrongFirst := i == 0 && at.low != nil && !bytes.Equal(e.key, at.low)
		if wrongFirst || i > 0 && bytes.Compare(e.key, before) <= 0 || at.high != nil && bytes.Compare(e.key, at.high) >= 0 {
			return damagef("page %d, element %d: the key is out of order", at.page, i)
		}
		before = e.key
		switch {
		case branch:
			child := place{page: e.page, low: e.key, high: at.high, depth: at.depth + 1, top: at.top}
			if i+1 < count {
				next, err := elementAt(content, i+1, count, branch)
				if err != nil {
					return damagef("page %d, element %d: %v", at.page, i+1, err)
				}
				child.high = next.key
			}
			err = f.checkPage(child)
		case at.top:
			err = f.checkBucket(e, at)
		case e.flags != 0:
			err = damagef("page %d, element %d: of kind %#x: damaged, or not a store of this package", at.page, i, e.flags)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fileReader) checkBucket(e element, at place) error {
	if e.flags != bucketElement || len(e.value) < bucketBytes {
		return damagef("page %d: %.40q is no bucket", at.page, e.key)
	}
	if root := binary.NativeEndian.Uint64(e.value); root != 0 {
		return f.checkPage(place{page: root, depth: at.depth + 1})
	}
	inline := e.value[bucketBytes:]
	if len(inline) < pageHeadBytes || !bytes.Equal(inline[:8], make([]byte, 8)) || !bytes.Equal(inline[12:pageHeadBytes], make([]byte, 4)) {
		return damagef("page %d: bucket %.40q is no inline page", at.page, e.key) // it has no number and no more pages
	}
	return f.checkElements(inline, place{depth: at.depth + 1})
}

// element is one of a branch page, which has a page, or of a leaf page, which has the rest.
type element struct {
	key, value []byte
	page       uint64
	flags      uint32
}

func elementAt(content []byte, i, count int, branch bool) (e element, err error) {
	offset := pageHeadBytes + i*elementBytes
	order, b := binary.NativeEndian, content[offset:]
	var start, keyBytes, valueBytes uint64 // start counts from the element
	if branch {
		start, keyBytes, e.page = uint64(order.Uint32(b)), uint64(order.Uint32(b[4:])), order.Uint64(b[8:])
	} else {
		e.flags, start = order.Uint32(b), uint64(order.Uint32(b[4:]))
		keyBytes, valueBytes = uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
	}
	if keyBytes == 0 {
		return e, Damage("an empty key")
	}
	if start < uint64((count-i)*elementBytes) || start+keyBytes+valueBytes > uint64(len(b)) {
		return e, Damage("it lies outside of its page")
	}
	e.key = b[start : start+keyBytes]
	e.value = b[start+keyBytes : start+keyBytes+valueBytes]
	return e, nil
}
