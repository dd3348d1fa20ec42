// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// A cache file is a first line, then parts, each after its length as an uvarint: an entry without a key that stands for the copy (its
// value: epoch, then the highest epoch seen, revision and the number of trees in the options, of heads and of entries, as uvarints and
// octets), the trees, the heads, the entries as package wire has them. The SHA-256 of all that ends it.
const cacheHead = "zwire config cache 1\n"

// cacheBytesMax is far above what fits into the memory of a client.
const cacheBytesMax = 8 << 30

// cached is what a cache file holds.
type cached struct {
	state *model.State
	epoch model.Epoch
	seen  model.Epoch
	trees []string
}

// keepCache writes the cache file when the copy has changed, until Close.
func (c *Client) keepCache() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		v := c.view.Load()
		if err := c.saveCache(); err != nil {
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
		}
		timer.Reset(cacheEvery)
		select {
		case <-c.life.Done():
			return
		case <-timer.C:
		}
		select {
		case <-c.life.Done():
			return
		case <-v.next:
		}
	}
}

// saveCache writes the copy if it is good and not what the file holds. Only keepCache, and Close after it has ended, call it.
func (c *Client) saveCache() error {
	c.mu.Lock()
	v, seen, saved := c.view.Load(), c.machine.View().Seen, c.saved
	c.mu.Unlock()
	if c.options.CacheFile == "" || !v.synced || v.state == saved {
		return nil
	}
	if err := writeCache(c.options.CacheFile, &cached{v.state, v.epoch, seen, c.options.Trees}); err != nil {
		return fmt.Errorf("config: cache file: %w", err)
	}
	c.mu.Lock()
	c.saved, c.err = v.state, nil
	c.mu.Unlock()
	return nil
}

// loadCache returns the copy in the cache file; nil if there is none, or none that can be used, and then why.
func (c *Client) loadCache() (*cached, error) {
	if c.options.CacheFile == "" {
		return nil, nil
	}
	got, err := readCache(c.options.CacheFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("config: cache file: %w", err)
	case !slices.Equal(got.trees, c.options.Trees):
		return nil, errors.New("config: cache file: it is of other trees")
	}
	return got, nil
}

// writeCache replaces the file at once: whoever reads it finds the old one or the new one.
func writeCache(path string, what *cached) (err error) {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(path + ".new")
		}
	}()
	buffer := bufio.NewWriterSize(file, 1<<16)
	err = errors.Join(encodeCache(buffer, what), buffer.Flush(), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func encodeCache(to io.Writer, what *cached) error {
	sum := sha256.New()
	all := io.MultiWriter(to, sum)
	if _, err := io.WriteString(all, cacheHead); err != nil {
		return err
	}
	var length, scratch []byte
	part := func(b []byte) error {
		length = binary.AppendUvarint(length[:0], uint64(len(b)))
		_, err := all.Write(length)
		if err == nil {
			_, err = all.Write(b)
		}
		return err
	}
	heads := slices.Collect(what.state.Heads(""))
	_, keys, _ := what.state.Size()
	for _, epoch := range []model.Epoch{what.epoch, what.seen} {
		scratch = append(binary.AppendUvarint(scratch, epoch.Number), epoch.Authority[:]...)
	}
	for _, n := range []uint64{what.state.Revision(), uint64(len(what.trees)), uint64(len(heads)), uint64(keys)} {
		scratch = binary.AppendUvarint(scratch, n)
	}
	err := part(scratch)
	for _, tree := range what.trees {
		err = errors.Join(err, part([]byte(tree)))
	}
	for i := range heads {
		scratch = wire.AppendHead(scratch[:0], &heads[i])
		err = errors.Join(err, part(scratch))
	}
	for entry := range what.state.List("") {
		if err != nil {
			return err
		}
		scratch = wire.AppendEntry(scratch[:0], entry)
		err = part(scratch)
	}
	_, sumErr := to.Write(sum.Sum(nil))
	return errors.Join(err, sumErr)
}

// readCache reads a file and proves it: a damaged one is an error.
func readCache(path string) (*cached, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > cacheBytesMax {
		return nil, fmt.Errorf("%w: no file of this kind", ErrDamaged)
	}
	all, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	body, whole := bytes.CutPrefix(all, []byte(cacheHead))
	if !whole || len(body) < sha256.Size {
		return nil, fmt.Errorf("%w: no file of this kind", ErrDamaged)
	}
	end := len(all) - sha256.Size
	if sum := sha256.Sum256(all[:end]); !bytes.Equal(sum[:], all[end:]) {
		return nil, fmt.Errorf("%w: its checksum is another one", ErrDamaged)
	}
	r := cacheReader{left: body[:len(body)-sha256.Size]}
	got := r.decode()
	if r.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, r.err)
	}
	return got, nil
}
