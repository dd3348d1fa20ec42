// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/zwire-mq/zwire/patterns/internal/boltfile"
)

// Bolt is a [Store] in one file, by bbolt. While it is open no other process can open it. Each record has a checksum, and the header
// has their number and a checksum of all of them: a record that is missing, or that was there before, shows too.
type Bolt struct {
	path  string
	table *crc64.Table

	mutex  sync.Mutex // of what follows
	db     *bbolt.DB
	file   *os.File // the one that db uses and closes
	head   header
	loaded bool
	broken error // why nothing goes any more
	closed bool
}

// header is what the store says of its records.
type header struct {
	format  uint64
	life    uint64
	records uint64
	sums    uint64 // the checksums of all records, by exclusive or
}

const (
	formatNumber = 1
	headerBytes  = 5 * 8 // four numbers and a checksum
	headerBucket = "header"
	tasksBucket  = "tasks"
	headerKey    = "header"
	// lockWaitMax is how long to wait for another process to close the file: one that is about to end.
	lockWaitMax = time.Second
	// lockPause is between two looks at the lock.
	lockPause = 50 * time.Millisecond
	// fill is how full pages get before they are split: tasks are added at the end.
	fill = 0.9
)

// Open opens the store in the file at path, or makes it, with mode 0600. The file is there whole or not at all, so an empty one is a
// damaged one. Errors are ErrInUse, a *DamagedError, or those of the file system; what a record is worth shows in Load.
func Open(path string) (*Bolt, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("workpool: open the store: %w", err)
	}
	b := &Bolt{path: path, table: crc64.MakeTable(crc64.ECMA), file: file}
	if err := b.open(file); err != nil {
		boltfile.Unlock(file)
		file.Close() // the first error counts; bbolt may have closed it already
		return nil, err
	}
	return b, nil
}

func openFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
		file, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		file.Close() // the first error counts
		return nil, err
	}
	return file, nil
}

// create makes a store beside path and then gives it its name, which fails if somebody else has been faster. A crash may leave
// the other name behind, which does no harm.
func create(path string) error {
	directory, name := filepath.Split(path)
	if directory == "" {
		directory = "."
	}
	temporary, err := os.CreateTemp(directory, name+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // harmless if it stays
	if err := temporary.Close(); err != nil {
		return err
	}
	if err := initialise(temporary.Name()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return boltfile.SyncDirectory(directory)
}

// initialise makes the buckets of a new file.
func initialise(path string) error {
	db, err := bbolt.Open(path, 0o600, boltOptions(nil))
	if err != nil {
		return err
	}
	b := Bolt{table: crc64.MakeTable(crc64.ECMA)}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{headerBucket, tasksBucket} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return b.putHeader(tx, header{format: formatNumber})
	})
	return errors.Join(err, db.Close())
}

// boltOptions leave out the list of free pages, which costs a write for each commit and can be made again from the rest.
func boltOptions(file *os.File) *bbolt.Options {
	options := &bbolt.Options{Timeout: lockWaitMax, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true}
	if file != nil {
		options.OpenFile = func(string, int, os.FileMode) (*os.File, error) { return file, nil }
	}
	return options
}

func (b *Bolt) open(file *os.File) error {
	if err := lockFile(file); err != nil {
		return fmt.Errorf("workpool: lock the store %s: %w", b.path, err)
	}
	if err := boltfile.Check(file, false); err != nil {
		var reason boltfile.Damage
		if errors.As(err, &reason) {
			return b.damaged(err.Error())
		}
		return fmt.Errorf("workpool: read the store %s: %w", b.path, err)
	}
	return b.guard(func() (err error) {
		b.db, err = bbolt.Open(b.path, 0o600, boltOptions(file))
		if errors.Is(err, bbolterrors.ErrTimeout) {
			err = fmt.Errorf("workpool: lock the store %s: %w", b.path, ErrInUse)
		}
		return err
	})
}

func lockFile(file *os.File) error {
	for waited := time.Duration(0); ; waited += lockPause {
		if taken, err := boltfile.Lock(file); taken || err != nil {
			return err
		}
		if waited >= lockWaitMax {
			return ErrInUse
		}
		time.Sleep(lockPause)
	}
}

// guard runs what uses bbolt, which panics, or reads what is not there, when the file is damaged.
func (b *Bolt) guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if reason := recover(); reason != nil {
			err = &DamagedError{b.path, fmt.Sprint(reason)}
			b.db, b.broken = nil, err // its locks may be held for ever
		}
	}()
	return do()
}

