// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

var errCacheFormat = errors.New("config: not the format of a cache file")

// cacheReader takes a cache file apart. After the first error everything is zero.
type cacheReader struct {
	left []byte
	err  error
}

func (r *cacheReader) fail(err error) {
	if r.err == nil && err != nil {
		r.err, r.left = err, nil
	}
}

func (r *cacheReader) number() uint64 {
	n, size := binary.Uvarint(r.left)
	if size <= 0 {
		r.fail(errCacheFormat)
		return 0
	}
	r.left = r.left[size:]
	return n
}

func (r *cacheReader) octets(count uint64) []byte {
	if count > uint64(len(r.left)) {
		r.fail(errCacheFormat)
		return nil
	}
	b := r.left[:count]
	r.left = r.left[count:]
	return b
}

func (r *cacheReader) part() []byte { return r.octets(r.number()) }

func (r *cacheReader) epoch() (e model.Epoch) {
	e.Number = r.number()
	copy(e.Authority[:], r.octets(uint64(len(e.Authority))))
	return e
}

func (r *cacheReader) decode() *cached {
	head := cacheReader{left: r.part()}
	got := &cached{epoch: head.epoch(), seen: head.epoch()}
	revision, trees, heads, entries := head.number(), head.number(), head.number(), head.number()
	r.fail(head.err)
	for ; trees > 0 && r.err == nil; trees-- {
		got.trees = append(got.trees, string(r.part()))
	}
	var all []model.Head
	for ; heads > 0 && r.err == nil; heads-- {
		h, err := wire.DecodeHead(r.part())
		r.fail(err)
		all = append(all, h)
	}
	if r.err != nil {
		return nil
	}
	builder, err := model.NewBuilder(revision, all)
	r.fail(err)
	for ; entries > 0 && r.err == nil; entries-- {
		entry, err := wire.DecodeEntry(r.part())
		r.fail(err)
		entry.Value = bytes.Clone(entry.Value) // else it would keep all of the file
		if r.err == nil {
			r.fail(builder.Add(&entry))
		}
	}
	if r.err == nil && len(r.left) > 0 {
		r.fail(errCacheFormat)
	}
	if r.err != nil {
		return nil
	}
	if got.state, err = builder.State(); err != nil {
		r.fail(err)
		return nil
	}
	return got
}
