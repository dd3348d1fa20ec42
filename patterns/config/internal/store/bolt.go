// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/internal/boltfile"
)

// OpenOptions say how to open a Bolt.
type OpenOptions struct {
	// AcceptOlder opens a file of which one of the two meta pages is damaged by what the other says. If the damaged one was the
	// newer, the last write, which was acknowledged, is lost, and nothing tells. The next write mends the file. It changes nothing
	// for an intact one.
	AcceptOlder bool
}

// Bolt is a [Store] in one file, by bbolt. While it is open no other process can open it.
type Bolt struct {
	path string

	mutex    sync.Mutex // of what follows
	db       *bbolt.DB
	file     *os.File     // the one that db uses and closes
	base     *model.State // nil before Load
	header   header       // as on disk, once loaded
	broken   error        // why nothing goes any more; nil: it goes
	panicked bool         // inside db: its locks may be held for ever
	closed   bool
}

// Open opens the store in the file at path, or makes it, with mode 0600. The file is there whole or not at all, so an empty one is
// a damaged one. Errors are ErrInUse, ErrFormat, a *DamagedError, or those of the file system.
func Open(path string, options OpenOptions) (*Bolt, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: open the store: %w", err)
	}
	b := &Bolt{path: path, file: file}
	if err := b.open(options); err != nil {
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
	if err := fill(temporary.Name()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return boltfile.SyncDirectory(directory)
}

func fill(path string) error {
	db, err := bbolt.Open(path, 0o600, boltOptions(nil))
	if err != nil {
		return err
	}
	first := header{format: formatNumber}
	rand.Read(first.meta.Authority[:]) // never fails
	err = db.Update(func(tx *bbolt.Tx) error {
		first.transaction = uint64(tx.ID())
		for _, name := range []string{headerBucket, headsBucket, entriesBucket, logBucket} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return putHeader(tx, &first)
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

func (b *Bolt) open(options OpenOptions) error {
	if err := lockFile(b.file); err != nil {
		return fmt.Errorf("config: lock the store %s: %w", b.path, err)
	}
	if err := boltfile.Check(b.file, options.AcceptOlder); err != nil {
		return b.damaged(err)
	}
	return b.guard(func() (err error) {
		b.db, err = bbolt.Open(b.path, 0o600, boltOptions(b.file))
		if errors.Is(err, bbolterrors.ErrTimeout) {
			err = fmt.Errorf("config: lock the store %s: %w", b.path, ErrInUse)
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

// damaged makes a DamagedError of what the reader of files found, but lets errors of reading pass.
func (b *Bolt) damaged(err error) error {
	var reason boltfile.Damage
	if errors.As(err, &reason) {
		return &DamagedError{b.path, err.Error()}
	}
	return fmt.Errorf("config: read the store %s: %w", b.path, err)
}

// guard runs what uses bbolt, which panics, or reads what is not there, when a file has been damaged after it was checked.
func (b *Bolt) guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if reason := recover(); reason != nil {
			b.panicked = true
			err = &DamagedError{b.path, fmt.Sprint(reason)}
			b.broken = err
		}
	}()
	return do()
}

// ready says whether the store can be used. The mutex is held.
func (b *Bolt) ready() error {
	switch {
	case b.closed:
		return fmt.Errorf("config: the store %s: %w", b.path, net.ErrClosed)
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
	var found header
	var contents *Contents
	err := b.guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) (err error) {
			found, contents, err = load(tx)
			return err
		})
	})
	if b.broken != nil {
		return nil, b.broken
	}
	if errors.Is(err, ErrFormat) {
		return nil, fmt.Errorf("%s: %w", b.path, err)
	}
	if err != nil {
		b.broken = &DamagedError{b.path, err.Error()}
		return nil, b.broken
	}
	b.header, b.base = found, contents.Base
	return contents, nil
}

// Append implements Store.
func (b *Bolt) Append(after uint64, records []model.Record, meta Meta) error {
	return b.update(func(tx *bbolt.Tx, next *header) error {
		if err := checkAppend(next.base, next.last, after, records); err != nil {
			return err
		}
		if err := next.take(meta, next.meta.Last); err != nil {
			return err
		}
		log := bucket{tx.Bucket([]byte(logBucket)), logBucket}
		log.FillPercent = logFill
		if after < next.last {
			if err := drop(log, next, after); err != nil {
				return err
			}
		}
		for i := range records {
			record := &records[i]
			sum, err := log.put(logKey(record.Revision), next.lastSum, appendRecord(make([]byte, 0, recordBytes(record)), record))
			if err != nil {
				return err
			}
			next.last, next.lastSum = record.Revision, sum
		}
		return nil
	})
}

// drop takes the records beyond a revision out of the log.
func drop(log bucket, next *header, after uint64) error {
	for revision := next.last; revision > after; revision-- {
		if err := log.Delete(logKey(revision)); err != nil {
			return err
		}
	}
	next.last, next.lastSum = after, next.baseSum
	if after == next.base {
		return nil
	}
	sum, err := log.sumAt(logKey(after))
	next.lastSum = sum
	return err
}

// Install implements Store.
func (b *Bolt) Install(state *model.State, meta Meta) error {
	err := b.update(func(tx *bbolt.Tx, next *header) error {
		if err := next.take(meta, meta.Last); err != nil {
			return err
		}
		for _, name := range []string{headsBucket, entriesBucket, logBucket} {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
			made, err := tx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			made.FillPercent = installFill
		}
		next.base, next.last, next.baseSum = state.Revision(), state.Revision(), next.lastSum
		return putBase(tx, &model.State{}, state, next)
	})
	if err == nil {
		b.base = state
	}
	return err
}

// Trim implements Store.
func (b *Bolt) Trim(base *model.State, last model.Epoch) error {
	err := b.update(func(tx *bbolt.Tx, next *header) error {
		revision := base.Revision()
		if err := checkTrim(next.base, next.last, revision); err != nil {
			return err
		}
		next.meta.Last = last
		log := bucket{tx.Bucket([]byte(logBucket)), logBucket}
		if revision > next.base {
			sum, err := log.sumAt(logKey(revision))
			if err != nil {
				return err
			}
			next.baseSum = sum
		}
		for ; next.base < revision; next.base++ {
			if err := log.Delete(logKey(next.base + 1)); err != nil {
				return err
			}
		}
		return putBase(tx, b.base, base, next)
	})
	if err == nil {
		b.base = base
	}
	return err
}

// update makes a change and the header that goes with it durable.
func (b *Bolt) update(change func(tx *bbolt.Tx, next *header) error) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if err := b.ready(); err != nil {
		return err
	}
	if b.base == nil {
		return fmt.Errorf("%w: Load comes first", ErrOrder)
	}
	next := b.header
	err := b.guard(func() error {
		// Not DB.Update: after a panic it would look for free pages, in a goroutine whose panics nobody can catch.
		tx, err := b.db.Begin(true)
		if err != nil {
			return err
		}
		next.transaction = uint64(tx.ID())
		if err = change(tx, &next); err == nil {
			err = putHeader(tx, &next)
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	})
	switch {
	case err == nil:
		b.header = next
		return nil
	case errors.Is(err, ErrOrder):
		return err
	}
	return b.failed(err)
}

// failed finds out whether a write that failed has changed nothing. If its meta page is on its way to the disk, what is going to
// be there is not known, and what bbolt shows is beyond what the caller may see.
func (b *Bolt) failed(err error) error {
	if b.broken == nil {
		if last, lastError := boltfile.LastTransaction(b.file); lastError == nil && last == b.header.transaction {
			return fmt.Errorf("config: write the store %s: %w", b.path, err)
		}
	}
	b.broken = fmt.Errorf("%w: %s: %w", ErrUncertain, b.path, err)
	return b.broken
}

// Close implements Store.
func (b *Bolt) Close() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.panicked {
		boltfile.Unlock(b.file)
		return b.file.Close() // what bbolt has mapped is lost
	}
	return b.db.Close()
}