// update is not DB.Update: after a panic that would look for free pages, in a goroutine whose panics nobody can catch.
func (b *Bolt) update(change func(tx *bbolt.Tx) error) error {
	tx, err := b.db.Begin(true)
	if err != nil {
		return err
	}
	if err := change(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (b *Bolt) putHeader(tx *bbolt.Tx, h header) error {
	value := make([]byte, 0, headerBytes)
	for _, n := range []uint64{h.format, h.life, h.records, h.sums} {
		value = binary.BigEndian.AppendUint64(value, n)
	}
	value = binary.BigEndian.AppendUint64(value, crc64.Checksum(value, b.table))
	return tx.Bucket([]byte(headerBucket)).Put([]byte(headerKey), value)
}

func (b *Bolt) damaged(reason string) error { return &DamagedError{b.path, reason} }

func (b *Bolt) header(tx *bbolt.Tx) (h header, err error) {
	head := tx.Bucket([]byte(headerBucket))
	if head == nil || tx.Bucket([]byte(tasksBucket)) == nil {
		return h, b.damaged("it is not a store of this package")
	}
	value := head.Get([]byte(headerKey))
	if len(value) != headerBytes || crc64.Checksum(value[:headerBytes-sumBytes], b.table) != sumOf(value) {
		return h, b.damaged("its header is not what was written")
	}
	for i, n := range []*uint64{&h.format, &h.life, &h.records, &h.sums} {
		*n = binary.BigEndian.Uint64(value[8*i:])
	}
	if h.format != formatNumber {
		return h, fmt.Errorf("%w: %s", ErrFormat, b.path)
	}
	return h, nil
}

func (b *Bolt) ready() error {
	switch {
	case b.closed:
		return fmt.Errorf("workpool: the store %s: %w", b.path, net.ErrClosed)
	case b.broken != nil:
		return b.broken
	}
	return nil
}

// Load implements Store.
func (b *Bolt) Load() (*Contents, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if err := b.ready(); err != nil {
		return nil, err
	}
	contents := &Contents{}
	err := b.guard(func() error {
		return b.update(func(tx *bbolt.Tx) error {
			h, err := b.header(tx)
			if err != nil {
				return err
			}
			if err := b.loadRecords(tx, h, contents); err != nil {
				return err
			}
			h.life++
			b.head = h
			contents.Life = h.life
			return b.putHeader(tx, h)
		})
	})
	if err != nil {
		b.broken = err
		return nil, err
	}
	b.loaded = true
	return contents, nil
}

func (b *Bolt) loadRecords(tx *bbolt.Tx, h header, contents *Contents) error {
	var records, sums uint64
	err := tx.Bucket([]byte(tasksBucket)).ForEach(func(key, value []byte) error {
		if len(key) != 8 {
			return b.damaged("a key has a wrong length")
		}
		id := binary.BigEndian.Uint64(key)
		r, err := decode(id, value, b.table)
		if err != nil {
			return b.damaged(fmt.Sprintf("task %d: %v", id, err))
		}
		records++
		sums ^= sumOf(value)
		contents.Records = append(contents.Records, r)
		return nil
	})
	if err == nil && (records != h.records || sums != h.sums) {
		return b.damaged(fmt.Sprintf("it has %d records, not the %d that were written", records, h.records))
	}
	return err
}

// Write implements Store. Of several changes to one record the last counts.
func (b *Bolt) Write(ops []Op) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if err := b.ready(); err != nil {
		return err
	}
	if !b.loaded {
		return errors.New("workpool: Load comes before Write")
	}
	last := make(map[uint64]int, len(ops))
	for i := range ops {
		last[ops[i].ID] = i
	}
	next := b.head
	err := b.guard(func() error {
		return b.update(func(tx *bbolt.Tx) error {
			tasks := tx.Bucket([]byte(tasksBucket))
			tasks.FillPercent = fill
			for i := range ops {
				if last[ops[i].ID] != i {
					continue
				}
				if err := b.change(tasks, &ops[i], &next); err != nil {
					return err
				}
			}
			return b.putHeader(tx, next)
		})
	})
	if err != nil {
		if b.broken == nil {
			b.broken = fmt.Errorf("workpool: write the store %s: %w", b.path, err)
		}
		return b.broken
	}
	b.head = next
	return nil
}

func (b *Bolt) change(tasks *bbolt.Bucket, op *Op, next *header) error {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, 8), op.ID)
	if old := tasks.Get(key); old != nil {
		next.records--
		next.sums ^= sumOf(old)
	}
	if op.Record == nil {
		return tasks.Delete(key)
	}
	value := encode(op.Record, b.table)
	next.records++
	next.sums ^= sumOf(value)
	return tasks.Put(key, value)
}

// Close implements Store.
func (b *Bolt) Close() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.db == nil {
		boltfile.Unlock(b.file)
		return b.file.Close() // what bbolt has mapped is lost
	}
	return b.db.Close()
}
